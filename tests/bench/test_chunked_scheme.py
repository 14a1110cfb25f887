"""A scheme from outside that learns chunk by chunk, in one file: states carried over, gradients cut, many updates."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command

from results import Store

PLUGIN = '''
import torch
from torch import nn

import neurons
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.protocols import LAST
from papers.table import Cell, Table
from models.network import Network
from training.decisions import rate
from training.scheme import Update


class Rows(Network):
    """Digits read row by row: `encode` makes the sequence [T, N, 8], a call runs a sequence or a part of one."""

    def __init__(self, neuron):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 64), neuron((64,)), nn.Linear(64, 10))

    def encode(self, x):
        return x[:, 0].transpose(0, 1)

    def forward(self, sequence):
        return self.layers(sequence)


class Chunks:
    """An update after each of `chunks` parts of the sequence, with gradients that end where the part begins."""

    def __init__(self, network, *, chunks, lr):
        self.network, self.chunks, self.lr = network, chunks, lr
        self.optimizer = torch.optim.Adam(network.parameters(), lr)

    def train_batch(self, x, labels):
        outputs, losses = [], []
        for chunk in self.network.encode(x).chunk(self.chunks):
            neurons.detach(self.network)
            outputs.append(self.network(chunk))
            losses.append(nn.functional.cross_entropy(outputs[-1].mean(0), labels))
            self.optimizer.zero_grad()
            losses[-1].backward()
            self.optimizer.step()
        neurons.reset(self.network)
        scalars = {"loss": torch.stack(losses).mean().detach(), "last_loss": losses[-1].detach()}
        return Update(torch.cat(outputs).detach(), scalars)

    def outputs(self, x):
        outputs = self.network.run(x)
        neurons.reset(self.network)
        return outputs

    def decide(self, outputs):
        return rate(outputs)

    def end_epoch(self):
        pass

    def state_dict(self):
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


CELL = Cell("LIF", "digits", ACCURACY, Experiment(
    task="digits", model="rows", neuron="lif", scheme="chunks", epochs=3, batch_size=64, scale="quick", seed=0,
    batching={"shuffle": False, "drop_last": False}, neuron_options={"tau": 2.0},
    scheme_options={"chunks": 4, "lr": 0.01},
), (), LAST)
TABLE = Table("chunked", "chunks", "Learning chunk by chunk", lambda scale: [CELL])
'''
ENTRY_POINTS = """
[spikebench.models]
rows = chunks_plugin:Rows

[spikebench.schemes]
chunks = chunks_plugin:Chunks

[spikebench.tables]
chunked = chunks_plugin:TABLE
"""


@pytest.mark.slow
def test_a_scheme_of_its_own_learns_and_is_recorded(reproduce: Command, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    info = folder / "chunks_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "chunks_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chunks-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    done = reproduce("chunked", PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        (run,) = [store.run(run.id) for run in store.runs()]
    curves = {
        name: [metric.value for metric in run.metrics if metric.name == name]
        for name in ("test_accuracy", "train_accuracy", "train_last_loss", "train_samples", "rate_layers.1")
    }
    assert curves["test_accuracy"][-1] > 0.5 > curves["train_accuracy"][0]
    assert curves["train_last_loss"][-1] < curves["train_last_loss"][0]
    assert curves["train_samples"] == [1400.0] * 3  # the last batch is a short one
    assert len(curves["rate_layers.1"]) == 3
