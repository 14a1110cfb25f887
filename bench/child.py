"""The process of one request, forked from a server that has PyTorch loaded already, and what its end means."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from multiprocessing.connection import wait
from typing import Any

from core.children import ended
from core.errors import SpikebenchError
from results import timestamp

from .job import Request, Result
from .start import start

Message = tuple[Any, ...]  # as bench.worker sends them; of a child that died the ("result", Result) is made here


class CannotStart(SpikebenchError):
    """The system has no process for an experiment."""


class Child:
    """Begins when it is made, else CannotStart; `timeout` is in seconds, None for as long as it needs."""

    def __init__(self, request: Request, timeout: float | None) -> None:
        self.request, self.timeout = request, timeout
        context = _context()
        self.connection, theirs = context.Pipe(duplex=False)
        given = (request, theirs, os.environ.get("CUDA_VISIBLE_DEVICES"))
        for last in (False, True):
            self.process = context.Process(target=start, args=given, daemon=request.processes == 1)
            try:
                self.process.start()
                break
            except (OSError, EOFError) as error:  # the server has died; another one starts when it is asked
                if last:
                    raise CannotStart(
                        f"The process of an experiment cannot be started: {error}. What was finished is stored; look "
                        "for a lack of memory, processes or open files, and run the command again."
                    ) from None
        theirs.close()
        self.begun, self.stamp = time.monotonic(), timestamp()
        self.epochs = 0  # that are over and kept

    def left(self) -> float:
        """Seconds that it may still take."""
        return float("inf") if self.timeout is None else self.begun + self.timeout - time.monotonic()

    def message(self) -> Message:
        """What it says next, when it is `ready`; the result of one that is out of time or dead."""
        if not self.connection.poll():
            return "result", self.failed("timeout", f"stopped after {self.timeout:g} s; allow more with --timeout")
        try:
            message: Message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return "result", self.failed(*self._death())
        if message[0] == "epoch":
            self.epochs = message[1] + 1
        return message

    def last_words(self) -> Result:
        """Hears what a child that is to be stopped has said already; its result, should it be through."""
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll():
                kind, *rest = self.connection.recv()
                if kind == "result":
                    return rest[0]
                if kind == "epoch":
                    self.epochs = rest[0] + 1
        return self.failed("interrupted", paused(self.request, self.epochs))

    def failed(self, outcome: str, reason: str) -> Result:
        """What came of it where it has no result."""
        return Result(outcome, reason, self.stamp, time.monotonic() - self.begun)

    def _death(self) -> tuple[str, str]:
        """Outcome and reason of a child that died."""
        if self.request.processes > 1:
            place = self.request.log_place
            said = f"one of the {self.request.processes} processes died; more is in {place}"
            return "crashed", said  # the status is that of their agent
        return ended(self.process.exitcode)

    def stop(self) -> None:
        """Ends the process (it is through, or no longer wanted) and waits for it."""
        self.connection.close()
        self.process.join(0.2 if self.request.processes == 1 else 5)  # the agent notices the end of its workers
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def ready(children: Sequence[Child], patience: float) -> Iterable[Child]:
    """The children that have something to say, or are out of time; none when `patience` seconds have passed."""
    left = min(patience, max(0.0, min(child.left() for child in children)))
    talking = wait([child.connection for child in children], left)
    return [child for child in children if child.connection in talking or child.left() <= 0]


def paused(request: Request, epochs: int) -> str:
    """What is kept of a request that was stopped, for the store and the user; `epochs` of it are known to be over."""
    if epochs:
        return f"paused at epoch {epochs}/{request.experiment.epochs}"
    if not request.experiment.epochs:
        return "stopped before it was done, so it starts anew"
    if request.checkpoint.exists():
        return "paused; it goes on from the epochs that are kept"  # of an earlier start, or over a moment ago
    return "paused before its first epoch was over, so it starts anew"


@functools.cache
def _context() -> Any:
    # Idle BLAS threads in the server would be a hazard for its forks; the children set their own thread number.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    # The first optimiser of a process imports torch._dynamo, which takes longer than many a quick training.
    context.set_forkserver_preload(["bench.worker", "sklearn.datasets", "torch._dynamo", "typer"])
    return context
