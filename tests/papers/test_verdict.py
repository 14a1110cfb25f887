"""Verdicts and prediction intervals, against values worked out by hand and by their properties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from papers.measures import ACCURACY, Measure
from papers.prediction import Spread, alike, half_width, narrowest, runs_needed, spread
from papers.statistics import quantile
from papers.verdict import Printed, documents, repeats, verdict

N = 10_000
COUNT = Measure("synapses", "count", "lower", "exact", over="")
LOSS = Measure("loss", "1", "lower", "student", logarithmic=True)
# The authors' own repeats of one setting: best test accuracy of the first four epochs.
TWICE = ((52.69, 48.95), (20.3, 12.78), (4.65, 14.07), (16.78, 13.92), (19.03, 16.21))


def word(values: Sequence[float], *published: float, digits: float = 0.005, **options: object) -> str:
    return said(values, *published, digits=digits, **options)[0]


def said(values: Sequence[float], *published: float, digits: float = 0.005, **options: object) -> tuple[str, str]:
    """Word and reason for shares of N samples in percent."""
    printed = [Printed(value, digits) for value in published]
    found = verdict(ACCURACY, values, printed, test_samples=N, **options)  # type: ignore[arg-type]
    return found.word, found.reason


def test_half_widths_by_hand() -> None:
    # t(0.975, 2) = 4.3027, t(0.975, 4) = 2.7764
    assert half_width(Spread(0.2, 2), 3) == pytest.approx(4.3027 * 0.2 * math.sqrt(4 / 3), abs=1e-4)
    assert half_width(Spread(0.2, 4), 5, of=3, digits=0.05) == pytest.approx(
        2.7764 * 0.2 * math.sqrt(1 / 3 + 1 / 5) + 0.05, abs=1e-4
    )
    assert half_width(Spread(0.0, 2), 3, sets=0.04) == pytest.approx(4.3027 * 0.2, abs=1e-4)
    assert narrowest(0.2, digits=0.01) == pytest.approx(1.96 * 0.2 + 0.01, abs=1e-4)


def test_spreads_by_hand() -> None:
    assert spread([[1.0, 2.0, 3.0]]) == Spread(1.0, 2)
    assert spread([[1.0, 2.0, 3.0], [5.0], [], [4.0, 6.0]]) == Spread(pytest.approx(math.sqrt((2 + 2) / 3)), 3)
    assert spread([[5.0], []]) == Spread(0.0, 0)
    assert spread([[5.0, 5.0]], floor=0.1) == Spread(0.1, 1)


@pytest.mark.parametrize(
    ("values", "published", "digits", "expected"),
    [
        # mean 93.6, sd 0.1: the half width is 4.3027 * 0.1 * sqrt(4/3) = 0.4968
        ((93.5, 93.6, 93.7), 93.5, 0.005, "reproduced"),
        ((93.5, 93.6, 93.7), 93.09, 0.005, "higher"),
        ((93.5, 93.6, 93.7), 93.09, 0.05, "reproduced"),  # printed as 93.1
        ((93.5, 93.6, 93.7), 94.11, 0.005, "lower"),
        # sd 0.2: half 0.9937 with the digits 0.005 is below 1 point, with 0.05 above
        ((93.4, 93.6, 93.8), 93.5, 0.005, "reproduced"),
        ((93.4, 93.6, 93.8), 93.5, 0.05, "undecided"),
        ((93.4, 93.6, 93.8), 92.5, 0.05, "higher"),
        # three runs that agree to the last sample: sd is 0.01 / sqrt(6) = 0.0041, the half width 0.0203
        ((93.6, 93.6, 93.6), 93.58, 0.005, "reproduced"),
        ((93.6, 93.6, 93.6), 93.57, 0.005, "higher"),
    ],
)
def test_verdicts(values: Sequence[float], published: float, digits: float, expected: str) -> None:
    assert word(values, published, digits=digits) == expected


def test_the_resolution_shrinks_near_the_ceiling() -> None:
    """Of 93 % the error is 7: 1 point; of 99 % a quarter of 1; of 99.9 % the least, 0.1."""
    assert [ACCURACY.resolves(value) for value in (50.0, 93.0, 99.0, 99.9, 100.0)] == [1.0, 1.0, 0.25, 0.1, 0.1]
    rate = Measure("rate", "fraction", "lower", "student")
    assert [rate.resolves(value) for value in (50.0, 2.0, 0.0)] == [1.0, 0.5, 0.1]
    assert LOSS.resolves(0.02) == pytest.approx(math.log(1.25))
    assert Measure("steps", "steps", "lower", "student").resolves(20.0) == 2.0
    assert Measure("steps", "steps", "lower", "student", resolution=0.5).resolves(20.0) == 0.5
    assert word((99.0, 99.1, 99.2), 99.1) == "undecided"  # half width 0.5


def test_undecided_says_how_many_runs_would_do() -> None:
    # sd 0.2, digits 0.05. Three runs: 1.0437. Four: 3.1824 * 0.2 * sqrt(5/4) + 0.05 = 0.7616.
    _, reason = said((93.4, 93.6, 93.8), 93.5, digits=0.05)
    assert reason == "the interval, +-1.04 points, is wider than the resolution, +-1 points; 4 runs would do"
    # sd 0.6: 1.96 * 0.6 = 1.18 is what one published run varies by.
    _, reason = said((93.0, 93.6, 94.2), 93.5)
    assert reason.endswith("no number of runs would do: the published value alone is uncertain by +-1.18 points")
    assert runs_needed(1.0, 0.2, digits=0.05) == 4
    assert runs_needed(1.0, 0.6) is None
    # five: 2.7764 * 0.6 * sqrt(1/5 + 1/5) = 1.0536; six: 2.5706 * 0.6 * sqrt(1/5 + 1/6) = 0.9339
    assert runs_needed(1.0, 0.6, of=5) == 6


def test_fewer_than_three_runs_are_undecided() -> None:
    assert said([93.6], 92.3) == (
        "undecided", "one run, 1.3 points above the published value; three runs tell what that means"
    )  # fmt: skip
    assert said([93.0, 93.2], 94.6)[1].startswith("two runs, 1.5 points below the published value;")


def test_the_spread_of_other_cells_stands_in() -> None:
    others = [[91.0, 91.2, 91.1], [88.0], [90.0, 90.1]]  # sum of squares 0.02 + 0.005, 3 degrees of freedom
    found = verdict(ACCURACY, [93.6], [Printed(93.4, 0.005)], test_samples=N, others=others)
    half = 3.1824 * math.sqrt(0.025 / 3) * math.sqrt(2) + 0.005
    assert found.expected == (pytest.approx(93.6 - half, abs=1e-4), pytest.approx(93.6 + half, abs=1e-4))
    assert found.word == "reproduced"
    assert found.reason == (
        "one run: the spread, +-0.0913 points, is that of 2 others of the column (3 degrees of freedom)"
    )
    assert word([93.6], 93.0, others=others) == "higher"
    two = verdict(ACCURACY, [93.6, 93.7], [Printed(93.4, 0.005)], test_samples=N, others=others)
    assert "is that of these runs and 2 others of the column (4 degrees of freedom)" in two.reason
    assert word([93.5, 93.6, 93.7], 93.09, others=[[93.0, 93.5]]) == "higher"  # three runs speak for themselves


def test_spreads_that_differ_grossly_are_not_pooled() -> None:
    calm, wild = [[90.0 + place, 90.1 + place, 90.2 + place] for place in range(3)], [60.0, 90.0, 75.0]
    assert alike(calm)
    assert not alike([*calm, wild])
    assert said([93.6], 93.4, others=[*calm, wild]) == (
        "undecided",
        "one run, 0.2 points above the published value; the spreads of the column differ too much to be pooled",
    )
    assert alike([[1.0, 1.0], [2.0, 2.0]])
    assert not alike([[1.0, 1.0], [2.0, 2.0], [3.0, 4.0]])  # without a floor no spread and some are not alike


def test_the_authors_repeats_are_replicates() -> None:
    published = [Printed(81.5, 0.005), Printed(81.5, 0.005), Printed(79.85, 0.005, repeat=True)]
    assert repeats(published) == [81.5, 79.85]
    # Published is the mean of two, 80.675. Squares: ours 0.72, theirs 2 * 0.825^2 = 1.36125; freedom 2 + 1.
    found = verdict(ACCURACY, [79.5, 80.1, 80.7], published, test_samples=N)
    half = 3.1824 * math.sqrt((0.72 + 1.36125) / 3) * math.sqrt(1 / 2 + 1 / 3) + 0.005
    assert found.expected == (pytest.approx(80.1 - half, abs=1e-3), pytest.approx(80.1 + half, abs=1e-3))
    assert found.word == "undecided"
    one = verdict(ACCURACY, [80.0], published, test_samples=N)
    assert one.word == "undecided"
    assert one.reason.startswith("one run, 0.675 points below the mean of the authors' two runs")
    thrice = [Printed(80.0), Printed(80.1, repeat=True), Printed(80.2, repeat=True)]
    known = verdict(ACCURACY, [80.3], thrice, test_samples=N)
    assert known.word == "reproduced"
    assert known.reason.startswith("held against the mean of the authors' 3 runs, 80.1; one run: the spread, ")
    assert "is that of the authors' repeats (2 degrees of freedom)" in known.reason


def test_spreads_that_differ_grossly_are_not_made_one() -> None:
    """Else ten runs of ours that hardly vary would make the authors' two, far apart, lie outside."""
    published = [Printed(81.5, 0.005), Printed(79.85, 0.005, repeat=True)]
    ours = [81.5 + 0.01 * place for place in range(10)]
    found = verdict(ACCURACY, ours, published, test_samples=N)
    assert (found.word, found.expected) == ("undecided", None)
    assert found.reason == "our runs and the authors' differ too much in spread, +-0.0303 points and +-1.17 points"


