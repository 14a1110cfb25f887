"""A regression from outside: a task of values drawn anew for every epoch, its measure and its table, in one file.

It goes the way of every table: it is planned, trained and judged by its own measure, of which less is better, and it
gets its page.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command

from results import Store

PLUGIN = '''
from dataclasses import replace

import torch
from torch import nn

import tasks
from models.network import Network
from papers.experiment import Experiment
from papers.measures import USUAL, Measure
from papers.protocols import LAST
from papers.table import Cell, Table
from tasks.loader import Loader
from training.measures import AnswerMeasure


class Sums(tasks.Split):
    """Two numbers and their sum."""

    def __init__(self, samples, seed):
        numbers = torch.Generator().manual_seed(seed)
        self.x = torch.rand(samples, 2, generator=numbers)
        self.labels = self.x.sum(1, keepdim=True)

    def batch(self, indices):
        return self.x[indices], self.labels[indices]

    def subset(self, indices):
        raise NotImplementedError


class Fresh(Sums):
    def for_epoch(self, epoch, seed):
        return Sums(len(self), 1000 * seed + epoch)


def load(root, cache, *, samples):
    info = tasks.DatasetInfo("sums", "drawn", counts={"train": samples, "test": 64})
    return tasks.Task("sums", tasks.Values(1), Fresh(samples, 0), None, Sums(64, 1), info)


SUMS = Loader(load, digest=lambda *_: "drawn")


class Readout(Network):
    """Each sample shown at T steps; the answer is read off the spikes."""

    def __init__(self, neuron, T):
        super().__init__()
        self.T = T
        self.layers = nn.Sequential(nn.Linear(2, 32), neuron((32,)), nn.Linear(32, 1))

    def encode(self, x):
        return x.expand(self.T, *x.shape)

    def forward(self, sequence):
        return self.layers(sequence)


def squared(outputs, labels):
    return nn.functional.mse_loss(outputs.mean(0), labels)


def mean(outputs):
    return outputs.mean(0)


class SquaredError(AnswerMeasure):
    name, unit = "mean_squared_error", "1"

    def __init__(self, target):
        super().__init__(target)
        self.sum, self.count = 0.0, 0

    def update(self, outputs, predictions, labels):
        self.sum += (predictions - labels).square().sum().item()
        self.count += labels.numel()

    def value(self):
        return self.sum / self.count


ERROR = Measure("mean_squared_error", "1", "lower", "student")


def cell(row, neuron, **changes):
    experiment = Experiment(
        task="sums", task_options={"samples": 64}, model="readout", model_options={"T": 4}, neuron=neuron,
        scheme="bptt", epochs=4, batch_size=32, scale="quick", seed=0, updates=20,
        measures=("mean_squared_error", "firing_rates"),
        scheme_options={
            "loss": {"name": "squared"}, "decision": {"name": "mean"}, "clip": 1.0,
            "optimizer": {"name": "adamax", "lr": 0.02}, "schedule": {"name": "milestones", "at": [3], "factor": 0.1},
        }, **changes,
    )
    return Cell(row, "sums", ERROR, experiment, (), LAST, "nobody published it")


ADDING = Table(
    "adding", "sums", "The sum of two numbers",
    lambda scale: [cell("LIF", "lif"), cell("IF", "if", evaluation={"repeats": 2})],
)
CLASSIFIED = Table(
    "classified", "sums", "With a measure of classes",
    lambda scale: [replace(c, experiment=replace(c.experiment, measures=USUAL)) for c in [cell("LIF", "lif")]],
)
'''
ENTRY_POINTS = """
[spikebench.tasks]
sums = sums_plugin:SUMS

[spikebench.models]
readout = sums_plugin:Readout

[spikebench.losses]
squared = sums_plugin:squared

[spikebench.decisions]
mean = sums_plugin:mean

[spikebench.measures]
mean_squared_error = sums_plugin:SquaredError

[spikebench.tables]
adding = sums_plugin:ADDING
classified = sums_plugin:CLASSIFIED
"""


@pytest.fixture
def sums(tmp_path: Path) -> str:
    folder = tmp_path / "plugin"
    info = folder / "sums_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "sums_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sums-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return str(folder)


@pytest.mark.slow
def test_a_table_of_values_gets_its_row_verdict_and_page(reproduce: Command, sums: str, tmp_path: Path) -> None:
    done = reproduce("adding", "--seeds", "2", "--report", PYTHONPATH=sums)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not comparable" in done.stdout
    assert (tmp_path / "out" / "report" / "adding-quick.html").exists()
    with Store(tmp_path / "store.db") as store:
        runs = [store.run(run.id) for run in store.runs()]
    for run in runs:
        curves = {
            name: [m.value for m in run.metrics if m.name == name and m.step is not None]
            for name in ("train_mean_squared_error", "test_mean_squared_error", "train_loss", "train_samples", "lr")
        }
        assert not any("accuracy" in metric.name for metric in run.metrics)
        assert curves["test_mean_squared_error"][-1] < 0.1 < curves["train_mean_squared_error"][0]
        assert curves["train_samples"] == [20 * 32.0] * 4  # of a set of 64
        assert curves["lr"] == pytest.approx([0.02, 0.02, 0.02, 0.002])
        assert {m.unit for m in run.metrics if m.name == "test_mean_squared_error"} == {"1"}
    assert reproduce("adding", "--seeds", "2", "--plan", PYTHONPATH=sums).stdout.count("done ") == 4

    refused = reproduce("classified", PYTHONPATH=sums)
    assert refused.returncode == 1
    assert "The accuracy needs a task of classes, and this one has Values(width=1)" in refused.stdout.replace("\n", " ")
