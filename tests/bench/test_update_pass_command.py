"""A training by the command stores the same whether the passes after the gradient were compiled or PyTorch's."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command

from results import Store
from tests.campaign.judge import OF_TIME
from training import update_pass

PLUGIN = """
from torch import nn

from models.network import Network
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.protocols import LAST
from papers.table import Cell, Table
from training import update_pass
from training.fptt import FPTT


class Rows(Network):
    def __init__(self, neuron):
        super().__init__()
        self.T = 8
        self.layers = nn.Sequential(nn.Linear(8, 24), neuron((24,)), nn.Linear(24, 10))

    def encode(self, x):
        return x[:, 0].transpose(0, 1)

    def forward(self, sequence):
        return self.layers(sequence)


class Plain(FPTT):
    def __init__(self, *arguments, **options):
        update_pass.find = lambda *_: None
        super().__init__(*arguments, **options)


class Fast(FPTT):
    def end_epoch(self):
        assert update_pass.find(self.optimizer, self.regulariser) is not None
        super().end_epoch()


def cell(scheme):
    return Cell(scheme, "digits", ACCURACY, Experiment(
        task="digits", model="rows", neuron="plif", scheme=scheme, epochs=2, batch_size=128, scale="quick", seed=0,
        scheme_options={
            "loss": {"name": "last_cross_entropy"}, "optimizer": {"name": "adamax", "lr": 0.01}, "chunks": 4,
            "clip": 1.0, "regulariser": {"alpha": 0.1}, "average_every": 1, "forget": "epoch",
        },
    ), (), LAST)


TABLE = Table("passes", "passes", "Passes over the weights", lambda scale: [cell("plain"), cell("fast")], ())
"""
ENTRY_POINTS = """
[spikebench.models]
rows = passes_plugin:Rows

[spikebench.schemes]
plain = passes_plugin:Plain
fast = passes_plugin:Fast

[spikebench.tables]
passes = passes_plugin:TABLE
"""


@pytest.mark.skipif(not update_pass._sound("adamax", 64, 1), reason="no passes here")
def test_a_training_stores_the_same_by_the_passes_and_without(reproduce: Command, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    info = folder / "passes_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "passes_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: passes-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    done = reproduce("passes", "--jobs", "1", "--no-report", PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        runs = [store.run(run.id) for run in store.runs()]
    plain, fast = ({(m.name, m.step): m.value for m in run.metrics if m.name not in OF_TIME} for run in runs)
    assert {"train_loss", "train_regulariser", "train_gradient_norm", "test_accuracy"} <= {name for name, _ in plain}
    assert plain == fast
