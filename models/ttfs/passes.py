"""What a layer of `relpsp` neurons does beside its operator, number by number, each a pass over arrays: compiled where
that is possible, on a CPU with a compiler, else plain. Both give the same bits; models.ttfs.plain says what they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import compiled, plain
from .numerics import Numerics
from .plain import dense, layout


def split(times: Tensor) -> tuple[Tensor, bool]:
    found = compiled.find(times)
    return found.split(times) if found else plain.split(times)


def fire(sums: Tensor, n: int, numerics: Numerics) -> Tensor:
    sums = dense(sums, layout(sums))
    found = compiled.find(sums)
    return found.fire(sums, n, numerics) if found and n else plain.fire(sums, n, numerics)


def gradients(grad: Tensor, S: Tensor, out: Tensor, numerics: Numerics) -> Tensor:
    grad, S, out = (dense(x, layout(out)) for x in (grad, S, out))
    found = compiled.find(grad, S, out)
    return found.gradients(grad, S, out, numerics) if found else plain.gradients(grad, S, out, numerics)


def earliest(times: Tensor, kernel: int, stride: int) -> tuple[Tensor, Tensor]:
    times = dense(times, layout(times))
    found = compiled.find(times) if kernel <= min(times.shape[-2:]) else None
    return found.earliest(times, kernel, stride) if found else plain.earliest(times, kernel, stride)


def spread(grad: Tensor, where: Tensor, shape: torch.Size) -> Tensor:
    grad = dense(grad, layout(where))
    found = compiled.find(grad) if where.dtype == torch.int32 else None
    return found.spread(grad, where, shape) if found else plain.spread(grad, where, shape)
