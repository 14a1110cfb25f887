"""The convolutional networks: images that are shown at every step, and event frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from neurons.gates import Maps

from .. import NeuronFactory
from ..layers import AvgPool2d, Conv2d, MaxPool2d, StepBatchNorm2d
from ..network import Network, frames
from ..readout import LeakyReadout, LiquidReadout
from ..repeated import RepeatNet
from .layers import dense, unused

POOL = "P"


class FrameNet(Network):
    """Event frames [N, T, inputs, H, W] -> logits [T, N, classes]; step t sees frame t."""

    def __init__(self, conv: nn.Module, fc: nn.Module, T: int) -> None:
        super().__init__()
        self.conv, self.fc, self.T = conv, fc, T

    def encode(self, x: Tensor) -> Tensor:
        return frames(x, self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.fc(self.conv(sequence))


def _conv(
    neuron: NeuronFactory,
    inputs: int,
    channels: Sequence[int | str],
    kernels: Iterable[int] | int,
    *,
    norm: bool = True,
    zero_bias: bool = True,
    max_pool: bool = True,
) -> list[nn.Module]:
    """Convolution, batch norm, pooling where a "P" follows, neuron; pooling acts on the current."""
    entries = list(channels)
    widths = [entry for entry in entries if entry != POOL]
    if not widths or entries[0] == POOL or not all(isinstance(width, int) for width in widths):
        raise ValueError(f"channels lists widths, each with a {POOL!r} behind it or without; got {entries}.")
    sizes = [kernels] * len(widths) if isinstance(kernels, int) else list(kernels)
    if len(sizes) != len(widths):
        raise ValueError(f"There are {len(widths)} convolutions and {len(sizes)} kernels; give one for each.")
    layers: list[nn.Module] = []
    remaining = iter(sizes)
    for i, width in enumerate(entries):
        if isinstance(width, str):
            continue
        kernel = next(remaining)
        conv = Conv2d(inputs, width, kernel, padding=kernel // 2)
        nn.init.xavier_uniform_(conv.weight)
        if zero_bias and conv.bias is not None:
            nn.init.zeros_(conv.bias)
        layers += [conv, *([StepBatchNorm2d(width)] if norm else [])]
        if entries[i + 1 : i + 2] == [POOL]:
            layers += [MaxPool2d(2) if max_pool else AvgPool2d(2)]
        layers += [neuron(Maps(width, kernel))]
        inputs = width
    return layers


def _features(channels: Sequence[int | str], side: int) -> int:
    """Values of the last feature maps."""
    poolings = list(channels).count(POOL)
    if side >> poolings == 0:
        raise ValueError(f"{poolings} poolings leave nothing of a side of {side}.")
    return [width for width in channels if isinstance(width, int)][-1] * (side >> poolings) ** 2


def images(
    neuron: NeuronFactory,
    *,
    T: int = 20,
    side: int = 28,
    inputs: int = 1,
    classes: int = 10,
    channels: Sequence[int | str] = (32, 128, POOL, 256, POOL),
    hidden: int = 256,
    recurrent: bool = False,
    released: bool = True,
) -> RepeatNet:
    """MNIST and Fashion-MNIST: convolutions with batch norm, two hidden layers of `hidden` neurons, a liquid readout.

    `channels` lists the convolutions, a "P" behind one pools its current. The second network of the work has a fourth
    convolution, [..., 512, "P"], and a `recurrent` last layer. `released` adds parameters that the released network
    makes and never uses: they count, and the regulariser sees them.
    """
    conv = _conv(neuron, inputs, channels, 3)
    xavier = nn.init.xavier_uniform_
    fc = nn.Sequential(
        nn.Flatten(2),
        *dense(neuron, _features(channels, side), hidden, recurrent=False, start=xavier),
        *dense(neuron, hidden, hidden, recurrent=recurrent, start=xavier),
        nn.Linear(hidden, classes),
        LiquidReadout(classes, slope=True),
    )
    return unused(RepeatNet(nn.Sequential(*conv), fc, T), classes if released else 0)


def cifar10(
    neuron: NeuronFactory,
    *,
    T: int = 20,
    side: int = 32,
    inputs: int = 3,
    classes: int = 10,
    channels: Sequence[int | str] = (64, 64, POOL, 128, 128, POOL, 256, 256, POOL),
    hidden: int = 256,
    released: bool = True,
) -> RepeatNet:
    """CIFAR-10: convolutions without batch norm, two hidden layers, readout with constant gates; options as images."""
    conv = _conv(neuron, inputs, channels, 3, norm=False, zero_bias=False)
    fc = nn.Sequential(
        nn.Flatten(2),
        *dense(neuron, _features(channels, side), hidden, recurrent=False),
        *dense(neuron, hidden, hidden, recurrent=False),
        nn.Linear(hidden, classes),
        LeakyReadout((classes,), slope=True),
    )
    return unused(RepeatNet(nn.Sequential(*conv), fc, T), 2 if released else 0)


def gesture(
    neuron: NeuronFactory,
    *,
    T: int = 20,
    side: int = 128,
    inputs: int = 2,
    classes: int = 11,
    channels: Sequence[int | str] = (64, POOL, 128, POOL, 128, POOL, 256, POOL, 256, POOL, 512, POOL),
    kernels: Sequence[int] | int = (7, 7, 3, 3, 3, 3),
    hidden: int = 512,
    dropout: float = 0.1,
    recurrent: bool = False,
    released: bool = True,
) -> FrameNet:
    """DVS128 Gesture, the convolutional network: a hidden layer behind the maps, a liquid readout.

    The best logged run has no `recurrent` hidden layer, the released file has. `released` as in images; dropout draws
    anew at every step.
    """
    conv = _conv(neuron, inputs, channels, kernels)
    readout = LiquidReadout(classes)
    last: list[Any] = [nn.Linear(hidden, classes), readout]
    for layer in (last[0], readout.mixing):
        nn.init.xavier_uniform_(layer.weight)
    hidden_layer = dense(neuron, _features(channels, side), hidden, recurrent=recurrent, start=nn.init.xavier_uniform_)
    fc = nn.Sequential(nn.Flatten(2), nn.Dropout(dropout), *hidden_layer, *last)
    return unused(FrameNet(nn.Sequential(*conv), fc, T), classes if released else 0)
