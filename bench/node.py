"""What another machine does with a request: it has to have the same code, and says what it is itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from core.device import SIGNS
from core.errors import SpikebenchError
from results import environment

from .child import Child, Message, ready
from .job import Request, Result

DATA = "SPIKEBENCH_DATA"


def attend(request: Request, timeout: float | None, beat: float = 60.0) -> Iterator[Message]:
    """Carries out a request in a process of its own on this machine; what it says, ("result", Result) at last.

    Comes first ("here", machine, environment), and ("beat",) where `beat` seconds passed in silence. When the iterator
    is closed, or left by an exception, the process is ended; it also ends with this one.
    """
    machine, surroundings = environment.machine(), environment.environment()
    yield "here", machine, surroundings
    if refusal := _refused(request):
        yield "result", replace(refusal, machine=machine, environment=surroundings)
        return
    child = Child(request, timeout)
    try:
        while True:
            if not list(ready([child], beat)):
                yield ("beat",)
                continue
            kind, *rest = child.message()
            if kind == "result":
                child.stop()
                yield "result", replace(rest[0], machine=machine, environment=surroundings)
                return
            yield kind, *rest
    finally:
        child.stop()


def _refused(request: Request) -> Result | None:
    """Why a request cannot be carried out here, if so."""
    from .fingerprint import code, here

    try:
        found = code(*here(request.experiment))
    except SpikebenchError as error:
        return Result("crashed", f"not run, for the node lacks a part of it: {error}")
    if found != request.code:
        return Result(
            "crashed",
            f"not run, for the node has other code: the digest of what is behind the experiment is {found} there and "
            f"{request.code} where it was asked for; install the same version on both, plug-ins included",
        )
    if request.device == "cuda" and not any(Path(sign).exists() for sign in SIGNS):
        return Result("unavailable", "the experiment was to compute on cuda, but its node has no CUDA device")
    return None


def cache() -> Path:
    """Where a node keeps prepared data that has no folder in common with those who ask."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spikebench" / "data"
