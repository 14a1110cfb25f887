"""Parity before speed: is a stored kernel figure backed by green checks of the same code?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results import Parity, StoredRun

GREEN, RED, UNCHECKED, REFERENCE, PEER = "green", "red", "unchecked", "reference", "checked"


def state(run: StoredRun, parities: Iterable[Parity]) -> str:
    """What is known of the parity of the kernel that `run` timed.

    "reference" for the oracle itself, "checked" for other libraries (their outputs were compared before timing),
    else "green", "red" or "unchecked" by the latest checks of the same implementation, neuron, dtype and device.
    """
    if run.backend == "torch":
        return REFERENCE
    if not _own(run.backend):
        return PEER
    latest: dict[tuple[object, ...], bool] = {}
    neuron = run.experiment.get("layer") or run.experiment.get("neuron")
    wanted = (neuron, run.backend, run.experiment.get("dtype"), run.device, run.implementation)
    for parity in parities:  # oldest first
        if (parity.neuron, parity.backend, parity.dtype, parity.device, parity.implementation) == wanted:
            latest[parity.step_mode, parity.detach_reset, parity.case] = parity.green
    if not latest:
        return UNCHECKED
    return GREEN if all(latest.values()) else RED


def trusted(state: str) -> bool:
    """Whether a figure in that state may be called fast."""
    return state not in (RED, UNCHECKED)


def _own(backend: str) -> bool:
    import neurons

    return backend in neurons.backends.MODULES and backend != "spikingjelly"
