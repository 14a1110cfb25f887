"""Is a stored result current? Decided by what the last command found that knows the sources, and by parity checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from .trust import proven

if TYPE_CHECKING:
    from results import Dataset, Parity, Standing, StoredRun

# What neurons compute in, by the precision of a training; predictions are made in float32.
DTYPES: dict[str | None, tuple[str, ...]] = {"bf16": ("float32", "bfloat16"), "fp16": ("float32", "float16")}


def stale(run: StoredRun, datasets: Sequence[Dataset], now: Standing, parities: Callable[[], Iterable[Parity]]) -> str:
    """Why `run`, trained on `datasets`, is no longer current; empty if it is.

    A kernel that has changed since is forgiven if the old and the new one were proven by the same checks, each on its
    processor: then both compute what the neuron says. `parities` gives all checks, the oldest first; it is asked only
    where a kernel has changed.
    """
    reason = now.reason_against(run.implementation, datasets)
    changed = now.changed(run.kernels)
    if reason or not changed:
        return reason
    open_ = [backend for backend in changed if not _cleared(run, backend, now, list(parities()))]
    if not open_:
        return ""
    neuron = run.experiment.get("neuron", "NEURON")
    found = f"kernel changed: {', '.join(open_)} computed it with other code than today's"
    if not all(_provable(run, backend, now) for backend in open_):
        return f"{found}; measure it again"
    return (
        f"{found}; it counts again when both were proven by the same checks "
        f"(python -m bench.parity {neuron} --backend {open_[0]}), or measure it again"
    )


def _cleared(run: StoredRun, backend: str, now: Standing, parities: Sequence[Parity]) -> bool:
    then, today = run.kernels[backend], now.kernels[backend]
    if not _provable(run, backend, now) or then["rule"] != today["rule"]:
        return False  # of the change no check speaks, or the old kernel was held against other ones than the new
    neuron = run.experiment.get("neuron")
    precision = (run.experiment.get("scheme_options") or {}).get("precision")
    return all(
        proven(parities, neuron, backend, dtype, run.device, proof, run.machine)
        for dtype in DTYPES.get(precision, ("float32",))
        for proof in (then["proof"], today["proof"])
    )


def _provable(run: StoredRun, backend: str, now: Standing) -> bool:
    """Whether parity checks of neurons speak of all that has changed in a kernel."""
    from results.standing import LAYERS

    then, today = run.kernels[backend], now.kernels[backend]
    return "proof" in then and then.get(LAYERS) == today.get(LAYERS)
