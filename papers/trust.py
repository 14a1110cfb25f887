"""Parity before speed: is a stored kernel figure backed by green checks of the same code?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import Parity, Run, StoredRun

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


def counts(state: str) -> bool:
    """Whether a figure in that state may be called fast."""
    return state not in (RED, UNCHECKED)


def trusted(group: Iterable[Run], parities: Sequence[Parity]) -> set[str]:
    """The contenders of a group of measurements whose figures may be called fast, or compared with at all."""
    return {run.experiment["contender"] for run in group if run.outcome == "ok" and counts(state(run, parities))}


def proven(
    checks: Iterable[Parity],
    neuron: object,
    backend: str,
    dtype: object,
    device: str,
    implementation: str,
    machine: Mapping[str, Any],
) -> bool | None:
    """Whether the newest of `checks` (oldest first) of this code on such a processor are all green; None without any.

    Kernels are compiled for the processor at hand: what another one computes proves nothing here, neither way.
    """
    newest: dict[tuple[str, bool, str], bool] = {}
    place = processor(machine)
    for check in checks:
        if (
            check.neuron == neuron
            and check.backend == backend
            and check.implementation == implementation
            and (check.dtype, check.device, processor(check.machine)) == (dtype, device, place)
        ):
            newest[check.step_mode, check.detach_reset, check.case] = check.green
    return all(newest.values()) if newest else None


def processor(machine: Mapping[str, Any]) -> tuple[str, str]:
    """What a kernel is compiled for: CPU and graphics cards of a stored machine."""
    return str(machine.get("cpu")), str(machine.get("gpus") or [])


def _own(backend: str) -> bool:
    import neurons

    return backend in neurons.backends.MODULES and backend != "spikingjelly"
