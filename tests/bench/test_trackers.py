"""Epochs that are told to TensorBoard and MLflow, and trackers that fail."""

from __future__ import annotations

import importlib.util
import struct
from collections import defaultdict
from pathlib import Path

import pytest
from commands import Command
from finished_runs import measured

from bench import trackers
from core.errors import UsageError
from papers.experiment import Experiment
from papers.plif.tables import PLIF_ABLATION
from results import Store

EXPERIMENT = PLIF_ABLATION.experiments("quick", [2020])[0]


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """What the files of events in a folder say: records of a length, a sum, the message and another sum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = defaultdict(dict)
    for file in folder.glob("events.*"):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            for value in event.summary.value:
                found[value.tag][event.step] = value.simple_value
            data = data[16 + length :]
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within MLflow
def test_the_epochs_of_trainings_are_told(reproduce: Command, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    options = ["--tensorboard", str(tmp_path / "tb")]
    if importlib.util.find_spec("mlflow"):
        options += ["--mlflow", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    done = reproduce("tiny", "--only", "one", *options)
    assert done.returncode == 0, done.stderr
    with Store(tmp_path / "store.db") as store:
        (run,) = store.full_runs()
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for metric in run.metrics:
        if metric.step is not None:
            curves[metric.name][metric.step] = metric.value
    (place,) = (tmp_path / "tb").iterdir()
    assert place.name == f"digits_plif_mnist_plif_init_tau=2_seed_2020-{run.experiment_key[:8]}"
    found = scalars(place)
    assert found.keys() == curves.keys()
    for name, points in curves.items():
        assert found[name] == pytest.approx(points), name
    if "--mlflow" in options:
        from mlflow import MlflowClient

        client = MlflowClient(options[-1])
        (kept,) = client.search_runs([client.get_experiment_by_name("spikebench").experiment_id])
        assert kept.info.status == "FINISHED"
        assert kept.data.params["scheme_options.lr"] == "0.01"
        told = {m.step: m.value for m in client.get_metric_history(kept.info.run_id, "test_accuracy")}
        assert told == pytest.approx(curves["test_accuracy"])


class Audience:
    """Takes part in nothing, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str):
        return lambda *_: self.told.append(name)


class Failing:
    def begin(self, key: str, name: str, experiment: Experiment) -> None: ...

    def epoch(self, key: str, epoch: int, record: object) -> None:
        raise OSError("the disk is full\nand more")

    def end(self, key: str, outcome: str) -> None:
        raise AssertionError("it is told no more")


def test_one_that_fails_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    audience = Audience()
    tracked = trackers.Tracked(audience, {EXPERIMENT.key: "name"}, [Failing()])
    tracked.started(EXPERIMENT)
    tracked.stage(EXPERIMENT, "training")
    tracked.epoch(EXPERIMENT, 0, {"loss": 1.0})
    tracked.epoch(EXPERIMENT, 1, {"loss": 1.0})
    tracked.finished(EXPERIMENT, measured(EXPERIMENT, 0.9))
    assert audience.told == ["started", "stage", "epoch", "epoch", "finished"]
    assert capsys.readouterr().out == "Failing is told no more: OSError: the disk is full\n"


def test_a_missing_package_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(UsageError, match=r"--tensorboard needs the package tensorboardX.*spikebench\[tensorboard\]"):
        trackers.TensorBoard(tmp_path)
    with pytest.raises(UsageError, match=r"--mlflow needs the package mlflow.*spikebench\[mlflow\]"):
        trackers.MLflow("sqlite://")
