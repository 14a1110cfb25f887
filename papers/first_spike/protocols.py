"""Which number of a training is shown: as a rule in the coding that the row was trained for.

The work chooses the best epoch on the test set; at the other scales the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable

from ..measures import (
    ACCURACY_FR,
    ACCURACY_FS,
    SPIKES,
    TD50_FR,
    TD50_FS,
    TD90_FR,
    TD90_FS,
    TEST,
    Measure,
)
from ..protocols import Curves, Protocol, Selected, best_of
from .arms import FS

READINGS: dict[str, dict[str, Measure]] = {  # what is shown, by the coding that a row was trained for
    "by first spike": {"FS": ACCURACY_FS, "FR": ACCURACY_FS},
    "by rate": {"FS": ACCURACY_FR, "FR": ACCURACY_FR},
    "td50": {"FS": TD50_FS, "FR": TD50_FR},
    "td90": {"FS": TD90_FS, "FR": TD90_FR},
    "spikes per neuron": {"FS": SPIKES, "FR": SPIKES},
}
SAYS = {
    "by first spike": "decisions by first spike",
    "by rate": "decisions by rate",
    "td50": "steps until half of the accuracy is there, in the coding of the row",
    "td90": "steps until 90 % of the accuracy are there, in the coding of the row",
    "spikes per neuron": "spikes of a neuron in a sample, over the whole sequence",
}


def own_accuracy(coding: str) -> Measure:
    """The accuracy in the coding that a row was trained for."""
    return ACCURACY_FS if coding == FS else ACCURACY_FR


def _at(coding: str, best: bool) -> Callable[[Curves, Measure], Selected | None]:
    """The value of the last epoch, or of the best one by the accuracy in `coding` on the test set; None where
    it was not measured then, as a delay is not where nothing was told."""

    def select(curves: Curves, measure: Measure) -> Selected | None:
        own = own_accuracy(coding)
        accuracies = curves.get(own.curve(TEST), {})
        step = best_of(accuracies, own) if best else max(accuracies, default=None)
        value = None if step is None else curves.get(measure.curve(TEST), {}).get(step)
        return None if step is None or value is None else Selected(value, step)

    return select


def protocol(reading: str, coding: str, scale: str) -> Protocol:
    """How a number named in READINGS is found."""
    if scale != "paper":
        return Protocol(f"last, {reading}", f"last epoch, {SAYS[reading]}", _at(coding, False), reading)
    says = f"best epoch on the test set in the coding of the row, the last of equal ones, {SAYS[reading]}; optimistic"
    return Protocol(f"best {coding}, {reading}", says, _at(coding, True), reading)
