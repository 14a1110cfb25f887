"""The networks of the FPTT work: sizes as published, any neuron in them, pieces, and what starts from where."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import models
import neurons
from core.registry import UnknownName
from models.fptt.neurons import NEURONS
from models.fptt.spyv4 import SPYv4
from models.fptt.streams import Streams
from models.layers import StepBatchNorm2d
from models.network import Network
from models.readout import LiquidReadout
from models.recurrent import Potentials, Recurrent
from models.steps import Lagged, TimeBatchNorm1d
from neurons.adaptive_threshold import LTC, IzhikevichLike
from neurons.base import Neuron
from neurons.gates import Convolved, Maps


def factory(kind: str, **more: Any) -> models.NeuronFactory:
    name, options = NEURONS[kind]
    return models.factory(name, **{**options, **more})


V1 = {"channels": [32, 128, "P", 256, "P", 512, "P"], "recurrent": True}

# Row of the published table (with its number): network, its options, the neurons of the work in it.
SIZES: dict[str, tuple[int, str, dict[str, Any], str]] = {
    "adding LTC H=128": (82_689, "fptt_adding", {}, "adding"),
    "adding LSTM H=128": (67_713, "fptt_adding_lstm", {}, "adding"),
    "adding RNN H=128": (17_025, "fptt_adding_rnn", {}, "adding"),
    "S-MNIST 1-layer H=128": (84_595, "fptt_sequential", {"hidden": 128}, "sequential"),
    "S-MNIST 1-layer H=256": (332_787, "fptt_sequential", {}, "sequential"),
    "S-MNIST 1-layer H=512": (1_320_691, "fptt_sequential", {"hidden": 512}, "sequential"),
    "S-MNIST 2-layer H=128": (183_925, "fptt_sequential", {"hidden": 128, "layers": 2}, "sequential"),
    "S-MNIST 2-layer H=256": (728_053, "fptt_sequential", {"layers": 2}, "sequential"),
    "gesture dense dp2 (4 LTC layers) H=512": (6_303_254, "fptt_gesture", {}, "gesture"),
    "gesture dense ref H=512": (4_728_854, "fptt_gesture", {"streams": "summed", "deep": False}, "gesture_refractory"),
    "gesture dense single layer H=512": (2_366_486, "fptt_gesture", {"streams": "single", "deep": False}, "gesture"),
    "gesture dense ASRNN H=512": (1_845_270, "fptt_gesture", {"deep": False, "pool": "max"}, "gesture_asrnn"),
    "gesture dense ASRNN plus H=512": (1_845_270, "fptt_gesture", {"deep": False}, "gesture_asrnn_plus"),
    "gesture e-prop ALIF H=512": (1_317_910, "fptt_gesture", {"streams": "single", "deep": False}, "gesture_eprop"),
    "gesture conv v4 (recurrent last layer) H=512": (
        14_378_195,
        "fptt_gesture_conv",
        {"recurrent": True},
        "gesture_conv",
    ),
    "gesture conv as logged H=512": (14_116_051, "fptt_gesture_conv", {}, "gesture_conv"),
    "28x28 CNN H=256": (5_634_215, "fptt_images", {}, "images"),
    "28x28 CNN H=512": (10_619_047, "fptt_images", {"hidden": 512}, "images"),
    "28x28 CNN v1 H=256": (9_570_983, "fptt_images", V1, "images"),
    "28x28 CNN v1 H=512": (12_720_807, "fptt_images", {**V1, "hidden": 512}, "images"),
    "CIFAR-10 CNN H=256": (7_434_587, "fptt_cifar10", {}, "cifar10"),
    "SPYv4": (13_956_216, "fptt_spyv4", {}, "spyv4"),
}


@pytest.mark.parametrize("row", SIZES)
def test_parameter_counts(row: str) -> None:
    published, name, options, kind = SIZES[row]
    with torch.device("meta"):
        network = models.create(name, neuron=factory(kind), **options)
    assert sum(p.numel() for p in network.parameters()) == published


def test_the_three_layer_gesture_net_but_for_vectors_that_it_never_uses() -> None:
    """Published: 4,994,070. Each of the three layers of the released one has two vectors that are never read."""
    with torch.device("meta"):
        network = models.create("fptt_gesture", neuron=factory("gesture_default"), deep=False, dropout=0.0)
    assert sum(p.numel() for p in network.parameters()) + 3 * 2 * 512 == 4_994_070


def test_the_network_of_the_broken_quadratic_neuron() -> None:
    network = models.create("fptt_gesture", neuron=lambda shape: IzhikevichLike(shape=shape), deep=False)
    assert sum(p.numel() for p in network.parameters()) == 1_845_270


def test_the_second_layer_with_and_without_the_slip_has_as_many_parameters() -> None:
    counts = set()
    for released in (True, False):
        made = models.create("fptt_sequential", neuron=factory("sequential"), layers=2, hidden=8, released=released)
        counts.add(sum(p.numel() for p in made.parameters()))
        assert any(isinstance(layer, Lagged) for layer in made.modules()) is released
    assert len(counts) == 1


TINY: dict[str, Any] = {"side": 8, "channels": [3, 4, "P"], "hidden": 6}

# Small builds: options, shape of a batch, neurons of the work, shape of an answer.
SMALL: dict[str, tuple[str, dict[str, Any], tuple[int, ...], str, tuple[int, ...]]] = {
    "adding": ("fptt_adding", {"T": 6, "hidden": 5}, (3, 6, 2), "adding", (1, 3, 1)),
    "asrnn": ("fptt_adding", {"T": 6, "hidden": 5}, (3, 6, 2), "adding_asrnn", (1, 3, 1)),
    "sequential": ("fptt_sequential", {"side": 3, "hidden": 6}, (4, 1, 3, 3), "sequential", (1, 4, 10)),
    "two layers": ("fptt_sequential", {"side": 3, "hidden": 6, "layers": 2}, (4, 1, 3, 3), "sequential", (1, 4, 10)),
    "corrected": (
        "fptt_sequential",
        {"side": 3, "hidden": 6, "layers": 2, "released": False, "order": "rows"},
        (4, 1, 3, 3),
        "sequential",
        (1, 4, 10),
    ),
    "images": ("fptt_images", {**TINY, "T": 5}, (3, 1, 8, 8), "images", (5, 3, 10)),
    "recurrent images": ("fptt_images", {**TINY, "T": 5, "recurrent": True}, (3, 1, 8, 8), "images", (5, 3, 10)),
    "cifar10": ("fptt_cifar10", {**TINY, "T": 5}, (3, 3, 8, 8), "cifar10", (5, 3, 10)),
    "gesture conv": (
        "fptt_gesture_conv",
        {**TINY, "kernels": [5, 3], "T": 5, "recurrent": True, "dropout": 0.0},
        (3, 5, 2, 8, 8),
        "gesture_conv",
        (5, 3, 11),
    ),
    "spyv4": (
        "fptt_spyv4",
        {"T": 5, "divisor": 16, "classes": 2, "dropout": 0.0},
        (2, 3, 64, 64),
        "spyv4",
        (5, 2, 60, 7),
    ),
    **{
        f"gesture {kind} {streams}": (
            "fptt_gesture",
            {"side": 8, "hidden": 6, "T": 5, "streams": streams, "deep": deep, "dropout": 0.0},
            (3, 5, 2, 8, 8),
            kind,
            (5, 3, 11),
        )
        for kind, streams, deep in (
            ("gesture", "concatenated", True),
            ("gesture_refractory", "summed", False),
            ("gesture_asrnn", "concatenated", False),
            ("gesture_asrnn_plus", "single", False),
        )
    },
}


def small(name: str, neuron: models.NeuronFactory | None = None) -> tuple[Network, torch.Tensor]:
    torch.manual_seed(3)
    model, options, shape, kind, _ = SMALL[name]
    return models.create(model, neuron=neuron or factory(kind, backend="torch"), **options), torch.rand(shape)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_of_the_work_answers_learns_and_is_cut(name: str) -> None:
    network, x = small(name)
    answer = network.run(x)
    assert answer.shape == SMALL[name][-1]
    answer.square().sum().backward()
    without = {key for key, p in network.named_parameters() if p.grad is None}
    # On the adding task the threshold is constant: the gate of the adaptation is there and takes no part.
    constant = {key for key, _ in network.named_parameters() if "gates.adaptation" in key and name == "adding"}
    assert without - {"unused"} == constant
    assert ("unused" in without) is hasattr(network, "unused")
    models.reset(network)
    network.eval()
    with torch.no_grad():
        sequence = network.encode(x)
        outputs = []
        for cut in (len(sequence), 1, 3):
            with neurons.drawn_from(torch.Generator().manual_seed(1)):
                outputs.append(torch.cat([network(part) for part in (sequence[:cut], sequence[cut:]) if len(part)]))
            models.reset(network)
    for cut in outputs[1:]:
        torch.testing.assert_close(cut, outputs[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_training_in_pieces_moves_the_statistics_of_each_step_once_and_sends_no_gradient_back(name: str) -> None:
    network, x = small(name)
    whole = models.create(SMALL[name][0], neuron=factory(SMALL[name][3], backend="torch"), **SMALL[name][1])
    whole.load_state_dict(network.state_dict())
    for made, cut in ((network, 2), (whole, network.T)):
        sequence = made.encode(x).clone().requires_grad_()
        with neurons.drawn_from(torch.Generator().manual_seed(1)):
            made(sequence[:cut])
            if cut < len(sequence):
                models.detach(made)
                made(sequence[cut:]).square().sum().backward()
                assert sequence.grad is not None
                assert not sequence.grad[:cut].any()
                assert sequence.grad[cut:].any()
        models.reset(made)
    for (key, first), second in zip(network.named_buffers(), whole.buffers(), strict=True):
        torch.testing.assert_close(first, second, msg=key)


WITHOUT_STEP = [n for n in neurons.names() if not neurons.registry.get(n).has_step()]


# Options and shape of a batch of six steps.
SIX: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "fptt_adding": ({"T": 6}, (4, 6, 2)),
    "fptt_sequential": ({"side": 2, "width": 3, "layers": 2}, (4, 1, 2, 3)),
    "fptt_images": ({**TINY, "T": 6}, (4, 1, 8, 8)),
    "fptt_gesture": ({"side": 8, "T": 6}, (4, 6, 2, 8, 8)),
    "fptt_gesture_conv": ({**TINY, "kernels": 3, "T": 6}, (4, 6, 2, 8, 8)),
}


@pytest.mark.parametrize("neuron", neurons.names())
@pytest.mark.parametrize("model", SIX)
def test_every_neuron_of_the_suite_takes_part(model: str, neuron: str) -> None:
    options, shape = SIX[model]
    recurrent = neurons.registry.get(neuron).has_step()
    made = factory_of(neuron, 6)
    network = models.create(model, neuron=made, **{**options, "hidden": 5, "recurrent": recurrent})
    assert network.T == 6
    out = network.run(torch.rand(shape))
    assert out.shape[:2] == (6 - network.silent, 4)
    out.sum().backward()
    models.reset(network)
    assert network.uncut() == [
        key for key, layer in network.named_modules() if isinstance(layer, Neuron) and not layer.recurrent
    ]


@pytest.mark.parametrize("neuron", neurons.names())
def test_every_neuron_of_the_suite_detects(neuron: str) -> None:
    network = models.create("fptt_spyv4", neuron=factory_of(neuron, 2), T=2, divisor=32, classes=1)
    out = network.run(torch.rand(2, 3, 32, 32))
    assert out.shape == (2, 2, 15, 6)
    out.sum().backward()


def factory_of(neuron: str, T: int) -> models.NeuronFactory:
    return models.factory(neuron, **neurons.registry.get(neuron).example(T))


def test_a_neuron_without_a_step_cannot_be_fed_back() -> None:
    assert WITHOUT_STEP
    with pytest.raises(ValueError, match="no single step, so nothing can be fed back"):
        models.create("fptt_adding", neuron=factory_of(WITHOUT_STEP[0], 6), T=6, hidden=5)


def test_joint_weights_start_as_one_matrix() -> None:
    # PyTorch's bound is 1 / sqrt(inputs + hidden) for both parts.
    network, _ = small("adding")
    wide = models.create("fptt_adding", neuron=factory("adding"), hidden=200, T=3)
    linear, read = wide.hidden
    for weight in (linear.weight, read.layer.feedback.weight):
        assert weight.abs().max().item() == pytest.approx(202**-0.5, rel=0.02)
    assert network.readout.weight.shape == (1, 5)


def test_sequences_of_another_length_and_layers_are_refused() -> None:
    network, _ = small("adding")
    with pytest.raises(ValueError, match="built for sequences of 6 steps, the input has 7"):
        network.run(torch.rand(3, 7, 2))
    with pytest.raises(ValueError, match=r"one or two layers, .* got layers=3"):
        models.create("fptt_sequential", neuron=factory("sequential"), layers=3)
    lstm = models.create("fptt_adding_lstm", neuron=None, T=4)
    lstm(torch.rand(2, 3, 2))
    with pytest.raises(ValueError, match=r"that of 3 samples, this input has 2; call reset\(\)"):
        lstm(torch.rand(2, 2, 2))


def test_batch_norm_of_a_step_by_hand() -> None:
    norm = TimeBatchNorm1d(1, T=2, weight=0.5, eps=1e-12)
    x = torch.tensor([[[1.0], [3.0]], [[10.0], [30.0]]])  # means 2 and 20, deviations 1 and 10
    assert norm(x).flatten().tolist() == [-0.5, 0.5, -0.5, 0.5]
    torch.testing.assert_close(norm.running_mean, torch.tensor([[0.2], [2.0]]))
    torch.testing.assert_close(norm.running_var, torch.tensor([[1.1], [0.9 + 0.1 * 200]]))  # unbiased: 2 and 200
    with pytest.raises(ValueError, match=r"statistics of T=2 steps, 3 were given since the last reset\(\)"):
        norm(x[:1])
    norm.reset()
    single = TimeBatchNorm1d(1, T=2, weight=0.5, eps=1e-12, step_mode="s")
    assert torch.equal(torch.stack([single(step) for step in x]), norm(x))
    norm.eval()
    norm.reset()
    expected = (x - norm.running_mean[:, None]) / norm.running_var[:, None].sqrt() * 0.5
    torch.testing.assert_close(norm(x), expected)
    with pytest.raises(ValueError, match="Unknown step mode 'x'"):
        TimeBatchNorm1d(1, T=2, step_mode="x")


def test_gates_have_the_kernel_of_the_convolution_in_front_of_them() -> None:
    network, _ = small("gesture conv")
    kernels = [
        (layer.gates.membrane[0].kernel_size, layer.gates.adaptation[0].kernel_size)
        for layer in network.modules()
        if isinstance(layer, LTC) and isinstance(layer.gates, Convolved)
    ]
    assert kernels == [((5, 5), (5, 5)), ((3, 3), (3, 3))]
    fixed = neurons.create("ltc", gates={"name": "conv", "kernel": 1}, shape=Maps(4, 5))
    assert fixed.gates.membrane[0].kernel_size == (1, 1)


def test_pooling_acts_on_the_current() -> None:
    network, _ = small("images")
    kinds = [type(layer).__name__ for layer in network.conv]
    assert kinds == ["Conv2d", "StepBatchNorm2d", "LTC", "Conv2d", "StepBatchNorm2d", "MaxPool2d", "LTC"]
    assert not any(isinstance(m, StepBatchNorm2d | nn.BatchNorm2d) for m in small("cifar10")[0].modules())


def test_polarity_1_comes_first_and_a_sum_is_one() -> None:
    x = torch.rand(2, 3, 2, 4, 4)
    for summed in (False, True):
        streams = Streams(nn.Identity(), nn.Identity(), summed=summed)
        first, second = x[:, :, 0].flatten(2), x[:, :, 1].flatten(2)
        assert torch.equal(streams(x), second + first if summed else torch.cat([second, first], -1))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("fptt_images", {"channels": ["P", 3]}, "lists widths"),
        ("fptt_images", {"side": 2, "channels": [3, "P", 3, "P"]}, "2 poolings leave nothing of a side of 2"),
        ("fptt_gesture_conv", {"channels": [3], "kernels": [3, 3]}, "1 convolutions and 2 kernels"),
        ("fptt_gesture", {"side": 2}, "leaves nothing of a side of 2"),
        ("fptt_gesture", {"streams": "mixed"}, "concatenated"),
        ("fptt_gesture", {"pool": "mean"}, "average"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(model: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, UnknownName), match=message):
        models.create(model, neuron=factory("images"), **options)


def test_recurrence_resets_what_its_feedback_keeps() -> None:
    layer = Recurrent(neurons.create("lif"), nn.Sequential(nn.Linear(4, 4), TimeBatchNorm1d(4, T=3, step_mode="s")))
    x = 2 * torch.rand(3, 5, 4)
    first = layer(x)
    layer.reset()
    assert torch.equal(layer(x), first)


def test_potentials_are_those_after_the_reset() -> None:
    read = Potentials(neurons.create("if"))
    x = torch.tensor([0.6, 0.6, 0.6]).view(3, 1, 1)
    torch.testing.assert_close(read(x).flatten(), torch.tensor([0.6, 0.0, 0.6]))
    psn = neurons.create("psn", T=3)
    assert torch.equal(Potentials(psn)(x), psn(x))


def test_a_liquid_readout_by_hand() -> None:
    readout = LiquidReadout(1, slope=True)
    with torch.no_grad():
        readout.mixing.weight.copy_(torch.tensor([[2.0, -3.0]]))
        readout.mixing.bias.zero_()
    o1 = torch.sigmoid(torch.tensor(2.0))  # from 0 towards 1
    o2 = o1 + torch.sigmoid(2 * 0.5 - 3 * o1) * (0.5 - o1)
    found = readout(torch.tensor([1.0, 0.5]).view(2, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.stack([o1, o2]))


def test_the_detector_doubles_its_neck_and_drops_colours() -> None:
    network, x = small("spyv4")
    assert isinstance(network, SPYv4)
    blocks = [*network.stem[2:], network.block]
    assert [block.joined[0].out_channels for block in blocks] == [4, 8, 16]
    assert network.fine[0][0].in_channels == 8 + 16
    liquid = [layer for layer in network.modules() if isinstance(layer, LTC)]
    assert len(liquid) == 19
    assert all(layer.gates.membrane[0].kernel_size == (3, 3) for layer in liquid)
    biased = [block.whole[0].bias is not None for block in blocks]
    assert biased == [False] * 3
    assert network.up[0].bias is not None
    made = models.create("fptt_spyv4", neuron=factory("spyv4"), T=50, divisor=16, dropout=0.5)
    seen = made.dropout(made.encode(torch.ones_like(x)))
    whole = seen.flatten(3)
    assert ((whole == 0).all(-1) | (whole == 2).all(-1)).all()
    assert 0.4 < (whole[..., 0] == 0).float().mean() < 0.6
    assert (whole[0] != whole[1:]).any()


@pytest.mark.parametrize("side", [(48, 48), (32, 64)])
def test_pictures_of_no_whole_cells_are_refused(side: tuple[int, int]) -> None:
    network, _ = small("spyv4")
    with pytest.raises(ValueError, match=f"a multiple of 32 pixels, these have {side[0]} x {side[1]}"):
        network.run(torch.rand(1, 3, *side))


@pytest.mark.parametrize("divisor", [0, 3, 64])
def test_channels_that_cannot_be_divided_are_refused(divisor: int) -> None:
    with pytest.raises(ValueError, match=f"32 channels cannot be divided by {divisor}"):
        models.create("fptt_spyv4", neuron=factory("spyv4"), divisor=divisor)
