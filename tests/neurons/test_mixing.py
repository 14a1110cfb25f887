"""A neuron whose gates mix the neurons of a layer says so once; kernels, parity and training follow."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

import models
import neurons
import tasks
from training.bptt import BPTT
from training.loop import fit

PLUGIN = '''
import torch
from torch import nn

from neurons.base import ThresholdNeuron
from neurons.parameters import dimensions


class Dense(ThresholdNeuron):
    """A membrane whose leak is a gate over input and potential of the whole layer."""

    name = "dense"
    pointwise = False

    def __init__(self, shape, **common):
        super().__init__(**common)
        (width,) = dimensions(shape)
        if width > 1000:
            raise ValueError(f"dense gates of {width} neurons need {2 * width * width} weights")
        self.gate = nn.Linear(2 * width, width)

    @classmethod
    def example(cls, T, shape=(1,)):
        return {"shape": tuple(shape[-1:])}

    def step(self, x, v):
        g = self.gate(torch.cat([x, v], -1)).sigmoid()
        h = v + g * (x - v)
        s = self.fire(h)
        return s, self.after_spike(h, s)
'''


@pytest.fixture
def dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in, installed: one file and an entry point."""
    (tmp_path / "dense_plugin.py").write_text(PLUGIN)
    info = tmp_path / "dense_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dense-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spikebench.neurons]\ndense = dense_plugin:Dense\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(neurons.registry, "_plugins", None, raising=False)


@pytest.mark.usefixtures("dense")
def test_it_runs_on_the_plain_step_without_a_warning() -> None:
    layer = neurons.create("dense", shape=(4,))
    x = torch.randn(5, 3, 4).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = layer(x)
    assert layer.ran == "torch"
    assert layer.kernel == "the plain sequence"
    layer.reset()
    assert torch.equal(torch.cat([layer(x[:2]), layer(x[2:])]), whole)
    assert "act on each other" in neurons.backends("dense").refused["fused"]
    layer.backend = "fused"
    with pytest.raises(RuntimeError, match=r"'fused' cannot run Dense on cpu: .* act on each other"):
        layer(x)


@pytest.mark.usefixtures("dense")
def test_its_parity_is_green_and_says_what_it_could_not_check(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.parity import checks as parity
    from bench.parity.cases import CASES
    from bench.parity.checks import Check, check

    told = ("random", "near threshold", "one neuron", "wide", "cut", "soft reset")
    monkeypatch.setattr(parity, "CASES", [case for case in CASES if case.name in told])
    monkeypatch.setattr(parity, "DTYPES", dict.fromkeys(("float32",), torch.float32))
    found = list(check("dense", ["torch", "fused"], "cpu", quick=False))
    checks = [item for item in found if isinstance(item, Check)]
    assert len(checks) == 2 * (5 + 3)  # detach modes x (cases + those in step mode "s")
    assert [c for c in checks if not c.verdict.green] == []
    reasons = {item.reason for item in found if not isinstance(item, Check)}
    assert any("act on each other" in reason for reason in reasons)
    assert any("dense gates of 9001 neurons" in reason and "'wide'" in reason for reason in reasons)


@pytest.mark.usefixtures("dense")
def test_it_can_be_trained() -> None:
    torch.manual_seed(0)
    network = models.create(
        "sequential_fc", neuron=models.factory("dense", shape="channels"), order="rows", side=8, hidden=32
    )
    history = fit(
        BPTT(network, loss="cross_entropy", lr=5e-3),
        tasks.load("digits"),
        epochs=3,
        batch_size=32,
        seed=1,
        device="cpu",
    )
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    assert history[-1]["test_accuracy"] > 0.4
