"""What users do to layers and tensors, in a chain as with the layers one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_chain import TIGHT, apart, drive, layers
from torch import Tensor, nn

import neurons
from models.chain import Chain
from models.layers import AvgPool1d, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, MaxPool2d, StepBatchNorm2d
from neurons import blocks
from neurons.backends.fused import packed
from neurons.base import ThresholdNeuron

STEPS = 4


@pytest.fixture(autouse=True)
def _inputs_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones are packed, too."""
    monkeypatch.setattr(packed, "SMALLEST", 0)


def close(one: Tensor | None, two: Tensor | None) -> bool:
    if one is None or two is None:
        return one is two
    return torch.allclose(one, two, rtol=TIGHT, atol=TIGHT, equal_nan=True)


def weighted(y: Tensor) -> Tensor:
    return (y * drive(*y.shape, seed=1)).sum()


class Reversal(torch.autograd.Function):
    """The input as a view, the gradient with the other sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return -g


def hooked(x: Tensor) -> Tensor:
    repeated = blocks.repeat(x * 1, STEPS)
    repeated.register_hook(lambda g: 5 * g)
    return repeated


@pytest.mark.parametrize("name", ["plif", "psn"])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: blocks.repeat(Reversal.apply(x * 1), STEPS),
        lambda x: Reversal.apply(blocks.repeat(x * 1, STEPS)),
        lambda x: Reversal.apply(x * 1).expand(STEPS, *x.shape),
        lambda x: blocks.repeat(torch._neg_view(x * 1), STEPS),
        hooked,
        lambda x: blocks.repeat(x * 1, 1),
    ],
)
def test_gradients_through_a_repeated_step(make: Callable[[Tensor], Tensor], name: str) -> None:
    found = []
    steps = len(make(drive(2, 3, 6, 6).requires_grad_()))
    chain = layers(BatchNorm2d, MaxPool2d(2), 3, name, **({"T": steps} if name == "psn" else {}))
    for network in (chain, apart(chain)):
        x = drive(2, 3, 6, 6).requires_grad_()
        weighted(network(make(x))).backward()
        found.append(x.grad)
    assert close(*found)


@pytest.mark.parametrize("first", [[], [Conv2d(3, 3, 3, padding=1)]])
def test_a_repeated_step_whose_own_gradient_is_asked_for(first: list[nn.Module]) -> None:
    found = []
    chain = Chain(*first, *layers(BatchNorm2d, MaxPool2d(2), 3)).double()
    for network in (chain, apart(chain)):
        one = drive(2, 3, 6, 6).requires_grad_()
        leaf = blocks.repeat(one.detach(), STEPS).requires_grad_()
        weighted(network(leaf)).backward()
        neurons.reset(network)
        kept = blocks.repeat(one * 1, STEPS)
        kept.retain_grad()
        weighted(network(kept)).backward()
        neurons.reset(network)
        with torch.no_grad():
            cut = blocks.repeat(one, STEPS)
        weighted(network(cut.detach())).backward()
        found.append([leaf.grad, kept.grad, one.grad])
    for one, two in zip(*found, strict=True):
        assert close(one, two)


def test_a_step_repeated_without_gradients_gets_none() -> None:
    one = drive(2, 3, 6, 6).requires_grad_()
    with torch.no_grad():
        cut = blocks.repeat(one, STEPS)
    weighted(layers(BatchNorm2d, MaxPool2d(2), 3)(cut)).backward()
    assert one.grad is None


def test_steps_behind_a_convolution_can_be_written_to() -> None:
    class Pushed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                x[0] += 1
            return x

    found = []
    for kind in (Chain, nn.Sequential):
        torch.manual_seed(0)
        network = kind(Conv2d(3, 3, 3), Pushed(), nn.ReLU(inplace=True)).double()
        y = network(blocks.repeat(drive(2, 3, 6, 6), STEPS))
        alone = kind(network[0])(blocks.repeat(drive(2, 3, 6, 6), STEPS))
        with torch.no_grad():
            alone[0] = 0
        found.append((y, alone))
    for one, two in zip(*found, strict=True):
        assert close(one, two)


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_second_derivatives_through_packed_spikes(backend: str) -> None:
    torch.manual_seed(0)
    middle = neurons.create("lif", backend=backend)
    chain = Chain(Conv2d(3, 3, 3, padding=1), BatchNorm2d(3), middle, Conv2d(3, 2, 3)).double()
    found = []
    for network in (chain, apart(chain)):
        loss = network(drive(STEPS, 2, 3, 6, 6)).sum()
        (g,) = torch.autograd.grad(loss, network[-1].weight, create_graph=True)
        found.append(torch.autograd.grad(loss + g.pow(2).sum(), network[0].weight)[0])
    assert close(*found)


@pytest.mark.parametrize("name", ["lif", "psn"])
def test_second_derivatives_of_the_shift_are_refused(name: str) -> None:
    chain = layers(BatchNorm2d, MaxPool2d(2), 3, name, **({"T": STEPS} if name == "psn" else {}))
    chain[0].weight.requires_grad_(False)  # type: ignore[union-attr]
    (g,) = torch.autograd.grad(weighted(chain(drive(STEPS, 2, 3, 6, 6))), chain[0].bias, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        g.sum().backward()


def halved(layer: nn.Module) -> None:
    usual = layer.forward
    layer.forward = lambda x: usual(x) * 0.5  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: setattr(c[0], "track_running_stats", False),
        lambda c: setattr(c[0], "num_batches_tracked", None),
        *(lambda c, i=i: halved(c[i]) for i in range(4)),
        lambda c: setattr(c[0].weight, "data", torch._neg_view(-c[0].weight.data)),
        lambda c: setattr(c[0], "running_mean", torch._neg_view(c[0].running_mean + 0.5)),
    ],
)
def test_what_was_changed_on_a_layer_counts(change: Callable[[Any], None]) -> None:
    found = []
    for kind in (Chain, nn.Sequential):
        torch.manual_seed(0)
        network = kind(StepBatchNorm2d(3), neurons.create("plif"), AvgPool2d(2), Conv2d(3, 2, 3)).double()
        change(network)
        y = network(drive(STEPS, 2, 3, 8, 8))
        weighted(y).backward()
        found.append([y, *network.buffers(), *(p.grad for p in network.parameters())])
    for one, two in zip(*found, strict=True):
        assert close(one, two)


class AcrossRows(ThresholdNeuron):
    """Its buffer, [channels, 1, 1], is laid along the last dimension."""

    name = "across_rows"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("d", torch.linspace(0.2, 0.9, channels).view(channels, 1, 1))

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        h = v * self.d.view(1, 1, -1) + x  # type: ignore[union-attr,operator]
        spike = self.fire(h)
        return spike, self.after_spike(h, spike)


@pytest.mark.parametrize(("channels", "side"), [(3, 3), (6, 6)])
def test_a_parameter_that_is_not_laid_along_channels(channels: int, side: int) -> None:
    chain = Chain(BatchNorm2d(channels), AcrossRows(channels), MaxPool2d(side)).double()
    other, x = apart(chain), drive(STEPS, 2, channels, side, side)
    assert close(chain(x), other(x))


def test_what_changes_between_two_calls_counts() -> None:
    spread, step = Chain(BatchNorm2d(3), AcrossRows(1), MaxPool2d(2)).double(), drive(STEPS, 2, 3, 6, 6)
    parallel = layers(BatchNorm2d, MaxPool2d(2), 3, "psn", T=STEPS)
    spread(step)
    parallel(step)
    assert spread[1].kernel == parallel[1].kernel == "C++, with batch norm and pooling"
    neurons.reset(spread)
    spread[1].d = torch.linspace(0.2, 0.9, 6, dtype=torch.float64).view(6, 1, 1)
    parallel[1].surrogate = neurons.surrogate.Sigmoid(2.0)
    for chain in (spread, parallel):
        found = []
        for network in (chain, apart(chain)):
            x = step.clone().requires_grad_()
            weighted(network(x)).backward()
            found.append(x.grad)
        assert close(*found)
    assert spread[1].kernel != parallel[1].kernel == "C++, with batch norm and pooling"


@pytest.mark.parametrize("name", ["plif", "psn"])
def test_saved_tensors_may_come_back_in_another_order_of_memory(name: str) -> None:
    torch.manual_seed(0)
    spiking = neurons.create(name, **({"T": STEPS} if name == "psn" else {}))
    chain = Chain(BatchNorm2d(3), spiking, MaxPool2d(2), Conv2d(3, 2, 3)).double()
    other = copy.deepcopy(chain)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: torch.stack([t, t], -1)[..., 0], lambda t: t):
        y = weighted(chain(drive(STEPS, 2, 3, 8, 8)))
    y.backward()
    weighted(other(drive(STEPS, 2, 3, 8, 8))).backward()
    for one, two in zip(chain.parameters(), other.parameters(), strict=True):
        assert close(one.grad, two.grad)


@pytest.mark.parametrize(("dtype", "parts"), [(torch.float32, 41), (torch.float64, 49)])
def test_more_parts_than_a_byte_counts_are_seen(dtype: torch.dtype, parts: int) -> None:
    assert packed.pack(torch.full((8,), 256 / parts, dtype=dtype), parts)[0] is None
    whole, _ = packed.pack(torch.full((8,), 255 / parts, dtype=dtype), parts)
    assert whole is not None
    assert whole.tolist() == [255] * 8


@pytest.mark.parametrize("name", ["lif", "psn"])
def test_an_infinite_input_in_evaluation_spoils_no_other_gradient(name: str) -> None:
    chain = layers(BatchNorm2d, MaxPool2d(2), 3, name, **({"T": STEPS} if name == "psn" else {})).eval()
    found = []
    for network in (chain, apart(chain)):
        x = drive(STEPS, 2, 3, 6, 6)
        x[0, 0, 0, 0, 0] = torch.inf
        x.requires_grad_()
        weighted(network(x)).backward()
        found.append(x.grad)
    assert close(*found)


def test_the_default_device_is_not_asked() -> None:
    chain, x = layers(StepBatchNorm2d, MaxPool2d(2), 3), drive(STEPS, 2, 3, 6, 6)
    chain.append(Conv2d(3, 2, 3).double())
    with torch.device("meta"):
        y = chain(x)
        y.sum().backward()
    assert y.device.type == "cpu"


@pytest.mark.parametrize(
    ("taken", "shape"),
    [
        ((BatchNorm2d, None), (STEPS, 2, 3, 6)),
        ((StepBatchNorm2d, None), (STEPS, 2, 3, 6)),
        ((BatchNorm1d, None), (STEPS, 2, 3, 6, 6)),
        ((None, AvgPool1d(2)), (STEPS, 2, 3, 6, 6)),
    ],
)
def test_layers_for_other_dimensions_refuse_as_ever(taken: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        layers(*taken, 3)(drive(*shape))


def test_torch_compile_sees_the_layers() -> None:
    chain = layers(StepBatchNorm2d, MaxPool2d(2), 3)
    other, x = apart(chain), drive(STEPS, 2, 3, 6, 6)
    explained = torch._dynamo.explain(chain)(x)
    torch._dynamo.reset()
    assert explained.graph_break_count == torch._dynamo.explain(other)(x).graph_break_count
    torch._dynamo.reset()
