"""The local executor: one process per experiment, forked from a server that has PyTorch loaded already."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from core.children import ended
from results import timestamp

from .job import Request, Result
from .start import start

BEAT = 5.0  # seconds without a message after which the listener is given a turn


class Listener(Protocol):
    """Told what becomes of requests while they run."""

    def started(self, request: Request) -> None:
        """Its process has been started."""

    def data(self, request: Request, done: int, of: int) -> None:
        """The preparation of its data has come to `done` of `of` samples."""

    def stage(self, request: Request, name: str) -> None:
        """It has come to this part of its work, in words."""

    def note(self, request: Request, text: str) -> None:
        """Something that its user must know."""

    def epoch(self, request: Request, epoch: int, record: dict[str, float]) -> None:
        """This epoch, from 0, is over and kept; those of an earlier run that is gone on with are told again."""

    def beat(self) -> None:
        """Some time has passed."""


@dataclass
class _Child:
    request: Request
    process: Any
    connection: Connection
    started: float
    stamp: str
    epochs: int = 0  # that are over and kept


def execute(
    requests: Iterable[Request],
    *,
    jobs: int,
    timeout: float | None,
    listener: Listener,
    on_result: Callable[[Request, Result], None],
) -> None:
    """Runs `requests`, at most `jobs` at a time, each for at most `timeout` seconds; one is taken when there is room.

    A process that dies, hangs or runs out of memory costs its own result only. On KeyboardInterrupt the running
    ones are stopped and reported as `interrupted`, with the epoch they go on from, before the exception goes on.
    """
    # Idle BLAS threads in the server would be a hazard for its forks; the children set their own thread number.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    # The first optimiser of a process imports torch._dynamo, which takes longer than many a quick training.
    context.set_forkserver_preload(["bench.worker", "sklearn.datasets", "torch._dynamo", "typer"])
    waiting = iter(requests)
    running: list[_Child] = []
    try:
        while True:
            for request in itertools.islice(waiting, jobs - len(running)):
                running.append(_start(context, request))
                listener.started(request)
            if not running:
                break
            for child in _ready(running, timeout):
                result = _next(child, timeout, listener)
                if result is not None:
                    running.remove(child)
                    _stop(child)
                    if result.outcome == "ok":  # now that nobody writes it any more
                        child.request.log.unlink(missing_ok=True)
                    on_result(child.request, result)
            listener.beat()
    except KeyboardInterrupt:
        for child in running:
            result = _last_words(child)
            _stop(child)
            on_result(child.request, result or _failed(child, "interrupted", _paused(child)))
        running.clear()
        raise
    finally:
        for child in running:
            _stop(child)


def _start(context: Any, request: Request) -> _Child:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=start, args=(request, theirs), daemon=request.processes == 1)
    process.start()
    theirs.close()
    return _Child(request, process, ours, time.monotonic(), timestamp())


def _ready(running: list[_Child], timeout: float | None) -> list[_Child]:
    """The children that have something to say, or are out of time; none when a while has passed."""
    now = time.monotonic()
    left = BEAT
    if timeout is not None:
        left = min(left, max(0.0, min(child.started + timeout - now for child in running)))
    talking = wait([child.connection for child in running], left)
    now = time.monotonic()
    return [
        child
        for child in running
        if child.connection in talking or (timeout is not None and now - child.started >= timeout)
    ]


def _next(child: _Child, timeout: float | None, listener: Listener) -> Result | None:
    """Handles one message by its kind; the result when the child is through."""
    if not child.connection.poll():
        return _failed(child, "timeout", f"stopped after {timeout:g} s; allow more with --timeout")
    try:
        kind, *rest = child.connection.recv()
    except (EOFError, ConnectionResetError):
        child.process.join()
        return _failed(child, *_death(child))
    if kind == "result":
        return rest[0]
    if kind == "epoch":
        child.epochs = rest[0] + 1
    getattr(listener, kind)(child.request, *rest)
    return None


def _last_words(child: _Child) -> Result | None:
    """Hears what a child that is to be stopped has said already; its result, should it be through."""
    with contextlib.suppress(EOFError, OSError):
        while child.connection.poll():
            kind, *rest = child.connection.recv()
            if kind == "result":
                return rest[0]
            if kind == "epoch":
                child.epochs = rest[0] + 1
    return None


def _paused(child: _Child) -> str:
    """What is kept of a stopped child, for the store and the user."""
    if child.epochs:
        return f"paused at epoch {child.epochs}/{child.request.experiment.epochs}"
    if child.request.checkpoint.exists():
        return "paused before it went on from the epochs that are kept"
    return "paused before its first epoch was over, so it starts anew"


def _death(child: _Child) -> tuple[str, str]:
    """Outcome and reason of a child that died."""
    if child.request.processes > 1:
        said = f"one of the {child.request.processes} processes died; more is in {child.request.log_place}"
        return "crashed", said  # the status is that of their agent
    return ended(child.process.exitcode)


def _failed(child: _Child, outcome: str, reason: str) -> Result:
    return Result(outcome, reason, child.stamp, time.monotonic() - child.started)


def _stop(child: _Child) -> None:
    """Ends the process (it is through, or no longer wanted) and waits for it."""
    child.connection.close()
    child.process.join(0.2 if child.request.processes == 1 else 5)  # the agent notices the end of its workers
    if child.process.is_alive():
        child.process.terminate()
        child.process.join(5)
    if child.process.is_alive():
        child.process.kill()
        child.process.join()
