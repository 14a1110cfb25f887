"""What the worker of one experiment tells its parent."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import models
import tasks
from bench import worker
from bench.job import Request, Result
from core.errors import Unsupported
from papers.experiment import Experiment
from results import Metric
from training.resume import History


def guarded(folder: Path, task: str, batch_size: int, **task_options: Any) -> tuple[Result, list[tuple[Any, ...]]]:
    """The result of a small experiment, run in this process, and the messages before it."""
    experiment = Experiment(
        task=task,
        model="plif_mnist",
        neuron="plif",
        scheme="bptt",
        epochs=1,
        batch_size=batch_size,
        scale="quick",
        seed=0,
        task_options=task_options,
        model_options={"side": 8, "channels": 3, "hidden": 12, "T": 3},
        neuron_options={"detach_reset": True},
        scheme_options={"lr": 0.01},
    )
    request = Request(
        experiment,
        "cpu",
        None,
        folder / "cache",
        folder / "c.pt",
        folder / "logs" / "c.log",
        threads=1,
        memory=None,
    )
    sent: list[tuple[Any, ...]] = []
    return worker._guarded(request, sent.append), sent


def test_a_subset_without_one_whole_batch_is_missing_data(tmp_path: Path) -> None:
    result, sent = guarded(tmp_path, "digits", 1401)
    assert result.outcome == "unavailable"
    assert "batches of 1401, but digits has only 1400 training samples here" in result.reason
    assert not sent
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(("pause", "least"), [(0.0, 100), (1e9, 1)])
def test_the_preparation_of_events_is_told_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: float, least: int
) -> None:
    monkeypatch.setattr(worker, "BETWEEN_NEWS", pause)
    _, sent = guarded(tmp_path, "digits_events", 10_000, T=4)
    assert {kind for kind, *_ in sent} == {"data"}
    assert least <= len(sent) <= 1797
    assert sent[-1][1] == sent[-1][2]
    if pause:
        assert len(sent) == 1


def test_a_network_that_starts_from_a_file_is_told_the_data_root() -> None:
    assert worker._root("sew_resnet18", "/data") == {"root": "/data"}
    assert worker._root("plif_mnist", "/data") == {}


def test_what_cannot_be_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def beyond(**options: Any) -> None:
        raise Unsupported("The budget is too small; widen it.")

    monkeypatch.setattr(models.registry, "get", lambda name: beyond)
    result, _ = guarded(tmp_path, "digits", 128)
    assert (result.outcome, result.reason) == ("unsupported", "The budget is too small; widen it.")
    assert not (tmp_path / "logs").exists()


class Six(tasks.Split):
    labels = torch.zeros(6)

    def batch(self, indices: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.labels[indices], self.labels[indices]

    def subset(self, indices: Any) -> Six:
        return self


def test_the_share_of_a_training_that_waited_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=itertools.count().__next__))  # a second each time
    waiting, sent = worker._Waiting(), []
    split = worker._Watched(Six(), sent.append, waiting)
    for epoch in (1, 2):
        assert len(list(split.for_epoch(epoch, 0).batches(torch.arange(6).split(2)))) == 3
    assert sent == [("batches", 2, 3)] * 2  # five seconds and more after the epoch began
    history = History([{"train_seconds": 100.0}, {"train_seconds": 8.0}, {"train_seconds": 12.0}])
    assert waiting.share(history) == [Metric("waiting", 0.3, "fraction")]  # the first was trained by another process
    assert worker._Waiting().share(history) == []


def test_a_training_tells_how_long_it_waited(tmp_path: Path) -> None:
    result, _ = guarded(tmp_path, "digits", 700)
    (share,) = (metric.value for metric in result.metrics if metric.name == "waiting")
    assert share is not None
    assert 0 < share < 1
