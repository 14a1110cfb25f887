"""A measure that no paper here knows, of which less is better: through the store into every form of a report."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
import synthetic_runs as invented
from rich.console import Console

import papers
from core.registry import Registry
from papers.claims import Finding
from papers.comparison import by, greater
from papers.evaluate import TableResult, evaluate
from papers.evidence import Evidence
from papers.experiment import Experiment
from papers.measures import Measure
from papers.protocols import CHOSEN
from papers.table import Cell, Claim, Source, Table
from reports import show, site, to_csv, to_latex
from results import Metric, Published, Store

ERROR = Measure("mean_squared_error", "1", "lower", "student", over="update")


def experiment(neuron: str) -> Experiment:
    return Experiment("digits", "plif_mnist", neuron, "bptt", 3, 16, "quick", 0, neuron_options={"tau": 2.0})


def cell(row: str, neuron: str) -> Cell:
    return Cell(row, "waves", ERROR, experiment(neuron), (Source("table1", row, "waves"),), CHOSEN)


WORSE = Claim("C1", "LIF leaves a larger error than PLIF", "table 1", greater("LIF", "PLIF", by(ERROR, CHOSEN)))
TABLE = Table("waves", "regression", "Waves to be told", lambda scale: [cell("PLIF", "plif")], (WORSE,))
BOTH = Table(
    "both", "regression", "Waves to be told", lambda scale: [cell("PLIF", "plif"), cell("LIF", "lif")], (WORSE,)
)
FOUND = (0.031, 0.032, 0.033)  # mean 0.032, s = 0.001: Student's half width 4.3027 * 0.001 / sqrt(3) = 0.002484


def record(store: Store, neuron: str, errors: tuple[float, ...]) -> None:
    """Runs with `errors` at the update of the best validation; the least error on the test set comes later."""
    for seed, error in enumerate(errors):
        curves = {"test": (0.2, error, error / 2), "validation": (0.3, 0.05, 0.06)}
        store.record(
            invented.run(
                experiment(neuron), seed, final=0.5,
                metrics=tuple(
                    Metric(ERROR.curve(split), value, ERROR.unit, update)
                    for split, values in curves.items()
                    for update, value in enumerate(values)
                ),
            )
        )  # fmt: skip


def publish(store: Store, value: float, decimals: int) -> None:
    table = {"table": "table1", "caption": "Errors", "source": "table 1", "provenance": "reported", "note": ""}
    printed = Published("regression", "table1", "PLIF", "waves", "B", None, value, "1", "table 1", "reported", decimals)
    store.replace_published("regression", "digest", [table], [printed])


def measured(store: Store) -> TableResult:
    publish(store, 0.03, 2)
    record(store, "plif", FOUND)
    return evaluate(store, TABLE, "quick")


def test_the_value_is_that_of_the_least_validation_error(empty_store: Store) -> None:
    (result,) = measured(empty_store).cells
    assert result.values == FOUND
    assert result.measured == pytest.approx(0.032)
    assert (result.low, result.high) == (pytest.approx(0.029516, abs=1e-6), pytest.approx(0.034484, abs=1e-6))


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (0.03, 2, "reproduced"),
        (0.025, 3, "higher"),
        (0.025, 2, "reproduced"),  # 0.03 and 0.025 are the same to two digits
        (0.035, 4, "lower"),
        (0.035, 2, "reproduced"),
    ],
)
def test_the_verdict_compares_the_numbers(empty_store: Store, value: float, decimals: int, expected: str) -> None:
    """ "higher" says of the number that it is higher, whichever is better."""
    record(empty_store, "plif", FOUND)
    publish(empty_store, value, decimals)
    (result,) = evaluate(empty_store, TABLE, "quick").cells
    assert result.verdict == expected


def test_one_run_has_a_value_and_no_interval(empty_store: Store) -> None:
    publish(empty_store, 0.03, 2)
    record(empty_store, "plif", FOUND[:1])
    result = evaluate(empty_store, TABLE, "quick")
    assert (result.cells[0].verdict, result.cells[0].low) == ("undecided", None)
    assert "0.0310 " in printed(result)  # not 0.0, which one digit behind the point would make of it
    assert "too few runs for an interval" in printed(result)
    assert "undecided" in to_latex(result)


def printed(result: TableResult, width: int = 120) -> str:
    stream = io.StringIO()
    show(result, Console(file=stream, width=width))
    return " ".join(stream.getvalue().split())


@pytest.mark.parametrize("width", [80, 120])
def test_in_the_terminal(empty_store: Store, width: int) -> None:
    text = printed(measured(empty_store), width)
    assert "waves · quick · seeds 0, 1, 2 · 1 " in text
    assert "0.03" in text
    assert "0.0320 [0.0295, 0.0345]" in text
    assert "reproduced" in text
    assert "%" not in text.replace("95 %", "")


def test_in_the_files(empty_store: Store) -> None:
    result = measured(empty_store)
    (line,) = csv.DictReader(io.StringIO(to_csv(result)))
    assert (line["protocol"], line["unit"], line["published"], line["measured"]) == ("B", "1", "0.03", "0.032")
    assert (line["verdict"], line["seeds"]) == ("reproduced", "0;1;2")
    assert r"PLIF & waves & 0.03 & 0.0320 & [0.0295, 0.0345] & reproduced \\" in to_latex(result)
    assert r"measured (1)" in to_latex(result)


def test_on_the_pages(empty_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(empty_store)
    monkeypatch.setattr(papers, "registry", Registry("table", {"waves": f"{__name__}:TABLE"}))
    report = site.build(empty_store, tmp_path, ["quick"], ["waves"]).parent
    page = (report / "waves-quick.html").read_text(encoding="utf-8")
    words = " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())
    assert "0.03 0.0320 [0.0295, 0.0345] reproduced" in words
    assert "B: test value of the best epoch on validation" in words
    # The curve is drawn by update, in the unit of the measure.
    assert "Test mean squared error by update, our runs" in page
    assert "test mean squared error, 1 over update. " in page
    assert "PLIF: 0.2 at first, 0.016 at last" in page
    run_page = (report / "runs" / f"{invented.run(experiment('plif'), final=0.5).id}.html").read_text(encoding="utf-8")
    assert "Mean squared error by epoch" in run_page
    assert "test: 0.2 at first, 0.0155 at last" in run_page
    assert "%" not in words.replace("95 %", "")


def test_claims_read_it(empty_store: Store) -> None:
    record(empty_store, "plif", FOUND)
    record(empty_store, "lif", (0.05, 0.052, 0.053))
    ((_, finding),) = evaluate(empty_store, BOTH, "quick").claims
    assert (finding.status, finding.parts[0].name) == ("shown", "waves in plif_mnist")


def test_a_number_of_the_whole_run(empty_store: Store) -> None:
    """One that is measured once has no curve and asks no protocol."""
    count = Measure("synapses", "count", "lower", "exact", over="")
    seen: list[float | None] = []

    def decide(evidence: Evidence) -> Finding:
        place = "PLIF", "waves"
        seen.extend(evidence.value(*place, seed, count, CHOSEN) for seed in evidence.seeds_of(*place).deciding)
        return Finding("holds", "counted", "t")

    of_run = Cell("PLIF", "waves", count, experiment("plif"), (Source("table1", "PLIF", "waves"),))
    table = Table("counts", "regression", "Counts", lambda scale: [of_run], (Claim("C1", "s", "", decide),))
    metrics = (Metric("synapses", 12345, "count"),)
    empty_store.record(invented.run(experiment("plif"), final=0.5, metrics=metrics))
    (result,) = evaluate(empty_store, table, "quick").cells
    assert (result.measured, result.low, result.high) == (12345, 12345, 12345)
    assert seen == [12345]
