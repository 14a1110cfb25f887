"""First-spike times, losses and decisions by hand; tests/golden_first_spike_coding.py has the reference vectors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import models
import neurons
from models.spikes import WithPotentials
from training import first_spike as fs
from training.descent import Descent


def trains(T: int, *fired: list[int], potentials: list[float] | None = None) -> Tensor:
    """Outputs of one sample whose neurons fire at these steps (from 0)."""
    spikes = torch.zeros(T, 1, len(fired))
    for neuron, steps in enumerate(fired):
        spikes[steps, 0, neuron] = 1
    if potentials is None:
        return spikes
    return torch.stack([spikes, torch.tensor(potentials).expand(T, 1, -1)], 2)


def test_times_are_steps_from_1_and_silent_neurons_come_by_their_potential() -> None:
    outputs = trains(10, [], [3, 5], [], [0], potentials=[-1.0, 0.5, -0.5, 0.1])
    # places by potential: 4, 1, 3, 2; the neurons that fire have one, too
    assert fs.first_times(outputs).tolist() == [[14, 4, 13, 1]]
    assert fs.first_times(outputs[:, :, 0]).tolist() == [[11, 4, 13, 1]], "without potentials by number"


def test_decisions_with_ties_and_without_spikes() -> None:
    assert fs.first_spike(trains(5, [4], [2, 3], [2, 3, 4])).tolist() == [1], "the lowest index of the earliest"
    assert fs.firing_rate(trains(5, [4], [2, 3], [2, 3, 4])).tolist() == [2]
    silent = trains(5, [], [], [], potentials=[-2.0, -3.0, -1.0])
    assert fs.first_spike(silent).tolist() == [2], "the highest potential"
    assert fs.firing_rate(silent).tolist() == [0]


def test_the_error_of_a_time_reaches_the_steps_around_it() -> None:
    spikes = trains(8, [3], []).requires_grad_()
    fs.first_times(spikes, D=8, A=2.0)[0].backward(torch.tensor([1.0, 0.0]))
    expected = [-2 * math.exp(-((step - 3) ** 2) / 2) if abs(step - 3) <= 3 else 0 for step in range(8)]
    assert spikes.grad[:, 0, 0].tolist() == pytest.approx(expected)  # sigma = 8/8, 7 steps wide
    assert not spikes.grad[:, 0, 1].any()
    spikes.grad = None
    fs.first_times(spikes, D=8, A=2.0)[0].backward(torch.tensor([0.0, 1.0]))
    whole = 1 + 2 * sum(math.exp(-(j**2) / 2) for j in (1, 2, 3))
    assert spikes.grad[4, 0, 1].item() == pytest.approx(-2 * whole), "of a silent neuron at every step"


@pytest.mark.parametrize(
    ("T", "D", "sigma", "length"), [(100, 16, 6, 37), (120, 16, 7, 43), (250, 16, 15, 91), (160, 4, 40, 161)]
)
def test_windows_of_the_work(T: int, D: int, sigma: int, length: int) -> None:
    found = fs.window(T, D)
    assert len(found) == length
    assert found[length // 2 + sigma].item() == pytest.approx(math.exp(-0.5))


def test_only_a_label_that_never_fires_is_penalised() -> None:
    outputs, options = trains(10, [3], []), {"alpha": 0.2, "D": 5}
    plain = [fs.first_spike_loss(outputs, torch.tensor([c]), treg_lambda=0.0, **options) for c in (0, 1)]
    # times 4 and 12
    assert plain[0].item() == pytest.approx(math.log1p(math.exp(-0.2 * 8)))
    late = [fs.first_spike_loss(outputs, torch.tensor([c]), treg_lambda=0.5, **options) for c in (0, 1)]
    assert late[0].item() == pytest.approx(plain[0].item())
    assert late[1].item() == pytest.approx(plain[1].item() + 0.5 * math.expm1(0.02 * 12))


def test_rate_loss_by_hand() -> None:
    loss = fs.firing_rate_loss(trains(4, [0, 1], [2]), torch.tensor([0]), alpha=4.0)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)))


def test_what_is_no_spikes_is_refused() -> None:
    for decide in (fs.first_spike, fs.firing_rate):
        with pytest.raises(ValueError, match="hold values other than 0 and 1"):
            decide(torch.full((3, 1, 2), 0.5))
    with pytest.raises(ValueError, match=r"have shape \[3, 1, 3, 2\]"):
        fs.first_times(torch.zeros(3, 1, 3, 2))
    with pytest.raises(ValueError, match="D=16 is more than its 8 steps"):
        fs.first_times(trains(8, [1]).requires_grad_()).sum().backward()


def test_an_output_layer_tells_its_potentials() -> None:
    x = torch.randn(12, 3, 4, dtype=torch.float64)
    outputs = WithPotentials(neurons.create("culif"))(x)
    spikes = neurons.create("culif")(x)
    assert torch.equal(outputs[:, :, 0], spikes)
    assert torch.equal(outputs[:, :, 1] >= 0, spikes.bool())
    for name in ("psn", "izhikevich_like"):
        neuron = neurons.create("psn", T=4) if name == "psn" else neurons.base.Neuron()
        with pytest.raises(TypeError, match="threshold and a single step"):
            WithPotentials(neuron)


@pytest.mark.parametrize("loss", [{"name": "first_spike", "D": 2}, {"name": "firing_rate"}])
def test_any_spiking_network_learns_by_it(loss: dict[str, Any]) -> None:
    """A network of the suite whose outputs are spikes: the loss falls, and gradients add up where they are kept."""
    torch.manual_seed(2)
    lif = models.factory("lif", v_threshold=0.3)
    network = models.create("sequential_fc", neuron=lif, order="rows", side=8, hidden=16, classes=3)
    network.fc.append(WithPotentials(lif((3,))))
    scheme = Descent(
        network, loss=loss, decision={"name": loss["name"]}, optimizer={"name": "adam", "lr": 0.02, "amsgrad": True}
    )
    x, labels = 3 * torch.rand(12, 1, 8, 8), torch.arange(12) % 3
    losses = [scheme.train_batch(x, labels).scalars["loss"].item() for _ in range(15)]
    assert min(losses[-3:]) < 0.9 * losses[0]
    assert scheme.decide(scheme.outputs(x)).shape == (12,)
