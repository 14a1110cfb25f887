"""The record of a simulated rule, and how all of them stand in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import Run, StoredRun

KIND = "calibration"  # of the experiment document
SHARE = "rate"  # name of the samples: the measured rates in the order of the document


@dataclass(frozen=True)
class Rate:
    """How often a `rule` says what it should in a `setting`: `measured` in `simulations` of it, and `nominal`."""

    rule: str
    setting: str
    nominal: float
    measured: float
    simulations: int


def document(rates: Sequence[Rate]) -> dict[str, Any]:
    """What was simulated, as an experiment of the store has it."""
    return {"kind": KIND, "rules": [[rate.rule, rate.setting, rate.nominal, rate.simulations] for rate in rates]}


def is_calibration(run: StoredRun) -> bool:
    """Whether a run is such a simulation."""
    return run.experiment.get("kind") == KIND


def rates_of(run: Run) -> list[Rate]:
    """The rates that a calibration measured."""
    measured = [sample.value for sample in run.samples if sample.name == SHARE]
    return [
        Rate(rule, setting, nominal, value, simulations)
        for (rule, setting, nominal, simulations), value in zip(run.experiment["rules"], measured, strict=True)
        if value is not None
    ]
