"""The machine of a run in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results import StoredRun


def machine(run: StoredRun) -> str:
    """ "AMD EPYC, 2 cores", with the graphics cards behind it; what is not known is left out."""
    known = run.machine
    cores = known.get("cores") or known.get("num_cpu")  # asv's word for it
    parts = [str(known.get("cpu", "")), f"{cores} cores" if cores else "", *map(str, known.get("gpus") or ())]
    return ", ".join(filter(None, parts))
