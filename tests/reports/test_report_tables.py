"""CSV and LaTeX against values worked out by hand."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from pathlib import Path

import pytest
import synthetic_runs as invented
from rich.console import Console
from synthetic_runs import HOSTILE, STEERING, cell

from papers.evaluate import evaluate
from papers.plif.tables import PLIF_ABLATION, PLIF_TABLE
from reports import show, tables, to_csv, to_latex
from results import Store


def test_csv_holds_every_cell_in_full(store: Store) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(evaluate(store, PLIF_TABLE, "quick")))))
    assert len(lines) == 12
    mnist = lines[0]
    assert (mnist["row"], mnist["column"], mnist["stand_in"], mnist["protocol"], mnist["unit"]) == (
        "accuracy-A",
        "MNIST, 8x8 digits standing in",
        "8x8 digits",
        "A",
        "%",
    )
    assert mnist["published"] == "97.72;99.72;99.72"
    assert float(mnist["measured"]) == pytest.approx(94.0)  # 95, 94 and 93 % with seeds 0, 1 and 2
    # Wilson at 0.94 of 360: [91.05, 96.02], 2.95 below and 2.02 above; Student over seeds: 4.303 / sqrt(3) = 2.484.
    # Below hypot(2.95, 2.484) = 3.856, above hypot(2.02, 2.484) = 3.202.
    assert float(mnist["low"]) == pytest.approx(94 - 3.856, abs=0.01)
    assert float(mnist["high"]) == pytest.approx(94 + 3.202, abs=0.01)
    assert (mnist["seeds"], mnist["test_samples"], mnist["verdict"], mnist["stale"]) == (
        "0;1;2",
        "360",
        "not comparable",
        "",
    )
    ids = [invented.run(PLIF_TABLE.cells("quick")[0].experiment, seed).id for seed in range(3)]
    assert mnist["runs"] == ";".join(ids)


def test_csv_leaves_empty_what_was_not_measured(store: Store) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(evaluate(store, PLIF_ABLATION, "quick")))))
    failed = next(
        line for line in lines if (line["row"], line["column"]) == ("LIF 16 max", "N-MNIST, digit events standing in")
    )
    assert (failed["measured"], failed["low"], failed["high"], failed["seeds"], failed["runs"]) == ("", "", "", "", "")
    assert failed["verdict"] == "missing (diverged)"
    assert failed["reason"] == "diverged: " + STEERING.sub("\ufffd", HOSTILE)


def test_csv_text_is_never_a_formula_and_never_steers() -> None:
    assert tables.inert("\t=1+1") == "'=1+1"
    assert tables.inert("a\x1b[2J\u202eb\r\nc") == "a\ufffd[2J\ufffdb c"
    assert tables.inert("=1+1") == "'=1+1"
    assert tables.inert("@x") == "'@x"
    assert tables.inert("a=1") == "a=1"


def test_latex_is_a_table_of_six_columns(store: Store) -> None:
    text = to_latex(evaluate(store, PLIF_TABLE, "quick", seeds=[0]))
    head = r"accuracy-A & MNIST, 8x8 digits standing in & 97.72 / 99.72 & "
    head += r"95.0 & [92.2, 96.8] & not comparable\textsuperscript{1} \\"
    assert head in text
    second = r" & Fashion-MNIST, 8x8 digits standing in & 94.38 & "
    second += r"95.0 & [92.2, 96.8] & not comparable\textsuperscript{2} \\"
    assert second in text
    body = [line for line in text.partition(r"\bottomrule")[0].splitlines() if line.endswith(r" \\")]
    assert len(body) == 13  # the head and twelve cells
    assert all(len(re.findall(r"(?<!\\)&", line)) == 5 for line in body)
    assert text.count(r"\midrule") == 2


def test_latex_gives_every_reason_below_the_table(store: Store) -> None:
    result = evaluate(store, PLIF_TABLE, "quick")
    notes = to_latex(result).partition(r"\bottomrule")[2]
    reasons = {tables.escape(cell.reason) for cell in result.cells}
    assert "digit events stand in for N-MNIST in a narrow network, 24 epochs" in reasons
    assert all(notes.count(rf"}} {reason}}} \\") == 1 for reason in reasons)
    assert notes.count(r"\multicolumn{6}{p{") == len(reasons)


def test_every_form_says_what_stands_in(store: Store, built: Path) -> None:
    result = evaluate(store, PLIF_TABLE, "quick")
    terminal = io.StringIO()
    for width in (80, 200):
        show(result, Console(file=terminal, width=width))
    page = (built / "plif_table-quick.html").read_text(encoding="utf-8")
    for text in (to_csv(result), to_latex(result), terminal.getvalue(), page):
        labels = re.findall(r"Fashion-MNIST(.{5})", text.replace("stand in for Fashion-MNIST", ""))
        assert {", 8x8", ",    "} & set(labels)  # a narrow terminal breaks the line behind it


def test_latex_is_ascii_whatever_a_table_is_called(store: Store) -> None:
    result = evaluate(store, PLIF_TABLE, "quick")
    table = dataclasses.replace(result.table, title="Σ of a − b\n\\evil")
    first = result.cells[0]
    odd = dataclasses.replace(first.cell, measure=dataclasses.replace(first.cell.measure, unit="·10³ σ ≥ 中"))
    cells = (dataclasses.replace(first, cell=odd),)
    text = to_latex(dataclasses.replace(result, table=table, cells=cells))
    assert text.isascii()
    assert text.splitlines()[0].startswith("% ")
    assert r"\evil" not in [line[:6] for line in text.splitlines()]
    assert r"measured ($\cdot$10\textsuperscript{3} $\sigma$ $\geq$ \texttt{U+4E2D})" in text
    assert all(to_latex(evaluate(store, PLIF_ABLATION, scale)).isascii() for scale in ("quick", "short", "paper"))


def test_latex_names_what_became_of_a_failed_cell(store: Store) -> None:
    text = to_latex(evaluate(store, PLIF_ABLATION, "quick"))
    assert r" & N-MNIST, digit events standing in & 99.15 & -- &  & missing (diverged)\textsuperscript{" in text


def test_stale_values_are_marked(empty_store: Store) -> None:
    empty_store.record(invented.run(cell("PLIF 2 max", "MNIST").experiment))
    assert "95.0*" not in to_latex(evaluate(empty_store, PLIF_ABLATION, "quick"))
    invented.outdate(empty_store, cell("PLIF 2 max", "MNIST").experiment)
    result = evaluate(empty_store, PLIF_ABLATION, "quick")
    assert "& 95.0* &" in to_latex(result)
    why = "the code behind it has changed since it was measured"
    assert [line["stale"] for line in csv.DictReader(io.StringIO(to_csv(result)))] == [
        why if c.experiment.key == cell("PLIF 2 max", "MNIST").experiment.key else ""
        for c in PLIF_ABLATION.cells("quick")
    ]
