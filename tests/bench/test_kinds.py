"""Experiments of other kinds than a training: what runs them, what they rest on, how they are named."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data_files import put_detections

from bench import fingerprint, kinds, worker
from bench.job import Request, Result
from bench.plan import plan
from core.registry import UnknownName
from papers.experiment import Experiment
from papers.fptt import claims
from papers.fptt.detector import stored
from papers.fptt.memory import FPTT_MEMORY
from papers.fptt.rates import CELLS, experiment
from papers.labels import label


def run(folder: Path, experiment: Experiment) -> tuple[Result, list[tuple[Any, ...]]]:
    request = Request(
        experiment, "cpu", str(folder), folder / "cache", folder / "c.pt", folder / "logs/c.log", threads=1, memory=None
    )
    sent: list[tuple[Any, ...]] = []
    return worker._guarded(request, sent.append), sent


def test_stored_detections_are_held_against_their_boxes(tmp_path: Path) -> None:
    put_detections(tmp_path)
    result, sent = run(tmp_path, stored("paper"))
    assert (result.outcome, result.backend, result.samples) == ("ok", "", ())
    assert sent == [("stage", "matching"), ("stage", "resampling")]
    values = {metric.name: metric.value for metric in result.metrics}
    assert {metric.unit for metric in result.metrics} == {"fraction"}
    assert {metric.step for metric in result.metrics} == {None}
    # One of two dogs is found (220 of 253 pixels), the other is not; the person is difficult.
    dog, person = 11, 14
    assert values[f"average_precision_{dog}"] == values["average_precision"] == 0.5
    assert values[f"average_precision_{person}"] is None
    assert (values["average_precision_low"], values["average_precision_high"]) == (0.0, 1.0)
    (dataset,) = result.datasets
    assert (dataset.name, dataset.complete, dataset.counts) == ("voc2007_detections", False, {"train": 0, "test": 2})
    again, _ = run(tmp_path, stored("paper"))
    assert again.metrics == result.metrics


def test_missing_detections_are_a_sentence(tmp_path: Path) -> None:
    result, _ = run(tmp_path, stored("paper"))
    assert result.outcome == "unavailable"
    assert "published at https://github.com/byin-cwi/sFPTT" in result.reason
    (step,) = plan(None, [stored("paper")], str(tmp_path))
    assert (step.status, step.reason) == ("unavailable", result.reason)


def test_memory_is_measured_exactly(tmp_path: Path) -> None:
    cells = {(cell.row, cell.column): cell for cell in FPTT_MEMORY.cells("quick")}
    found = {}
    for place in (("T=50", claims.ONE_STEP), ("T=100", claims.ONE_STEP), ("T=50", claims.TEN_CHUNKS)):
        result, sent = run(tmp_path, cells[place].experiment)
        assert (result.outcome, sent) == ("ok", [("stage", "measuring")])
        values = {metric.name: (metric.value, metric.unit) for metric in result.metrics}
        assert values["parameters"] == (82_689, "count")
        found[place] = values["saved"]
    assert round(found["T=50", claims.ONE_STEP][0], 2) == 0.44
    assert found["T=50", claims.ONE_STEP] == found["T=100", claims.ONE_STEP]
    assert round(found["T=50", claims.TEN_CHUNKS][0], 2) == 1.19
    assert {unit for _, unit in found.values()} == {"MiB"}


def test_rates_of_single_neurons_are_those_of_the_equations(tmp_path: Path) -> None:
    """A constant current: LIF with tau 2 at 1.5 fires at every second step, a liquid neuron by its own recursion."""
    rates = {}
    for row in CELLS:
        made = experiment(row, 1.5, "quick")
        made = replace(made, task_options={"T": 40, "mean": 1.5, "spread": 0.0})
        result, sent = run(tmp_path, made)
        assert (result.outcome, sent) == ("ok", [("stage", "measuring")])
        (metric,) = result.metrics
        assert (metric.name, metric.unit, metric.step) == ("spikes_per_step", "1", None)
        rates[row] = metric.value
    assert rates["LIF"] == 20 / 41
    u, fired = 0.0, 0
    for _ in range(40):
        g = 1 / (1 + math.exp(5 - 2 * (1.5 + u)))
        u += g * (1.5 - u)
        if u > 1:
            u, fired = 0.0, fired + 1
    assert fired > 3
    assert rates["LTC"] == fired / 41


def test_an_unknown_kind_is_unsupported(tmp_path: Path) -> None:
    result, _ = run(tmp_path, replace(stored("paper"), kind="dreams"))
    assert result.outcome == "unsupported"
    assert "nothing here runs experiments of kind 'dreams', only training, detections, memory, rates" in result.reason
    with pytest.raises(UnknownName, match="Unknown kind of experiment 'dreams'"):
        fingerprint.implementation(replace(stored("paper"), kind="dreams"))


def test_the_code_behind_a_result_is_that_of_its_kind() -> None:
    assert set(kinds.registry.names()) >= {kinds.TRAINING, "detections"}
    evaluation = fingerprint.implementation(stored("paper"))
    assert evaluation != fingerprint.implementation(replace(stored("paper"), kind=kinds.TRAINING))
    assert fingerprint.kernels("") == {}


def test_its_name_has_no_empty_parts() -> None:
    assert label(stored("paper")) == "voc2007_detections"
