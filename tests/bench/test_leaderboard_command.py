"""The leaderboard from the command line: a neuron of the suite, one of a plug-in, and a plug-in that is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command, within

from bench.reproduce import app
from papers.measures import RUNNING
from results import Store

PLUGIN = """
import torch
from neurons.base import ThresholdNeuron

class Mine(ThresholdNeuron):
    name = "mine"
    states = ("v",)

    def __init__(self, tau: float = 2.0, shape=(), **common):
        super().__init__(**common)
        self.gain = torch.nn.Parameter(torch.full(shape, 1.0))
        self.tau = tau
        self.reset()

    @classmethod
    def example(cls, T, shape=(1,)):
        return {"tau": 3.0, "shape": tuple(shape), "backend": "torch"}  # a kernel would take seconds to compile

    def step(self, x, v):
        h = v + (self.gain * x - v) / self.tau
        s = self.fire(h)
        return s, self.after_spike(h, s)

class Bad(ThresholdNeuron):
    name = "bad"
    states = ("v",)

    @classmethod
    def example(cls, T, shape=(1,)):
        raise RuntimeError("no example")

    def __init__(self, **common):
        super().__init__(**common)
        self.reset()

    def step(self, x, v):
        raise RuntimeError("no step")
"""


@pytest.mark.slow
def test_plugins_take_part_and_a_bad_one_costs_itself(reproduce: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine_neurons.py"
    file.write_text(PLUGIN)
    wanted = [part for row in ("lif", "mine", "bad") for part in ("--only", row)]
    done = reproduce(
        "leaderboard", "--plugin", str(file), *wanted, "--only", "8x8 digits by column", "--seeds", "2",
        "--set", "epochs=2", "--set", "model.width=16",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    said = " ".join(done.stdout.split())
    assert "bad is incomplete: 8x8 digits by column: crashed: RuntimeError: no step" in said
    with Store(tmp_path / "store.db") as store:
        runs = {(run.experiment["neuron"], run.seed): run for run in store.full_runs(sorted(keys(store)))}
    outcomes = {neuron: run.outcome for (neuron, _), run in runs.items()}
    assert outcomes == {"lif": "ok", "mine": "ok", "bad": "crashed"}
    assert len(runs) == 6
    options = runs["mine", 2020].experiment["neuron_options"]
    assert options == {"tau": 3.0, "shape": "channels", "backend": "torch"}
    measured = {metric.name: metric.value for metric in runs["mine", 2020].metrics if metric.step is None}
    assert {measure.name for measure in RUNNING} <= measured.keys()


def keys(store: Store) -> set[str]:
    return {run.experiment_key for run in store.runs()}


def test_there_is_nothing_at_scale_paper() -> None:
    done = within(app, "leaderboard", "--scale", "paper", "--plan")
    assert done.returncode == 2
    assert "leaderboard has nothing at scale paper. Take --scale quick or short." in " ".join(done.stderr.split())
