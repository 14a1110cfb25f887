"""Words and digits."""

from __future__ import annotations

import dataclasses

import pytest
import synthetic_runs as invented

from papers.claims import SCALE, SEEDS, Finding, Part, nothing
from papers.comparison import WELCH
from papers.evaluate import PublishedValue, TableResult, evaluate
from papers.first_spike.table import FS_TABLE
from papers.fptt.adding import FPTT_ADDING
from papers.fptt.memory import FPTT_MEMORY
from papers.measures import ACCURACY
from papers.plif.tables import PLIF_ABLATION, PLIF_TABLE
from papers.table import Claim
from reports import wording
from results import Store
from results.units import unit_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0, "0.0 s"), (59.94, "59.9 s"), (60.0, "1 min 0 s"), (3599.6, "1 h 0 min"), (7384.0, "2 h 3 min")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_sizes(count: int | None, text: str) -> None:
    assert wording.size(count) == text


def test_published_values_that_differ_in_the_last_digit_only_are_one() -> None:
    values = [PublishedValue(v, 0.005, "somewhere", "reported") for v in (97.57, 97.5694, 97.59)]
    assert [v.value for v in wording.distinct(values)] == [97.57, 97.59]


def test_a_recollection_is_marked() -> None:
    assert wording.published_value(PublishedValue(97.5, 0.05, "a talk", "from_memory")) == "97.5 (from memory)"
    assert wording.published_value(PublishedValue(76.7361, 0.0, "logs", "derived")) == "76.74"
    assert wording.published_value(PublishedValue(13198980, 0.5, "counted", "derived")) == "13,198,980"


def test_evidence_gathers_columns_that_say_the_same() -> None:
    said = (("MNIST", "+1.0 points"), ("CIFAR-10", "+2.0 points"), ("N-MNIST", "+1.0 points"))
    parts = tuple(Part(name, "holds", text) for name, text in said)
    expected = ["MNIST, N-MNIST: holds, +1.0 points", "CIFAR-10: holds, +2.0 points"]
    assert wording.evidence_lines(Finding("holds", "", "", parts)) == expected
    assert wording.evidence_lines(Finding("holds", "of the whole", "", parts)) == ["of the whole", *expected]
    beside = (*parts, Part("recall; a: b", "holds", "+1.0 points", further=True))  # told apart, its name kept as it is
    assert wording.evidence_lines(Finding("holds", "", "", beside)) == [
        *expected,
        "recall; a: b (further evidence): holds, +1.0 points",
    ]
    assert wording.evidence_lines(Finding("undecided", "nothing was measured yet", "")) == ["nothing was measured yet"]


def test_more_seeds_are_advised_where_they_can_decide_a_claim(store: Store) -> None:
    one_seed = evaluate(store, PLIF_TABLE, "quick", seeds=[0])
    claim = Claim("C0", "", "", lambda evidence: Finding("undecided", "", ""))

    def advice(*findings: Finding) -> list[str]:
        result = dataclasses.replace(one_seed, claims=tuple((claim, finding) for finding in findings))
        return [hint for hint in wording.hints(result) if "seed" in hint]

    missing = nothing()
    shown_only = Finding("undecided", "MNIST: +1.0 points", WELCH, lacks=SCALE)
    assert advice(Finding("holds", "MNIST: +1.0 points", WELCH), missing, shown_only) == []
    too_few = Finding("undecided", "MNIST: undecided, +1.0 points (1 seed), a test needs 3 seeds", WELCH, lacks=SEEDS)
    again = "python -m bench.reproduce plif_table --scale quick --seeds 3"
    assert advice(missing, too_few) == [f"undecided claims (1) rest on 1 seed; more may decide them: {again}"]


