"""Two settings held against each other seed by seed, where runs of equal seeds start alike and meet the same batches.

What counts is the difference within each seed: Student's t over the differences, two-sided. That no difference is found
does not say that there is none; the interval says how large it may be. It takes three seeds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .counted import Runs
from .hypotheses import ALPHA, MIN_SEEDS, resolution, student
from .measures import Measure
from .table import Cell

if TYPE_CHECKING:
    from results import StoredRun

NOTHING = "not measured yet"
Values = Mapping[int, float]  # one a seed, as shown


@dataclass(frozen=True)
class Change:
    """From a first setting to a second, the mean over `seeds`: the difference in the unit that is shown, or of a
    logarithmic measure the factor; [`low`, `high`] is its 95 % interval. None where it cannot be told.

    `p` is that of what is seen if nothing changed, None where it is not tested; `lacking` says why.
    """

    measure: Measure
    seeds: tuple[int, ...] = ()
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    lacking: str = ""

    @property
    def text(self) -> str:
        """ "+0.4 [-1.2, +2.0] points", with two digits where the interval is narrower than 1; "× 1.02 [0.98, 1.06]"."""
        if self.value is None:
            return ""
        ends = () if self.low is None or self.high is None else (self.low, self.high)
        if self.measure.logarithmic:
            told = [f"{number:.3g}" for number in (self.value, *ends)]
        else:
            places = 1 if ends and ends[1] - ends[0] >= 1 else 2
            told = [f"{round(number, places) + 0.0:+.{places}f}" for number in (self.value, *ends)]  # no -0.0
        within = f" [{told[1]}, {told[2]}]" if ends else ""
        if self.measure.logarithmic:
            return f"× {told[0]}{within}"
        return f"{told[0]}{within} {self.measure.difference or self.measure.show}".rstrip()

    @property
    def none_found(self) -> bool:
        """Whether it was tested by itself and no difference was found."""
        return self.p is not None and self.p > 2 * ALPHA


def change(measure: Measure, first: Values, second: Values, least: float = 0.0) -> Change:
    """The change from `first` to `second` over the seeds that both have; `least` is the least spread of a difference
    that the digits of the values can show."""
    seeds = tuple(sorted(first.keys() & second.keys()))
    if not seeds:
        return Change(measure, lacking="no seed has results of both" if first and second else NOTHING)
    pairs = [(measure.scaled(first[seed]), measure.scaled(second[seed])) for seed in seeds]
    if not all(math.isfinite(value) for pair in pairs for value in pair):
        return Change(measure, seeds, lacking=f"a {measure.title} has no logarithm")
    differences = [after - before for before, after in pairs]
    found = Change(measure, seeds, measure.unscaled(statistics.fmean(differences)))
    if len(seeds) > 1:
        estimate = student(differences, least)
        low, high = (measure.unscaled(end) for end in estimate.interval())
        both = min(1.0, 2 * min(estimate.above(0.0), estimate.below(0.0)))
        found = replace(found, low=low, high=high, p=both)
    if len(seeds) < MIN_SEEDS:
        few = f"{len(seeds)} seed{'s' * (len(seeds) > 1)}, a test needs {MIN_SEEDS}"
        return replace(found, p=None, lacking=few)
    return found


def between(runs: Runs, first: Cell, second: Cell) -> Change:
    """How the value of `second` differs from that of `first`, a cell of the same measure and protocol, over the seeds
    that decide in both."""
    measure, cells = second.measure, (first, second)
    deciding = [runs.seeds_of(cell) for cell in cells]
    values = [
        {
            run.seed: measure.shown(value)
            for run in runs.of(cell)
            if run.seed in seeds.deciding and (value := runs.value(run, cell)) is not None
        }
        for cell, seeds in zip(cells, deciding, strict=True)
    ]
    # A share moves in steps of one sample, and a difference of two shares by the steps of both.
    samples = runs.test_samples(runs.of(second)) if measure.interval == "wilson" else None
    found = change(measure, values[0], values[1], measure.shown(resolution(samples)) * math.sqrt(2))
    diverged = sum(
        run.seed in seeds.deciding for cell, seeds in zip(cells, deciding, strict=True) for run in runs.diverged(cell)
    )
    due = min((seeds.planned for seeds in deciding if seeds.planned is not None), default=0)
    due = max(due, len(values[1]))  # a seed that the second alone has is in its value, and in no difference
    why = found.lacking
    if diverged:
        why = f"{diverged} training{'s' * (diverged > 1)} diverged"
    elif found.seeds and not _alike(runs, *(runs.of(cell)[-1] for cell in cells)):
        why = "the two were measured with other code, on another device or on other data"
    elif not why and len(found.seeds) < due:
        why = f"{len(found.seeds)} of {due} seeds have results of both"
    return replace(found, p=None if why else found.p, lacking=why)


def _alike(runs: Runs, one: StoredRun, other: StoredRun) -> bool:
    """Whether nothing but what is compared tells two runs apart, their kernels included."""
    return runs.alike(one, other) and (one.device, one.kernels) == (other.device, other.kernels)
