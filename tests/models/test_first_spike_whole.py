"""The recurrent layer in one piece against its steps: spikes, states and all gradients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import models
import neurons
from models.first_spike import whole_cpp
from models.first_spike.feedback import SameStep
from models.first_spike.whole import WholeSameStep


def layers(name: str, width: int = 8, **options: Any) -> list[SameStep]:
    found: list[SameStep] = []
    for kind in (SameStep, WholeSameStep):
        torch.manual_seed(0)
        neuron = neurons.create(name, tau_m=4.0, tau_s=6.0, v_threshold=0.3, variant="superspike", **options)
        found.append(kind(neuron, nn.Linear(width, width, bias=False)).double())
    return found


def run(layer: SameStep, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    leaf = x.clone().requires_grad_()
    spikes = layer(leaf)
    spikes.backward(torch.linspace(-1, 1, spikes.numel(), dtype=x.dtype).reshape(spikes.shape))
    gradients = [p.grad for p in layer.parameters() if p.grad is not None]
    assert leaf.grad is not None
    return spikes.detach(), layer.neuron.v.detach(), layer.neuron.i.detach(), leaf.grad, *gradients


@pytest.mark.parametrize(("name", "options"), [("culif", {}), ("pculif", {}), ("pculif", {"shape": 8})])
def test_it_is_what_the_steps_are(name: str, options: dict[str, Any]) -> None:
    plain, whole = layers(name, **options)
    x = torch.randn(15, 5, 8, dtype=torch.float64)
    expected, found = run(plain, x), run(whole, x)
    assert 0 < expected[0].mean() < 1
    assert len(expected) == len(found) == (4 + 1 if name == "culif" else 4 + 3)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    assert type(whole(x[:1]).grad_fn).__name__ != "_StepsBackward", "with a state it goes on step by step"


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("T", "N", "width"), [(15, 5, 8), (20, 1, 3), (9, 4, 40)])
def test_in_single_precision_it_is_compiled(
    T: int, N: int, width: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(whole_cpp, "LIBRARY", SimpleNamespace(functions=None))
    elif whole_cpp.LIBRARY.functions is None:
        pytest.skip("no C++ compiler")
    plain, whole = (layer.float() for layer in layers("pculif", width, shape=width))
    x = torch.randn(T, N, width)
    node = whole(x.clone().requires_grad_()).grad_fn
    assert type(node).__name__ == ("_CompiledBackward" if compiled else "_StepsBackward")
    models.reset(whole)
    expected, found = run(plain, x), run(whole, x)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_no_samples_give_no_spikes() -> None:
    _, whole = (layer.float() for layer in layers("culif"))
    assert whole(torch.zeros(4, 0, 8)).shape == (4, 0, 8)


def test_few_spikes_and_many_give_the_same_gradient_of_what_is_fed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for most in (0.0, 1.0):
        monkeypatch.setattr("models.first_spike.whole.MOST", most)
        _, whole = (layer.float() for layer in layers("culif", 20))
        found.append(run(whole, torch.randn(12, 3, 20, generator=torch.Generator().manual_seed(1))))
    assert 0 < found[0][0].mean() < 1
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("options", [{"v_reset": None}, {"detach_reset": False}, {"surrogate": "atan"}])
def test_other_neurons_run_step_by_step(options: dict[str, Any]) -> None:
    plain, whole = layers("culif", **options)
    x = torch.randn(6, 3, 8, dtype=torch.float64)
    for one, other in zip(run(whole, x), run(plain, x), strict=True):
        assert torch.equal(one, other)


def test_the_network_learns_as_the_plain_one() -> None:
    found = []
    x = (torch.rand(4, 12, 10, generator=torch.Generator().manual_seed(2)) < 0.3).float()
    for name in ("fs_recurrent", "fs_recurrent_whole"):
        torch.manual_seed(3)
        network = models.create(
            name,
            neuron=models.factory("pculif", shape="channels", v_threshold=0.1, variant="superspike"),
            T=12,
            inputs=10,
            classes=3,
            hidden=[7, 6],
            output={"name": "culif", "v_threshold": 0.05, "variant": "superspike"},
        ).double()
        spikes = network.run(x.double())
        spikes.sum().backward()
        found.append((spikes.detach(), {key: p.grad for key, p in network.named_parameters()}))
    (expected, of_steps), (spikes, gradients) = found
    assert torch.equal(spikes, expected)
    assert spikes.any()
    assert any(isinstance(layer, WholeSameStep) for layer in network.modules())
    for key, gradient in of_steps.items():
        torch.testing.assert_close(gradients[key], gradient, rtol=1e-9, atol=1e-12)