def test_claims_on_stand_ins_are_counted_by_themselves(store: Store) -> None:
    one_seed = evaluate(store, PLIF_TABLE, "quick", seeds=[0])
    claim = Claim("C0", "", "", lambda evidence: Finding("undecided", "", ""))
    findings = [
        *(Finding(status, "", "", stand_in=True) for status in ("shown", "mixed", "undecided", "shown", "not shown")),
        *(Finding(status, "", "") for status in ("holds", "undecided", "fails")),
    ]
    result = dataclasses.replace(one_seed, claims=tuple((claim, finding) for finding in findings))
    assert wording.claims(result) == {
        "claims": {"holds": 1, "fails": 1, "undecided": 1},
        "on stand-ins": {"shown": 2, "not shown": 1, "mixed": 1, "undecided": 1},
    }
    assert wording.claims(dataclasses.replace(result, claims=())) == {}


def test_what_the_authors_do_not_support_is_said() -> None:
    claim = Claim("C0", "", "", lambda evidence: Finding("undecided", "", ""))
    assert wording.authors(claim) == ""
    weak = dataclasses.replace(claim, authors="LIF varies as much")
    assert wording.authors(weak) == "The authors' own numbers do not support this: LIF varies as much"


def test_an_interrupted_run_is_paused_and_not_failed(empty_store: Store) -> None:
    one, other = (invented.cell("PLIF 2 max", column).experiment for column in ("MNIST", "N-MNIST"))
    empty_store.record_all(
        [
            invented.failed(one, "interrupted", "paused at epoch 3/24"),
            invented.run(other),
            invented.failed(other, "interrupted", "paused at epoch 5/24", seed=1),
        ]
    )
    result = evaluate(empty_store, PLIF_ABLATION, "quick")
    assert wording.summary(result) == {"not comparable": 1, "paused": 2, "not run": 27}  # two columns share a run
    assert wording.failures(result) == []
    paused = result.at("PLIF 2 max", "MNIST, 8x8 digits standing in")
    assert paused is not None
    assert (wording.verdict(paused), paused.reason) == ("missing (interrupted)", "interrupted: paused at epoch 3/24")


@pytest.mark.parametrize(
    ("low", "high", "value", "places"),
    [
        (90.0, 94.6, 92.0, 1),
        (90.0, 91.0, 90.5, 1),
        (99.5, 99.8, 99.7, 2),
        (0.0295, 0.0345, 0.032, 4),
        (340.0, 340.0, 340.0, 1),  # exact
        (None, None, 95.0, 1),
        (None, None, 0.031, 4),
        (None, None, 0.0, 1),
        (None, None, None, 1),
    ],
)
def test_as_many_digits_as_the_interval_deserves(
    store: Store, low: float | None, high: float | None, value: float | None, places: int
) -> None:
    result = evaluate(store, PLIF_TABLE, "quick")
    one = dataclasses.replace(result.cells[0], low=low, high=high, measured=value)
    assert wording.decimals(dataclasses.replace(result, cells=(one,))) == {one.cell.measure: places}


def test_summary_tells_not_run_from_measured(store: Store, empty_store: Store) -> None:
    assert wording.summary(evaluate(store, PLIF_TABLE, "quick")) == {"not comparable": 12}
    assert wording.summary(evaluate(empty_store, PLIF_TABLE, "quick")) == {"not run": 12}
    assert wording.decimals(evaluate(store, PLIF_TABLE, "quick")) == {ACCURACY: 1}


def test_the_number_of_an_epoch_is_no_count() -> None:
    assert wording.quantity(18.0, "epoch") == "epoch 18 (the first is 0)"
    assert wording.quantity(18.0, "epochs") == "18 epochs"
    assert wording.printed(899.0, "epoch") == "epoch 899 (the first is 0)"
    assert wording.printed(1024.0, "epochs") == "1024 epochs"
    assert wording.printed(94.3728, "%") == "94.3728 %"
    assert wording.printed(5e6, "count") == "5,000,000"
    assert unit_of("epoch_a", "epochs") == unit_of("epoch_a", "epoch") == "epoch"  # as stored before and now
    assert unit_of("seen", "epochs") == "epochs"


