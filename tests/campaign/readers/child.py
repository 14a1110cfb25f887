"""python -m tests.campaign.readers.child SEED INPUTS FOLDER: gives readers damaged files, in a process that may fall.

Says a line of JSON for each kind of failure: what a reader raised that is no sentence, memory included. The files that
are being read lie in FOLDER/now. Ends with a traceback where a reader hangs or falls.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import json
import resource
import shutil
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from random import Random

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from core.errors import SpikebenchError
from tests import warm

from . import sets, stores, texts
from .reader import Reader

HANGS = 60.0  # seconds of the processor that one input may take, here; a process for HDF5 has a limit of its own
DEEPEST = sys.getrecursionlimit()  # as in a command; hypothesis allows more
MEMORY = 2**30  # bytes beyond what is there before the first input


def main(number: int, inputs: int, folder: Path) -> None:
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # which ends the process
    subprocess._fork_exec = warm._instead(warm._fork_exec, subprocess._fork_exec)  # type: ignore[attr-defined]
    readers = [*texts.readers(), *stores.readers(texts.lines()), *sets.readers()]
    for reader in readers:
        _read(reader, reader.files, folder / "now")  # which loads what is loaded late; raises where a whole file fails
    held = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.RLIM_INFINITY))
    random = Random(number)
    for reader in random.sample(readers, len(readers)):
        _try(reader, max(1, inputs // len(readers)), random.randrange(2**32), folder)


def _try(reader: Reader, inputs: int, number: int, folder: Path) -> None:
    """Gives one reader so many damaged files."""
    known: set[tuple[str, str]] = set()

    @seed(number)
    @settings(
        max_examples=inputs, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(st.data())
    def one(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(reader.files)))
        files = {**reader.files, name: data.draw(reader.damage(reader.files[name]))}
        try:
            _read(reader, files, folder / "now")
        except SpikebenchError:
            return
        except Exception as error:
            kind = (type(error).__name__, _where(error))
            if kind not in known:
                known.add(kind)
                place = folder / "kept" / f"{reader.name.replace(' ', '_')}-{len(known)}"
                shutil.copytree(folder / "now", place, dirs_exist_ok=True)
                said = f"{kind[0]}: {str(error)[:200]}"
                print(
                    json.dumps({"reader": reader.name, "error": said, "where": kind[1], "files": str(place)}),
                    flush=True,
                )

    one()


def _read(reader: Reader, files: dict[str, bytes], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    deeper = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEPEST)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(folder)
    finally:
        sys.setrecursionlimit(deeper)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _where(error: Exception) -> str:
    """The innermost place in code of ours."""
    root = str(Path(__file__).parents[3])
    places = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename.startswith(root) and "/.venv/" not in f.filename
    ]
    return f"{places[-1].filename.removeprefix(root)[1:]}:{places[-1].lineno}" if places else ""


if __name__ == "__main__":
    gc.freeze()
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
