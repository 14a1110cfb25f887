"""A kernel as a differentiable PyTorch function."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from . import layout
from .kernel import Kernel
from .layout import Layout

NO_SECOND_DERIVATIVE = (
    "The fused backend has no second derivative (a gradient of its gradient was asked for); use backend='torch' for it."
)


def once_only(gradients: list[Tensor | None], *read: Tensor | None) -> list[Tensor | None]:
    """Gradients that tell with NO_SECOND_DERIVATIVE whoever differentiates them once more (create_graph); `read` are
    the tensors that they were computed from.
    """
    if not torch.is_grad_enabled():
        return gradients
    present = [g for g in gradients if g is not None]
    refusing = iter(OnceOnly.apply(len(present), *present, *read))
    return [None if g is None else next(refusing) for g in gradients]


class OnceOnly(torch.autograd.Function):
    """The first `count` of `tensors`, as a result of the others without a derivative: a way through the graph that
    autograd finds, where a cut would be taken for a derivative of zero.
    """

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        return tuple(t.detach() for t in tensors[:count] if t is not None)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, ...]:
        raise RuntimeError(NO_SECOND_DERIVATIVE)


class Sequence(torch.autograd.Function):
    """Spikes and final states of a sequence, then what is kept: an output, so that autograd knows what it rests on."""

    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, job: Job, place: Layout, x: Tensor, *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        states, values = tensors[: job.states], tensors[job.states :]
        raw = dict(zip(job.raw_names, values, strict=True))
        y, after, kept = kernel.forward(x, place, states, job.rest, raw, job.constants, True, job.every)  # type: ignore[arg-type]
        ctx.set_materialize_grads(False)
        ctx.kernel, ctx.job, ctx.place, ctx.steps = kernel, job, place, x.shape[0]
        ctx.reads = (kernel.reads_x, kernel.program.reads_spikes and not kernel.checkpoint)
        read = [t for t, wanted in zip((x, y), ctx.reads, strict=True) if wanted]
        ctx.kept = len(kept)
        ctx.save_for_backward(*read, *kept, *values)
        return (y, *after, *kept)

    @staticmethod
    def backward(ctx: Any, gy: Tensor | None, *others: Tensor | None) -> tuple[Tensor | None, ...]:
        kernel, job = ctx.kernel, ctx.job
        gs = others[: job.states]
        saved = list(ctx.saved_tensors)
        # Hooks on saved tensors may have brought them back in another order of memory.
        x, y = (layout.rows_like(saved.pop(0), ctx.place) if wanted else None for wanted in ctx.reads)
        kept, values = [t.resolve_neg().contiguous() for t in saved[: ctx.kept]], saved[ctx.kept :]
        wanted = ctx.needs_input_grad[4:]
        raw = dict(zip(job.raw_names, values, strict=True))
        with torch.no_grad() if torch.is_grad_enabled() else nullcontext():  # it is only with create_graph
            gx, before, params = kernel.backward(
                x, y, kept, raw, job.constants, gy, gs, wanted[: job.states], ctx.place, ctx.steps, job.every
            )
            of_raw = [
                params[name].to(raw[name].dtype).reshape(raw[name].shape) if need and name in params else None
                for name, need in zip(job.raw_names, wanted[job.states :], strict=True)
            ]
        gradients = [gx if ctx.needs_input_grad[3] else None, *before, *of_raw]
        return (None, None, None, *once_only(gradients, gy, *gs, x, y, *kept, *values))


class Job:
    """What a call needs beside tensors: number of states and their values at rest, scalars, checkpoint distance."""

    __slots__ = ("constants", "every", "raw_names", "rest", "states")

    def __init__(self, rest: list[float], raw_names: list[str], constants: list[float], every: int) -> None:
        self.states = len(rest)
        self.rest, self.raw_names, self.constants, self.every = rest, raw_names, constants, every


def call(
    kernel: Kernel, job: Job, place: Layout, x: Tensor, states: list[Tensor | None], raw: list[Tensor]
) -> tuple[Tensor, ...]:
    """(spikes, *states after the last step); differentiable where a gradient is wanted."""
    if torch.is_grad_enabled() and (
        x.requires_grad or any(t.requires_grad for t in raw) or any(s is not None and s.requires_grad for s in states)
    ):
        return Sequence.apply(kernel, job, place, x, *states, *raw)[: 1 + job.states]
    values = dict(zip(job.raw_names, raw, strict=True))
    y, after, _ = kernel.forward(x, place, states, job.rest, values, job.constants, False, job.every)
    return (y, *after)
