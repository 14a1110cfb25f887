"""The tables that no training measures: each is the work of a command of its own, and shown with what it measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .claims import Finding
from .evidence import Evidence
from .first_spike import speed as first_spike_speed
from .measurement import is_measurement
from .psn import speed
from .table import Claim
from .ttfs import speed as ttfs

if TYPE_CHECKING:
    from results import Parity, Run, Store


@dataclass(frozen=True)
class MeasuredTable:
    """What such a table shows, the claims that its measurements decide, and the work that it is from, if from one."""

    title: str
    claims: tuple[Claim, ...] = ()
    paper: str | None = None


TABLES = {
    "parity": MeasuredTable("Every neuron on every backend against its own step in float64"),
    "kernels": MeasuredTable("Speed and memory of neurons against other libraries"),
    "memory_frontier": MeasuredTable("The largest sequences that fit in a memory limit"),
    "psn_speed": MeasuredTable(
        "PSN against LIF: time of forward and training over neurons and steps", (speed.C13,), "psn"
    ),
    "ttfs_speed": MeasuredTable(
        "Single spikes in closed form against time steps: time and memory of a training step", (ttfs.C3,), "ttfs"
    ),
    "fs_speed": MeasuredTable(
        "Neurons and networks of first-spike coding: fused kernels against autograd through the loop, over T and N",
        (first_spike_speed.F11,),
        "first_spike",
    ),
}


def findings(claims: Sequence[Claim], runs: Sequence[Run], parities: Sequence[Parity]) -> list[tuple[Claim, Finding]]:
    """Claims decided on measurements, `runs` with the newest last, and on the parity checks that back them."""
    evidence = Evidence(measurements=runs, parities=parities)
    return [(claim, claim.decide(evidence)) for claim in claims]


def stored_findings(table: MeasuredTable, store: Store) -> list[tuple[Claim, Finding]]:
    """The table's claims, decided on all that `store` holds."""
    if not table.claims:
        return []
    keys = sorted({run.experiment_key for run in store.runs() if is_measurement(run)})
    return findings(table.claims, store.full_runs(keys), store.parity())
