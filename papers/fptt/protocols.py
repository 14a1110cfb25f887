"""Which value of a training on the adding problem counts: over windows of 100 updates, as the authors' runs are read.

An epoch is a block of UPDATES updates, in our trainings and in the authors' curves.
"""

from __future__ import annotations

import statistics

from ..measures import TEST, Measure
from ..protocols import Curve, Curves, Protocol, Selected, best_of

UPDATES = 25  # an epoch
WINDOW = 100  # updates
SOLVED_BELOW = 0.01
CHANCE = 1 / 6  # the error of who always says 1


def moving_average(curve: Curve, updates: int = WINDOW) -> dict[int, float]:
    """The mean over `updates` up to and with each epoch, where all of its epochs are there."""
    epochs = updates // UPDATES
    return {
        step: statistics.fmean(curve[s] for s in range(step - epochs + 1, step + 1))
        for step in curve
        if all(s in curve for s in range(step - epochs + 1, step + 1))
    }


def _test(curves: Curves, measure: Measure) -> dict[int, float]:
    return moving_average(curves.get(measure.curve(TEST), {}))


def _last(curves: Curves, measure: Measure) -> Selected | None:
    averages = _test(curves, measure)
    step = max(averages, default=None)
    return None if step is None else Selected(averages[step], step)


def _best(curves: Curves, measure: Measure) -> Selected | None:
    averages = _test(curves, measure)
    step = best_of(averages, measure)
    return None if step is None else Selected(averages[step], step)


def _solved(curves: Curves, measure: Measure) -> Selected | None:
    averages = _test(curves, measure)
    step = min((step for step, value in averages.items() if value < SOLVED_BELOW), default=None)
    return None if step is None else Selected(averages[step], step)


LAST_100 = Protocol("last 100", f"mean over the last {WINDOW} updates", _last, f"last {WINDOW} updates")
BEST_100 = Protocol("best 100", f"lowest mean over {WINDOW} updates in a row", _best, f"best {WINDOW} updates")
SOLVED = Protocol(
    "solved", f"the first mean over {WINDOW} updates in a row that is below {SOLVED_BELOW:g}", _solved, "solved"
)
