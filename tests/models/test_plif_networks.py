"""The PLIF networks: sizes from the paper, and the traps that are easy to fall into."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import models
from core.registry import UnknownName
from models.layers import AvgPool2d, Conv2d, MaxPool2d, SharedDropout, StepBatchNorm2d, Vote
from models.network import Network

# Spec, section 2: trainable parameters with PLIF and with LIF.
SIZES = {
    "plif_mnist": (13_198_980, 13_198_976),
    "plif_cifar10": (36_718_344, 36_718_336),
    "plif_nmnist": (17_132_292, 17_132_288),
    "plif_cifar10dvs": (17_427_718, 17_427_712),
    "plif_dvs128gesture": (1_698_311, 1_698_304),
}


def neuron(name: str = "plif") -> models.NeuronFactory:
    return models.factory(name, detach_reset=True)


@pytest.mark.parametrize("name", SIZES)
def test_parameter_counts(name: str) -> None:
    for kind, expected in zip(("plif", "lif"), SIZES[name], strict=True):
        with torch.device("meta"):
            network = models.create(name, neuron=neuron(kind))
        assert sum(p.numel() for p in network.parameters()) == expected


def test_an_unknown_network_is_answered() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'plif_mnist'"):
        models.create("plif_mnst", neuron=neuron())


def small() -> Network:
    return models.create("plif_mnist", neuron=neuron(), side=8, channels=4, hidden=20, T=6)


def test_outputs_are_the_votes_of_every_step() -> None:
    network = small()
    with torch.no_grad():
        for parameter in network.fc.parameters():
            parameter.mul_(6)  # as drawn, the last layer is silent
    out = network.run(torch.randn(5, 1, 8, 8) * 3).detach()
    assert out.shape == (6, 5, 10)
    assert out.max() > 0
    assert ((out * 10).round() - out * 10).abs().max() < 1e-4  # multiples of 0.1
    assert out.min() >= 0
    assert out.max() <= 1


def test_the_static_encoder_is_evaluated_once_a_batch_and_the_rest_once_a_step() -> None:
    network = small().train()
    network.run(torch.randn(5, 1, 8, 8))
    counts = [int(m.num_batches_tracked) for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert counts == [1, 6]


def test_batch_norm_belongs_to_a_step() -> None:
    x = torch.randn(4, 3, 2, 5, 5) * torch.arange(1, 5).view(4, 1, 1, 1, 1)
    layer, merged = StepBatchNorm2d(2), torch.nn.BatchNorm2d(2)
    steps = layer(x)
    np.testing.assert_allclose(steps.detach().mean(dim=(1, 3, 4)), np.zeros((4, 2)), atol=1e-5)
    np.testing.assert_allclose(steps.detach().var(dim=(1, 3, 4), correction=0), np.ones((4, 2)), atol=1e-3)
    assert not torch.allclose(steps, merged(x.flatten(0, 1)).unflatten(0, (4, 3)))
    expected = torch.zeros(2)
    for step in x:  # momentum 0.1, once a step
        expected = 0.9 * expected + 0.1 * step.mean(dim=(0, 2, 3))
    torch.testing.assert_close(layer.running_mean, expected)
    merged.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer.eval()(x), merged.eval()(x.flatten(0, 1)).unflatten(0, (4, 3)))


def test_folding_time_changes_nothing() -> None:
    conv, x = Conv2d(2, 3, 3, padding=1, bias=False), torch.randn(5, 4, 2, 6, 6)
    by_step = torch.stack([torch.nn.functional.conv2d(step, conv.weight, padding=1) for step in x])
    torch.testing.assert_close(conv(x), by_step)


def test_dropout_shares_one_mask_until_the_reset() -> None:
    layer, x = SharedDropout(0.5), torch.ones(7, 20, 30)
    first = layer(x)
    assert set(first.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(first, first[:1].expand(7, -1, -1))
    assert torch.equal(layer(x), first)  # a sequence cut in two keeps its mask
    layer.reset()
    assert not torch.equal(layer(x), first)
    assert torch.equal(layer.eval()(x), x)


def test_pooling_of_spikes() -> None:
    spikes = (torch.rand(3, 2, 4, 8, 8) < 0.4).float()
    assert set(MaxPool2d(2)(spikes).unique().tolist()) == {0.0, 1.0}
    assert set(AvgPool2d(2)(spikes).unique().tolist()) == {0.0, 0.25, 0.5, 0.75, 1.0}


def test_max_pooling_sends_the_gradient_to_the_first_of_equals() -> None:
    x = torch.ones(1, 1, 1, 2, 2, requires_grad=True)
    MaxPool2d(2)(x).sum().backward()
    assert x.grad.flatten().tolist() == [1, 0, 0, 0]


def test_votes_are_means_of_consecutive_groups() -> None:
    x = torch.zeros(1, 1, 20)
    x[..., :3] = 1
    x[..., 10:] = 1
    torch.testing.assert_close(Vote()(x), torch.tensor([[[0.3, 1.0]]]))


def test_event_networks_see_frame_t_at_step_t() -> None:
    network = models.create("plif_nmnist", neuron=neuron(), T=3, side=8, channels=4, hidden=10).eval()
    frames = torch.randn(2, 3, 2, 8, 8) * 3
    whole = network.run(frames)
    models.reset(network)
    with torch.no_grad():
        one_by_one = torch.cat([network(frames[:, t : t + 1].transpose(0, 1)) for t in range(3)])  # states carry over
    torch.testing.assert_close(one_by_one, whole)


def test_a_wrong_number_of_frames_is_refused() -> None:
    network = models.create("plif_nmnist", neuron=neuron(), T=3, side=8, channels=2)
    with pytest.raises(ValueError, match="built for 3 frames, the input has 4"):
        network.run(torch.zeros(1, 4, 2, 8, 8))


def test_too_many_poolings_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing of a 8x8 input"):
        models.create("plif_dvs128gesture", neuron=neuron(), side=8)


def test_rates_fall_with_tau_and_depth() -> None:
    """Mechanism of claim C2 without training: noise through random weights (spec, section 11)."""
    from training.measures import FiringRates

    rates = {}
    for tau in (1.1, 2.0, 4.0, 16.0):
        torch.manual_seed(5)
        network = models.create(
            "plif_cifar10", neuron=models.factory("lif", tau=tau), side=8, inputs=1, channels=12, hidden=64
        )
        with torch.no_grad(), FiringRates(network) as seen:
            network.run(torch.randn(32, 1, 8, 8))
        rates[tau] = [reading.value for reading in seen.values().values()]
    first = [rates[tau][0] for tau in rates]
    assert first == sorted(first, reverse=True)
    assert rates[16.0][0] < 0.1 * rates[2.0][0]
    assert sum(rates[16.0][3:]) < 0.01  # nothing arrives deep in the network
