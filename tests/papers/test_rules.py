"""Intervals, selection and names, against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.registry import PluginError, Registry, UnknownName
from papers.evaluate import interval_of
from papers.evidence import Evidence
from papers.measures import ACCURACY, AVERAGE_PRECISION, Measure, of_metric
from papers.protocols import BEST, CHOSEN, LAST, Curves, Selected, best_where
from papers.statistics import interval, student, wilson


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
    assert student([1, 2, 3]) == (pytest.approx(2 - 2.4841, abs=1e-3), pytest.approx(2 + 2.4841, abs=1e-3))
    assert interval("student", [1, 2, 3]) == student([1, 2, 3])


def test_one_run_has_no_spread_over_runs() -> None:
    assert interval("student", [2.0]) is None


def test_the_interval_of_a_share_combines_test_set_and_seeds() -> None:
    assert interval("wilson", [0.9], 100) == pytest.approx(wilson(0.9, 100))
    assert interval("wilson", [0.9, 0.9], 100) == pytest.approx(wilson(0.9, 100))  # seeds that agree add nothing
    # Student's half is 4.3027 * 0.01 / sqrt(3) = 0.024841, Wilson's ends for 0.9 of 100 are 0.0744 below, 0.0448 above.
    low, high = interval("wilson", [0.89, 0.9, 0.91], 100) or (0.0, 0.0)
    assert low == pytest.approx(0.9 - math.hypot(0.0744, 0.024841), abs=1e-4)
    assert high == pytest.approx(0.9 + math.hypot(0.0448, 0.024841), abs=1e-4)
    assert interval("wilson", [0.6, 0.8, 1.0], 10_000) == (pytest.approx(0.8 - 0.4969, abs=1e-3), 1.0)


@pytest.mark.parametrize("n", [None, 0])
def test_a_share_of_an_unknown_number_has_no_interval(n: int | None) -> None:
    assert interval("wilson", [0.9, 0.8], n) is None


def test_readings_by_hand() -> None:
    # Of 1 ... 10 the order statistics of rank 2 and 9 enclose the median with 1 - 2 * 11 / 1024 = 97.9 %, those of
    # rank 3 and 8 with 89.1 % only.
    assert interval("readings", [5.5], readings=[[*range(10, 0, -1)]]) == (2.0, 9.0)
    assert interval("readings", [5.5, 5.5], readings=[[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]) == (2.0, 9.0)


@pytest.mark.parametrize("readings", [(), (1.0,), (1.0, 2.0, 3.0)])
def test_few_readings_have_no_interval(readings: tuple[float, ...]) -> None:
    assert interval("readings", [2.0], readings=[readings]) is None


def test_a_bootstrap_is_repeatable_and_lies_about_the_mean_of_the_readings() -> None:
    readings = [[0.0, 1.0] * 50]
    low, high = interval("bootstrap", [0.5], readings=readings) or (1.0, 0.0)
    # The mean of 100 such readings has the standard error 0.05, 1.96 of which are 0.098.
    assert (low, high) == (pytest.approx(0.402, abs=0.02), pytest.approx(0.598, abs=0.02))
    assert interval("bootstrap", [0.5], readings=readings) == (low, high)


def test_a_bootstrap_resamples_the_samples_and_adds_what_runs_differ_by() -> None:
    """Two runs that read the same samples are no two test sets; Student's half for 0.4 and 0.6 is 12.706 * 0.1."""
    one = interval("bootstrap", [0.5], readings=[[0.0, 1.0] * 50])
    assert interval("bootstrap", [0.5, 0.5], readings=[[0.0, 1.0] * 50] * 2) == pytest.approx(one)
    low, high = interval("bootstrap", [0.4, 0.6], readings=[[-0.1, 0.9] * 50, [0.1, 1.1] * 50]) or (0.0, 0.0)
    assert (0.5 - low, high - 0.5) == (pytest.approx(1.2744, abs=0.01), pytest.approx(1.2744, abs=0.01))
    assert interval("bootstrap", [0.5, 0.5], readings=[[0.0, 1.0], [0.0]]) is None  # other samples


