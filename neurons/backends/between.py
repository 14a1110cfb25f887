"""What a step of liquid neurons with dense gates computes between its matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import gates
from ..adaptive_threshold import LTC


class Between(LTC):
    """The step of an LTC from the products of its gates: each neuron by itself, so that kernels can be made of it.

    `drive` and `drive_a` are W_m [X; V] + c_m and W_a [X; B] + c_a [N, C]. They come as states, of which a step leaves
    nothing behind. It shares parameters and parts with the layer that `between` makes it of.
    """

    states: tuple[str, ...] = (*LTC.states, "drive", "drive_a")  # type: ignore[assignment]
    gates: gates.Dense

    def step(self, x: Tensor, v: Tensor, b: Tensor, s: Tensor, drive: Tensor, drive_a: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        g, r = self.gates.squash_membrane(drive), self.gates.squash_adaptation(drive_a)
        return *self.update(x, v, b, s, g, r), torch.zeros_like(drive), torch.zeros_like(drive_a)


def between(neuron: LTC) -> Between:
    """That part of `neuron`, which has dense gates, without its state."""
    made = object.__new__(Between)
    made.__dict__.update(neuron.__dict__)
    made.__dict__["pointwise"] = True
    return made
