"""The fully connected networks for event cameras: each polarity has neurons of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.registry import unknown

from .. import NeuronFactory
from ..layers import AvgPool2d, MaxPool2d
from ..readout import LeakyReadout
from .layers import dense
from .maps import FrameNet

POOLS: dict[str, Callable[[int], nn.Module]] = {"average": AvgPool2d, "max": MaxPool2d}
STREAMS = ("concatenated", "summed", "single")


class Streams(nn.Module):
    """Two layers, one for each polarity of [T, N, 2, H, W]: their spikes [T, N, width] side by side, polarity 1 first.

    With `summed` the sum of both.
    """

    def __init__(self, first: nn.Module, second: nn.Module, *, summed: bool) -> None:
        super().__init__()
        self.first, self.second, self.summed = first, second, summed

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.first(x[:, :, 0].flatten(2)), self.second(x[:, :, 1].flatten(2))
        return second + first if self.summed else torch.cat([second, first], -1)


def gesture(
    neuron: NeuronFactory,
    *,
    T: int = 20,
    side: int = 128,
    classes: int = 11,
    hidden: int = 512,
    streams: str = "concatenated",
    deep: bool = True,
    recurrent: bool = True,
    pool: str = "average",
    pooled: int = 4,
    dropout: float = 0.1,
) -> FrameNet:
    """DVS128 Gesture: frames pooled `pooled` x `pooled`, a layer for each polarity, one for both, a leaky readout.

    `deep` adds a layer before the readout. The last layer before the readout is `recurrent`; neurons without a single
    step (PSN) take part with recurrent=False. `streams`: how polarities come together, "concatenated" or "summed", or
    "single", one layer on both. Dropout on spikes draws anew at every step.
    """
    if streams not in STREAMS:
        raise unknown("way of the streams", streams, STREAMS)
    if pool not in POOLS:
        raise unknown("pooling", pool, POOLS)
    if side < pooled:
        raise ValueError(f"Pooling by {pooled} leaves nothing of a side of {side}.")
    pixels = (side // pooled) ** 2
    start = nn.init.xavier_uniform_

    def stream() -> nn.Module:
        return nn.Sequential(*dense(neuron, pixels, hidden, recurrent=False, start=start), nn.Dropout(dropout))

    if streams == "single":
        front: nn.Module = nn.Flatten(2)
        width = 2 * pixels
    else:
        front = Streams(stream(), stream(), summed=streams == "summed")
        width = hidden if streams == "summed" else 2 * hidden
    fc = dense(neuron, width, hidden, recurrent=recurrent and not deep, start=start)
    if deep:
        fc += dense(neuron, hidden, hidden, recurrent=recurrent, start=start)
    readout = nn.Linear(hidden, classes)
    start(readout.weight)
    fc += [nn.Dropout(dropout), readout, LeakyReadout((classes,))]
    return FrameNet(nn.Sequential(POOLS[pool](pooled), front), nn.Sequential(*fc), T)