@pytest.mark.parametrize("readings", [[()], [(1.0,)], [(2.0, 2.0, 2.0)], ()])
def test_readings_that_do_not_differ_cannot_be_resampled(readings: Sequence[Sequence[float]]) -> None:
    assert interval("bootstrap", [2.0], readings=readings) is None


def test_what_is_exact_lies_between_its_least_and_its_greatest() -> None:
    assert interval("exact", [340.0]) == (340.0, 340.0)
    assert interval("exact", [3.0, 1.0, 2.0]) == (1.0, 3.0)


ERROR = Measure("mean_squared_error", "1", "lower", "student")


def curves(**values: Sequence[float | None]) -> dict[str, dict[int, float]]:
    """Curves by epoch; None where a curve has no value."""
    return {name: {e: v for e, v in enumerate(points) if v is not None} for name, points in values.items()}


def test_selection_by_hand() -> None:
    found = curves(test_accuracy=(0.5, 0.9, 0.7, 0.9, 0.6), validation_accuracy=(0.8, 0.7, 1.0, 0.9, 1.0))
    assert BEST.select(found, ACCURACY) == Selected(0.9, 3)  # ties go to the latest epoch
    assert CHOSEN.select(found, ACCURACY) == Selected(0.6, 4)
    assert LAST.select(found, ACCURACY) == Selected(0.6, 4)


def test_selection_where_lower_is_better() -> None:
    found = curves(
        test_mean_squared_error=(0.5, 0.2, 0.3, 0.2, 0.6), validation_mean_squared_error=(0.8, 0.7, 0.1, 0.9, 0.1)
    )
    assert BEST.select(found, ERROR) == Selected(0.2, 3)
    assert CHOSEN.select(found, ERROR) == Selected(0.6, 4)
    assert LAST.select(found, ERROR) == Selected(0.6, 4)
    assert BEST.select(found, ACCURACY) is None  # another measure


def test_selection_in_curves_with_gaps() -> None:
    """Of the authors' curves not every epoch is kept: validation counts only where there is a test value."""
    sparse = {"test_accuracy": {0: 0.5, 8: 0.8, 40: 0.7}, "validation_accuracy": {0: 0.6, 8: 0.7, 9: 0.99, 40: 0.9}}
    assert BEST.select(sparse, ACCURACY) == Selected(0.8, 8)
    assert CHOSEN.select(sparse, ACCURACY) == Selected(0.7, 40)
    assert LAST.select(sparse, ACCURACY) == Selected(0.7, 40)


def test_the_order_in_which_a_curve_was_read_decides_nothing() -> None:
    shuffled = {"test_accuracy": {40: 0.8, 0: 0.5, 8: 0.8}}
    assert BEST.select(shuffled, ACCURACY) == LAST.select(shuffled, ACCURACY) == Selected(0.8, 40)


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"test_accuracy": {}},
        {"validation_accuracy": {0: 0.5}},
        {"test_accuracy": {0: 0.5}},
        {"test_accuracy": {0: 0.5}, "validation_accuracy": {1: 0.5}},
    ],
)
def test_without_a_validation_curve_nothing_is_chosen_on_it(found: Curves) -> None:
    assert CHOSEN.select(found, ACCURACY) is None
    known = bool(found.get("test_accuracy"))
    assert (BEST.select(found, ACCURACY) is not None) == (LAST.select(found, ACCURACY) is not None) == known