def test_documents_that_print_different_values_disagree() -> None:
    assert said((99.6, 99.7, 99.8), 97.72, 99.72) == ("sources disagree", "printed as 97.72 and 99.72")
    assert word((99.71, 99.72, 99.73), 99.72, 99.72) == "reproduced"
    assert [value.value for value in documents([Printed(85.9, 0.05), Printed(85.94, 0.005)])] == [85.9]
    assert [value.value for value in documents([Printed(85.9, 0.005), Printed(85.91)])] == [85.9, 85.91]
    assert [value.value for value in documents([Printed(85.9), Printed(80.0, repeat=True)])] == [85.9]
    assert documents([]) == repeats([]) == []


def test_what_cannot_be_compared_says_why() -> None:
    assert said([], 93.5) == ("missing", "nothing measured")
    assert said([93.5]) == ("not comparable", "nothing published")
    assert said([93.5], not_comparable="a subset") == ("not comparable", "nothing published; a subset")
    assert said([93.5], 97.72, 99.72, not_comparable="a subset") == ("not comparable", "a subset")
    unknown = verdict(ACCURACY, [93.4, 93.5, 93.6], [Printed(93.5)])
    assert (unknown.word, unknown.reason) == ("undecided", "the size of the test set is not known")


@pytest.mark.parametrize(
    ("values", "published", "digits", "expected"),
    [
        ([340.0], 340.0, 0.0, "reproduced"),
        ([340.0], 341.0, 0.0, "lower"),
        ([340.0, 340.0], 339.0, 0.5, "higher"),
        ([340.0], 300.0, 50.0, "reproduced"),  # printed as "300"
        ([85.905], 85.90, 0.005, "reproduced"),  # 0.905 - 0.9 is more than 0.005 in binary: see ROUNDING
        ([340.0, 342.0], 341.0, 0.5, "undecided"),
    ],
)
def test_what_is_exact_is_compared_to_the_printed_digits(
    values: list[float], published: float, digits: float, expected: str
) -> None:
    found = verdict(COUNT, values, [Printed(published, digits)])
    assert (found.word, found.expected) == (expected, None)


