"""A table of two rows, seed by seed: the page, its files, and the terminal; and the page of a table set to bf16."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic_runs as invented

from core.console import Console
from papers import registry
from papers.evaluate import evaluate
from papers.pairs import pairs
from papers.plif.tables import PLIF_TABLE
from papers.precision.table import PRECISION
from reports import paired, site
from results import Metric, Run, Store

NAME, OTHER = "PLIF net: MNIST", "PLIF net: N-MNIST"
SMALL = replace(PRECISION, cells=lambda scale: [c for c in PRECISION.cells(scale) if c.column in (NAME, OTHER)])
FINAL = {  # by column and row, a share a seed
    (NAME, "float32"): (0.90, 0.91, 0.92),
    (NAME, "bf16"): (0.90, 0.92, 0.91),
    (OTHER, "float32"): (0.80, 0.81, 0.82),
    (OTHER, "bf16"): (0.70, 0.71, 0.72),
}


def runs() -> list[Run]:
    """bf16 takes twice as long and half of the memory."""
    found = []
    for cell in SMALL.cells("quick"):
        half = cell.row == "bf16"
        for seed, final in enumerate(FINAL[cell.column, cell.row]):
            made = invented.run(cell.experiment, seed, final=final, peak_memory=2**28 if half else 2**29)
            metrics = [m for m in made.metrics if m.name != "train_seconds"]
            for epoch in range(cell.experiment.epochs):
                metrics.append(Metric("train_samples", 1000, "count", epoch))
                metrics.append(Metric("train_seconds", 2.0 if half else 1.0, "s", epoch))
            found.append(replace(made, metrics=tuple(metrics)))
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invented.filled(tmp_path_factory.mktemp("paired") / "store.db", runs())


def test_the_page_and_its_files(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"plif_table": PLIF_TABLE, "precision": SMALL}
    monkeypatch.setattr(registry, "get", tables.__getitem__)
    monkeypatch.setattr(registry, "names", lambda: list(tables))
    with Store(path, read_only=True) as store:
        folder = site.build(store, tmp_path, ["quick"]).parent
    page = (folder / "precision-quick.html").read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for told in (
        "float32 and bf16, seed by seed",
        f"{NAME}, 8x8 digits standing in 91.0 % [",
        "no difference found (3 seeds)",
        "-10.00 [-10.40, -9.60] points differs, p = ",
        "1,000 samples/s 500 samples/s × 0.5 [0.5, 0.5]",
        "512.0 MiB 256.0 MiB × 0.5 [0.5, 0.5]",
    ):
        assert told in text, told
    assert 'id="changed"' not in page
    assert 'href="precision-quick-pairs.csv"' in page
    lines = list(csv.DictReader(io.StringIO((folder / "precision-quick-pairs.csv").read_text(encoding="utf-8"))))
    assert [(line["column"], line["finding"], line["seeds"]) for line in lines] == [
        (NAME, "no difference found", "0;1;2"),
        (OTHER, "differs", "0;1;2"),
    ]
    assert float(lines[1]["change"]) == pytest.approx(-10)
    assert (float(lines[0]["speed_factor"]), float(lines[0]["memory_factor"])) == pytest.approx((0.5, 0.5))
    latex = (folder / "precision-quick-pairs.tex").read_text(encoding="utf-8")
    assert r"$\times$ 0.5 [0.5, 0.5]" in latex
    assert latex.isascii()
    other = (folder / "plif_table-quick.html").read_text(encoding="utf-8")  # where bf16 is a changed setting
    assert "<code>scheme.precision=bf16</code>" in other


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal(path: Path, capsys: pytest.CaptureFixture[str], width: int) -> None:
    with Store(path, read_only=True) as store:
        result = evaluate(store, SMALL, "quick")
        paired.show(result, pairs(store, result), Console(highlight=False, markup=False, width=width))
    said = " ".join(capsys.readouterr().out.split())
    for told in ("Values", "Speed of training", "no difference found (3 seeds)", "× 0.5 [0.5, 0.5]", "512.0 MiB"):
        assert told in said
