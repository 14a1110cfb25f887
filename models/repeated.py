"""A network that sees the same images at every step."""

from __future__ import annotations

from torch import Tensor, nn

from neurons.blocks import repeat

from .network import Network


class RepeatNet(Network):
    """Images [N, C, H, W], shown at each of `T` steps -> logits [T, N, classes]."""

    def __init__(self, conv: nn.Module, fc: nn.Module, T: int) -> None:
        super().__init__()
        self.conv, self.fc, self.T = conv, fc, T

    def encode(self, x: Tensor) -> Tensor:
        return repeat(x, self.T)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.fc(self.conv(sequence))