def test_selection_under_a_condition() -> None:
    select = best_where("lambda", 1.0)
    found = curves(test_accuracy=(0.9, 0.5, 0.6, None, 0.99), lambda_0=(0.5, 1.0, 1.0, 1.0, None))
    assert select(found, ACCURACY) == Selected(0.6, 2)  # an epoch of unknown mask does not count
    assert select(curves(test_accuracy=(0.9, 0.5)), ACCURACY) is None
    assert select(curves(test_mean_squared_error=(0.1, 0.5, 0.4), lambda_0=(0, 1, 1)), ERROR) == Selected(0.4, 2)
    by_layer = {"lambda_conv.2": {0: 1.0, 1: 1.0, 2: 1.0}, "lambda_fc.1": {0: 0.0, 1: 1.0, 2: 1.0}}
    assert select(curves(test_accuracy=(0.9, 0.5, 0.6)) | by_layer, ACCURACY) == Selected(0.6, 2)  # in every layer


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1), st.sampled_from(["higher", "lower"]))
def test_the_best_epoch_is_never_worse_than_the_chosen_or_the_last(
    points: list[tuple[float, float]], better: str
) -> None:
    measure = Measure("score", "1", better, "student")
    test, validation = zip(*points, strict=True)
    found = curves(test_score=test, validation_score=validation)
    best, chosen, last = (protocol.select(found, measure) for protocol in (BEST, CHOSEN, LAST))
    assert best is not None
    assert chosen is not None
    assert last is not None
    for other in (chosen, last):
        assert best.value >= other.value if better == "higher" else best.value <= other.value


def test_a_measure_is_shown_in_its_unit() -> None:
    assert (ACCURACY.show, ACCURACY.shown(0.5), ACCURACY.stored(50.0)) == ("%", 50.0, 0.5)
    assert (ERROR.show, ERROR.shown(0.5), ERROR.stored(0.5)) == ("", 0.5, 0.5)
    assert (ERROR.title, ERROR.curve("validation")) == ("mean squared error", "validation_mean_squared_error")
    assert of_metric("validation_accuracy") == ("validation", ACCURACY)
    assert [of_metric(name) for name in ("test_loss", "accuracy", "test_mean_squared_error", "other_accuracy")] == (
        [None] * 4
    )


def test_evidence_of_a_run_with_gaps_keeps_the_epochs() -> None:
    """A value that is no number is not stored: the other curves must not slide under it."""
    taus = {"tau_0": (2.0, 2.5, None), "tau_10": (1.0,), "tau_2": (3.0,)}
    by_name = curves(test_score=(0.9, None, 0.5), validation_score=(0.1, 0.9, 0.2), **taus)
    found = {("row", "data", 0, name): points for name, points in by_name.items()}
    finals = {("row", "data", 0, "parameters"): 340.0, ("other", "data", 0, "parameters"): 10.0}
    evidence = Evidence(columns=("data",), seeds=(0,), curves=found, finals=finals)
    score = Measure("score", "1", "higher", "student")
    assert evidence.value("row", "data", 0, score, CHOSEN) == 0.5
    assert evidence.value("row", "data", 0, score, LAST) == 0.5
    assert evidence.value("row", "data", 1, score, LAST) is None
    assert list(evidence.curve("row", "data", 0, "test_score")) == [0.9, 0.5]
    assert evidence.layers("row", "data", 0, "tau") == [[2.0, 2.5], [3.0], [1.0]]  # in the order of the layers
    once = Measure("parameters", "count", "lower", "exact", over="")
    assert [evidence.value(row, "data", 0, once, BEST) for row in ("row", "other")] == [340.0, 10.0]
    assert [evidence.seeds_of(row, "data").deciding for row in ("row", "other", "third")] == [(0,), (0,), ()]


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


def test_the_interval_of_a_share_ends_at_0_and_1() -> None:
    measure = replace(AVERAGE_PRECISION, interval="student")
    low, high = interval_of(measure, [0.03, 0.08, 0.11], 100, ()) or (-1.0, -1.0)  # percent
    assert (low, high) == (0.0, pytest.approx(0.1738, abs=1e-3))
    low, high = interval_of(measure, [99.7, 99.9, 100.0], 100, ()) or (-1.0, -1.0)
    assert (low, high) == (pytest.approx(99.487, abs=1e-3), 100.0)
