"""Gates of a liquid neuron: the shares g and r in (0, 1) that a step takes from the current, of membrane and threshold.

A class states whether it is `pointwise` (the gates of a neuron see that neuron alone) and gives (g, r) for the current
X, the potential V and the adaptation B before the step, all [N, ...]; r is None where there is no adaptation. Spec:
fptt 2.1, 2.2 and 2.7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.registry import unknown

from .parameters import Shape, dimensions

Spec = str | Mapping[str, Any]
"""Gates by name ("dense") or by name and options ({"name": "dense", "slope": True})."""


class Maps(tuple[int, ...]):
    """Shape (C, 1, 1) of the channel-wise parameters of feature maps, and the `kernel` of the convolution that made
    them."""

    kernel: int

    def __new__(cls, channels: int, kernel: int) -> Maps:
        made = super().__new__(cls, (channels, 1, 1))
        made.kernel = kernel
        return made


class Sigmoid(nn.Module):
    """sigmoid(`a` x) with one learned slope, which starts at 1. With a slope of 0 it is the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.a == 0, x, (self.a * x).sigmoid())


def squash(slope: bool) -> nn.Module:
    """The sigmoid, with a learned slope or without."""
    return Sigmoid() if slope else nn.Sigmoid()


def _initialise(layer: nn.Linear | nn.Conv2d, weight: str, zero_bias: bool) -> None:
    """Draws the weights by the rule named `weight` (those of INITIALISERS, or "default")."""
    if weight != "default":
        if weight not in INITIALISERS:
            raise unknown("start of gates", weight, ("default", *INITIALISERS))
        INITIALISERS[weight](layer.weight)
    if zero_bias and layer.bias is not None:
        nn.init.zeros_(layer.bias)


INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
}


class Diagonal(nn.Module):
    """g = sigmoid(w_mx X + w_mv V + c_m), r = sigmoid(w_ax X + w_ab B + c_a), neuron by neuron.

    The parameters have `shape` (see neurons.parameters.Shape) and start as those of a linear layer with two inputs.
    """

    pointwise = True
    adapts = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()

        def uniform() -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-(2**-0.5), 2**-0.5))

        self.w_mx, self.w_mv, self.c_m = uniform(), uniform(), uniform()
        self.w_ax, self.w_ab, self.c_a = uniform(), uniform(), uniform()

    def forward(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        g = (self.w_mx * x + self.w_mv * v + self.c_m).sigmoid()
        r = (self.w_ax * x + self.w_ab * b + self.c_a).sigmoid()
        return g, r


class Dense(nn.Module):
    """g = sigmoid(W_m [X; V] + c_m), r = sigmoid(W_a [X; B] + c_a) of a layer [N, `width`]; the gates of the work.

    `slope` gives each sigmoid a learned slope. `start` and `start_adaptation` (by default the same) name how the
    weights of the two start; biases start at 0 with `zero_bias`.
    """

    pointwise = False
    adapts = True

    def __init__(
        self,
        width: int,
        *,
        slope: bool = False,
        start: str = "default",
        start_adaptation: str | None = None,
        zero_bias: bool = False,
    ) -> None:
        super().__init__()
        self.membrane, self.adaptation = nn.Linear(2 * width, width), nn.Linear(2 * width, width)
        self.squash_membrane, self.squash_adaptation = squash(slope), squash(slope)
        _initialise(self.membrane, start, zero_bias)
        _initialise(self.adaptation, start_adaptation or start, zero_bias)

    def forward(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        g = self.squash_membrane(_apply(self.membrane, torch.cat([x, v], -1)))
        r = self.squash_adaptation(_apply(self.adaptation, torch.cat([x, b], -1)))
        return g, r


class Convolved(nn.Module):
    """Gates of feature maps [N, `channels`, H, W]: g = sigmoid(norm(conv(X + V))), r by `adaptation`.

    "sum": r = sigmoid(norm(conv(X + B))); "concatenated": r = sigmoid(norm(conv([X; B]))); None: there is no r. The
    convolutions have `kernel` and keep the size; with `norm` an ordinary batch norm follows each, whose running
    statistics move at every step.
    """

    pointwise = False

    def __init__(
        self,
        channels: int,
        *,
        kernel: int = 3,
        norm: bool = True,
        adaptation: str | None = "sum",
        start: str = "xavier_uniform",
        zero_bias: bool = True,
    ) -> None:
        super().__init__()
        if adaptation not in ("sum", "concatenated", None):
            raise unknown("adaptation gate", str(adaptation), ("sum", "concatenated"))

        def convolution(inputs: int) -> nn.Sequential:
            conv = nn.Conv2d(inputs, channels, kernel, padding=kernel // 2)
            _initialise(conv, start, zero_bias)
            return nn.Sequential(conv, nn.BatchNorm2d(channels) if norm else nn.Identity())

        self.kind = adaptation
        self.adapts = adaptation is not None
        self.membrane = convolution(channels)
        if adaptation:
            self.adaptation = convolution(channels if adaptation == "sum" else 2 * channels)

    def forward(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor | None]:
        g = _apply(self.membrane, x + v).sigmoid()
        if self.kind is None:
            return g, None
        return g, _apply(self.adaptation, x + b if self.kind == "sum" else torch.cat([x, b], 1)).sigmoid()


def _apply(layer: nn.Module, x: Tensor) -> Tensor:
    """`layer` in the type of its weights, the result in the type of `x`."""
    return layer(x.to(next(layer.parameters()).dtype)).to(x.dtype)


NAMES = ("diagonal", "dense", "conv")


def create(spec: Spec, shape: Shape) -> Diagonal | Dense | Convolved:
    """The gates of a layer whose channel-wise parameters have `shape`.

    "diagonal" takes every shape, "dense" one like (C,). "conv" takes one like (C, 1, 1) and is dense where the shape is
    (C,), with the options under "dense"; so one description serves all layers of a network. Its kernel is by default
    that of `Maps`, else 3. UnknownName for another name, ValueError for a shape that does not fit.
    """
    kernel = getattr(shape, "kernel", 3)
    shape = dimensions(shape)
    options: dict[str, Any] = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = str(options.pop("name", None))
    if name not in NAMES:
        raise unknown("gates", name, NAMES)
    dense: Mapping[str, Any] = options.pop("dense", {}) if name == "conv" else options
    try:
        if name == "diagonal":
            return Diagonal(shape, **options)
        if len(shape) == 1:
            return Dense(shape[0], **dense)
        if name == "conv" and len(shape) == 3 and shape[1:] == (1, 1):
            return Convolved(shape[0], **{"kernel": kernel, **options})
    except TypeError as error:
        raise TypeError(f"Gates {name!r}: {error}") from error
    needed = "(C,)" if name == "dense" else "(C,) or (C, 1, 1)"
    raise ValueError(f"Gates {name!r} mix the neurons of a layer and need its shape={needed}, got shape={shape}.")