def test_losses_are_compared_by_their_ratio() -> None:
    # ln: -1, 0, 1 times 0.05 about ln 0.02; half = 4.3027 * 0.05 * sqrt(4/3) = 0.2484, a factor of 1.282
    ours = [0.02 * math.exp(0.05 * step) for step in (-1, 0, 1)]
    found = verdict(LOSS, ours, [Printed(0.02)])
    assert found.expected == (pytest.approx(0.02 / 1.282, rel=1e-3), pytest.approx(0.02 * 1.282, rel=1e-3))
    assert (found.word, found.reason) == (
        "undecided",
        "the interval, a factor of 1.28, is wider than the resolution, a factor of 1.25; 4 runs would do",
    )
    assert verdict(LOSS, ours, [Printed(0.026)]).word == "lower"
    for values, published in (([0.0, 0.1, 0.1], Printed(0.1)), ([0.1, 0.1, 0.2], Printed(0.01, 0.05))):
        found = verdict(LOSS, values, [published])
        assert (found.word, "no logarithm" in found.reason) == ("undecided", True)


def test_another_test_set_widens_the_interval() -> None:
    values, published = (93.5, 93.6, 93.7), [Printed(93.0, 0.0)]
    same = verdict(ACCURACY, values, published, test_samples=1000)
    other = verdict(ACCURACY, values, published, test_samples=1000, other_test_set=True)
    assert (same.word, other.word) == ("higher", "undecided")
    # 2 * 0.936 * 0.064 / 1000 = 1.198e-4, in points squared 1.198
    half = 4.3027 * math.sqrt(0.01 * 4 / 3 + 1.198)
    assert other.expected == (pytest.approx(93.6 - half, abs=1e-2), pytest.approx(93.6 + half, abs=1e-2))
    assert "no number of runs" in other.reason
    unknown = verdict(LOSS, [0.1, 0.11, 0.12], [Printed(0.1)], test_samples=1000, other_test_set=True)
    assert (unknown.word, unknown.reason[:21]) == ("undecided", "the test sets differ,")


