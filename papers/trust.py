"""Parity before speed: is a stored kernel figure backed by green checks of the same code?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from core.parity_rule import WHOLE, closed

if TYPE_CHECKING:
    from results import Parity, Run, StoredRun

GREEN, RED, UNCHECKED, REFERENCE, PEER = "green", "red", "unchecked", "reference", "checked"


class Proof(NamedTuple):
    """What is known of a kernel: `state` is GREEN, RED or UNCHECKED, `reason` a clause that says why, if not green."""

    state: str
    reason: str = ""


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
    dtype = what.get("dtype")
    return proof(parities, neuron, run.backend, dtype, run.device, checked(run), run.machine).state


def checked(run: StoredRun) -> str:
    """The code of the parity checks that back `run`: that of its kernel, which is all of its code unless a network ran
    around it."""
    return str(run.kernels.get(run.backend, {}).get("proof", run.implementation))


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
    """Whether the whole grid of this code on such a processor is stored green; False if a newest check is red, None if
    the grid is not whole. `proof` says why."""
    return {GREEN: True, RED: False}.get(proof(checks, neuron, backend, dtype, device, implementation, machine).state)


def proof(
    checks: Iterable[Parity],
    neuron: object,
    backend: str,
    dtype: object,
    device: str,
    implementation: str,
    machine: Mapping[str, Any],
) -> Proof:
    """What the `checks` (oldest first) of this code on such a processor say; of a repeated one the newest counts.

    Kernels are compiled for the processor at hand: what another one computes proves nothing here, neither way.
    """
    newest: dict[tuple[str, bool, str], bool] = {}
    whole: int | None = None  # checks of the grid, known from the record that closes it
    place = processor(machine)
    for check in checks:
        if (
            check.neuron == neuron
            and check.backend == backend
            and check.implementation == implementation
            and (check.dtype, check.device, processor(check.machine)) == (dtype, device, place)
        ):
            if check.case == WHOLE:
                whole = closed(check.reason)
            else:
                newest[check.step_mode, check.detach_reset, check.case] = check.green
    red = sum(not green for green in newest.values())
    if red:
        return Proof(RED, f"{red} of {len(newest)} checks are red")
    if whole is None:
        found = f"{len(newest)} checks, which are not the whole grid" if newest else "no checks"
        return Proof(UNCHECKED, f"{found} of this code on this processor")
    if len(newest) < whole:
        return Proof(UNCHECKED, f"{len(newest)} of {whole} checks of the grid")
    return Proof(GREEN)


def processor(machine: Mapping[str, Any]) -> tuple[str, str]:
    """What a kernel is compiled for: CPU and graphics cards of a stored machine."""
    return str(machine.get("cpu")), str(machine.get("gpus") or [])


def _own(backend: str) -> bool:
    import neurons

    return backend in neurons.backends.MODULES and backend != "spikingjelly"
