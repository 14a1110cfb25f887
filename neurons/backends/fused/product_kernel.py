"""A compiled product over time with its threshold on the CPU and how it is called."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from . import compiler, cpp_preamble, pool, product_cpp
from .kernel import bind_functions, call_library, compute_type, note_threads, streams, threads_for
from .layout import Layout
from .program import program
from .trace import Trace

FLAGS = ("-ffp-contract=fast",)  # a product of matrices is not rounded as written anyway
MOST_STEPS = 128  # of a full matrix: beyond, a BLAS library is faster
_CACHE = 256 << 10  # bytes that a block and its gradients may take of the second-level cache
_RARELY_COLLIDE = 16  # rows that the first-level cache holds although they may all fall on one of its sets
_STRIPS, _STRIP = 8, 8192  # strips at least, but none below a thousand neurons; neurons of a strip at most


@dataclass(frozen=True)
class Band:
    """Where a matrix [T, T] may have numbers: from `before` columns left of the diagonal to `after` right of it;
    `diagonal`: it is given as the before + 1 numbers that its diagonals hold."""

    before: int
    after: int
    diagonal: bool = False


class ProductKernel:
    """The compiled passes of y = Theta(M x + b) with the threshold function of `trace`, a stateless step.

    `dtype` is that of x and y; M and b are in `compute`. Raises compiler.CompilationError.
    """

    def __init__(self, trace: Trace, dtype: torch.dtype) -> None:
        self.dtype, self.compute = dtype, compute_type(dtype)
        self.constants = trace.constants
        whole = program(
            trace, grad_x=True, parameters=[], storage_bytes=dtype.itemsize, compute_bytes=self.compute.itemsize
        )
        self.library = compiler.library(product_cpp.source(whole, str(dtype).removeprefix("torch.")), FLAGS)
        functions = self.library.functions
        bind_functions(functions, cpp_preamble.used_functions(trace.graph), self.compute)
        self._forward, self._backward = functions.forward, functions.backward
        self._forward.restype = self._backward.restype = None
        self._width = ctypes.c_int.in_dll(functions, "width").value
        self._rows = [r for r in product_cpp.ROWS if r < 8 or self._width * self.compute.itemsize == 64]

    def forward(self, x: Tensor, place: Layout, matrix: Tensor, bias: Tensor, band: Band) -> Tensor:
        """Spikes of `x` [T, ...], which lies as in `place`; `matrix` [T, T] or [before + 1], `bias` of T or 1."""
        y = pool.empty(x.shape, (place.neurons, *place.strides), self.dtype)
        sizes = self._sizes(x, x.stride(0), 0, place.neurons, [y], matrix, bias, band, backward=False)
        call_library(self._forward, [x, y, matrix, bias], self.constants, sizes)
        return y

    def backward(
        self,
        x: Tensor,
        gy: Tensor,
        place: Layout,
        matrix: Tensor,
        bias: Tensor,
        band: Band,
        *,
        of_x: bool,
        of_parameters: bool,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Gradients of x, of the matrix and of the bias; `gy` lies as in `place`, too."""
        gx = pool.empty(x.shape, (place.neurons, *place.strides), self.dtype) if of_x else None
        gm = torch.empty_like(matrix) if of_parameters else None
        gb = torch.empty_like(bias) if of_parameters else None
        written = [] if gx is None else [gx]
        sizes = self._sizes(x, x.stride(0), gy.stride(0), place.neurons, written, matrix, bias, band, backward=True)
        call_library(self._backward, [x, gy, gx, matrix, bias, gm, gb], self.constants, sizes)
        return gx, gm, gb

    def _sizes(
        self,
        x: Tensor,
        x_row: int,
        gy_row: int,
        N: int,
        written: list[Tensor],
        matrix: Tensor,
        bias: Tensor,
        band: Band,
        *,
        backward: bool,
    ) -> list[int]:
        T = x.shape[0]
        pair = 2 * self._width
        strip = max(1024, min(_STRIP, N // _STRIPS))
        most = _CACHE // (self.compute.itemsize * T * (2 if backward else 1))
        block = max(1, min(strip, most) // pair) * pair
        strip = -(-strip // block) * block
        threads = min(threads_for(T * N), -(-N // strip))
        note_threads(threads)
        gathered = T > _RARELY_COLLIDE or N % pair or self.dtype != self.compute or (backward and band.diagonal)
        return [
            T,
            N,
            strip,
            threads,
            int(streams(written, N)),
            x_row,
            gy_row,
            block,
            min(self._rows, key=lambda r: -(-T // r) * (r + 1.5)),
            min(band.before, T - 1) if not band.diagonal else band.before,
            min(band.after, T - 1),
            int(band.diagonal),
            int(gathered),
            bias.numel(),
        ]
