"""From outside, in one file: a scheme that learns chunk by chunk, a neuron whose gates mix the layer, a table, a claim.

States are carried over, gradients cut, and each batch has many updates; the neuron goes the way of every other.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import Command

from results import Store

PLUGIN = '''
import torch
from torch import nn

import neurons
from papers.comparison import greater, level
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.protocols import LAST
from papers.table import Cell, Claim, Table
from models.network import Network
from neurons.base import ThresholdNeuron
from neurons.parameters import dimensions
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


class Gated(ThresholdNeuron):
    """A membrane whose leak is a gate over input and potential of the whole layer."""

    name = "gated"
    pointwise = False

    def __init__(self, shape, **common):
        super().__init__(**common)
        (width,) = dimensions(shape)
        self.gate = nn.Linear(2 * width, width)

    def step(self, x, v):
        h = v + self.gate(torch.cat([x, v], -1)).sigmoid() * (x - v)
        s = self.fire(h)
        return s, self.after_spike(h, s)


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


def cell(row, neuron, **options):
    return Cell(row, "digits", ACCURACY, Experiment(
        task="digits", model="rows", neuron=neuron, scheme="chunks", epochs=3, batch_size=64, scale="quick", seed=0,
        batching={"shuffle": False, "drop_last": False}, neuron_options=options,
        scheme_options={"chunks": 4, "lr": 0.01},
    ), (), LAST)


CELLS = [cell("LIF", "lif", tau=2.0), cell("gated", "gated", shape="channels")]
CLAIM = Claim("P1", "Gates help", "made up", greater("gated", "LIF", level(ACCURACY)))
TABLE = Table("chunked", "chunks", "Learning chunk by chunk", lambda scale: CELLS, (CLAIM,))
'''
ENTRY_POINTS = """
[spikebench.neurons]
gated = chunks_plugin:Gated

[spikebench.models]
rows = chunks_plugin:Rows

[spikebench.schemes]
chunks = chunks_plugin:Chunks

[spikebench.tables]
chunked = chunks_plugin:TABLE
"""


@pytest.mark.slow
def test_a_scheme_and_a_neuron_of_its_own_get_rows_a_claim_and_a_page(reproduce: Command, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    info = folder / "chunks_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "chunks_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chunks-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    done = reproduce("chunked", "--report", PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        runs = {run.experiment["neuron"]: store.run(run.id) for run in store.runs()}
    names = ("test_accuracy", "train_accuracy", "train_last_loss", "train_samples", "rate_layers.1")
    for run in runs.values():
        curves = {name: [metric.value for metric in run.metrics if metric.name == name] for name in names}
        assert curves["test_accuracy"][-1] > curves["train_accuracy"][0] > 0.1
        assert curves["test_accuracy"][-1] > 0.4
        assert curves["train_last_loss"][-1] < curves["train_last_loss"][0]
        assert curves["train_samples"] == [1400.0] * 3  # the last batch is a short one
        assert len(curves["rate_layers.1"]) == 3
    assert runs["gated"].backend == "torch"  # no kernel computes a neuron that sees the others
    assert re.search(r"^undecided +P1 +Gates help", done.stdout, re.M), done.stdout
    page = (tmp_path / "out" / "report" / "chunked-quick.html").read_text(encoding="utf-8")
    for text in ("gated", "Gates help", "not comparable", "(1 seed), a test needs 3 seeds"):
        assert text in page
