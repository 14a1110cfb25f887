"""A compiled block whose neurons are a product over time and a threshold, and how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .. import compiler, cpp_preamble, layout, pool
from ..call import once_only
from ..kernel import bind_functions, call_library, note_threads, threads_for
from ..product_kernel import Band
from ..program import program
from ..trace import Trace
from . import call, cpp, product_cpp
from .kernel import FLAGS, KINDS, Norm, Pool, dense, pieces

_CACHE = 256 << 10  # bytes that the steps of a piece and their gradients may take of the second-level cache


class Product:
    """The passes of pool(Theta(M norm(x) + b)) with the threshold of `trace`, a stateless step.

    `normalised`: with batch norm. Everything is in `dtype`, float32 or float64. Raises compiler.CompilationError.
    """

    def __init__(self, trace: Trace, dtype: torch.dtype, normalised: bool) -> None:
        self.dtype, self.normalised, self.constants = dtype, normalised, trace.constants
        size = dtype.itemsize
        whole = program(trace, grad_x=True, parameters=[], storage_bytes=size, compute_bytes=size)
        source = product_cpp.source(whole, str(dtype).removeprefix("torch."), normalised)
        self.library = compiler.library(source, (*FLAGS, "-ffp-contract=fast"))
        functions = self.library.functions
        bind_functions(functions, cpp_preamble.used_functions(trace.graph), dtype)
        self._forward, self._backward = functions.block_forward, functions.block_backward
        self._forward.restype = self._backward.restype = None

    def forward(
        self,
        x: Tensor,
        norm: Norm | None,
        affine: Sequence[Tensor | None],
        pooling: Pool,
        matrix: Tensor,
        bias: Tensor,
        band: Band,
    ) -> tuple[Tensor, Tensor | None]:
        """What pooling makes of the spikes of `x` [T, N, C, H, L]; scale, shift, mean and 1 / std, [C, T, 4].

        `affine` are weight and bias of the norm; `matrix` [T, T] has numbers within `band`, `bias` is of T or 1.
        """
        T, N, C, H, L = x.shape
        shape = (T, N, C, *pooling.of(H, L))
        y = pool.empty(shape, dense(shape), self.dtype)
        of_step = torch.empty((C, T, 4), dtype=self.dtype, device="cpu") if norm else None
        running = [norm.running_mean, norm.running_var] if norm else [None, None]
        arrays = [x, y, *affine, *running, of_step, matrix, bias]
        self._call(self._forward, arrays, x, norm, pooling, bias, band)
        return y, of_step

    def backward(
        self,
        x: Tensor,
        gy: Tensor | None,
        norm: Norm | None,
        weight: Tensor | None,
        of_step: Tensor | None,
        pooling: Pool,
        matrix: Tensor,
        bias: Tensor,
        band: Band,
        wanted_x: bool,
        of_parameters: bool,
        once: bool,
    ) -> tuple[Tensor | None, list[Tensor | None], Tensor | None, Tensor | None]:
        """Gradients of x, if wanted, of weight and bias of the norm, of the matrix and of its bias. `once`: that of x
        is summed over the steps, [N, C, H, L].
        """
        T, C = x.shape[0], x.shape[2]
        shape = tuple(x.shape[1:] if once else x.shape)
        gx = pool.empty(shape, dense(shape), self.dtype) if wanted_x else None
        of_affine = [torch.empty(C, dtype=self.dtype, device="cpu") if norm else None for _ in range(2)]
        totals = torch.zeros((C, T * T + T), dtype=torch.float64, device="cpu") if of_parameters else None
        arrays = [x, gy, gx, of_step, weight, *of_affine, matrix, bias, totals]
        self._call(self._backward, arrays, x, norm, pooling, bias, band, 0 if once else dense(shape)[0])
        if totals is None:
            return gx, of_affine, None, None
        total = totals.sum(0)
        of_bias = total[T * T :] if bias.numel() > 1 else total[T * T :].sum()
        return gx, of_affine, total[: T * T].view(T, T).to(self.dtype), of_bias.to(self.dtype).view(bias.shape)

    def _call(
        self,
        function: Any,
        arrays: Sequence[Tensor | None],
        x: Tensor,
        norm: Norm | None,
        pooling: Pool,
        bias: Tensor,
        band: Band,
        gx_row: int = 0,
    ) -> None:
        T, N, C, H, L = x.shape
        threads = min(threads_for(T * N * C * H * L), C)
        note_threads(threads)
        images, rows = pieces(N, H, L, pooling, most(T, self.dtype))
        eps, momentum = (norm.eps, norm.momentum) if norm else (0.0, 0.0)
        sizes = [
            T, C, 1, threads, 0, N, H, L, images, rows, KINDS[pooling.kind], *pooling.size, x.stride(0),
            gx_row, T, int(norm is not None and norm.together), int(norm is not None and norm.trained),
            min(band.before, T - 1), min(band.after, T - 1), bias.numel(),
        ]  # fmt: skip
        call_library(function, list(arrays), [eps, momentum, *self.constants], sizes)


def most(T: int, dtype: torch.dtype) -> int:
    """Neurons of a piece: its steps, what the threshold sees of them and the gradients of that stay in the cache."""
    return min(cpp.MOST, _CACHE // (3 * T * dtype.itemsize))


@dataclass(frozen=True)
class Job:
    """What a call needs beside tensors; `steps` where the input is the same at each of so many, else 0."""

    norm: Norm | None
    pooling: Pool
    band: Band
    steps: int


def sequence(
    kernel: Product, norm: Norm | None, pooling: Pool, layer: Any, neuron: Any, x: Tensor, one: Tensor | None
) -> Tensor:
    """What pooling makes of the spikes of `x` [T, N, C, ..]; `layer` is the batch norm of `norm`, `one` as in
    `call.call`."""
    T, flat = x.shape[0], x.ndim == 4
    given, steps = (x, 0) if one is None else (one, T)
    given = given.unsqueeze(-2) if flat else given
    job = Job(norm, pooling, Band(*neuron.reach(T)), steps)
    affine = [layer.weight, layer.bias] if norm else [None, None]
    tensors = [given, *affine, neuron.matrix(T), neuron.bias]
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        y = Passes.apply(kernel, job, *tensors)
    else:
        matrix, bias = (layout.plain(t, kernel.dtype) for t in tensors[-2:])
        y, _ = kernel.forward(call.whole(given, steps), norm, affine, pooling, matrix, bias, job.band)
    return y.squeeze(-2) if flat else y


class Passes(torch.autograd.Function):
    """Spikes, pooled."""

    @staticmethod
    def forward(
        ctx: Any, kernel: Product, job: Job, x: Tensor, weight: Tensor | None, shift: Tensor | None, matrix: Tensor,
        bias: Tensor,
    ) -> Tensor:  # fmt: skip
        numbers, biases = layout.plain(matrix, kernel.dtype), layout.plain(bias, kernel.dtype)
        sequence = call.whole(x, job.steps)
        y, of_step = kernel.forward(sequence, job.norm, (weight, shift), job.pooling, numbers, biases, job.band)
        ctx.kernel, ctx.job = kernel, job
        ctx.save_for_backward(x, weight, shift, of_step, matrix, bias)
        return y

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        kernel, job = ctx.kernel, ctx.job
        saved = ctx.saved_tensors
        # Hooks on saved tensors may have brought them back in another order of memory.
        x, (weight, _, of_step, matrix, bias) = saved[0], map(call.plain, saved[1:])
        wanted = ctx.needs_input_grad[2:]
        with torch.no_grad():
            gx, of_affine, gm, gb = kernel.backward(
                call.whole(x, job.steps),
                call.plain(gy.to(kernel.dtype)),
                job.norm,
                weight,
                of_step,
                job.pooling,
                layout.plain(matrix, kernel.dtype),
                layout.plain(bias, kernel.dtype),
                job.band,
                wanted[0],
                wanted[3] or wanted[4],
                job.steps > 0,
            )
            gm, gb = (None if g is None else g.to(t.dtype) for g, t in ((gm, matrix), (gb, bias)))
        gradients = [g if need else None for g, need in zip([gx, *of_affine, gm, gb], wanted, strict=True)]
        return (None, None, *once_only(gradients, gy, *saved))
