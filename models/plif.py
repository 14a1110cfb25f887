"""The five networks of the PLIF work (Fang et al., ICCV 2021, table 6, as the released code builds them).

Every convolution is 3x3 without bias and followed by batch norm, every fully connected layer has neither; ten output
neurons vote for a class. The output is the votes of every step, [T, N, classes]; firing rate = mean over time.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from neurons.blocks import repeat

from . import NeuronFactory
from .chain import Chain
from .layers import AvgPool2d, Conv2d, MaxPool2d, SharedDropout, StepBatchNorm2d, Vote
from .network import Network, frames

VOTERS = 10


class StaticNet(Network):
    """Images [N, C, H, W] -> votes [T, N, classes].

    The first convolution and batch norm see the analogue image once; their output drives the first spiking layer at
    every step, so that layer learns the encoding.
    """

    def __init__(self, static_conv: nn.Module, conv: nn.Module, fc: nn.Module, T: int) -> None:
        super().__init__()
        self.static_conv, self.conv, self.fc, self.vote, self.T = static_conv, conv, fc, Vote(VOTERS), T

    def encode(self, x: Tensor) -> Tensor:
        return repeat(self.static_conv(x), self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.vote(self.fc(self.conv(sequence)))


class EventNet(Network):
    """Event frames [N, T, 2, H, W] -> votes [T, N, classes]; step t sees frame t. `T` is the number of frames."""

    def __init__(self, conv: nn.Module, fc: nn.Module, T: int) -> None:
        super().__init__()
        self.conv, self.fc, self.vote, self.T = conv, fc, Vote(VOTERS), T

    def encode(self, x: Tensor) -> Tensor:
        return frames(x, self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.vote(self.fc(self.conv(sequence)))


def _conv_bn_neuron(neuron: NeuronFactory, inputs: int, outputs: int) -> list[nn.Module]:
    return [Conv2d(inputs, outputs, 3, padding=1, bias=False), StepBatchNorm2d(outputs), neuron((outputs, 1, 1))]


def _blocks(neuron: NeuronFactory, channels: int, count: int) -> list[nn.Module]:
    return [layer for _ in range(count) for layer in _conv_bn_neuron(neuron, channels, channels)]


def _pool(max_pool: bool) -> nn.Module:
    return MaxPool2d(2) if max_pool else AvgPool2d(2)


def _static_encoder(inputs: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))


def _fc(neuron: NeuronFactory, inputs: int, hidden: int, classes: int, dropouts: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(2),
        SharedDropout(),
        nn.Linear(inputs, hidden, bias=False),
        neuron((hidden,)),
        *[SharedDropout() for _ in range(dropouts - 1)],
        nn.Linear(hidden, classes * VOTERS, bias=False),
        neuron((classes * VOTERS,)),
    )


def mnist(
    neuron: NeuronFactory,
    *,
    T: int = 8,
    side: int = 28,
    inputs: int = 1,
    classes: int = 10,
    channels: int = 128,
    hidden: int = 2048,
    max_pool: bool = True,
) -> StaticNet:
    """MNIST and Fashion-MNIST: [C] N P C N P, D F N D F N.

    `channels` and `hidden` scale the width, `side` and `inputs` describe the image; `neuron` as in models.factory.
    """
    first = [neuron((channels, 1, 1)), _pool(max_pool)]
    conv = [*first, *_conv_bn_neuron(neuron, channels, channels), _pool(max_pool)]
    fc = _fc(neuron, channels * (side // 4) ** 2, hidden, classes, dropouts=2)
    return StaticNet(_static_encoder(inputs, channels), Chain(*conv), fc, T)


def cifar10(
    neuron: NeuronFactory,
    *,
    T: int = 8,
    side: int = 32,
    inputs: int = 3,
    classes: int = 10,
    channels: int = 256,
    hidden: int = 2048,
    max_pool: bool = True,
) -> StaticNet:
    """CIFAR-10: [C] N C N C N P C N C N C N P, D F N F N; one dropout only, as in the code."""
    first = [neuron((channels, 1, 1)), *_blocks(neuron, channels, 2)]
    second = _blocks(neuron, channels, 3)
    conv = [*first, _pool(max_pool), *second, _pool(max_pool)]
    fc = _fc(neuron, channels * (side // 4) ** 2, hidden, classes, dropouts=1)
    return StaticNet(_static_encoder(inputs, channels), Chain(*conv), fc, T)


def event_net(
    neuron: NeuronFactory,
    *,
    T: int,
    side: int,
    number_layer: int,
    inputs: int = 2,
    classes: int = 10,
    channels: int = 128,
    hidden: int | None = None,
    max_pool: bool = True,
) -> EventNet:
    """{C N P} x `number_layer`, D F N D F N; `hidden` is by default a quarter of the features that reach it."""
    conv: list[nn.Module] = []
    for layer in range(number_layer):
        conv += [*_conv_bn_neuron(neuron, channels if layer else inputs, channels), _pool(max_pool)]
    features = channels * (side >> number_layer) ** 2
    if features == 0:
        raise ValueError(f"{number_layer} poolings leave nothing of a {side}x{side} input.")
    fc = _fc(neuron, features, hidden or features // 4, classes, dropouts=2)
    return EventNet(Chain(*conv), fc, T)


def nmnist(neuron: NeuronFactory, *, T: int = 10, side: int = 34, number_layer: int = 2, **width: Any) -> EventNet:
    """N-MNIST: two {C N P} blocks."""
    return event_net(neuron, T=T, side=side, number_layer=number_layer, **width)


def cifar10dvs(neuron: NeuronFactory, *, T: int = 20, side: int = 128, number_layer: int = 4, **width: Any) -> EventNet:
    """CIFAR10-DVS: four {C N P} blocks."""
    return event_net(neuron, T=T, side=side, number_layer=number_layer, **width)


def dvs128gesture(
    neuron: NeuronFactory, *, T: int = 20, side: int = 128, number_layer: int = 5, classes: int = 11, **width: Any
) -> EventNet:
    """DVS128 Gesture: five {C N P} blocks, 11 classes."""
    return event_net(neuron, T=T, side=side, number_layer=number_layer, classes=classes, **width)
