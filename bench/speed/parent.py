"""Starts the process of a job and reads its events; a process that dies becomes an outcome."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

from core.children import ended

from .job import Job, Measured

CACHES = ("SPIKEBENCH_CACHE", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")  # where compiled kernels are kept


class ProcessFailed(Exception):
    """A job's process ended without finishing; `outcome` is what the store calls it."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def carry_out(stages: tuple[Job, ...], on_note: Callable[[str], None]) -> Iterator[Measured]:
    """What the stages of one measurement find: as it comes where there is one, else joined when the last is through.

    A process that fails gives its outcome to whatever it had not measured yet.
    """
    if len(stages) == 1:
        yield from _one(stages[0], on_note, {})
        return
    joined: dict[tuple[object, ...], Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        variables = dict.fromkeys(CACHES, folder) if stages[0].what == "first-use" else {}
        for stage in stages:
            for measured in _one(stage, on_note, variables):
                key = (measured.contender, *measured.size.items())
                joined[key] = measured.joined(joined[key]) if key in joined else measured
    yield from joined.values()


def _one(job: Job, on_note: Callable[[str], None], variables: dict[str, str]) -> Iterator[Measured]:
    seen = []
    try:
        for measured in run(job, on_note, variables):
            seen.append((measured.contender, measured.size))
            yield measured
    except ProcessFailed as error:
        for name in job.contenders:
            for size in map(job.size, job.shapes):
                if (name, size) not in seen:
                    yield Measured(name, name, size, outcome=error.outcome, reason=str(error))


def run(job: Job, on_note: Callable[[str], None], variables: dict[str, str] | None = None) -> Iterator[Measured]:
    """What the job's process measures, as it comes. Raises ProcessFailed when it dies or takes too long.

    `variables` go on top of the environment. The process is ended when the caller stops early.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(job.threads),
        "SPIKEBENCH_POOL": "1" if job.allocator == "pooled" else "0",
        **(variables or {}),
    }
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.speed.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C goes to the parent alone, which keeps what was measured
        )
        overdue = threading.Event()

        def stop() -> None:
            overdue.set()
            _end(process)

        timer = threading.Timer(min(job.timeout, threading.TIMEOUT_MAX), stop)
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as given:  # its status will say why it ended
                given.write(json.dumps(job.document()))
            for line in process.stdout:
                event = json.loads(line)
                if "note" in event:
                    on_note(event["note"])
                else:
                    yield Measured.of(event["measured"])
            status = process.wait()
        finally:
            timer.cancel()
            _end(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if overdue.is_set():
            raise ProcessFailed("timeout", f"took longer than {job.timeout:.0f} s")
        if status:
            errors.seek(0)
            raise ProcessFailed(*ended(status, errors.read()))


def _end(process: subprocess.Popen[str]) -> None:
    """Kills the process and the helpers it started (compilers)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
