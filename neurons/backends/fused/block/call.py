"""A block as a differentiable function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from ..call import once_only
from .kernel import Kernel, Norm, Pool


@dataclass(frozen=True)
class Job:
    """What a call needs beside tensors; `steps` where the input is the same at each of so many, else 0."""

    norm: Norm | None
    pooling: Pool
    rest: list[float]
    every: int
    raw_names: list[str]
    steps: int


def call(
    kernel: Kernel,
    raw_names: list[str],
    every: int,
    norm: Norm | None,
    pooling: Pool,
    neuron: Any,
    layer: Any,
    carried: Sequence[float | Tensor],
    x: Tensor,
    one: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """What pooling makes of the spikes of `x` [T, N, C, ..], and the states after the last step.

    `layer` is the batch norm of `norm`, `carried` the states before the first step, as numbers where all neurons have
    the same; `one` is what `x` repeats at every step and where its gradient goes, if it does.
    """
    step = x.shape[1:]
    planes = step if len(step) == 4 else (*step[:2], 1, step[2])
    rest = [0.0 if isinstance(value, Tensor) else value for value in carried]
    states = [plain(v.to(x.device, kernel.compute).reshape(planes)) if isinstance(v, Tensor) else None for v in carried]
    raw = [attrgetter(name)(neuron) for name in raw_names]
    affine = [layer.weight, layer.bias] if norm else [None, None]
    given, steps = (x, 0) if one is None else (one, x.shape[0])
    job = Job(norm, pooling, rest, every, raw_names, steps)
    given = given if len(step) == 4 else given.unsqueeze(-2)
    tensors = [given, *affine, *states, *raw]
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        y, *after = Passes.apply(kernel, job, *tensors)
    else:
        values = dict(zip(raw_names, raw, strict=True))
        y, after, _, _ = kernel.forward(
            whole(given, job.steps), norm, affine, pooling, states, rest, values, every, False
        )
    if len(step) == 3:
        y = y.squeeze(-2)
    return y, [state.view(step) for state in after]


class Passes(torch.autograd.Function):
    """Spikes, pooled, and final states."""

    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, job: Job, x: Tensor, weight: Tensor | None, bias: Tensor | None,
        *tensors: Tensor | None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        states, values = tensors[: len(job.rest)], tensors[len(job.rest) :]
        raw: Any = dict(zip(job.raw_names, values, strict=True))
        sequence = whole(x, job.steps)
        y, after, kept, of_step = kernel.forward(
            sequence, job.norm, (weight, bias), job.pooling, states, job.rest, raw, job.every, True
        )
        ctx.set_materialize_grads(False)
        ctx.kernel, ctx.job, ctx.kept = kernel, job, len(kept)
        ctx.save_for_backward(x, weight, bias, of_step, *states, *values, *kept)
        return (y, *after)

    @staticmethod
    def backward(ctx: Any, gy: Tensor | None, *gs: Tensor | None) -> tuple[Tensor | None, ...]:
        kernel, job = ctx.kernel, ctx.job
        saved = ctx.saved_tensors
        # Hooks on saved tensors may have brought them back in another order of memory.
        x, (weight, _, of_step, *others) = saved[0], map(plain, saved[1:])
        count = len(job.rest)
        states, values, kept = others[:count], others[count : len(others) - ctx.kept], others[len(others) - ctx.kept :]
        wanted = ctx.needs_input_grad[2:]
        if gy is None and all(g is None for g in gs):
            return (None,) * len(ctx.needs_input_grad)
        with torch.no_grad():
            gx, of_affine, before, params = kernel.backward(
                whole(x, job.steps),
                None if gy is None else plain(gy.to(kernel.dtype)),
                job.norm,
                weight,
                of_step,
                job.pooling,
                states,
                kept,
                [None if g is None else plain(g.to(kernel.compute)) for g in gs],
                wanted[0],
                wanted[3 : 3 + count],
                job.rest,
                dict(zip(job.raw_names, values, strict=True)),
                job.every,
                once=job.steps > 0,
            )
            of_raw = [
                params[name].to(value.dtype).reshape(value.shape) if need and name in params else None
                for name, value, need in zip(job.raw_names, values, wanted[3 + count :], strict=True)
            ]
        gradients = [gx, *of_affine, *before, *of_raw]
        gradients = [g if need else None for g, need in zip(gradients, wanted, strict=True)]
        return (None, None, *once_only(gradients, gy, *gs, *saved))


def whole(x: Tensor, steps: int) -> Tensor:
    """[T, N, C, H, L], each step dense in that order, of such a sequence or of the one that all `steps` repeat."""
    x = x.resolve_neg()
    if steps:
        return x.contiguous().expand(steps, *x.shape)
    return x if x[0].is_contiguous() else x.contiguous()


def plain(t: Any) -> Any:
    """The tensor `t`, if it is one, as a kernel reads it."""
    return None if t is None else t.resolve_neg().contiguous()
