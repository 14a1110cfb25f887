"""The table of the detector: its cells, what was published, and the verdicts of a re-evaluation."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import stores
import torch
from finished_runs import measured

import models
import tasks
import training
from papers.evaluate import evaluate
from papers.experiment import SCALES
from papers.fptt.detector import BETWEEN_RUNS, FPTT_YOLO, stored
from papers.fptt.trained_detector import FPTT_DETECTOR
from results import Metric, Store, published
from tasks.voc import CLASSES

Values = dict[tuple[str, str, str], float]
ROOT = os.environ.get("SPIKEBENCH_DATA")


@pytest.fixture(scope="module")
def printed() -> Values:
    _, values = published.load(published.FOLDER / "fptt.toml")
    return {(v.table, v.row, v.column): v.value for v in values}


@pytest.mark.parametrize("scale", ["short", "paper"])
def test_a_cell_for_each_class_and_the_mean_of_one_experiment(scale: str) -> None:
    cells = FPTT_YOLO.cells(scale)
    assert [cell.row for cell in cells] == ["mean", *CLASSES]
    assert {cell.experiment.key for cell in cells} == {stored(scale).key}
    assert len({cell.measure.name for cell in cells}) == 21
    assert len(FPTT_YOLO.experiments(scale, [0])) == 1


def test_the_means_are_those_of_the_classes(printed: Values) -> None:
    for table, column, digits in (
        ("spyv4_summary", "AP at 0.5", 0.005),
        ("spyv4_files", "AP at 0.5", 0.001),
        ("spyv4_files", "AP at 0.75", 0.001),
    ):
        values = [printed[table, name, column] for name in CLASSES]
        assert sum(values) / 20 == pytest.approx(printed[table, "mean", column], abs=digits)
    differences = [printed["spyv4_summary", n, "AP at 0.5"] - printed["spyv4_files", n, "AP at 0.5"] for n in CLASSES]
    assert BETWEEN_RUNS - 0.01 < max(map(abs, differences)) <= BETWEEN_RUNS


@pytest.mark.parametrize("scale", SCALES)
def test_the_trained_rows_differ_in_how_they_learn_alone(scale: str) -> None:
    fptt, bptt, untrained = (cell.experiment for cell in FPTT_DETECTOR.cells(scale))
    shared = {"task", "task_options", "model", "model_options", "neuron", "neuron_options", "batch_size", "measures"}
    for other in (bptt, untrained):
        assert {name for name in shared if getattr(other, name) != getattr(fptt, name)} == set()
    assert (fptt.scheme, bptt.scheme, untrained.scheme) == ("fptt", "bptt", "fptt")
    assert bptt.epochs == fptt.epochs > untrained.epochs == 1
    without = dict(fptt.scheme_options, optimizer={"name": "adam", "lr": 0.0})
    assert untrained.scheme_options == without
    assert {name: fptt.scheme_options[name] for name in bptt.scheme_options} == bptt.scheme_options


def test_an_epoch_without_a_learning_rate_leaves_the_weights() -> None:
    made = FPTT_DETECTOR.cells("quick")[-1].experiment
    neuron = models.factory(made.neuron, **made.neuron_options)
    network = models.create(made.model, neuron=neuron, **{**made.model_options, "divisor": 32})
    scheme = training.registry.get(made.scheme)(network, **made.scheme_options)
    weights = [p.detach().clone() for p in network.parameters()]
    statistics = [b.clone() for b in network.buffers()]
    scheme.train_batch(*tasks.load("shapes", train=2, test=1).train.batch(range(2)))
    scheme.end_epoch()
    assert all(map(torch.equal, network.parameters(), weights))
    assert not all(map(torch.equal, network.buffers(), statistics))


def test_ours_on_voc_is_not_held_against_the_work() -> None:
    first, *others = FPTT_DETECTOR.cells("paper")
    assert [source.row for source in first.sources] == ["mean"]
    assert not any(cell.sources for cell in others)
    assert all("training script is missing" in cell.not_comparable for cell in (first, *others))


@pytest.mark.skipif(not ROOT, reason="SPIKEBENCH_DATA names no data root")
def test_the_printed_values_are_those_of_the_summary(printed: Values) -> None:
    path = Path(ROOT or "") / "VOC2007_detections" / "reported_ap.txt"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    text = path.read_text(encoding="utf-8")
    found = {name: float(value) for value, name in re.findall(r"([\d.]+)% = (\w+) AP", text)}
    mean = re.search(r"mAP = ([\d.]+)%", text)
    assert mean is not None
    assert {**found, "mean": float(mean[1])} == {row: v for (t, row, _), v in printed.items() if t == "spyv4_summary"}


def test_a_re_evaluation_is_reproduced_as_far_as_two_runs_differ(tmp_path: Path, printed: Values) -> None:
    metrics = []
    for cell in FPTT_YOLO.cells("paper"):
        shift = {"dog": 0.3, "cat": -0.3}.get(cell.row, 0.0)
        value = (printed["spyv4_files", cell.row, "AP at 0.5"] + shift) / 100
        for end, number in (("", value), ("_low", value - 0.05), ("_high", value + 0.04)):
            metrics.append(Metric(cell.measure.name + end, number, "fraction"))
    with Store(stores.with_published(tmp_path / "s.db")) as store:
        store.record(measured(stored("paper").with_seed(2020), 0.0, metrics=tuple(metrics)))
        result = evaluate(store, FPTT_YOLO, "paper")
    verdicts = {cell.cell.row: cell.verdict for cell in result.cells}
    # The dog's files lie 0.18 points below the summary, the cat's at it.
    assert verdicts == {row: "lower" if row == "cat" else "reproduced" for row in ("mean", *CLASSES)}
    mean = result.cells[0]
    assert mean.measured == pytest.approx(53.129)
    assert (mean.low, mean.high) == (pytest.approx(48.129), pytest.approx(57.129))
