"""Trainings with changed settings stand beside the cell that they come from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import synthetic_runs as invented
from synthetic_runs import cell, filled
from test_site import Page

from papers.overrides import overridden
from papers.plif.tables import PLIF_ABLATION
from reports import build
from results import Store


def test_a_changed_training_stands_beside_its_cell(tmp_path: Path) -> None:
    plain = cell("PLIF 2 max", "MNIST").experiment
    cells = overridden(PLIF_ABLATION, {"epochs": 3, "batch_size": 8}).cells("quick")
    changed = next(c.experiment for c in cells if (c.row, c.column) == ("PLIF 2 max", "MNIST"))
    runs = [invented.run(plain), *(invented.run(changed, seed, final=0.5) for seed in range(2))]
    with Store(filled(tmp_path / "store.db", runs), read_only=True) as store:
        folder = build(store, tmp_path, ["quick"], ["plif_ablation"]).parent
    page = (folder / "plif_ablation-quick.html").read_text()
    section = page.partition('<section aria-labelledby="changed">')[2].partition("</section>")[0]
    assert section.count('<tr><th scope="row">') == 2  # MNIST and Fashion-MNIST are one experiment on stand-ins
    (tmp_path / "section.html").write_text(f"<section>{section}</section>")
    words = " ".join(Page(tmp_path / "section.html").text.split())
    assert f"batch_size=8 instead of {plain.batch_size} epochs=3 instead of {plain.epochs}" in words
    assert "PLIF 2 max MNIST, 8x8 digits standing in 50.0 [" in words
    assert "0 1 not comparable" in words
    counts = " ".join(Page(folder / "runs" / f"{runs[1].id}.html").text.split())
    assert "plif_ablation, quick: changed settings" in counts


def test_what_no_setting_explains_stands_nowhere(tmp_path: Path) -> None:
    other = dataclasses.replace(cell("PLIF 2 max", "MNIST").experiment, model="plif_cifar10")
    with Store(filled(tmp_path / "store.db", [invented.run(other, final=0.5)]), read_only=True) as store:
        folder = build(store, tmp_path, ["quick"], ["plif_ablation"]).parent
    assert 'id="changed"' not in (folder / "plif_ablation-quick.html").read_text()


def test_a_cell_in_bf16_is_judged_and_marked_once_no_difference_is_found(tmp_path: Path) -> None:
    plain = cell("PLIF 2 max", "MNIST", "short").experiment
    cells = overridden(PLIF_ABLATION, {"scheme.precision": "bf16"}).cells("short")
    changed = next(c.experiment for c in cells if (c.row, c.column) == ("PLIF 2 max", "MNIST"))
    runs = [invented.run(experiment, seed) for experiment in (plain, changed) for seed in range(3)]
    with Store(filled(tmp_path / "store.db", runs), read_only=True) as store:
        folder = build(store, tmp_path, ["short"], ["plif_ablation"]).parent
    page = (folder / "plif_ablation-short.html").read_text()
    section = page.partition('<section aria-labelledby="changed">')[2].partition("</section>")[0]
    (tmp_path / "section.html").write_text(f"<section>{section}</section>")
    words = " ".join(Page(tmp_path / "section.html").text.split())
    assert "scheme.precision=bf16 instead of not set PLIF 2 max MNIST" in words
    assert "bf16; no difference from float32 found over 3 seeds (+0.00 [-0.40, +0.40] points)" in words
    assert "not comparable" not in words.partition("0 1 2")[2]
