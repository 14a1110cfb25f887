"""Layers of `relpsp` neurons in closed form: modules from spike times to spike times.

They belong to any module and train with any optimiser. A time is local to the window of its layer, which opens when
that of the layer before has closed; infinity is a neuron that stays silent. No layer has a bias.
"""

from __future__ import annotations

import math
from math import inf

import torch
from torch import Tensor, nn

from neurons.base import in_the_type_of

from .functions import Convolution, Earliest, Fire, Operator, Potential, Product
from .numerics import Numerics, numerics

Size = int | tuple[int, int]


class Encoding(nn.Module):
    """Pixels [N, ...] -> spike times (1 - x) T; a pixel whose time is exactly T, an x of 0, is silent.

    Nothing is clipped: an x outside [0, 1] fires outside the window, where the closed form of the layer above counts a
    late spike before it has come (models.ttfs.stepwise).
    """

    def __init__(self, window: float = 1.0) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        times = (1 - x) * self.window
        return times.masked_fill(times == self.window, inf)


class Weighted(nn.Module):
    """A layer with weights alone, drawn from a normal distribution with the deviation sqrt(2 / inputs of a neuron)."""

    signs: Tensor | None

    def __init__(self, shape: tuple[int, ...], how: Numerics | None) -> None:
        super().__init__()
        self.numerics = how or numerics()
        self.weight = nn.Parameter(torch.empty(shape).normal_(0, math.sqrt(2 / math.prod(shape[1:]))))
        self.register_buffer("signs", None)

    def hold_signs(self) -> None:
        """From here on the sign of each weight (0 counts as positive) is the one that `keep_signs` keeps."""
        self.signs = self.weight.detach() >= 0

    def keep_signs(self) -> None:
        """Sets weights of the wrong sign to 0; nothing where no signs are held."""
        if self.signs is not None:
            with torch.no_grad():
                self.weight.masked_fill_((self.weight >= 0) != self.signs, 0.0)

    def extra_repr(self) -> str:
        return f"{list(self.weight.shape)}, {self.numerics}"


class SpikingLayer(Weighted):
    """Neurons that fire at most once each, in their window."""

    operator: Operator = Product()

    def forward(self, times: Tensor) -> Tensor:
        with in_the_type_of(times):
            out: Tensor = Fire.apply(times, self.weight, self.operator, self.numerics)
        return out


class Conv2d(SpikingLayer):
    """Times [N, C, H, W] -> [N, C', H', W']. What lies in the padding is silent."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        numerics: Numerics | None = None,
    ) -> None:
        super().__init__((outputs, inputs, *_pair(kernel)), numerics)
        self.operator = Convolution(_pair(stride), _pair(padding))


class Linear(SpikingLayer):
    """Times [N, inputs] -> [N, outputs]."""

    def __init__(self, inputs: int, outputs: int, *, numerics: Numerics | None = None) -> None:
        super().__init__((outputs, inputs), numerics)


class Readout(Weighted):
    """Times [N, inputs] -> potentials [N, outputs] at the end of the window of these neurons, which never fire."""

    def __init__(self, inputs: int, outputs: int, *, numerics: Numerics | None = None) -> None:
        super().__init__((outputs, inputs), numerics)

    def forward(self, times: Tensor) -> Tensor:
        with in_the_type_of(times):
            potentials: Tensor = Potential.apply(times, self.weight, self.numerics)
        return potentials


class EarliestPool2d(nn.Module):
    """The earliest spike of each field of kernel x kernel, [N, C, H, W] -> [N, C, H', W'], without a window of its own.

    The gradient goes to that spike alone, to the first in rows among equals; where fields overlap, a spike gets those
    of all that it wins. The released code keeps the last of them: its numerics refuse fields that overlap (ValueError).
    """

    def __init__(self, kernel: int, stride: int | None = None, *, numerics: Numerics | None = None) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride or kernel
        if numerics is not None and numerics.released and self.stride < kernel:
            raise ValueError(
                f"Pooling of {kernel} with a stride of {self.stride} overlaps, which the released code learns wrongly; "
                "use numerics 'corrected', or a stride of the kernel."
            )

    def forward(self, times: Tensor) -> Tensor:
        out: Tensor = Earliest.apply(times, self.kernel, self.stride)
        return out

    def extra_repr(self) -> str:
        return f"{self.kernel}, stride={self.stride}"


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
