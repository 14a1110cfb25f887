"""Intervals, selection, verdicts and names, against values worked out by hand."""

from __future__ import annotations

import math
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.registry import PluginError, Registry, UnknownName
from papers.protocols import Selected, accuracy_a, accuracy_b
from papers.statistics import accuracy_interval, paired, t_interval, wilson
from papers.table import Finding, merge
from papers.verdict import verdict


def test_wilson_by_hand() -> None:
    # z = 1.96, z^2 = 3.8415: (0.9 + 0.0192) / 1.0384 +- 1.96 / 1.0384 * sqrt(0.0009 + 0.000096)
    assert wilson(0.9, 100) == (pytest.approx(0.8256, abs=1e-4), pytest.approx(0.9448, abs=1e-4))


def test_wilson_at_the_ends() -> None:
    assert wilson(0.0, 10)[0] == 0
    assert wilson(1.0, 10)[1] == pytest.approx(1)
    assert wilson(1.0, 10)[0] == pytest.approx(10 / (10 + 1.96**2), abs=1e-4)


@given(hits=st.integers(0, 200), n=st.integers(1, 200))
def test_wilson_contains_the_measured_value(hits: int, n: int) -> None:
    fraction = min(hits, n) / n
    low, high = wilson(fraction, n)
    assert 0 <= low <= fraction + 1e-12
    assert fraction - 1e-12 <= high <= 1


def test_student_by_hand() -> None:
    # mean 2, s = 1, n = 3: t(0.975, 2) = 4.3027, half = 4.3027 / sqrt(3) = 2.4841
    assert t_interval([1, 2, 3]) == (pytest.approx(2 - 2.4841, abs=1e-3), pytest.approx(2 + 2.4841, abs=1e-3))
    assert paired([1, 2, 3])[0] == 2


def test_an_accuracy_interval_is_the_wider_of_test_set_and_seeds() -> None:
    assert accuracy_interval([0.9], 100) == wilson(0.9, 100)
    assert accuracy_interval([0.9, 0.9], 100) == wilson(0.9, 100)  # seeds that agree do not enlarge the test set
    low, high = accuracy_interval([0.6, 0.8, 1.0], 10_000)
    assert (low, high) == (pytest.approx(0.8 - 4.3027 * 0.2 / math.sqrt(3), abs=1e-3), 1.0)


def test_selection_by_hand() -> None:
    test, validation = [0.5, 0.9, 0.7, 0.9, 0.6], [0.8, 0.7, 1.0, 0.9, 1.0]
    assert accuracy_a(test) == Selected(0.9, 3)
    assert accuracy_b(test, validation) == Selected(0.6, 4)  # ties go to the latest epoch


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_accuracy_a_is_never_below_b(points: list[tuple[float, float]]) -> None:
    test, validation = zip(*points, strict=True)
    assert accuracy_a(test).accuracy >= accuracy_b(test, validation).accuracy


@pytest.mark.parametrize(
    ("published", "low", "high", "reason", "expected"),
    [
        ([93.5], 93.0, 94.0, "", "reproduced"),
        ([93.5], 93.504, 94.0, "", "reproduced"),  # within half a unit of the last printed digit
        ([93.5], 93.6, 94.0, "", "higher"),
        ([93.5], 92.0, 93.4, "", "lower"),
        ([97.72, 99.72], 99.0, 99.9, "", "sources disagree"),
        ([99.72, 99.72], 99.0, 99.9, "", "reproduced"),
        ([93.5], 93.0, 94.0, "a subset", "not comparable"),
        ([], 93.0, 94.0, "", "not comparable"),
        ([93.5], None, None, "", "missing"),
    ],
)
def test_verdicts(published: list[float], low: float | None, high: float | None, reason: str, expected: str) -> None:
    word, why = verdict(published, low, high, reason, 0.005)
    assert word == expected
    if expected == "sources disagree":
        assert why == "printed as 97.72 and 99.72"
    if expected == "not comparable":
        assert why == (reason or "nothing published")


def test_findings_merge() -> None:
    holds, fails, open_ = Finding("holds", "1", "t"), Finding("fails", "2", "t"), Finding("undecided", "3", "u")
    assert merge([("a", holds), ("b", holds)]) == Finding("holds", "a: holds, 1; b: holds, 1", "t")
    assert merge([("a", holds), ("b", fails), ("c", open_)]).status == "fails"
    assert merge([("a", holds), ("c", open_)]) == Finding("undecided", "a: holds, 1; c: undecided, 3", "t; u")


def test_a_registry_answers_well() -> None:
    registry = Registry("thing", {"plif": "math:pi", "lif": "math:tau"})
    assert registry.names() == ["plif", "lif"]
    assert registry.get("plif") == math.pi
    assert registry.module("lif") == "math"
    with pytest.raises(UnknownName, match=r"Unknown thing 'plfi'\. Did you mean 'plif'.*Known: plif, lif\."):
        registry.get("plfi")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "mine",
            "no_such_module:T",
            "comes from a plug-in, no_such_module:T, that cannot be loaded: ModuleNotFoundError",
        ),
        ("mine", "math:T", "cannot be loaded: AttributeError"),
    ],
)
def test_a_broken_plug_in_is_named(name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint(name, value, "things")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    registry = Registry("thing", {"lif": "math:tau"}, "things")
    with pytest.raises(PluginError, match=sentence):
        registry.get(name)
