"""The CIFAR10-DVS networks of the PSN work (spec, section 2.3): VGGPSN, and VGGSNN, which it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from . import NeuronFactory
from .chain import Chain
from .layers import AvgPool2d, BatchNorm2d, Conv2d, TEBN2d
from .network import Network, frames

POOL = "P"
CHANNELS = (64, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL)


class VGG(Network):
    """Event frames [N, T, inputs, H, W] -> logits [T, N, classes]; step t sees frame t.

    `channels` lists convolutions (a number each) and average poolings ("P"). Every convolution is 3x3 with bias,
    followed by `norm(channels)` and a neuron. Dropout draws anew at every step. `T` is the number of frames of `side` x
    `side` pixels.
    """

    def __init__(
        self,
        neuron: NeuronFactory,
        norm: Callable[[int], nn.Module],
        *,
        T: int = 10,
        side: int = 48,
        inputs: int = 2,
        classes: int = 10,
        channels: Sequence[int | str] = CHANNELS,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.T = T
        poolings = list(channels).count(POOL)
        if side >> poolings == 0:
            raise ValueError(f"{poolings} poolings leave nothing of a side of {side}.")
        layers: list[nn.Module] = []
        for entry in channels:
            if isinstance(entry, str):
                if entry != POOL:
                    raise ValueError(f"Unknown layer {entry!r} among the channels. Known: numbers and {POOL!r}.")
                layers += [AvgPool2d(2)]
                continue
            layers += [nn.Sequential(Conv2d(inputs, entry, 3, padding=1), norm(entry)), neuron((entry, 1, 1))]
            inputs = entry
        self.features = Chain(*layers)
        features = inputs * (side >> poolings) ** 2
        self.classifier = nn.Sequential(nn.Flatten(2), nn.Dropout(dropout), nn.Linear(features, classes))
        for module in self.modules():
            if isinstance(module, Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def encode(self, x: Tensor) -> Tensor:
        return frames(x, self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.classifier(self.features(sequence))


def psn(neuron: NeuronFactory, **options: Any) -> VGG:
    """VGGPSN: batch norm over all steps; the work puts sliding PSNs of order 2 into it. Options as in VGG."""
    return VGG(neuron, BatchNorm2d, **options)


def tebn(neuron: NeuronFactory, *, T: int = 10, **options: Any) -> VGG:
    """VGGSNN: batch norm scaled step by step (TEBN); the work puts its LIFSpike into it. Options as in VGG."""
    return VGG(neuron, lambda width: TEBN2d(width, T), T=T, **options)
