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
    from results.standing import ON_CUDA

    neuron = run.experiment.get("neuron", "NEURON")
    found = f"kernel changed: {', '.join(open_)} computed it with other code than today's"
    if ON_CUDA in open_:
        return f"{found}; measure it again"
    return (
        f"{found}; it counts again when both were proven by the same checks "
        f"(python -m bench.parity {neuron} --backend {open_[0]}), or measure it again"
    )


def _cleared(run: StoredRun, backend: str, now: Standing, parities: Sequence[Parity]) -> bool:
    then, today = run.kernels[backend], now.kernels[backend]
    if "proof" not in then:
        return False  # no parity check speaks of it
    if then["rule"] != today["rule"]:
        return False  # the old kernel was held against other checks than the new one
    neuron = run.experiment.get("neuron")
    precision = (run.experiment.get("scheme_options") or {}).get("precision")
    return all(
        proven(parities, neuron, backend, dtype, run.device, proof, run.machine)
        for dtype in DTYPES.get(precision, ("float32",))
        for proof in (then["proof"], today["proof"])
    )
