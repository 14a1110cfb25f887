"""Simulated layers of `relpsp` neurons converge to the closed form as steps get shorter, with two exceptions."""

from __future__ import annotations

import math
from math import inf

import pytest
import torch
from torch import Tensor, nn

import neurons
from models.ttfs.layers import Conv2d, EarliestPool2d, Encoding, Linear, Readout, SpikingLayer
from models.ttfs.numerics import numerics
from models.ttfs.stepwise import simulate, simulate_network, train_of

F64 = torch.float64
STEPS = (8, 16, 32, 64, 128, 256)


def layers(window: float = 1.0) -> list[tuple[SpikingLayer, Tensor]]:
    """Layers of each kind, with inputs of which a quarter is silent."""
    torch.manual_seed(2)
    how = numerics(window=window)
    found: list[tuple[SpikingLayer, Tensor]] = []
    for layer, shape in (
        (Linear(20, 30, numerics=how), (10, 20)),
        (Conv2d(3, 6, 3, padding=1, numerics=how), (4, 3, 7, 7)),
        (Conv2d(2, 5, (2, 3), stride=(1, 2), numerics=how), (6, 2, 8, 8)),
    ):
        times = window * torch.rand(shape, dtype=F64)
        times[torch.rand(shape) < 0.25] = inf
        found.append((layer.double(), times))
    return found


def slope(xs: list[float], ys: list[float]) -> float:
    """Of the line of least squares through logarithms."""
    x, y = ([math.log(v) for v in values] for values in (xs, ys))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


@pytest.mark.parametrize("window", [1.0, 5.0])
@pytest.mark.parametrize("which", range(3))
def test_the_simulation_is_late_by_less_than_a_step_and_converges_with_order_one(which: int, window: float) -> None:
    layer, times = layers(window)[which]
    closed = layer(times).detach()
    assert 0.1 < closed.isfinite().double().mean() < 0.95
    worst, mean = [], []
    for steps in STEPS:
        simulated = simulate(layer, times, steps)
        assert torch.equal(simulated.isfinite(), closed.isfinite()), "the same neurons are silent"
        late = (simulated - closed)[closed.isfinite()]
        assert late.min() >= -1e-12
        assert late.max() < window / steps + 1e-12
        worst.append(float(late.max()))
        mean.append(float(late[late > 0].mean()))
    dt = [window / steps for steps in STEPS]
    assert slope(dt, worst) == pytest.approx(1, abs=0.1)
    assert slope(dt, mean) == pytest.approx(1, abs=0.1)


def test_potentials_of_spikes_between_steps_are_exact() -> None:
    """0.3 windows lie between steps 1 and 2 of 4: a fifth of the way from the first."""
    train = train_of(torch.tensor([[0.3, 0.5, 0.0, inf]], dtype=F64), 4)
    assert train.shape == (9, 1, 4)
    assert train[:, 0].sum(0).tolist() == pytest.approx([1, 1, 1, 0])
    assert train[:3, 0, 0].tolist() == pytest.approx([0, 0.8, 0.2])
    assert train[2, 0, 1] == train[0, 0, 2] == 1
    potential = train.cumsum(0).cumsum(0)[:-1] / 4  # slope, then potential one step later
    t = torch.arange(1, 9, dtype=F64) / 4
    torch.testing.assert_close(potential[1:, 0, 0], (t - 0.3)[1:])


def hand(weights: list[float], times: list[float], steps: int = 1024) -> tuple[float, float]:
    """The closed form and the simulation of one neuron."""
    layer = Linear(len(weights), 1).double()
    layer.weight.data.copy_(torch.tensor([weights], dtype=F64))
    given = torch.tensor([times], dtype=F64)
    return layer(given).item(), simulate(layer, given, steps).item()


def test_an_input_after_its_window_is_the_first_exception() -> None:
    """It comes at 1.5 with a weight of -1. Before, V(1) = 0.6 and the threshold 1, they meet at 1.25 (local 0.25).

    In closed form it has acted from the start of the window on, with -1 (t - 1.5) > 0: the neuron fires at once."""
    closed, simulated = hand([0.6, -1.0], [0.0, 1.5])
    assert closed == 0.0
    assert simulated == pytest.approx(0.25, abs=1 / 1024)
    # with a weight that excites, the closed form is late: V = t - 0.5 + 0.5 (t - 1.5), met at 3.25 / 2.5 = 1.3
    closed, simulated = hand([1.0, 0.5], [0.5, 1.5])
    assert closed == pytest.approx(0.3)
    assert simulated == pytest.approx(0.25, abs=1 / 1024)


def test_an_input_before_its_window_is_none() -> None:
    """V = 0.5 (t + 0.4), met at 1.8 / 1.5 = 1.2."""
    closed, simulated = hand([0.5], [-0.4])
    assert closed == pytest.approx(0.2)
    assert simulated == pytest.approx(0.2, abs=1 / 1024)
    assert simulated >= closed


def test_an_empty_receptive_field_is_the_second_exception() -> None:
    """It fires at the last step, whatever the steps: no error that becomes smaller, and a spike that another rule,
    above the threshold and not at it, does not have."""
    for steps in STEPS:
        assert hand([5.0, -3.0], [inf, inf], steps) == (1.0, 1.0)
    neuron = neurons.create("relpsp", window=4, backend="torch")
    spikes = neuron(torch.zeros(12, 1, 1))
    assert spikes.flatten().nonzero().tolist() == [[8]]
    nearly = neuron.surrogate(torch.tensor(-1e-7))
    assert nearly == 0, "with any potential below 0 it is silent"


def test_layers_after_each_other_and_the_jump_where_a_neuron_falls_silent() -> None:
    """Fed with what was simulated below, a layer adds less than a step; errors of a network need not vanish."""
    torch.manual_seed(4)
    network = nn.Sequential(
        Encoding(), Conv2d(1, 4, 3, padding=1), EarliestPool2d(2), nn.Flatten(), Linear(64, 12), Readout(12, 3)
    ).double()
    images = torch.rand(5, 1, 8, 8, dtype=F64)
    found = simulate_network(network, images, 64)
    assert len(found) == 6
    assert found[-1].shape == (5, 3)
    for layer, given, out in ((network[1], found[0], found[1]), (network[4], found[3], found[4])):
        late = out - layer(given).detach()
        late = late[out.isfinite()]
        assert late.min() >= -1e-12
        assert late.max() < 1 / 64
    assert torch.equal(found[-1], network[5](found[4]).detach())


def test_neurons_fire_once_at_most() -> None:
    neuron = neurons.create("relpsp", window=16, backend="torch")
    spikes = neuron(torch.randn(60, 20, 10) * 3)
    counts = spikes.sum(0)
    assert set(counts.unique().tolist()) == {0.0, 1.0}
    assert spikes[:16].sum() == spikes[33:].sum() == 0, "in their window alone"


@pytest.mark.parametrize("window", [0, 2.5, True])
def test_windows_that_are_no_number_of_steps(window: object) -> None:
    with pytest.raises(ValueError, match="whole number of steps, at least 1"):
        neurons.create("relpsp", window=window)


def test_a_constant_threshold_is_not_simulated() -> None:
    with pytest.raises(ValueError, match="falling threshold"):
        simulate(Linear(2, 2, numerics=numerics(threshold=1.0)), torch.rand(1, 2), 4)
