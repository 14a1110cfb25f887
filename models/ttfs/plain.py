"""What a layer of `relpsp` neurons does beside its operator, as in the equations: passes over arrays, of every device
and type (models.ttfs.passes).
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor
from torch.nn import functional as F

from .numerics import Numerics


def layout(x: Tensor) -> torch.memory_format:
    """How the numbers of [N, ...] lie: with the channels of a pixel beside each other, or in the order of the shape."""
    beside = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if beside else torch.contiguous_format


def dense(x: Tensor, how: torch.memory_format) -> Tensor:
    """The same numbers without gaps, in that order."""
    return x.contiguous(memory_format=how)


def split(times: Tensor) -> tuple[Tensor, bool]:
    """What the operator sums: times [N, ...], which are dense, with 0 for silence, followed by 1 for fired, [2N, ...].

    Where all fire one sample of ones does for all, [N + 1, ...], and the second answer is true.
    """
    silent = times == inf
    if all_fire := not bool(silent.any()):
        fired = torch.ones_like(times[:1]) if len(times) else times.new_ones(1, *times.shape[1:])
    else:
        fired = (~silent).to(times.dtype)
    return torch.cat([times.masked_fill(silent, 0.0), fired]), all_fire


def fire(sums: Tensor, n: int, numerics: Numerics) -> Tensor:
    """Spike times [n, ...] of the sums I and S, [2n, ...] or [n + 1, ...]; what held I may hold the times."""
    return times_of(sums[n:], sums[:n], numerics)


def times_of(S: Tensor, I: Tensor, numerics: Numerics) -> Tensor:  # noqa: E741 - the work's name
    """When neurons fire, local to their window, infinity for never.

    The released rule is u = (2T + I) / (1 + S), silent above 2T or below 0, T where S T >= T + I, less T. Here the
    numerator is taken relative to the start of the window, which is the same and neither loses digits there nor divides
    0 by 0.
    """
    T = numerics.window
    late = numerics.start * T + I - S * T  # what the potential lacks at the start of the window
    t = late / (numerics.falling + S)
    return torch.where(late <= 0, 0.0, torch.where((t < 0) | (t > T), inf, t))


def gradients(grad: Tensor, S: Tensor, out: Tensor, numerics: Numerics) -> Tensor:
    """Those of I and of S, one after the other as they are in the sums, given that of the spike times `out`.

    gI = dt/dI = 1 / (1 + S) and gS = dt/dS = -(T + t) / (1 + S) of neurons that fire strictly inside their window, 0 of
    all others, each clipped at `numerics.clip`.
    """
    inside = (out > 0) & (out < numerics.window)
    by_I = 1 / (numerics.falling + S)
    by_S = -(numerics.window + out) * by_I
    if numerics.clip is not None:
        by_I, by_S = (factor.clamp(-numerics.clip, numerics.clip) for factor in (by_I, by_S))
    to_I, to_S = (torch.where(inside, grad * factor, 0.0) for factor in (by_I, by_S))
    return torch.cat([to_I, to_S if len(S) == len(out) else to_S.sum(0, keepdim=True)])


def earliest(times: Tensor, kernel: int, stride: int) -> tuple[Tensor, Tensor]:
    """The earliest of each field of `times` [N, C, H, W], the first in rows among equals, and its place in the map."""
    found, where = F.max_pool2d(-times, kernel, stride, return_indices=True)
    return -found, where


def spread(grad: Tensor, where: Tensor, shape: torch.Size) -> Tensor:
    """Each of `grad` to its place in maps of `shape` [N, C, H, W]; what meets there is added."""
    to = grad.new_zeros(shape).flatten(-2)
    return to.scatter_add_(-1, where.long().flatten(-2), grad.flatten(-2)).view(shape)
