"""Which value of a training counts: that of the released early stopping, read from the curves."""

from __future__ import annotations

from collections.abc import Iterable

from ..measures import TEST, VALIDATION, Measure
from ..protocols import Curves, Protocol, Selected

PATIENCE = 25  # epochs, of both shipped configurations
STEPS = (8, 32, 128)  # of a window, with which a trained network is simulated


def stops(accuracies: Iterable[float], patience: int) -> list[bool]:
    """Whether training stops after each epoch: once `patience` in a row are not above the best so far, at first 0."""
    best, waited, found = 0.0, 0, []
    for accuracy in accuracies:
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
        found.append(waited >= patience)
    return found


def _stopped(curves: Curves, measure: Measure, patience: int) -> Selected | None:
    """The last epoch that was tested: the one before training stops, or the last of all."""
    test = curves.get(measure.curve(TEST), {})
    validation = sorted(curves.get(measure.curve(VALIDATION), {}).items())
    told = zip(validation, stops((value for _, value in validation), patience), strict=True)
    stop = next((step for (step, _), stop in told if stop), None)
    step = max((step for step in test if stop is None or step < stop), default=None)
    return None if step is None or not validation else Selected(test[step], step)


def stopped(patience: int) -> Protocol:
    """The value that counts where training stops after `patience` epochs without a better one on validation."""
    says = f"test value of the last epoch before {patience} without a better one on validation"
    name = "stopped" if patience == PATIENCE else f"stopped-{patience}"
    return Protocol(name, says, lambda curves, measure: _stopped(curves, measure, patience), "stopped")


STOPPED = stopped(PATIENCE)
