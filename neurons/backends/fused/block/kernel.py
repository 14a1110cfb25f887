"""A compiled block on the CPU and how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ....blocks import Pool
from .. import compiler, cpp_preamble, layout, pool
from ..kernel import bind_functions, call_library, compute_type, note_threads, threads_for
from ..program import program
from ..trace import Reduction, Trace
from . import cpp

FLAGS = ("-O3", "-fno-trapping-math")  # for the plain loops of pooling; no value depends on either
KINDS = {"": 0, "max": 1, "mean": 2}


@dataclass(frozen=True)
class Norm:
    """Batch norm before the neurons: over each step by itself, or over all steps `together`; `trained` takes the
    statistics of the input and moves the running ones, else those are taken.
    """

    running_mean: Tensor
    running_var: Tensor
    eps: float
    momentum: float
    trained: bool
    together: bool


class Unfit(Exception):
    """No block can be made of these layers; the message is the reason."""


class Kernel:
    """The compiled forward and backward pass of a block whose neurons are those of `trace`.

    `normalised`: with batch norm before it. Everything is in `dtype`, float32 or float64. Raises Unfit and
    compiler.CompilationError.
    """

    def __init__(self, trace: Trace, dtype: torch.dtype, parameters: list[str], normalised: bool) -> None:
        self._read(trace, dtype, parameters, normalised)
        source = cpp.source(self.program, str(dtype).removeprefix("torch."), normalised)
        self.library = compiler.library(source, FLAGS)
        functions = self.library.functions
        bind_functions(functions, cpp_preamble.used_functions(trace.graph), dtype)
        self._forward, self._backward = functions.forward, functions.backward
        self._forward.restype = self._backward.restype = None

    def _read(self, trace: Trace, dtype: torch.dtype, parameters: list[str], normalised: bool) -> None:
        """What a block has to do, in whatever language."""
        self.trace, self.dtype, self.parameters, self.normalised = trace, dtype, parameters, normalised
        self.compute = compute_type(dtype)
        sizes = {"storage_bytes": dtype.itemsize, "compute_bytes": self.compute.itemsize}
        self.program = program(trace, grad_x=True, parameters=parameters, **sizes)
        self._sums = {index: _channelwise(trace, index) for index in trace.reductions(parameters)}

    def forward(
        self,
        x: Tensor,
        norm: Norm | None,
        affine: Sequence[Tensor | None],
        pooling: Pool,
        states: Sequence[Tensor | None],
        rest: Sequence[float],
        raw: dict[str, Tensor],
        every: int,
        keep: bool,
    ) -> tuple[Tensor, list[Tensor], list[Tensor], Tensor | None]:
        """What pooling makes of the spikes of `x` [T, N, C, H, L], the states after the last step, those kept every
        `every` steps if `keep`, and scale, shift, mean and 1 / std of each channel and step, [C, T, 4].

        `affine` are weight and bias of the norm; a state of None is at its value in `rest`.
        """
        T, N, C, H, L = x.shape
        shape = (T, N, C, *pooling.of(H, L))
        y = pool.empty(shape, dense(shape), self.dtype)
        after = [pool.empty(tuple(x.shape[1:]), dense(x.shape[1:]), self.dtype) for _ in states]
        rows = -(-T // every) - 1 if keep else 0
        kept = [pool.empty((rows, N, C, H, L), dense((rows, N, C, H, L)), self.dtype) for _ in states if rows]
        of_step = torch.empty((C, T, 4), dtype=self.dtype, device="cpu") if norm else None
        running = [norm.running_mean, norm.running_var] if norm else [None, None]
        arrays: list[Tensor | None] = [x, y, *affine, *running, of_step]
        for i, state in enumerate(states):
            arrays += [state, kept[i] if rows else None, after[i]]
        self._call(self._forward, arrays, x, x.stride(0), raw, norm, pooling, rest, every)
        return y, after, kept, of_step

    def backward(
        self,
        x: Tensor,
        gy: Tensor | None,
        norm: Norm | None,
        weight: Tensor | None,
        of_step: Tensor | None,
        pooling: Pool,
        states: Sequence[Tensor | None],
        kept: Sequence[Tensor],
        gs: Sequence[Tensor | None],
        wanted_x: bool,
        wanted_states: Sequence[bool],
        rest: Sequence[float],
        raw: dict[str, Tensor],
        every: int,
        once: bool,
    ) -> tuple[Tensor | None, list[Tensor | None], list[Tensor | None], dict[str, Tensor]]:
        """Gradients of x and of the states before the first step, where wanted, of weight and bias, and of the
        parameters by name. `once`: that of x is summed over the steps, [N, C, H, L].
        """
        C = x.shape[2]
        shape = tuple(x.shape[1:] if once else x.shape)
        gx = pool.empty(shape, dense(shape), self.dtype) if wanted_x else None
        of_affine = [torch.empty(C, dtype=self.dtype, device="cpu") if norm else None for _ in range(2)]
        before = [x.new_empty(x.shape[1:]) if wanted else None for wanted in wanted_states]
        arrays: list[Tensor | None] = [x, gy, gx, of_step, weight, *of_affine]
        for i, state in enumerate(states):
            arrays += [state, kept[i] if kept else None, gs[i], before[i]]
        sums = [torch.empty(C, dtype=torch.float64, device="cpu") for _ in self._sums]
        self._call(self._backward, [*arrays, *sums], x, 0 if once else dense(shape)[0], raw, norm, pooling, rest, every)
        return gx, of_affine, before, self._of_parameters(sums, raw)

    def _of_parameters(self, sums: Sequence[Tensor], raw: dict[str, Tensor]) -> dict[str, Tensor]:
        """The gradients of the parameters by name, from the sums over each channel's neurons."""
        known: dict[str | int, Tensor] = {}
        known.update(raw)
        for (index, per_channel), total in zip(self._sums.items(), sums, strict=True):
            entry = self.trace.host[index]
            assert isinstance(entry, Reduction)
            value = (total if per_channel else total.sum()).to(self.compute)
            kept_dims = [1] * len(self.trace.shape) if entry.keepdim else []
            if per_channel and entry.keepdim:
                kept_dims[1] = len(total)
            known[index] = value.reshape(kept_dims) if entry.keepdim else value
        places = [self.trace.grad_parameters[name] for name in self.parameters]
        return dict(zip(self.parameters, self.trace.evaluate(places, known), strict=True))

    def _call(
        self,
        function: Any,
        arrays: list[Tensor | None],
        x: Tensor,
        gx_row: int,
        raw: dict[str, Tensor],
        norm: Norm | None,
        pooling: Pool,
        rest: Sequence[float],
        every: int,
    ) -> None:
        T, N, C, H, L = x.shape
        threads = min(threads_for(T * N * C * H * L), C)
        note_threads(threads)
        images, rows = pieces(N, H, L, pooling, cpp.MOST)
        eps, momentum = (norm.eps, norm.momentum) if norm else (0.0, 0.0)
        sizes = [
            T, C, 1, threads, 0, N, H, L, images, rows, KINDS[pooling.kind], *pooling.size, x.stride(0), gx_row,
            min(every, T), int(norm is not None and norm.together), int(norm is not None and norm.trained),
        ]  # fmt: skip
        call_library(function, [*arrays, *self._prologue(raw, C)], [eps, momentum, *self.trace.constants, *rest], sizes)

    def _prologue(self, raw: dict[str, Tensor], channels: int) -> list[Tensor | None]:
        """The values that depend on parameters alone, each followed by itself where every channel has its own."""
        if not self.trace.prologue:
            return []
        values = self.trace.evaluate(self.trace.prologue, raw)  # type: ignore[arg-type]
        arrays: list[Tensor | None] = []
        for value in values:
            value = layout.plain(value, self.dtype)
            assert value.numel() in (1, channels), "parameters were looked at when the block was found"
            arrays += [value, value if value.numel() > 1 else None]
        return arrays


def pieces(N: int, H: int, L: int, pooling: Pool, most: int) -> tuple[int, int]:
    """(samples, rows of a plane) that are worked on at a time, `most` neurons."""
    if most >= H * L:
        return max(1, min(N, most // (H * L))), H
    return 1, most // L // pooling.size[0] * pooling.size[0]


@lru_cache(1024)
def dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for n in reversed(shape[1:]):
        strides.insert(0, strides[0] * n)
    return tuple(strides)


def _channelwise(trace: Trace, index: int) -> bool:
    """Whether a parameter's sum is one of each channel; else it is one of all neurons. Unfit for any other."""
    entry = trace.host[index]
    assert isinstance(entry, Reduction)
    ndim = len(trace.shape)
    kept = set() if entry.dims is None else set(range(ndim)) - {d % ndim for d in entry.dims}
    if entry.dims == () or not kept <= {1}:
        raise Unfit("a parameter has values of neither the layer nor its channels")
    return kept == {1}
