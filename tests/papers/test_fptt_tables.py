"""The tables of the FPTT work: every source is there, every training can be built, both behaviours differ where they
should."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import models
import tasks
import training
from papers import registry
from papers.experiment import SCALES, Experiment
from papers.fptt import adding, claims
from papers.fptt.behaviour import ADDING, CLASSES, CORRECTED, NETWORK, RELEASED
from papers.table import Cell, Source
from results import published
from training.fptt import FPTT

TABLES = [name for name in registry.names() if name.startswith("fptt_") and name != "fptt_yolo"]


def scheme(experiment: Experiment) -> Any:
    torch.manual_seed(1)
    neuron = models.factory(experiment.neuron, **experiment.neuron_options)
    network = models.create(experiment.model, neuron=neuron, **experiment.model_options)
    return training.registry.get(experiment.scheme)(network, **experiment.scheme_options)


@pytest.mark.parametrize("name", TABLES)
def test_every_source_is_published(name: str) -> None:
    _, values = published.load(published.FOLDER / "fptt.toml")
    known = {(v.table, v.row, v.column) for v in values}
    runs = {v.row for v in values if v.table == published.CURVES}
    lacking = set()
    for scale in SCALES:
        for cell in registry.get(name).cells(scale):
            for source in cell.sources:
                there = source.row in runs if source.until else (source.table, source.row, source.column) in known
                lacking |= set() if there else {(source.table, source.row, source.column)}
    bptt = ("500", "1000_1", "1000_v2", "1000_v3", "1000_v4")
    became_nan = {("adding_summary", f"snn_bptt_mem_{run}", "last 100") for run in bptt}
    assert lacking == (became_nan if name == "fptt_adding" else set())


@pytest.mark.parametrize("name", TABLES)
def test_each_training_of_quick_scale_takes_a_batch(name: str) -> None:
    loaded: dict[str, tasks.Task] = {}
    for experiment in registry.get(name).experiments("quick", [0]):
        if experiment.kind != "training" or experiment.task_options.get("T", 0) > 20:
            continue
        learner = scheme(experiment)
        described = f"{experiment.task} {experiment.task_options}"
        if described not in loaded:
            loaded[described] = tasks.load(experiment.task, **experiment.task_options)
        task = loaded[described]
        x, labels = task.train.for_epoch(0, 0).batch(range(8))
        update = learner.train_batch(x[:8], labels[:8])
        assert torch.isfinite(update.scalars["loss"])
        with torch.no_grad():
            predictions = learner.decide(learner.outputs(x))
        if isinstance(task.target, tasks.Boxes):  # as many as are found
            predictions, labels = predictions[:, :0], labels[:, :0]
        assert predictions.shape == labels.shape


def test_the_slips_of_the_adding_script_have_both_settings() -> None:
    rows = {row.name: adding.experiment(row, 20, "quick") for row in adding.ROWS}
    released, corrected = scheme(rows[claims.LTC_FPTT]), scheme(rows[claims.LTC_CORRECTED])
    assert isinstance(released, FPTT)
    assert released.weight == pytest.approx([0.2, 1.2, 2.2, 3.2, 4.2])
    assert corrected.weight == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert released.bounds == [(0, 4), (4, 8), (8, 12), (12, 16)]
    assert corrected.bounds == [(0, 4), (4, 8), (8, 12), (12, 16), (16, 20)]
    assert scheme(rows[claims.LTC_ONLINE]).regulariser is None
    for slips in (ADDING, CLASSES, NETWORK):
        assert slips[RELEASED].keys() == slips[CORRECTED].keys()
        assert not any(slips[RELEASED][name] == slips[CORRECTED][name] for name in slips[RELEASED])


def cell(scale: str, row: str, column: str) -> Cell:
    return next(c for c in registry.get("fptt_adding").cells(scale) if (c.row, c.column) == (row, column))


def test_the_authors_runs_are_read_by_the_protocol_of_the_cell() -> None:
    paper, short = (cell(scale, claims.LTC_FPTT, "T=200") for scale in ("paper", "short"))
    assert paper.sources[0] == Source("adding_summary", "snn_fptt_mem_200", "last 100")
    assert short.sources[0] == Source("curve", "snn_fptt_mem_200", until=20)
    assert paper.experiment.epochs * 25 == 10_000
    assert "do not tell their settings" in paper.not_comparable
    assert "does not show what is hard at T = 1000" in cell("quick", claims.LTC_FPTT, "T=20").not_comparable


def test_memory_does_not_depend_on_the_scale() -> None:
    found = [
        [(c.row, c.column, c.experiment.model_options, c.experiment.scheme_options) for c in table.cells(scale)]
        for table in [registry.get("fptt_memory")]
        for scale in SCALES
    ]
    assert found[0] == found[1] == found[2]
