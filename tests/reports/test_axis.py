"""Tables whose rows count something up are drawn over it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import stores
import synthetic_runs as invented

from papers.drawing import Drawing
from papers.evaluate import evaluate
from papers.plif.tables import PLIF_TABLE
from papers.psn.tables import PSN_ORDER
from reports import axis, site
from results import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Of the quick psn_order: masked PSN of k = 1 and 4 on digits, last epochs 0.5 and 0.75."""
    opened = Store(stores.with_published(tmp_path / "store.db"))
    cells = {cell.row: cell.experiment for cell in PSN_ORDER.cells("quick") if cell.column == "masked"}
    for row, final in (("k=1", 0.5), ("k=4", 0.75)):
        opened.record(invented.run(cells[row], final=final))
    return opened


def test_columns_over_the_order(store: Store) -> None:
    found = axis.plots(evaluate(store, PSN_ORDER, "quick"))
    assert found is not None
    assert [plot.caption for plot in found.plots] == ["Measured on 8x8 digits, with 95 % intervals", "Published"]
    measured, published = (plot.svg for plot in found.plots)
    assert "masked, last epoch: 50 at first, 75 at last" in measured
    assert "sliding" not in measured  # nothing measured
    assert "masked: 49.3 at first, 60.4 at last" in published
    assert "sliding: 49.7 at first, 59.97 at last" in published
    assert dict(found.legend)["masked"] == 0


def test_only_such_tables_have_the_figure(store: Store, tmp_path: Path) -> None:
    assert axis.plots(evaluate(store, PLIF_TABLE, "quick")) is None
    report = site.build(store, tmp_path, ["quick"], ["psn_order", "plif_table"]).parent
    pages = {name: (report / f"{name}-quick.html").read_text(encoding="utf-8") for name in ("psn_order", "plif_table")}
    assert re.search(r'<h2 id="axis">Accuracy against k</h2>', pages["psn_order"])
    assert 'id="axis"' not in pages["plif_table"]


def test_a_table_of_many_rows_leaves_the_curves_to_its_runs(store: Store, tmp_path: Path) -> None:
    report = site.build(store, tmp_path, ["paper"], ["psn_order"]).parent
    page = (report / "psn_order-paper.html").read_text(encoding="utf-8")
    assert "Training curves" not in page
    assert "masked: 49.3 at first, 60.69 at last" in page


def test_what_a_table_draws_besides_is_on_its_page(store: Store) -> None:
    drawing = Drawing("Error over steps", "steps", "error", (("one", ((8.0, 0.1), (32.0, 0.025))),), "Order 1.00")
    result = replace(evaluate(store, PSN_ORDER, "quick"), drawings=(drawing, replace(drawing, lines=())))
    found = axis.drawings(result)
    assert [(one.title, one.legend) for one in found] == [("Error over steps", (("one", 0),)), ("Error over steps", ())]
    assert "one: 0.1 at first, 0.025 at last" in found[0].plots[0].svg
    assert found[0].plots[0].caption == "Order 1.00"
    assert found[1].plots == (), "nothing to draw"
