"""What claims of several works share: two arms of a table held against each other over seeds, column by column.

Arms are not paired by seed: runs of equal seeds are no more alike than others, so their difference is Welch's. An arm
needs three seeds. Nothing is chosen on the test set where it can be helped: on stand-ins the mean of the last epochs
counts, and on the work's data, where the work speaks of the best epoch, both readings have to agree.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from .claims import RESULTS, SCALE, UNDECIDED, Comparison, Effect, Finding, conclude
from .evidence import Evidence
from .hypotheses import ALPHA, MIN_SEEDS, Estimate, welch
from .measures import TEST, Measure
from .protocols import Protocol
from .seeds import Seeds

WELCH = "Welch over seeds, 2.5 % a side"
AGAINST = "the opposite must survive Holm over all comparisons"
WITHIN = 2.0  # points
MARGIN = f"{WITHIN:g} points, or a quarter of the better one's error where that is less"
LAST_EPOCHS = 3  # of small and short trainings
Decide = Callable[[Evidence], Finding]
Place = tuple[str, str]  # row, column
Values = Sequence[float]


@dataclass(frozen=True)
class Rule:
    """`test` gives p for and p against of two arms and their least spread, `limits` the differences between the two at
    which it decides, none where that is 0."""

    test: Callable[[Values, Values, float], tuple[float, float]]
    limits: Callable[[Values, Values], tuple[float, ...]]


@dataclass(frozen=True)
class Reading:
    """A number of a row, column and seed, as stored: `value` is None where the run does not have it."""

    says: str
    value: Callable[[Evidence, str, str, int], float | None]


@dataclass(frozen=True)
class Score:
    """What of a measure counts at a scale; of several readings each has to support a claim, or to speak against it."""

    measure: Measure
    readings: Callable[[str], Sequence[Reading]]


@dataclass(frozen=True)
class Sample:
    """The values of one place, one a seed, in the unit that is shown.

    `lacking` says why they are too few to be tested, empty if they are not; `planned` and `beyond` as in Seeds.
    """

    values: tuple[float, ...]
    planned: bool
    beyond: int
    lacking: str


def by(measure: Measure, protocol: Protocol) -> Score:
    """The value of a measure by a protocol."""
    return Score(measure, lambda scale: (reported(measure, protocol),))


def level(measure: Measure, *protocols: Protocol, last: int = LAST_EPOCHS) -> Score:
    """Where a training ends: the mean of the last epochs, and at paper scale also what the work reports.

    `last` is how many epochs count as the last ones of whole trainings.
    """

    def readings(scale: str) -> Sequence[Reading]:
        if scale == "paper":
            return reported(measure, *protocols), last_epochs(measure, last)
        return (last_epochs(measure, LAST_EPOCHS),)

    return Score(measure, readings)


def reported(measure: Measure, *protocols: Protocol) -> Reading:
    """The value by the first of `protocols` that finds one."""

    def value(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
        found = (evidence.value(row, column, seed, measure, protocol) for protocol in protocols)
        return next((value for value in found if value is not None), None)

    return Reading("as reported", value)


def last_epochs(measure: Measure, count: int) -> Reading:
    """The mean over the last `count` epochs on the test set."""

    def mean(evidence: Evidence, row: str, column: str, seed: int) -> float | None:
        curve = evidence.curves.get((row, column, seed, measure.curve(TEST)), {})
        return statistics.fmean(v for step, v in curve.items() if step > max(curve) - count) if curve else None

    return Reading(f"over the last {count} epochs", mean)


def sample(evidence: Evidence, place: Place, measure: Measure, reading: Reading) -> Sample:
    """What the seeds that decide have in a place."""
    seeds = evidence.seeds_of(*place)
    found = (reading.value(evidence, *place, seed) for seed in seeds.deciding)
    values = tuple(measure.shown(value) for value in found if value is not None)
    return Sample(values, seeds.planned is not None, seeds.beyond, lacking(len(values), seeds))


def lacking(count: int, *of: Seeds) -> str:
    """Why so many values are not to be tested, of a place or of places that each should have as many; empty if they
    are."""
    for seeds in of:
        if seeds.unfit:
            return seeds.unfit
        due = len(seeds.deciding) if seeds.planned is None else seeds.planned
        if count < due:
            return f"{count} of {due}{' planned' * (seeds.planned is not None)} seeds have results"
    return f"a test needs {MIN_SEEDS} seeds" if count < MIN_SEEDS else ""


def absent(evidence: Evidence, *places: Place, name: str = "") -> list[Comparison]:
    """What stands for a comparison of places that have no results, all of which the table has; none if it has not."""
    if not all(place in evidence.experiments for place in places):
        return []
    return [Comparison("not measured yet", False, None, name, lacks=RESULTS)]


def above(margin: float = 0.0) -> Rule:
    """The first is larger than the second by more than `margin`."""

    def rule(first: Values, second: Values, least: float) -> tuple[float, float]:
        difference = welch(first, second, least)
        return difference.above(margin), difference.below(margin)

    return Rule(rule, lambda first, second: (margin,) if margin else ())


def near(measure: Measure) -> Rule:
    """The two differ by less than MARGIN, both ways."""
    one_way = not_worse(measure)

    def rule(first: Values, second: Values, least: float) -> tuple[float, float]:
        sides = one_way.test(first, second, least), one_way.test(second, first, least)
        return max(within for within, _ in sides), min(outside for _, outside in sides)

    def limits(first: Values, second: Values) -> tuple[float, ...]:
        return *one_way.limits(first, second), *(-limit for limit in one_way.limits(second, first))

    return Rule(rule, limits)


def not_worse(measure: Measure) -> Rule:
    """The first is as large as the second, or smaller by less than MARGIN."""
    whole = measure.shown(1.0)
    if measure.unit != "fraction" or measure.better != "higher":
        raise ValueError(f"what counts as near is known for shares of which more is better, not for {measure.title}")

    def rule(worse: Values, better: Values, least: float) -> tuple[float, float]:
        """The margin is measured, too: that a - b is below (whole - a) / 4 is tested as one sum, 1.25 a - b below
        whole / 4, so that the spread of the margin counts."""
        fixed, quarter = welch(better, worse, least), welch(better, worse, least, 1.25)
        within = max(fixed.below(WITHIN), quarter.below(whole / 4))
        narrower = (whole - statistics.fmean(better)) / 4 < WITHIN
        return within, quarter.above(whole / 4) if narrower else fixed.above(WITHIN)

    return Rule(rule, lambda worse, better: (-min(WITHIN, (whole - statistics.fmean(better)) / 4),))


def compare(
    evidence: Evidence, first: Place, second: Place, score: Score, rule: Rule, name: str = ""
) -> list[Comparison]:
    """One comparison of two places, or none where the table has no such two; undecided where one was not measured."""
    texts: list[str] = []
    supports, against = [], []
    arms: list[Sample] = []
    effects: list[Effect] = []
    readings = score.readings(evidence.scale)
    least = evidence.resolution(first[1], score.measure)
    for reading in readings:
        a, b = arms = [sample(evidence, place, score.measure, reading) for place in (first, second)]
        if not a.values or not b.values:
            return absent(evidence, first, second, name=name)
        unit, seeds = score.measure.difference, counted(a, b)
        says = f" {reading.says}" if len(readings) > 1 else ""
        if why := a.lacking or b.lacking:
            difference = statistics.fmean(a.values) - statistics.fmean(b.values)
            texts.append(f"{difference:+.1f} {unit}{says} ({seeds}), {why}")
            continue
        p_for, p_against = rule.test(a.values, b.values, least)
        supports.append(p_for <= ALPHA)
        against.append(p_against)
        difference_of_means = welch(a.values, b.values, least)
        effects.append(effect(difference_of_means, unit, limits=rule.limits(a.values, b.values)))
        texts.append(f"{bounds(difference_of_means)} {unit}{says} ({seeds})")
    tested = len(against) == len(readings)
    return [
        Comparison(
            "; ".join(texts),
            tested and all(supports),
            max(against) if tested else None,
            name,
            planned=all(arm.planned for arm in arms),
            effects=tuple(effects),
        )
    ]


def bounds(estimate: Estimate, sign: str = "+") -> str:
    """ "+12.0 [+7.0, +17.0]", with two digits where the interval is narrower than 1."""
    low, high = estimate.interval()
    places = 1 if high - low >= 1 else 2
    mean, low, high = (round(value, places) + 0.0 for value in (estimate.mean, low, high))  # no -0.0
    return f"{mean:{sign}.{places}f} [{low:{sign}.{places}f}, {high:{sign}.{places}f}]"


def effect(estimate: Estimate, unit: str, none: float = 0.0, limits: tuple[float, ...] = ()) -> Effect:
    """The estimate as a number behind a comparison."""
    low, high = estimate.interval()
    return Effect(low, estimate.mean, high, unit, none, limits)


def counted(*arms: Sample) -> str:
    """ "3 seeds", "3 and 5 seeds"; with how many were left out as beyond the plan."""
    numbers = list(dict.fromkeys(len(arm.values) for arm in arms))
    text = f"{' and '.join(map(str, numbers))} seed{'s' * (numbers != [1])}"
    beyond = sum(arm.beyond for arm in arms)
    return f"{text}, {beyond} beyond the plan left out" if beyond else text


def by_column(
    build: Callable[[Evidence, str], Iterable[Comparison]], test: str, *where: str, brief: bool = False
) -> Decide:
    """Decides a claim column by column.

    `where` are the columns that the work's statement is about, all of the table unless said; the others are shown and
    decide nothing. On stand-ins all count: no task there is the work's, and each may speak against it.
    """

    def decide(evidence: Evidence) -> Finding:
        named = {evidence.same.get(column, column) for column in where}
        found = [
            replace(comparison, column=evidence.heading(column), further=further)
            for column in evidence.columns
            for further in [bool(named) and not evidence.stand_in and column not in named]
            for comparison in build(evidence, column)
        ]
        return finish(evidence, found, test, brief=brief)

    return decide


def finish(evidence: Evidence, found: Iterable[Comparison], test: str, unit: str = "", brief: bool = False) -> Finding:
    """The finding, in the words of the scale."""
    unit = unit or ("task" if evidence.stand_in else "column")
    return conclude(found, test, stand_in=evidence.stand_in, unit=unit, brief=brief)


SHOWN_ONLY = {  # why the numbers of a scale do not decide a claim
    "quick": "the claim is about full data sets, small stand-ins do not decide it",
    "short": "the claim is about whole trainings, their first epochs do not decide it",
}


def decided_at(*scales: str) -> Callable[[Decide], Decide]:
    """Elsewhere than at `scales` a claim gives its numbers and stays undecided."""

    def limited(decide: Decide) -> Decide:
        @functools.wraps(decide)
        def decided(evidence: Evidence) -> Finding:
            finding = decide(evidence)
            if evidence.scale in scales or not finding.test:  # without a test nothing was measured
                return finding
            parts = tuple(replace(part, status=UNDECIDED) for part in finding.parts)
            return replace(finding, status=UNDECIDED, evidence=SHOWN_ONLY[evidence.scale], parts=parts, lacks=SCALE)

        return decided

    return limited


def greater(first: str, second: str, score: Score, *where: str, margin: float = 0.0) -> Decide:
    """Decides that one row scores higher than another (by more than `margin`), in every column."""

    def build(evidence: Evidence, column: str) -> list[Comparison]:
        return compare(evidence, (first, column), (second, column), score, above(margin))

    more = f" by more than {margin:g}" if margin else ""
    return by_column(build, f"{WELCH}: higher{more} in every column; {AGAINST}", *where)


def comparable(first: str, second: str, score: Score, *where: str) -> Decide:
    """Decides that two rows score the same within MARGIN, in every column."""
    rule = near(score.measure)

    def build(evidence: Evidence, column: str) -> list[Comparison]:
        return compare(evidence, (first, column), (second, column), score, rule)

    return by_column(build, f"{WELCH}: within {MARGIN}, in every column; {AGAINST}", *where)
