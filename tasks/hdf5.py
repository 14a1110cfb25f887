"""Reading HDF5 files of others, whose damage is said in sentences.

A process of its own reads a file (`tasks.hdf5_child` says why), and what it read comes here as arrays.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from core.children import ended
from tasks import hdf5_child
from tasks.errors import DataDamaged, TaskError

SECONDS = 20  # of the processor for one answer; the largest data set of ours takes less than one
MEMORY = 2**30  # bytes; the largest data set of ours has a tenth


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The file for reading; DataDamaged where it is no HDF5 file, OSError where the system refuses it."""
    path.open("rb").close()
    command = [sys.executable, "-P", hdf5_child.__file__, str(path), str(SECONDS), str(MEMORY)]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # the buffers of more threads would count as memory
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as said, ours, ours.makefile("rb") as answers:
        with theirs:
            process = subprocess.Popen(command, env=alone, stdin=theirs.fileno(), stdout=said, stderr=said)
        try:
            contents = Contents(path, process, ours, answers, said)
            contents.answer("byte 0")
            yield contents
        finally:
            process.kill()
            process.wait()


class Contents:
    """What the process `process` at the other end of `line` finds in the file at `path`.

    Its `answers` come over that line, too; its words go to `said`.

    All methods raise DataDamaged for what cannot be read.
    """

    def __init__(
        self, path: Path, process: subprocess.Popen[bytes], line: socket.socket, answers: IO[bytes], said: IO[bytes]
    ) -> None:
        self.path, self._process, self._line, self._answers, self._said = path, process, line, answers, said

    def read(self, name: str) -> Any:
        """The array that lies under `name`."""
        return self._ask("read", name)

    def count(self, name: str) -> int:
        """How many entries the group `name` has; 0 where there is none."""
        count: int = self._ask("count", name)
        return count

    def _ask(self, what: str, name: str) -> Any:
        try:
            self._line.sendall(pickle.dumps((what, name)))
        except ConnectionError:
            raise self._fallen(f"entry {name!r}") from None
        return self.answer(f"entry {name!r}")

    def answer(self, where: str) -> Any:
        """What the process answers next, which is about `where`."""
        try:
            problem, found = pickle.load(self._answers)
        except (EOFError, pickle.UnpicklingError, ConnectionError):  # it ended before or within the answer
            raise self._fallen(where) from None
        if problem is not None:
            raise DataDamaged(self.path, where, problem)
        return found

    def _fallen(self, where: str) -> Exception:
        """What the end of the process means."""
        status = self._process.wait()
        self._said.seek(0)
        _, reason = ended(status, self._said.read().decode(errors="replace"))
        if status == -signal.SIGKILL:
            return MemoryError(f"the process that reads {self.path} was {reason}")
        if status >= 0:
            return TaskError(f"{self.path} cannot be read, for the process that reads it ended: {reason}.")
        if status == -signal.SIGXCPU:
            return DataDamaged(self.path, where, f"in {SECONDS} s HDF5 came to no end of it")
        return DataDamaged(self.path, where, f"HDF5 {reason} as it read it")
