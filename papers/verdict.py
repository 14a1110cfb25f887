"""The one rule by which measured values are held against a published one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from .measures import RESOLUTION, Measure
from .prediction import FREEDOM, GROSS, MOST, alike, floor_of_share, half_width, narrowest, runs_needed, spread

EXPECTED = (
    "a published value is one more run, or the mean of k. It is expected within our mean over S runs +- t(0.975) "
    "sqrt(sd^2 (1/k + 1/S)), with 2 p (1 - p) / n under the root where the n test samples are not the authors', plus "
    "half its last printed digit; losses on a logarithmic scale."
)
WORDS = {  # what each verdict means
    "reproduced": "it lies inside, and the half width is at most the resolution",
    "higher or lower": "it lies outside, our mean above or below it",
    "undecided": "it lies inside a wider interval, or the spread is not known",
    "not comparable": "scale, protocol or data differ, nothing was published, or it is a recollection or our own pilot",
    "sources disagree": "documents print different values for one result",
    "missing": "nothing was measured",
}
FURTHER = (
    f"The resolution is {RESOLUTION}. What has no chance in it, such as a count, is compared to the printed digits.",
    "The sd is that of our runs and the authors' repeats of the setting, which give no verdict where the two differ "
    "grossly; it is at least 1/(n sqrt 6) for a share; where these leave fewer than two degrees of freedom, other "
    "cells of the column "
    f"with two runs or more are pooled, unless one spread differs grossly from the rest (F test, level {GROSS:g}, "
    "Bonferroni).",
    "The interval shown is that of our mean: of a share the root of the sum of squares of Wilson's for "
    "the n test samples and Student's over the runs; of other numbers Student's. Under protocol A it is that of the "
    "epoch selected on the test set, optimistic.",
)
RULE = " ".join([EXPECTED, f"{'; '.join(f'{word}: {means}' for word, means in WORDS.items())}.", *FURTHER])
ROUNDING = 1e-9  # of numbers that are exact in decimal and not in binary


@dataclass(frozen=True)
class Printed:
    """A published value and half a unit of its last printed digit, by which equal values may differ.

    It is the mean of `runs`; a `repeat` is a further run of the same setting, no other document of the same value.
    """

    value: float
    tolerance: float = 0.0
    runs: int = field(default=1, kw_only=True)
    repeat: bool = field(default=False, kw_only=True)


Value = TypeVar("Value", bound=Printed)


def distinct(values: Sequence[Value]) -> list[Value]:
    """The values that differ by more than their last digits, the first of each kept."""
    kept: list[Value] = []
    for value in values:
        if all(abs(value.value - other.value) > value.tolerance + other.tolerance + ROUNDING for other in kept):
            kept.append(value)
    return kept


def documents(values: Sequence[Value]) -> list[Value]:
    """What different documents print for one result, as far as it differs; more than one, and they disagree."""
    return distinct([value for value in values if not value.repeat] or values[:1])


def repeats(values: Sequence[Printed]) -> list[float]:
    """The single runs of one setting that the authors made, as far as they are known one by one."""
    if not (printed := documents(values)):
        return []
    single = [value.value for value in printed if value.runs == 1]
    return [*single, *(value.value for value in values if value.repeat and value is not printed[0])]


@dataclass(frozen=True)
class Verdict:
    """The word, the reason for it, and the interval in which a published value was expected, in the unit shown.

    There is no interval where the spread is not known or nothing is left to chance.
    """

    word: str
    reason: str = ""
    expected: tuple[float, float] | None = None


def verdict(
    measure: Measure,
    values: Sequence[float],
    published: Sequence[Printed],
    *,
    not_comparable: str = "",
    test_samples: int | None = None,
    others: Sequence[Sequence[float]] = (),
    other_test_set: bool = False,
) -> Verdict:
    """The verdict on `values`, one a run of ours, against what was published; all in the unit that the measure shows.

    `not_comparable` is why there must be none. `others` are the runs of other settings, cell by cell, whose spread may
    stand in for ours; `other_test_set` tells that ours is another sample of the same data.
    """
    if not values:
        return Verdict("missing", "nothing measured")
    if not published:
        return Verdict(
            "not comparable", "; ".join(["nothing published", *([not_comparable] if not_comparable else [])])
        )
    if not_comparable:
        return Verdict("not comparable", not_comparable)
    printed = documents(published)
    if len(printed) > 1:
        ordered = sorted(value.value for value in printed)
        return Verdict("sources disagree", "printed as " + " and ".join(f"{value:g}" for value in ordered))
    if measure.exact:
        return _exact(values, printed[0])
    if measure.interval == "wilson" and not test_samples:
        return Verdict("undecided", "the size of the test set is not known")
    return _predicted(measure, values, published, test_samples, others, other_test_set)


def _exact(values: Sequence[float], published: Printed) -> Verdict:
    if not all(map(math.isfinite, values)):
        return Verdict("undecided", "a run came to no finite number")
    allowed = published.tolerance + ROUNDING
    least, greatest = min(values) - published.value, max(values) - published.value
    if least > allowed:
        return Verdict("higher")
    if greatest < -allowed:
        return Verdict("lower")
    if least < -allowed or greatest > allowed:
        return Verdict("undecided", f"the runs differ, from {min(values):g} to {max(values):g}")
    return Verdict("reproduced")


@dataclass(frozen=True)
class _Target:
    """What was published, on the scale of comparison: the mean of `runs`, known to +- `digits`, and the `repeats`."""

    value: float
    digits: float
    runs: int
    repeats: tuple[float, ...]


def _target(measure: Measure, published: Sequence[Printed]) -> _Target:
    (first,) = documents(published)
    means = [first, *(value for value in published if value.repeat and value is not first)]
    runs = sum(value.runs for value in means)
    value = sum(value.runs * measure.scaled(value.value) for value in means) / runs
    ends = [[measure.scaled(v.value + sign * v.tolerance) for sign in (-1, 1)] for v in means]
    digits = sum(v.runs * (high - low) / 2 for v, (low, high) in zip(means, ends, strict=True)) / runs
    return _Target(value, digits, runs, tuple(measure.scaled(value) for value in repeats(published)))


def _predicted(
    measure: Measure,
    values: Sequence[float],
    published: Sequence[Printed],
    test_samples: int | None,
    others: Sequence[Sequence[float]],
    other_test_set: bool,
) -> Verdict:
    target, ours = _target(measure, published), [measure.scaled(value) for value in values]
    if not all(map(math.isfinite, (target.value, target.digits, *ours))):
        return Verdict("undecided", "there is a value, or a last digit of one, that has no logarithm")
    mean, words = statistics.fmean(ours), _Words(measure)
    n = test_samples if measure.share else None
    if other_test_set and not n:
        return Verdict("undecided", "the test sets differ, and by how much that counts is not known")
    floor = measure.shown(floor_of_share(n)) if n else 0.0
    own: list[Sequence[float]] = [ours, target.repeats]
    published_as, against = "the published value", list[str]()
    if len(target.repeats) > 1:
        published_as = f"the mean of the authors' {words.runs(target.runs)}"
        against.append(f"held against {published_as}, {measure.unscaled(target.value):.4g}")
    known, pooled = spread(own, floor), list[Sequence[float]]()
    if not alike(own, floor):
        sds = [words.width(spread([group], floor).sd) for group in own]
        return Verdict("undecided", f"our runs and the authors' differ too much in spread, {sds[0]} and {sds[1]}")
    if known.freedom < FREEDOM:
        pool = [*own, *([measure.scaled(value) for value in group] for group in others if len(group) > 1)]
        few = f"{words.runs(len(ours))}, {words.difference(mean - target.value)} {published_as}"
        if not all(math.isfinite(value) for group in pool for value in group) or not alike(pool, floor):
            return Verdict("undecided", f"{few}; the spreads of the column differ too much to be pooled")
        known, pooled = spread(pool, floor), pool[len(own) :]
        if known.freedom < FREEDOM:
            return Verdict("undecided", f"{few}; three runs tell what that means")
    if len(ours) <= FREEDOM:
        whence = f"{words.runs(len(ours))}: the spread, {words.width(known.sd)}, is that of {_sources(own, pooled)} "
        whence += f"({known.freedom} degrees of freedom)"
        against.append(whence)
    sets = 0.0
    if other_test_set and n:
        p = measure.stored(statistics.fmean(values))
        sets = measure.shown(measure.shown(2 * p * (1 - p) / n))
    half = half_width(known, len(ours), target.runs, sets, target.digits)
    expected = measure.unscaled(mean - half), measure.unscaled(mean + half)
    if abs(mean - target.value) > half + ROUNDING:
        return Verdict("higher" if mean > target.value else "lower", "; ".join(against), expected)
    resolution = measure.resolves(measure.unscaled(target.value))
    if half <= resolution + ROUNDING:
        return Verdict("reproduced", "; ".join(against), expected)
    further = max(len(target.repeats) - 1, 0)
    needed = runs_needed(resolution, known.sd, target.runs, further, sets, target.digits)
    least = narrowest(known.sd, target.runs, sets, target.digits)
    advice = (
        f"{needed} runs would do"
        if needed
        else f"by this spread no number of runs would do: {published_as} alone is uncertain by {words.width(least)}"
        if least > resolution
        else f"more than {MOST} runs would be needed"
    )
    wide = f"the interval, {words.width(half)}, is wider than the resolution, {words.width(resolution)}; {advice}"
    return Verdict("undecided", "; ".join([*against, wide]), expected)


def _sources(own: Sequence[Sequence[float]], pooled: Sequence[Sequence[float]]) -> str:
    """Whose runs a pooled spread comes from."""
    ours, theirs = (len(group) > 1 for group in own)
    found = [*(["these runs"] if ours else []), *(["the authors' repeats"] if theirs else [])]
    found += [f"{len(pooled)} other{'s' * (len(pooled) > 1)} of the column"] if pooled else []
    return " and ".join(found)


@dataclass(frozen=True)
class _Words:
    """Numbers on the scale of a measure in words."""

    measure: Measure

    @staticmethod
    def runs(count: int) -> str:
        return {1: "one run", 2: "two runs"}.get(count, f"{count} runs")

    def width(self, half: float) -> str:
        if self.measure.logarithmic:
            return f"a factor of {math.exp(half):.3g}"
        return f"+-{half:.3g} {self.measure.difference or self.measure.show}".rstrip()

    def difference(self, gap: float) -> str:
        side = "above" if gap >= 0 else "below"
        if self.measure.logarithmic:
            return f"a factor of {math.exp(abs(gap)):.3g} {side}"
        return f"{abs(gap):.3g} {self.measure.difference or self.measure.show}".rstrip() + f" {side}"