def test_the_authors_own_repeats_are_called_different_no_oftener_than_by_chance() -> None:
    """Each of a pair against the other as one run of ours, with the spread of the other pairs."""
    words = []
    for pair in TWICE:
        others = [other for other in TWICE if other is not pair]
        words += [word([ours], theirs, others=others) for ours, theirs in permutations(pair)]
    assert len(words) == 10
    assert sum(found in ("higher", "lower") for found in words) <= 1
    assert set(words) <= {"reproduced", "undecided", "higher", "lower"}


numbers = st.floats(-100, 100).map(lambda value: round(value, 3))
runs = st.lists(numbers, min_size=3, max_size=6)
SCORE = Measure("score", "1", "higher", "student", resolution=5.0)


def away_from_the_edge(values: Sequence[float], published: float, resolution: float) -> None:
    """Binary noise must not decide: the published value and the half width are clear of what they are held against."""
    half = half_width(spread([values]), len(values))
    gap = abs(sum(values) / len(values) - published)
    assume(abs(gap - half) > 1e-6)
    assume(abs(half - resolution) > 1e-6)


@given(values=runs, published=numbers, shift=numbers, scale=st.sampled_from([0.25, 2.0, 10.0]))
def test_neither_zero_nor_unit_matter(values: list[float], published: float, shift: float, scale: float) -> None:
    away_from_the_edge(values, published, 5.0)
    found = verdict(SCORE, values, [Printed(published)])
    moved = verdict(SCORE, [value + shift for value in values], [Printed(published + shift)])
    wide = Measure("score", "1", "higher", "student", resolution=5.0 * scale)
    scaled = verdict(wide, [value * scale for value in values], [Printed(published * scale)])
    assert found.word == moved.word == scaled.word
    assert found.expected is not None
    assert moved.expected == pytest.approx([end + shift for end in found.expected], abs=1e-6)
    assert scaled.expected == pytest.approx([end * scale for end in found.expected], abs=1e-6)


@given(values=runs, published=numbers)
def test_above_and_below_are_treated_alike(values: list[float], published: float) -> None:
    away_from_the_edge(values, published, 5.0)
    mirrored = {"higher": "lower", "lower": "higher"}
    found = verdict(SCORE, values, [Printed(published)]).word
    other = verdict(SCORE, [-value for value in values], [Printed(-published)]).word
    assert other == mirrored.get(found, found)


@given(sd=st.floats(0, 10), of=st.integers(1, 5), digits=st.floats(0, 1), sets=st.floats(0, 1))
def test_more_runs_never_widen_the_interval(sd: float, of: int, digits: float, sets: float) -> None:
    halves = [half_width(Spread(sd, runs - 1), runs, of, sets, digits) for runs in range(3, 30)]
    assert halves == sorted(halves, reverse=True)
    assert halves[-1] >= narrowest(sd, of, sets, digits) - 1e-9


@given(sd=st.floats(0.01, 1), width=st.floats(0.1, 3), of=st.integers(1, 5))
def test_the_advised_number_of_runs_is_the_least(sd: float, width: float, of: int) -> None:
    needed = runs_needed(width, sd, of)
    if needed is None:
        assert half_width(Spread(sd, 999), 1000, of) > width
        return
    assert half_width(Spread(sd, needed - 1), needed, of) <= width
    assert needed == 3 or half_width(Spread(sd, needed - 2), needed - 1, of) > width


def test_the_quantile_tends_to_the_normal_one() -> None:
    assert quantile(2) == pytest.approx(4.3027, abs=1e-4)
    assert quantile(None) == pytest.approx(1.95996, abs=1e-5)
