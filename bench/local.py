"""The local executor: one process per experiment, forked from a server that has PyTorch loaded already."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from results import timestamp

from . import job
from .job import Request, Result


@dataclass
class _Child:
    request: Request
    process: Any
    connection: Connection
    started: float
    stamp: str


def execute(
    requests: Iterable[Request],
    *,
    jobs: int,
    timeout: float | None,
    on_start: Callable[[Request], None],
    on_data: Callable[[Request, int, int], None],
    on_epoch: Callable[[Request, int, dict[str, float]], None],
    on_result: Callable[[Request, Result], None],
    on_note: Callable[[Request, str], None] = lambda request, text: None,
) -> None:
    """Runs `requests`, at most `jobs` at a time, each for at most `timeout` seconds; one is taken when there is room.

    A process that dies, hangs or runs out of memory costs its own result only. On KeyboardInterrupt the running
    ones are stopped and reported as `interrupted` before the exception goes on; their last checkpoint stays.
    """
    # Idle BLAS threads in the server would be a hazard for its forks; the children set their own thread number.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.worker", "sklearn.datasets", "typer"])
    waiting = iter(requests)
    running: list[_Child] = []
    try:
        while True:
            for request in itertools.islice(waiting, jobs - len(running)):
                running.append(_start(context, request))
                on_start(request)
            if not running:
                break
            for child in _ready(running, timeout):
                result = _next(child, timeout, {"data": on_data, "epoch": on_epoch, "note": on_note})
                if result is not None:
                    running.remove(child)
                    _stop(child)
                    on_result(child.request, result)
    except KeyboardInterrupt:
        for child in running:
            _stop(child)
            on_result(child.request, _failed(child, "interrupted", "stopped from outside; its last epoch is kept"))
        running.clear()
        raise
    finally:
        for child in running:
            _stop(child)


def _start(context: Any, request: Request) -> _Child:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=job.start, args=(request, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Child(request, process, ours, time.monotonic(), timestamp())


def _ready(running: list[_Child], timeout: float | None) -> list[_Child]:
    """The children that have something to say, or are out of time."""
    now = time.monotonic()
    left = None if timeout is None else max(0.0, min(child.started + timeout - now for child in running))
    talking = wait([child.connection for child in running], left)
    now = time.monotonic()
    return [
        child
        for child in running
        if child.connection in talking or (timeout is not None and now - child.started >= timeout)
    ]


def _next(child: _Child, timeout: float | None, handlers: dict[str, Callable[..., None]]) -> Result | None:
    """Handles one message by its kind; the result when the child is through."""
    if not child.connection.poll():
        return _failed(child, "timeout", f"stopped after {timeout:g} s; allow more with --timeout")
    try:
        kind, *rest = child.connection.recv()
    except (EOFError, ConnectionResetError):
        child.process.join()
        return _failed(child, "crashed", _death(child))
    if kind in handlers:
        handlers[kind](child.request, *rest)
        return None
    return rest[0]


def _death(child: _Child) -> str:
    code = child.process.exitcode
    if child.request.processes > 1:
        return f"one of the {child.request.processes} processes died; more is in {child.request.log_place}"
    if code == -signal.SIGKILL:
        return "killed by SIGKILL, often the system's way to end a process when memory runs out"
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code} and no result"


def _failed(child: _Child, outcome: str, reason: str) -> Result:
    return Result(outcome, reason, child.stamp, time.monotonic() - child.started)


def _stop(child: _Child) -> None:
    """Ends the process (it is through, or no longer wanted) and waits for it."""
    child.connection.close()
    child.process.join(0.2 if child.request.processes == 1 else 5)  # torchrun notices the end of its processes
    if child.process.is_alive():
        child.process.terminate()
        child.process.join(5)
    if child.process.is_alive():
        child.process.kill()
        child.process.join()
