"""Ranks, probability of improvement, profiles, groups and fronts: hand-computed, as properties, and against rliable."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papers.ranking import (
    estimated,
    front,
    groups,
    improvement,
    interquartile_mean,
    no_difference,
    profile,
    ranks,
)  # fmt: skip

GOOD, FAIR, POOR = [[0.9, 0.9, 0.9], [0.8, 0.8, 0.8]], [[0.5, 0.5, 0.5], [0.9, 0.9, 0.9]], [[0.1] * 3, [0.2] * 3]
few = st.integers(0, 4).map(lambda n: n / 4)  # so few values that ties are common
tasks = st.lists(st.lists(few, min_size=2, max_size=4), min_size=2, max_size=2)


def test_ranks_by_hand() -> None:
    found = ranks({"good": GOOD, "fair": FAIR, "poor": POOR}, 50)
    assert {name: rank.value for name, rank in found.items()} == {"good": 1.5, "fair": 1.5, "poor": 3.0}
    assert all(rank.low == rank.value == rank.high for rank in found.values())  # runs that do not vary
    assert {name: r.value for name, r in ranks({"a": GOOD, "b": GOOD}, 50).items()} == {"a": 1.5, "b": 1.5}


def test_a_rank_that_chance_may_change_has_an_interval() -> None:
    found = ranks({"a": [[0.1, 0.9, 0.5]], "b": [[0.2, 0.8, 0.4]]}, 500)
    assert (found["a"].low, found["a"].high) == (1.0, 2.0)
    assert ranks({"a": [[0.1, 0.9, 0.5]], "b": [[0.2, 0.8, 0.4]]}, 500) == found  # the same each time


def test_improvement_by_hand() -> None:
    found = improvement([[1.0, 2.0], [5.0, 5.0]], [[0.0, 2.0], [5.0, 6.0]], 200)
    # First task: (1>0) 1, (1<2) 0, (2>0) 1, (2=2) 1/2, of four; second: 1/2, 0, 1/2, 0.
    assert found.value == pytest.approx((2.5 / 4 + 1 / 4) / 2)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_no_difference_by_hand() -> None:
    apart = [[3.0, 4.0, 5.0]], [[0.0, 1.0, 2.0]]
    assert no_difference(*apart) == pytest.approx(2 / 20)  # one of 20 ways to part six runs, and its mirror
    assert no_difference([*apart[0] * 2], [*apart[1] * 2]) == pytest.approx(2 / 400)
    assert no_difference([[1.0, 1.0]], [[1.0, 1.0, 1.0]]) == 1.0
    uneven = no_difference([[3.0, 4.0], [3.0, 4.0, 5.0]], [[0.0, 1.0], [0.0, 1.0, 2.0]])
    assert uneven == pytest.approx(2 / (6 * 20))


def test_many_runs_are_as_good_as_normal() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(2, 1, 12)).tolist()
    from scipy.stats import mannwhitneyu

    expected = mannwhitneyu(a[0], b[0], method="asymptotic", use_continuity=False).pvalue
    assert no_difference(a, b) == pytest.approx(expected)
    assert no_difference([[1.0] * 12], [[1.0] * 12]) == 1.0


def test_equal_arms_are_rarely_told_apart() -> None:
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=(200, 2, 3, 4)).round(1)
    assert sum(no_difference(a, b) <= 0.05 for a, b in drawn.tolist()) <= 20  # 10 are expected at most


@settings(max_examples=40, deadline=None)
@given(tasks, tasks)
def test_both_sides_say_the_same(a: list[list[float]], b: list[list[float]]) -> None:
    there, back = improvement(a, b, 20).value, improvement(b, a, 20).value
    assert there + back == pytest.approx(1)
    assert no_difference(a, b) == pytest.approx(no_difference(b, a))
    assert 0 < no_difference(a, b) <= 1
    assert no_difference(a, a) == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(st.lists(tasks, min_size=2, max_size=4))
def test_ranks_add_up(scores: list[list[list[float]]]) -> None:
    found = ranks({str(number): one for number, one in enumerate(scores)}, 20)
    assert sum(rank.value for rank in found.values()) == pytest.approx(len(scores) * (len(scores) + 1) / 2)


@settings(max_examples=25, deadline=None)
@given(tasks)
def test_a_profile_falls(runs: list[list[float]]) -> None:
    found = profile(runs, [-0.1, 0.0, 0.5, 1.0], 20)
    assert [one.value for one in found] == sorted((one.value for one in found), reverse=True)
    assert found[0].value == pytest.approx(1)
    assert found[-1].value == 0
    assert all(one.low <= one.high for one in found)


def test_a_profile_by_hand() -> None:
    found = profile([[0.1, 0.6], [0.2, 0.7, 0.8, 0.9]], [0.5, 0.75], 50)
    assert [one.value for one in found] == pytest.approx([(1 / 2 + 3 / 4) / 2, (0 + 2 / 4) / 2])


def test_groups_by_hand() -> None:
    names = ["a", "b", "c", "d"]
    assert groups(names, []) == [("a", "b", "c", "d")]
    assert groups(names, {frozenset("ac"), frozenset("ad"), frozenset("bd")}) == [("a", "b"), ("b", "c"), ("c", "d")]
    assert groups(names, {frozenset(pair) for pair in combinations(names, 2)}) == [("a",), ("b",), ("c",), ("d",)]
    assert groups([], []) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.randoms(use_true_random=False))
def test_names_share_a_group_exactly_if_they_are_not_apart(count: int, random) -> None:
    names = [str(number) for number in range(count)]
    apart = {frozenset(pair) for pair in combinations(names, 2) if random.random() < 0.5}
    found = groups(names, apart)
    shared = {frozenset(pair) for group in found for pair in combinations(group, 2)}
    assert shared == {frozenset(pair) for pair in combinations(names, 2)} - apart
    assert {name for group in found for name in group} == set(names)
    assert not any(set(one) < set(other) for one in found for other in found)


def test_a_front_by_hand() -> None:
    points = {"cheap": (0.5, 1.0), "dear": (0.9, 3.0), "beaten": (0.5, 2.0), "worse": (0.4, 1.0), "twin": (0.9, 3.0)}
    assert front(points) == ["cheap", "dear", "twin"]
    assert front({}) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(few, few), min_size=1, max_size=8))
def test_a_front_beats_all_others(pairs: list[tuple[float, float]]) -> None:
    points = {str(number): pair for number, pair in enumerate(pairs)}
    kept = front(points)
    for name, (score, cost) in points.items():
        beaten = any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in points.values())
        assert (name in kept) == (not beaten)


RLIABLE = "rliable is not installed, against which these would be held"


def test_improvement_and_mean_are_rliables() -> None:
    metrics = pytest.importorskip("rliable.metrics", reason=RLIABLE)
    a, b = np.random.default_rng(3).integers(0, 6, size=(2, 5, 4)) / 5  # runs by tasks, with ties
    assert improvement(a.T.tolist(), b.T.tolist(), 20).value == pytest.approx(metrics.probability_of_improvement(a, b))
    assert estimated(a.T.tolist(), interquartile_mean, 20).value == pytest.approx(metrics.aggregate_iqm(a))


def test_a_profile_is_rliables() -> None:
    library = pytest.importorskip("rliable.library", reason=RLIABLE)
    a = np.random.default_rng(4).integers(0, 6, size=(5, 4)) / 5
    levels = [0.1, 0.3, 0.5, 0.9]
    expected = [library.run_score_deviation(a, level) for level in levels]
    assert [one.value for one in profile(a.T.tolist(), levels, 20)] == pytest.approx(expected)
