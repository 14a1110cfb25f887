"""The CIFAR networks of the PSN work (Fang et al., NeurIPS 2023; spec, sections 2.1 and 2.2).

Both are {convolution 3 without bias - batch norm - neuron} blocks with average pooling, then a hidden and an output
layer; one in one dimension for images read column by column, one in two for images shown `T` times. Batch norm takes
its statistics over all steps. The output is the logits of every step; the decision is their mean over time.
"""

from __future__ import annotations

from torch import nn

from . import NeuronFactory
from .chain import Chain
from .layers import AvgPool1d, AvgPool2d, BatchNorm1d, BatchNorm2d, Conv1d, Conv2d
from .repeated import RepeatNet
from .sequences import SequentialNet, extent

LAYERS = {1: (Conv1d, BatchNorm1d, AvgPool1d), 2: (Conv2d, BatchNorm2d, AvgPool2d)}


def _conv(neuron: NeuronFactory, dimensions: int, inputs: int, channels: int, blocks: int, depth: int) -> nn.Module:
    conv, norm, pool = LAYERS[dimensions]
    layers: list[nn.Module] = []
    for _ in range(blocks):
        for _ in range(depth):
            layers += [conv(inputs, channels, 3, padding=1, bias=False), norm(channels)]
            layers += [neuron((channels, *[1] * dimensions))]
            inputs = channels
        layers += [pool(2)]
    return Chain(*layers)


def _fc(neuron: NeuronFactory, features: int, hidden: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(2), nn.Linear(features, hidden), neuron((hidden,)), nn.Linear(hidden, classes))


def _pooled(side: int, blocks: int) -> int:
    if side >> blocks == 0:
        raise ValueError(f"{blocks} poolings leave nothing of a side of {side}.")
    return side >> blocks


def sequential(
    neuron: NeuronFactory,
    *,
    order: str = "columns",
    side: int = 32,
    width: int | None = None,
    answer: int | None = None,
    inputs: int = 3,
    classes: int = 10,
    channels: int = 128,
    hidden: int | None = None,
    blocks: int = 2,
    depth: int = 3,
) -> SequentialNet:
    """Sequential CIFAR: `blocks` x {`depth` x [Conv1d - BN - N] - P} - Linear - N - Linear.

    A step is a column or a row of the image; a pixel has no extent to convolve (ValueError; sequential_fc takes it).
    `hidden` is by default 2 `channels`; `side`, `width` and `answer` as in SequentialNet.
    """
    if order == "pixels":
        raise ValueError("This network convolves along a step, a pixel has no extent: use 'sequential_fc' for pixels.")
    hidden = hidden or 2 * channels
    conv = _conv(neuron, 1, inputs, channels, blocks, depth)
    fc = _fc(neuron, channels * _pooled(extent(order, side, width), blocks), hidden, classes)
    return SequentialNet(conv, fc, order, side, width, answer)


def cifar10(
    neuron: NeuronFactory,
    *,
    T: int = 4,
    side: int = 32,
    inputs: int = 3,
    classes: int = 10,
    channels: int = 256,
    hidden: int | None = None,
    blocks: int = 2,
    depth: int = 3,
) -> RepeatNet:
    """Static CIFAR-10: `blocks` x {`depth` x [Conv2d - BN - N] - P} - Linear - N - Linear.

    `hidden` is by default 16 `channels`: a quarter of the features of a 32x32 image.
    """
    hidden = hidden or 16 * channels
    conv = _conv(neuron, 2, inputs, channels, blocks, depth)
    fc = _fc(neuron, channels * _pooled(side, blocks) ** 2, hidden, classes)
    return RepeatNet(conv, fc, T)
