"""SPYv4, the spiking detector of the work: a narrow YOLOv4 of convolutional LTC layers (spec 4.6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurons.gates import Maps

from .. import NeuronFactory
from ..layers import Conv2d, MaxPool2d, StepBatchNorm2d
from ..network import Network
from .layers import unused

ANCHORS = 3  # of each cell of a grid
WIDTHS = (32, 64, 128, 256, 512)  # channels
STRIDE = 32  # pixels along a cell of the coarse grid


class Folded(nn.Module):
    """A memoryless layer of maps [N, C, H, W] on all steps of [T, N, C, H, W] at once."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def cell(
    neuron: NeuronFactory,
    inputs: int,
    channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    bias: bool = True,
    up: bool = False,
) -> nn.Sequential:
    """Convolution, batch norm, with `up` the size doubled, neuron: [T, N, inputs, H, W] -> [T, N, channels, H', W']."""
    conv = Conv2d(inputs, channels, kernel, stride, kernel // 2, bias=bias)
    nn.init.xavier_uniform_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    bigger = [Folded(nn.Upsample(scale_factor=2))] if up else []
    return nn.Sequential(conv, StepBatchNorm2d(channels), *bigger, neuron(Maps(channels, kernel)))


class CSPBlock(nn.Module):
    """Cross-stage partial block: a = cell(x), b = cell(second half of a), c = cell(b), d = cell([c; b]); the output is
    [a; d] with maxima over 2 x 2 pixels, [T, N, inputs, H, W] -> [T, N, 2 planes, H / 2, W / 2]."""

    def __init__(self, neuron: NeuronFactory, inputs: int, planes: int) -> None:
        super().__init__()
        half = planes // 2
        self.whole = cell(neuron, inputs, planes, bias=False)
        self.first, self.second = (cell(neuron, half, half, bias=False) for _ in range(2))
        self.joined = cell(neuron, planes, planes, 1, bias=False)
        self.pool = MaxPool2d(2)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and d [T, N, planes, H, W]."""
        a = self.whole(x)
        b = self.first(a.chunk(2, 2)[1])
        d = self.joined(torch.cat([self.second(b), b], 2))
        return self.pool(torch.cat([a, d], 2)), d

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)[0]


class SPYv4(Network):
    """Pictures [N, 3, side, side], shown at each of `T` steps -> rows of both grids [T, N, R, 5 + classes], as
    training.yolo orders them: what the spikes of that step say. The last step is the answer."""

    def __init__(self, neuron: NeuronFactory, *, T: int, classes: int, divisor: int, dropout: float) -> None:
        super().__init__()
        self.T, self.fields = T, 5 + classes
        if divisor < 1 or WIDTHS[0] % divisor:
            raise ValueError(f"{WIDTHS[0]} channels cannot be divided by {divisor}; give a power of 2 to {WIDTHS[0]}.")
        first, *_, last = widths = [width // divisor for width in WIDTHS]
        self.dropout = Folded(nn.Dropout2d(dropout))
        self.stem = nn.Sequential(
            cell(neuron, 3, first, stride=2),
            cell(neuron, first, widths[1], stride=2),
            CSPBlock(neuron, widths[1], widths[1]),
            CSPBlock(neuron, widths[2], widths[2]),
        )
        self.block = CSPBlock(neuron, widths[3], widths[3])
        self.neck = nn.Sequential(cell(neuron, last, last), cell(neuron, last, widths[3], 1))
        self.coarse = nn.Sequential(cell(neuron, widths[3], last), self._head(last))
        self.up = cell(neuron, widths[3], widths[2], 1, up=True)
        self.fine = nn.Sequential(cell(neuron, widths[2] + widths[3], widths[3]), self._head(widths[3]))

    def _head(self, inputs: int) -> nn.Module:
        return Conv2d(inputs, ANCHORS * self.fields, 1)

    def encode(self, x: Tensor) -> Tensor:
        """The picture at each step. ValueError for one that is no square of whole cells."""
        height, width = x.shape[2:]
        if height != width or width % STRIDE:
            raise ValueError(
                f"The detector takes square pictures of a multiple of {STRIDE} pixels, these have {height} x {width}."
            )
        return x.expand(self.T, *x.shape)

    def forward(self, sequence: Tensor) -> Tensor:
        pooled, feature = self.block.both(self.stem(self.dropout(sequence)))
        neck = self.neck(pooled)
        fine = self.fine(torch.cat([self.up(neck), feature], 2))
        return torch.cat([self._rows(self.coarse(neck)), self._rows(fine)], 2)

    def _rows(self, maps: Tensor) -> Tensor:
        """[T, N, anchors * fields, H, W] -> [T, N, anchors * H * W, fields]."""
        return maps.unflatten(2, (ANCHORS, self.fields)).movedim(3, -1).flatten(2, 4)


def spyv4(
    neuron: NeuronFactory,
    *,
    T: int = 8,
    classes: int = 20,
    divisor: int = 1,
    dropout: float = 0.1,
    released: bool = True,
) -> SPYv4:
    """The detector; all channels but those of the heads are divided by `divisor`.

    Dropout of whole colours of the input draws anew at every step. `released` adds two parameters that the released
    network makes and never uses: they count, and the regulariser sees them.
    """
    return unused(SPYv4(neuron, T=T, classes=classes, divisor=divisor, dropout=dropout), 2 if released else 0)