def test_the_best_value_of_a_column_is_marked_where_values_differ(store: Store) -> None:
    result = evaluate(store, PLIF_ABLATION, "quick")
    best = [result.cells[place].cell for place in wording.best(result)]
    assert {cell.row for cell in best if cell.column == "MNIST"} == {"PLIF 2 max", "PLIF 2 avg"}  # equal ones are both
    alike = evaluate(store, PLIF_TABLE, "quick")
    cells = tuple(dataclasses.replace(cell, measured=float(place)) for place, cell in enumerate(alike.cells))
    assert wording.best(dataclasses.replace(alike, cells=cells)) == set()  # two protocols of one training never race


def counted(result: TableResult) -> TableResult:
    """The result as if the cells had been measured, each larger than the one before."""
    cells = tuple(dataclasses.replace(c, measured=float(n), values=(float(n),)) for n, c in enumerate(result.cells))
    return dataclasses.replace(result, cells=cells)


def test_the_best_is_marked_where_each_row_makes_its_protocol_anew(empty_store: Store) -> None:
    result = counted(evaluate(empty_store, FS_TABLE, "quick"))
    best = {(result.cells[place].cell.row, result.cells[place].cell.column) for place in wording.best(result)}
    assert best == {("PLIF, FS corrected", "SHD")}  # by first spike and by rate
    assert wording.best(counted(evaluate(empty_store, FPTT_MEMORY, "paper"))) == set()  # rows are lengths


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.16, "0.160"), (57.0, "57.0"), (99.97, "100"), (1240.4, "1,240"), (3.8512e-6, "3.85e-06"), (0.0, "0")],
)
def test_three_digits(value: float, text: str) -> None:
    assert wording.three(value) == text
    assert wording.number(value, None) == text


def test_each_measure_of_a_table_has_its_digits(empty_store: Store) -> None:
    shares, errors = (evaluate(empty_store, table, "quick") for table in (PLIF_TABLE, FPTT_ADDING))
    accuracy = dataclasses.replace(shares.cells[0], measured=90.0, low=88.0, high=92.0)
    error = dataclasses.replace(errors.cells[0], measured=0.0021, low=0.00205, high=0.00215)
    mixed = dataclasses.replace(shares, cells=(accuracy, error))
    assert list(wording.decimals(mixed).values()) == [1, None]
    assert mixed.unit == ""
    assert [wording.measured(one, 1, mixed.unit) for one in mixed.cells] == ["90.0 %", "0.0"]
    assert wording.measured(accuracy, 1, shares.unit) == "90.0"  # the table says it once


def test_what_may_not_be_compared_has_no_difference_and_few_seeds_are_told(store: Store) -> None:
    cell = evaluate(store, PLIF_TABLE, "quick").cells[0]
    assert wording.apart(cell, 1) == ""
    comparable = dataclasses.replace(cell, verdict="undecided", values=(94.0,), measured=94.0)
    assert wording.apart(comparable, 1) == "-3.7 to published"  # 97.72
    assert wording.few(comparable) == "too few seeds: 1 of at least 3"
    assert wording.few(cell) == ""
    equal = dataclasses.replace(comparable, measured=97.7199)
    assert wording.apart(equal, 1) == "+0.0 to published"  # and not -0.0
    alone = dataclasses.replace(cell, values=(94.0,), low=None, high=None)
    assert wording.few(alone) == "too few seeds: 1 of at least 3"  # not comparable, and without an interval


def test_a_reason_is_said_once_for_all_its_columns(store: Store) -> None:
    said = wording.incomparable(evaluate(store, PLIF_TABLE, "quick"))
    digits = [one for one in said if "8x8" in one]
    assert len(digits) == 1
    assert "stand in for MNIST, Fashion-MNIST and CIFAR-10 in" in digits[0]
    assert digits[0].endswith("(6 cells)")
