"""What comparisons come to together, and which seeds may decide."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from papers.claims import NO_PLAN, RESULTS, SCALE, SEEDS, Comparison, Finding, Part, conclude, nothing
from papers.comparison import above, by, comparable, compare, decided_at, greater, last_epochs, level, near
from papers.evidence import Evidence, Seeds
from papers.measures import ACCURACY, Measure
from papers.protocols import BEST

HOLDS, OPEN = Comparison("1", True, 0.9), Comparison("2", False, 0.4)


def against(p: float, column: str = "") -> Comparison:
    return Comparison("3", False, p, column=column)


def on(column: str, comparison: Comparison) -> Comparison:
    return Comparison(comparison.evidence, comparison.supports, comparison.against, column=column)


def test_a_claim_holds_where_every_column_does() -> None:
    both = conclude([on("a", HOLDS), on("b", HOLDS)], "t")
    assert both == Finding("holds", "holds in 2 of 2 columns", "t", (Part("a", "holds", "1"), Part("b", "holds", "1")))
    assert both.text == "holds in 2 of 2 columns; a: holds, 1; b: holds, 1"
    one_open = conclude([on("a", HOLDS), on("b", OPEN)], "t")
    assert (one_open.status, one_open.evidence) == ("undecided", "holds in 1 of 2 columns, undecided in 1")
    assert one_open.lacks == SEEDS


def test_the_headline_counts_what_holds_fails_and_is_open() -> None:
    found = conclude([on("a", HOLDS), against(0.001, "b"), on("c", OPEN)], "t")
    assert found.status == "fails"
    assert found.evidence == "holds in 1 of 3 columns, fails in 1, undecided in 1"


@pytest.mark.parametrize(("p", "others", "expected"), [(0.02, 0, "fails"), (0.02, 1, "undecided"), (0.001, 9, "fails")])
def test_what_speaks_against_a_claim_must_survive_holm(p: float, others: int, expected: str) -> None:
    found = conclude([against(p, "a"), *(on(f"b{i}", HOLDS) for i in range(others))], "t")
    assert found.status == expected
    assert found.parts[0].status == expected  # and its column as well


def test_comparisons_that_are_still_to_be_tested_count_for_holm() -> None:
    """A claim must not fail on its first column and be undecided when all are measured."""
    untested = [Comparison("1 seed", False, None, column=f"b{i}") for i in range(9)]
    assert conclude([against(0.02, "a")], "t").status == "fails"
    assert conclude([against(0.02, "a"), *untested], "t").status == "undecided"
    assert conclude([against(0.002, "a"), *untested], "t").status == "fails"


def test_what_waits_for_results_keeps_a_claim_open() -> None:
    waits = Comparison("not measured yet", False, None, column="b", lacks=RESULTS)
    found = conclude([on("a", HOLDS), waits], "t")
    assert (found.status, found.evidence, found.lacks) == (
        "undecided", "holds in 1 of 2 columns, undecided in 1", RESULTS,
    )  # fmt: skip
    assert conclude([waits, waits], "t") == nothing()


def test_several_comparisons_of_a_column_make_its_status() -> None:
    found = conclude([on("a", HOLDS), on("a", OPEN), on("b", HOLDS), on("b", HOLDS)], "t")
    assert found.evidence == ("holds in 1 of 2 columns, undecided in 1; holds in 3 of 4 comparisons, undecided in 1")
    brief = conclude([Comparison("", True, 1.0, "x > y"), Comparison("", False, 0.5, "y > z")], "t", brief=True)
    assert [part.evidence for part in brief.parts] == ["holds in 1 of 2 comparisons, undecided in 1; undecided: y > z"]


@pytest.mark.parametrize(
    ("comparisons", "expected"),
    [
        ([on("a", HOLDS), on("b", HOLDS)], "shown"),
        ([on("a", HOLDS), on("b", OPEN)], "undecided"),
        ([on("a", OPEN), against(0.001, "b")], "not shown"),
        ([on("a", HOLDS), against(0.001, "b")], "mixed"),
    ],
)
def test_on_stand_ins_the_words_are_others(comparisons: Sequence[Comparison], expected: str) -> None:
    found = conclude(comparisons, "t", stand_in=True)
    assert (found.status, found.stand_in) == (expected, True)
    assert not {"holds", "fails"} & {found.status, *(part.status for part in found.parts)}


def test_further_comparisons_are_shown_and_decide_nothing() -> None:
    beside = Comparison("2", False, 0.0, column="b", further=True)
    found = conclude([on("a", HOLDS), beside], "t")
    assert found.parts == (Part("a", "holds", "1"), Part("b", "fails", "2", further=True))
    assert (found.status, found.text) == ("holds", "a: holds, 1; b (further evidence): fails, 2")
    assert conclude([beside], "t").status == "undecided"
    assert conclude([], "t") == nothing() == Finding("undecided", "nothing was measured yet", "", lacks=RESULTS)


def test_what_an_undecided_finding_lacks() -> None:
    scale = Comparison("4", False, None, column="c", lacks=SCALE)
    assert conclude([on("a", HOLDS), on("b", OPEN)], "t").lacks == SEEDS
    assert conclude([on("b", OPEN), scale], "t").lacks == ""  # no single thing would decide it
    assert conclude([against(0.001), on("b", OPEN)], "t").lacks == ""  # decided


def evidence(scale: str = "paper", planned: tuple[int, ...] | None = None, **arms: Sequence[float]) -> Evidence:
    """Flat test curves over five epochs in the column "data", an arm a row, a value a seed."""
    curves = {
        (row, "data", seed, "test_accuracy"): dict.fromkeys(range(5), value)
        for row, values in arms.items()
        for seed, value in enumerate(values)
    }
    plans = {} if planned is None else {(row, "data"): planned for row in arms}
    seeds = tuple(range(max(map(len, arms.values()))))
    return Evidence(scale, ("data",), seeds, curves, test_samples={"data": 1000}, planned=plans)


BETTER, WORSE = (0.90, 0.91, 0.92), (0.80, 0.81, 0.82)
AHEAD = greater("a", "b", by(ACCURACY, BEST))


@pytest.mark.parametrize(
    ("plan", "count", "expected"),
    [
        (None, 5, Seeds((0, 1, 2, 3, 4), None, 0)),
        ((0, 1, 2), 5, Seeds((0, 1, 2), 3, 2)),
        ((0, 1, 2, 3, 4), 3, Seeds((0, 1, 2), 5, 0)),
        ((0,), 5, Seeds((0, 1, 2), 3, 2)),  # a plan that can decide nothing is filled up, no further
        ((4,), 5, Seeds((0, 1, 4), 3, 2)),
        ((0,), 1, Seeds((0,), 1, 0)),
    ],
)
def test_only_the_planned_seeds_decide(plan: tuple[int, ...] | None, count: int, expected: Seeds) -> None:
    assert evidence(planned=plan, a=[0.5] * count).seeds_of("a", "data") == expected


def test_seeds_beyond_the_plan_are_left_out_and_told() -> None:
    found = AHEAD(evidence(planned=(0, 1, 2), a=(*BETTER, 0.1, 0.2), b=WORSE))
    assert found.status == "holds"
    assert found.parts[0].evidence == "+10.0 [+7.7, +12.3] points (3 seeds, 2 beyond the plan left out)"
    assert NO_PLAN not in found.text
    without = AHEAD(evidence(a=(*BETTER, 0.1, 0.2), b=WORSE))
    assert without.status == "undecided"
    assert NO_PLAN in without.evidence


def test_a_plan_that_is_not_carried_out_decides_nothing() -> None:
    """Who looks before all planned seeds are there, and stops where they like, chooses their number, too."""
    found = AHEAD(evidence(planned=(0, 1, 2, 3, 4), a=BETTER, b=WORSE))
    assert (found.status, found.lacks) == ("undecided", SEEDS)
    assert found.parts[0].evidence == "+10.0 points (3 seeds), 3 of 5 planned seeds have results"


def test_three_seeds_of_each_arm_are_needed() -> None:
    found = AHEAD(evidence(a=BETTER, b=WORSE[:2]))
    assert (found.status, found.parts[0].evidence) == (
        "undecided",
        "+10.5 points (3 and 2 seeds), a test needs 3 seeds",
    )


def test_on_stand_ins_nothing_is_chosen_on_the_test_set() -> None:
    """One arm has a single high epoch: the best epochs differ by 9 points, the last ones by none."""
    flat = evidence(a=BETTER, b=BETTER).curves
    peak = {place: {**curve, 1: curve[1] + 0.09 * (place[0] == "a")} for place, curve in flat.items()}
    score = level(ACCURACY, BEST, last=2)
    for scale in ("quick", "paper"):  # at paper scale both readings have to agree
        ours = Evidence(scale, ("data",), (0, 1, 2), peak, test_samples={"data": 1000})
        assert greater("a", "b", score)(ours).status == "undecided"
        assert greater("a", "b", by(ACCURACY, BEST))(ours).status in ("holds", "shown")


def test_the_last_epochs_are_counted_by_their_number() -> None:
    curve = {0: 0.1, 1: 0.2, 62: 0.5, 63: 0.7}  # a curve that was thinned
    found = Evidence("paper", ("data",), (0,), {("a", "data", 0, "test_accuracy"): curve})
    assert last_epochs(ACCURACY, 2).value(found, "a", "data", 0) == pytest.approx(0.6)
    assert last_epochs(ACCURACY, 1).value(found, "a", "data", 0) == 0.7
    assert last_epochs(ACCURACY, 2).value(found, "b", "data", 0) is None


@pytest.mark.parametrize(
    ("larger", "difference", "near_enough"),
    [(50.0, 1.9, True), (50.0, 2.1, False), (99.6, 0.09, True), (99.6, 0.11, False)],  # 2 points; a quarter of 0.4
)
def test_the_margin_of_comparable_goes_with_the_error(larger: float, difference: float, near_enough: bool) -> None:
    rule = near(ACCURACY)
    better, worse = ([mean - 0.001, mean, mean + 0.001] for mean in (larger, larger - difference))
    for pair in ((better, worse), (worse, better)):
        p_for, p_against = rule.test(*pair, 0.0)
        assert (p_for < 0.025, p_against < 0.025) == (near_enough, not near_enough)
    assert rule.limits(better, worse)[1] == pytest.approx(min(2.0, (100 - larger) / 4))  # what is drawn
    assert rule.limits(worse, better)[0] == -rule.limits(better, worse)[1]
    with pytest.raises(ValueError, match="known for shares"):
        near(Measure("mean_squared_error", "1", "lower", "student"))


def test_comparable() -> None:
    decide = comparable("a", "b", by(ACCURACY, BEST))
    assert decide(evidence(a=(0.90, 0.901, 0.899), b=(0.902, 0.903, 0.901))).status == "holds"
    assert decide(evidence(a=BETTER, b=WORSE)).status == "fails"
    assert decide(evidence(a=BETTER, b=(0.9, 0.85, 0.95))).status == "undecided"


def test_columns_that_the_work_does_not_speak_of_decide_nothing_but_on_stand_ins() -> None:
    arms = {"data": (BETTER, WORSE), "other": (WORSE, BETTER)}
    curves = {
        (row, column, seed, "test_accuracy"): {0: value}
        for column, pair in arms.items()
        for row, values in zip("ab", pair, strict=True)
        for seed, value in enumerate(values)
    }
    decide = greater("a", "b", by(ACCURACY, BEST), "data")
    statuses = {scale: decide(Evidence(scale, tuple(arms), (0, 1, 2), curves)).status for scale in ("paper", "quick")}
    assert statuses == {"paper": "holds", "quick": "mixed"}
    renamed = greater("a", "b", by(ACCURACY, BEST), "the same again")
    aliased = Evidence("paper", tuple(arms), (0, 1, 2), curves, same={"the same again": "data"})
    assert renamed(aliased).status == "holds"


def test_other_scales_show_their_numbers_and_decide_nothing() -> None:
    decide = decided_at("paper")(AHEAD)
    found = decide(evidence("short", a=BETTER, b=WORSE))
    assert (found.status, found.lacks, found.parts[0].status) == ("undecided", SCALE, "undecided")
    assert "+10.0" in found.text
    assert decide(evidence("paper", a=BETTER, b=WORSE)).status == "holds"
    assert decide(Evidence("short", ("data",))) == nothing()


def test_a_place_that_was_not_measured_gives_no_comparison() -> None:
    found = evidence(a=BETTER, b=WORSE)
    assert compare(found, ("a", "data"), ("c", "data"), by(ACCURACY, BEST), above()) == []
