"""Recurrence and the leaky readout, by hand and against loops."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import models
import neurons
from models.first_spike.feedback import fed_back
from models.readout import LeakyReadout
from models.recurrent import Recurrent
from neurons.base import Neuron
from training.measures import FiringRates


def recurrent(neuron: str = "lif", **options: object) -> Recurrent:
    torch.manual_seed(1)
    return Recurrent(neurons.create(neuron, **options), nn.Linear(4, 4))


def inputs(T: int = 6) -> Tensor:
    return 2 * torch.randn(T, 3, 4, generator=torch.Generator().manual_seed(2))


def test_a_neuron_that_silences_itself() -> None:
    feedback = nn.Linear(1, 1, bias=False)
    nn.init.constant_(feedback.weight, -2.0)
    layer = Recurrent(neurons.create("if"), feedback)
    spikes = layer(torch.ones(4, 1, 1)).flatten()
    # V: 1 fires; 0 + 1 - 2 = -1; -1 + 1 = 0; 0 + 1 fires
    assert spikes.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("neuron", [n for n in neurons.names() if neurons.registry.get(n).recurrent])
def test_it_is_the_loop_of_any_neuron(neuron: str) -> None:
    layer, x = recurrent(neuron), inputs()
    twin = copy.deepcopy(layer)
    before, expected = torch.zeros(3, 4), []
    for x_t in x:
        before = twin.neuron(x_t + twin.feedback(before))
        expected.append(before)
    spikes = layer(x)
    assert torch.equal(spikes, torch.stack(expected))
    layer.reset()
    assert torch.equal(torch.cat([layer(x[:2]), layer(x[2:])]), spikes)
    models.reset(layer)
    layer.step_mode = "s"
    assert torch.equal(torch.stack([layer(x_t) for x_t in x]), spikes)


def test_a_neuron_without_a_step_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="PSN has no single step"):
        Recurrent(neurons.create("psn", T=4), nn.Linear(4, 4))
    layer = recurrent()
    layer(inputs())
    with pytest.raises(ValueError, match=r"spikes fed back have shape \[3, 4\].*has \[2, 4\]; call reset\(\)"):
        layer(inputs()[:, :2])


def test_detach_ends_the_gradient_and_a_copy_keeps_the_state() -> None:
    layer, x = recurrent(), inputs().requires_grad_()
    layer(x[:3])
    twin = copy.deepcopy(layer)
    neurons.detach(layer)
    after = layer(x[3:])
    assert torch.equal(twin(x[3:]), after)
    after.sum().backward()
    assert x.grad is not None
    assert x.grad[:3].abs().sum() == 0
    assert x.grad[3:].abs().sum() > 0


def test_checkpoints_change_nothing() -> None:
    results = []
    for kept in (True, False):
        layer, x = recurrent("plif"), inputs().requires_grad_()
        first = layer(x[:3]) if kept else checkpoint(layer, x[:3], use_reentrant=False)
        second = layer(x[3:]) if kept else checkpoint(layer, x[3:], use_reentrant=False)
        (first.sum() + (second * inputs()[3:]).sum()).backward()
        results.append([first, second, x.grad, layer.neuron.v, *[p.grad for p in layer.parameters()]])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_its_spikes_count_once_and_those_of_a_readout_not_at_all() -> None:
    network = nn.Sequential(recurrent(), LeakyReadout((4,)))
    with FiringRates(network) as rates:
        spikes = network[0](inputs())
        network[1](spikes)
    found = {name: reading.value for name, reading in rates.values().items()}
    assert found == {"rate_0.neuron": pytest.approx(spikes.mean().item())}
    assert [type(m).__name__ for m in network.modules() if isinstance(m, Neuron)] == ["LIF"]


def test_a_leaky_readout_by_numbers() -> None:
    layer = LeakyReadout((1,))  # k = 1/2
    assert layer(torch.tensor([1.0, 1.0, 0.0]).view(3, 1, 1)).flatten().tolist() == [0.5, 0.75, 0.375]
    assert layer(torch.zeros(1, 1, 1)).item() == 0.1875  # carried over
    models.reset(layer)
    assert layer(torch.ones(1, 1, 1)).item() == 0.5
    models.detach(layer)
    assert not layer.o.requires_grad
    with pytest.raises(ValueError, match="outputs kept have shape"):
        layer(torch.ones(1, 2, 1))


def test_a_readout_learns_its_rate() -> None:
    layer = LeakyReadout((4,), p=3.0)
    layer(inputs()).sum().backward()
    assert layer.p.grad is not None
    assert layer.p.grad.abs().sum() > 0
    assert layer.p.sigmoid()[0].item() == pytest.approx(0.9526, abs=1e-4)


def test_a_late_neuron_is_fed_back_the_spikes_of_the_same_step() -> None:
    """Its recurrent layer is that of the other form, one step later, in whole, cut and single."""
    layers = []
    for variant in ("spikingjelly", "superspike"):
        back = nn.Linear(4, 4, bias=False)
        nn.init.constant_(back.weight, 0.5)
        layers.append(fed_back(neurons.create("culif", variant=variant, v_threshold=0.3), back))
    x = inputs(20)
    early, late = (layer(x) for layer in layers)
    assert early.any()
    assert torch.equal(late[1:], early[:-1])
    layers[1].reset()
    assert torch.equal(torch.cat([layers[1](x[:7]), layers[1](x[7:])]), late)
