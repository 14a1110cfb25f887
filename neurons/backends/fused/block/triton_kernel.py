"""A block's Triton kernels: compiled for a device (or, without one, for an architecture), started, and proven on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ....base import Neuron
from .. import cuda_kernel, layout
from ..trace import Trace
from ..triton import OPTIONS, STAGES
from ..triton_kernel import _STORED, load
from . import kernel, proof
from . import triton as emitter
from .kernel import KINDS, Norm, Pool

SAMPLES = 9  # of the proof: more than one piece of each channel
_TYPES = {"computed": "*fp32", "double": "*fp64", "number": "fp32", "int": "i32", "long": "i64"}


def unfit(x: Tensor, pooling: Pool) -> str | None:
    """Why no block is for inputs like `x` [T, N, C, ..] and this pooling; or None."""
    if _lanes(pooling) > emitter.MOST:
        return "a window of the pooling is too large"
    if x[0, :, 0].numel() >= 2**29:  # windows, those beyond the edge, too, are counted in 32 bits
        return "a channel has too many values"
    return None


class Kernel(kernel.Kernel):
    """The forward and backward pass of a block on a CUDA device.

    `dtype` is float32, bfloat16 or float16, that of the input, the spikes and the batch norm; all else is float32.
    Everything is queued on PyTorch's current stream and allocated by PyTorch, without waiting for the device.
    """

    lanes, tile = emitter.LANES, emitter.TILE

    def __init__(self, trace: Trace, dtype: torch.dtype, parameters: list[str], normalised: bool) -> None:
        self._read(trace, dtype, parameters, normalised)
        self.functions = load(emitter.source(self.program, normalised))
        self._compiled: dict[tuple[Any, ...], Any] = {}

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
        """As in kernel.Kernel."""
        T, N, C, H, L = x.shape
        every = min(every, T)
        y = x.new_empty((T, N, C, *pooling.of(H, L)))
        rows = -(-T // every) - 1 if keep else 0
        after = [_computed(x, N, C, H, L) for _ in states]
        kept = [_computed(x, rows, N, C, H, L) for _ in states if rows]
        of_step = None if norm is None else self._coefficients(x, norm, affine)
        before = _all_or_none(states, rest)
        values, each = self._parameters(raw, x.device)
        missing: list[Tensor | None] = [None] * len(states)
        arrays = [x, y, of_step, *_paired(before, after), *(kept or missing), *values]
        P, K = self._piece(pooling)
        switches = (KINDS[pooling.kind], _any(before), rows > 0, P, K, STAGES)
        sizes = [T, every, N, C, H, L, *pooling.size, x.stride(0), *each]
        numbers = [*self.trace.constants, *rest]
        self.launch("forward", C * self._chunks(x, pooling), arrays, numbers, sizes, switches)
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
        """As in kernel.Kernel."""
        T, N, C, H, L = x.shape
        every = min(every, T)
        trained = norm is not None and norm.trained
        chunks = self._chunks(x, pooling)
        share = min(chunks, max(1, cuda_kernel._PROGRAMS_PER_PROCESSOR * cuda_kernel._processors(x.device) // C))
        P, K = self._piece(pooling)
        gx = x.new_empty(x.shape[1:] if once else x.shape) if wanted_x else None
        before = [_computed(x, N, C, H, L) if any(wanted_states) else None for _ in states]
        given = _all_or_none(gs, [0.0] * len(gs))
        carried = _all_or_none(states, rest)
        sums = [torch.empty((C, chunks), dtype=torch.float64, device=x.device) for _ in self._sums]
        dots = [_computed(x, C, T, chunks) if norm else None for _ in range(2)]
        rooms = [_computed(x, C * share, every, P, K) for _ in emitter.kept(self.program)]
        values, each = self._parameters(raw, x.device)
        missing: list[Tensor | None] = [None] * len(states)
        arrays = [x, gy, gx, of_step, *carried, *(kept or missing), *_paired(given, before), *sums, *dots]
        switches = (
            KINDS[pooling.kind], _any(carried), len(kept) > 0, gy is not None, _any(given), any(wanted_states),
            wanted_x, once, P, K, STAGES,
        )  # fmt: skip
        sizes = [T, every, N, C, H, L, *pooling.size, x.stride(0), int(trained), *each]
        numbers = [*self.trace.constants, *rest]
        self.launch("backward", C * share, [*arrays, *rooms, *values], numbers, sizes, switches)
        of_affine: list[Tensor | None] = [None, None]
        if norm is not None:
            of_affine = self._through_statistics(x, gx, norm, of_step, dots, once)
        found = [g if wanted else None for g, wanted in zip(before, wanted_states, strict=True)]
        return gx, of_affine, found, self._of_parameters([total.sum(1) for total in sums], raw)

    def launch(
        self,
        way: str,
        programs: int,
        arrays: Sequence[Tensor | None],
        numbers: Sequence[float],
        sizes: Sequence[int],
        switches: tuple[Any, ...],
    ) -> None:
        """Queues `way` with its arguments in the order of `triton.arguments`, and its switches."""
        device = next(t.device for t in arrays if t is not None)
        pointers = [0 if t is None else t.data_ptr() for t in arrays]
        key = (device, way, switches)
        with torch.cuda.device(device):
            if key not in self._compiled:
                self._compiled[key] = self.compile(way, switches)
            self._compiled[key][(programs, 1, 1)](*pointers, *numbers, *sizes, *switches)

    def compile(self, way: str, switches: tuple[Any, ...], target: Any = None) -> Any:
        """Triton's compiled kernel; `target` is a GPUTarget (None: this device)."""
        from triton import compile as build
        from triton.compiler import ASTSource

        kinds = {**_TYPES, "stored": _STORED[self.dtype]}
        constants = dict(zip(emitter.SWITCHES[way], switches, strict=True))
        types = {name: kinds[emitter.kind(name)] for name in emitter.arguments(self.program, way)}
        source = ASTSource(self.functions[way], types | dict.fromkeys(constants, "constexpr"), constants)
        return build(source, target=target, options=OPTIONS)

    def _coefficients(self, x: Tensor, norm: Norm, affine: Sequence[Tensor | None]) -> Tensor:
        """Scale, shift, mean and 1 / std of each channel and step, [C, T, 4]."""
        T, N, C, H, L = x.shape
        A, B, tiles = self._tiles(x)
        rows = T if x.stride(0) else 1  # the others are the same
        means = squares = None
        if norm.trained:
            means, squares = (_computed(x, C, rows, tiles) for _ in range(2))
            self.launch("moments", C * rows * tiles, [x, means, squares], [], [N, C, H * L, rows, x.stride(0)], (A, B))
        of_step = _computed(x, C, T, 4)
        arrays = [means, squares, *affine, norm.running_mean, norm.running_var, of_step]
        sizes = [T, T if norm.together else 1, rows, N, H * L]
        switches = (norm.trained, A, B, emitter.ROWS)
        self.launch("coefficients", C, arrays, [norm.eps, norm.momentum], sizes, switches)
        return of_step

    def _through_statistics(
        self, x: Tensor, gx: Tensor | None, norm: Norm, of_step: Tensor | None, dots: Sequence[Any], once: bool
    ) -> list[Tensor | None]:
        """The gradients of weight and bias; `gx`, that of the normalised input, becomes that of x."""
        T, N, C, H, L = x.shape
        of_affine = [x.new_empty(C) for _ in range(2)]
        of = _computed(x, C, T + 1, 2)
        sizes = [T, T if norm.together else 1, dots[0].shape[2], N, H * L]
        self.launch("shares", C, [*dots, of_step, of, *of_affine], [], sizes, (emitter.ROWS,))
        if gx is not None and norm.trained:
            A, B, tiles = self._tiles(x)
            rows = 1 if once else T
            sizes = [N, C, H * L, T, rows, x.stride(0)]
            self.launch("correct", C * rows * tiles, [x, gx, of_step, of], [], sizes, (once, A, B))
        return [*of_affine]

    def _parameters(self, raw: dict[str, Tensor], device: torch.device) -> tuple[list[Tensor], list[int]]:
        """The values that depend on parameters alone, and whether every channel has its own."""
        with torch.no_grad():
            values = self.trace.evaluate(self.trace.prologue, raw)  # type: ignore[arg-type]
        values = [layout.plain(value, self.compute).to(device) for value in values]
        return values, [int(value.numel() > 1) for value in values]

    def _piece(self, pooling: Pool) -> tuple[int, int]:
        """(windows, neurons in each) of a piece."""
        inside = _lanes(pooling)
        return max(1, self.lanes // inside), inside

    def _chunks(self, x: Tensor, pooling: Pool) -> int:
        """Pieces of a channel."""
        _, N, _, H, L = x.shape
        windows = N * -(-H // pooling.size[0]) * -(-L // pooling.size[1])
        return -(-windows // self._piece(pooling)[0])

    def _tiles(self, x: Tensor) -> tuple[int, int, int]:
        """Samples and numbers of a plane in each tile, and how many tiles a channel's step has."""
        _, N, _, H, L = x.shape
        B = min(self.tile, _power_of_two(H * L))
        A = self.tile // B
        return A, B, -(-N // A) * -(-(H * L) // B)


def verdict(made: Kernel, neuron: Neuron) -> str | None:
    """None for a block that agrees on this device with the layers one by one on the CPU, else what differs."""
    try:
        found = proof.difference(OnDevice(made, "cuda"), neuron, SAMPLES)  # type: ignore[arg-type]
    except torch.OutOfMemoryError:
        raise  # of the moment: the next call tries again
    except Exception as error:
        found = f"it does not run: {type(error).__name__}: {error}"
    return found and f"the block of {neuron.name!r} for this CUDA device is wrong: {found}"


class OnDevice:
    """A kernel on `device` that takes and gives tensors on the CPU."""

    def __init__(self, made: Kernel, device: str) -> None:
        self._made, self._device = made, device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    def forward(self, x: Tensor, norm: Norm | None, *others: Any) -> Any:
        there = self._there(norm)
        (x,), others = self._moved(x), self._moved(*others)
        found = cuda_kernel._moved(self._made.forward(x, there, *others), "cpu")
        if norm is not None and there is not None:
            norm.running_mean.copy_(there.running_mean)
            norm.running_var.copy_(there.running_var)
        return found

    def backward(self, x: Tensor, gy: Tensor | None, norm: Norm | None, *others: Any) -> Any:
        args = [*self._moved(x, gy), self._there(norm), *self._moved(*others)]
        return cuda_kernel._moved(self._made.backward(*args), "cpu")

    def _there(self, norm: Norm | None) -> Norm | None:
        if norm is None:
            return None
        mean, var = self._moved(norm.running_mean, norm.running_var)
        return replace(norm, running_mean=mean, running_var=var)

    def _moved(self, *values: Any) -> Any:
        return cuda_kernel._moved(values, self._device)


def _all_or_none(tensors: Sequence[Tensor | None], rest: Sequence[float]) -> list[Tensor | None]:
    """`tensors`, those that are missing at their value in `rest`; or all missing."""
    shaped = next((t for t in tensors if t is not None), None)
    if shaped is None:
        return [None] * len(tensors)
    return [torch.full_like(shaped, value) if t is None else t for t, value in zip(tensors, rest, strict=True)]


def _any(tensors: Sequence[Tensor | None]) -> bool:
    return any(t is not None for t in tensors)


def _computed(x: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float32, device=x.device)


def _lanes(pooling: Pool) -> int:
    return _power_of_two(pooling.size[0] * pooling.size[1])


def _power_of_two(n: int) -> int:
    """The smallest that is not below `n`."""
    return 1 << (n - 1).bit_length()


def _paired(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [t for pair in zip(first, second, strict=True) for t in pair]
