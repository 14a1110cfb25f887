"""Parity before speed: is a stored kernel figure backed by green checks of the same code?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..parity import proven

if TYPE_CHECKING:
    from results import Parity, StoredRun

GREEN, RED, UNCHECKED, REFERENCE, PEER = "green", "red", "unchecked", "reference", "checked"


def state(run: StoredRun, parities: Iterable[Parity]) -> str:
    """What is known of the parity of the kernel that `run` timed.

    "reference" for the oracle itself, "checked" for other libraries (their outputs were compared before timing),
    else "green", "red" or "unchecked" by the latest checks of the same code, neuron, dtype, device and processor.
    """
    if run.backend == "torch":
        return REFERENCE
    if not _own(run.backend):
        return PEER
    what = run.experiment
    neuron = what.get("layer") or what.get("neuron")
    green = proven(parities, neuron, run.backend, what.get("dtype"), run.device, run.implementation, run.machine)
    return {None: UNCHECKED, True: GREEN, False: RED}[green]


def trusted(state: str) -> bool:
    """Whether a figure in that state may be called fast."""
    return state not in (RED, UNCHECKED)


def _own(backend: str) -> bool:
    import neurons

    return backend in neurons.backends.MODULES and backend != "spikingjelly"
