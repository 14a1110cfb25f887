"""Two sides of results held against each other: how much each figure has changed, with the interval of that.

Figures of trainings are means over seeds, of the last epoch on the test set, so that nothing is chosen there; their
difference is Welch's. Those of a measurement are medians with intervals of their own, which are put together as those
of independent errors. Times, bytes and losses differ by factors, all other figures by what lies between them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .hypotheses import ROUNDING, resolution, welch
from .measures import COSTS, Measure
from .sides import Counted, Side, Values
from .statistics import LEVEL, Interval, combined

if TYPE_CHECKING:
    from results import StoredRun

BETTER, WORSE, WITHIN, EQUAL, OPEN = WORDS = ("better", "worse", "within", "equal", "no interval")
MEANING = (
    "better or worse: the 95 % interval of the difference leaves out no change; within: it does not; equal: the same "
    "figure; no interval: fewer than two runs on a side, or too few readings"
)


@dataclass(frozen=True)
class Difference:
    """A figure on both sides, as stored. `change` is the second less the first in the unit that the measure shows, or,
    of a logarithmic one, the second over the first; [`low`, `high`] its 95 % interval. None where they cannot be told.

    `run` is the newest run behind it, `runs` how many count on each side, `notes` what has to be known about it.
    """

    run: StoredRun
    measure: Measure
    first: float
    second: float
    change: float | None
    low: float | None
    high: float | None
    runs: tuple[int, int]
    notes: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """One of WORDS."""
        if self.change == self._none and (self.low is None or self.low == self.high):
            return EQUAL
        if self.low is None or self.high is None:
            return OPEN
        if self.low <= self._none <= self.high:
            return WITHIN
        return BETTER if (self.low > self._none) == (self.measure.better == "higher") else WORSE

    @property
    def worse_by(self) -> float | None:
        """By what share of the first the second is worse, below 0 where it is better; None without a change."""
        return None if self.change is None else self._share(self.change)

    @property
    def surely_worse_by(self) -> float | None:
        """The same at that end of the interval where it is least worse; None where there is no interval."""
        if self.low is None or self.high is None:
            return None
        return min(self._share(self.low), self._share(self.high))

    @property
    def size(self) -> tuple[float, float]:
        """How large the change is, by its interval, and then by the first: what reports sort by."""
        share = abs(self.worse_by or 0.0)
        if self.word == EQUAL:
            return 0.0, 0.0
        if self.low is None or self.high is None or self.change is None:
            return -1.0, share
        low, middle, high = (self.place(value) for value in (self.low, self.change, self.high))
        half = (high - low) / 2
        return abs(middle) / half if half else math.inf, share

    @property
    def _none(self) -> float:
        return 1.0 if self.measure.logarithmic else 0.0

    def place(self, change: float) -> float:
        """The change on the scale on which its interval was found; 0 is none."""
        return math.log(change) if self.measure.logarithmic else change

    def _share(self, change: float) -> float:
        if self.measure.logarithmic:
            return -self.measure.sign * (change - 1)
        base = abs(self.measure.shown(self.first))
        loss = -self.measure.sign * change
        return loss / base if base else math.copysign(math.inf, loss) if loss else 0.0


@dataclass(frozen=True)
class Compared:
    """Two sides held against each other: the `differences`, the largest by their intervals first.

    `only` are the newest runs of what one side has a result of and the other has not; `failed` those runs of the second
    side that came to nothing where the first has a result. `unchanged` counts settings and jobs whose runs are the
    same.
    """

    first: Side
    second: Side
    differences: tuple[Difference, ...]
    only: tuple[tuple[StoredRun, ...], tuple[StoredRun, ...]]
    failed: tuple[StoredRun, ...]
    unchanged: int

    def count(self, word: str) -> int:
        """How many differences are what."""
        return sum(difference.word == word for difference in self.differences)

    @property
    def shared(self) -> bool:
        """Whether both sides have anything in common."""
        return bool(self.differences or self.unchanged)

    @property
    def by_chance(self) -> tuple[int, int, float]:
        """How many intervals leave out no change, of how many, and how many would by chance if nothing had changed."""
        told = self.count(BETTER) + self.count(WORSE)
        of = told + self.count(WITHIN)
        return told, of, (1 - LEVEL) * of

    def worse_than(self, share: float) -> list[Difference]:
        """What is worse by more than `share` of the first, even at the better end of its interval."""
        return [d for d in self.differences if (d.surely_worse_by or 0.0) > share]


def compare(first: Side, second: Side) -> Compared:
    """Whatever both sides have measured."""
    both = [group for group in first.counted if group in second.counted]
    differences = [
        difference for group in both for difference in _differences(first.counted[group], second.counted[group])
    ]
    unchanged = first.counted.keys() & second.shared - second.counted.keys() - second.failed.keys()
    gone = [group for group in first.counted if group not in second.counted and group not in unchanged]
    new = [group for group in second.counted if group not in first.counted]
    return Compared(
        first,
        second,
        tuple(sorted(differences, key=lambda d: d.size, reverse=True)),
        (_newest(first.counted, gone), _newest(second.counted, new)),
        tuple(second.failed[group] for group in gone if group in second.failed),
        len(unchanged),
    )


def _newest(counted: Mapping[str, Counted], groups: Iterable[str]) -> tuple[StoredRun, ...]:
    return tuple(counted[group].runs[-1] for group in groups)


def _differences(first: Counted, second: Counted) -> list[Difference]:
    notes = _notes(first, second)
    machines = {repr(sorted(run.machine.items())) + run.device for run in (*first.runs, *second.runs)}
    threads = {run.environment.get("torch_threads") for run in (*first.runs, *second.runs)}
    elsewhere = ["not all on one machine"] if len(machines) > 1 else []
    if len(threads) > 1 and not first.job:  # a job says its own
        elsewhere.append("not all with as many threads")
    found = []
    for name, a in first.measured.items():
        if name in second.measured:
            b = second.measured[name]
            costs = first.job or a.measure in COSTS
            found.append(_difference(first, second, a, b, (*notes, *(elsewhere if costs else ()))))
    return found


def _notes(first: Counted, second: Counted) -> tuple[str, ...]:
    notes = []
    if first.data and second.data and first.data != second.data:
        notes.append("measured on other data")
    for which, one in (("A", first), ("B", second)):
        if one.diverged:
            notes.append(f"{one.diverged} of {one.diverged + len(one.runs)} runs diverged in {which}")
    if unverified := [which for which, one in (("A", first), ("B", second)) if one.unverified]:
        notes.append(f"unverified in {' and '.join(unverified)}: no whole green grid of parity checks")
    return tuple(notes)


def _difference(first: Counted, second: Counted, a: Values, b: Values, notes: tuple[str, ...]) -> Difference:
    measure = a.measure
    old, new = ([measure.scaled(measure.shown(value)) for value in side.values] for side in (a, b))
    change, within = None, None
    if all(map(math.isfinite, (*old, *new))):
        change = statistics.fmean(new) - statistics.fmean(old)
        if abs(change) <= ROUNDING:
            change = 0.0
        within = _interval(measure, a, b, change, _least(measure, first, second))
    low, high = (None, None) if within is None else within
    first_mean, second_mean = (measure.stored(_mean(measure, side.values)) for side in (a, b))

    def told(place: float | None) -> float | None:
        return None if place is None else measure.unscaled(place)

    runs = len(a.values), len(b.values)
    return Difference(
        second.runs[-1], measure, first_mean, second_mean, told(change), told(low), told(high), runs, notes
    )


def _mean(measure: Measure, values: tuple[float, ...]) -> float:
    """As shown; geometric where differences are factors and every value has a logarithm."""
    shown = [measure.shown(value) for value in values]
    scaled = [measure.scaled(value) for value in shown]
    if len(values) == 1 or not all(map(math.isfinite, scaled)):
        return statistics.fmean(shown)
    return measure.unscaled(statistics.fmean(scaled))


def _least(measure: Measure, first: Counted, second: Counted) -> float:
    """The least spread that the digits of a share can show, as shown."""
    sizes = [one.test_samples for one in (first, second) if one.test_samples]
    return measure.shown(resolution(min(sizes))) if measure.interval == "wilson" and sizes else 0.0


def _interval(measure: Measure, a: Values, b: Values, change: float, least: float) -> Interval | None:
    """The 95 % interval of the change, on the scale of comparison."""
    old, new = ([measure.scaled(measure.shown(value)) for value in side.values] for side in (a, b))
    if measure.exact:
        return change, change
    if len(old) > 1 and len(new) > 1:
        estimate = welch(new, old, least)
        return estimate.interval() if estimate.error else (change, change)
    if a.around is None or b.around is None:
        return None
    ends = [[measure.scaled(measure.shown(end)) for end in side.around or ()] for side in (a, b)]
    if not all(math.isfinite(end) for pair in ends for end in pair):
        return None
    (old_low, old_high), (new_low, new_high) = ends
    return combined(
        change,
        (change - (new[0] - new_low), change + (new_high - new[0])),
        (change - (old_high - old[0]), change + (old[0] - old_low)),
    )
