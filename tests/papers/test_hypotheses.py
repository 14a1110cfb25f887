"""Tests behind claims, against SciPy and by hand."""

from __future__ import annotations

import math

import pytest
from scipy.stats import t, ttest_ind

from papers.hypotheses import Estimate, holm, next_run, resolution, share_above, share_below, student, welch

ONE, OTHER = (0.5, 0.62, 0.74, 0.7), (0.4, 0.41, 0.43)


def test_welch_is_that_of_scipy() -> None:
    ours, theirs = welch(ONE, OTHER), ttest_ind(ONE, OTHER, equal_var=False)
    assert ours.freedom == pytest.approx(theirs.df)
    assert ours.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert ours.above(0.0) == pytest.approx(theirs.pvalue / 2)
    assert ours.below(0.0) == pytest.approx(1 - theirs.pvalue / 2)


def test_an_arm_may_count_more_than_once() -> None:
    ours, theirs = welch(ONE, OTHER, weight=1.25), ttest_ind([1.25 * x for x in ONE], OTHER, equal_var=False)
    assert ours.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_the_mean_and_one_more_run_by_hand() -> None:
    quantile = 4.302653  # t(.975, 2); the mean of 1, 2, 3 is 2, s = 1
    for found, error in ((student((1, 2, 3)), math.sqrt(1 / 3)), (next_run((1, 2, 3)), math.sqrt(4 / 3))):
        assert found.interval() == pytest.approx((2 - quantile * error, 2 + quantile * error), rel=1e-5)
    assert student((1, 2, 3)).above(1.0) == pytest.approx(t.sf(math.sqrt(3), 2))


def test_equal_values_are_no_proof_that_nothing_varies() -> None:
    """A share of n samples moves in steps of 1 / n: the least spread is 1 / (n sqrt 6)."""
    assert resolution(100) == pytest.approx(0.01 / math.sqrt(6))
    assert resolution(None) == 0.0
    found = welch((0.9,) * 3, (0.89,) * 3, resolution(100))
    assert found.error == pytest.approx(resolution(100) * math.sqrt(2 / 3))
    assert found.freedom == pytest.approx(4)
    exact = welch((0.9,) * 3, (0.89,) * 3)
    assert (exact.above(0.0), exact.below(0.0), exact.freedom) == (0.0, 1.0, 4)


def test_the_sides_of_an_interval_are_the_tests() -> None:
    found = Estimate(1.0, 0.4, 5.0)
    low, high = found.interval()
    assert found.above(low) == pytest.approx(0.025)
    assert found.below(high) == pytest.approx(0.025)


def test_binomial_by_hand() -> None:
    assert share_above(3, 3, 1 / 4) == pytest.approx(1 / 64)
    assert share_above(0, 3, 1 / 4) == 1.0
    assert share_below(0, 6, 0.5) == pytest.approx(1 / 64)


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])  # 3 x 0.01, 2 x 0.03, at least as much
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
