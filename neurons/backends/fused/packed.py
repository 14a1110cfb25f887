"""A convolution of spikes, which keeps them as bytes for its backward pass and expands them where they are used; where
they are few, it is computed event by event.

Spikes are 0 or 1, the mean of a window of n of them is a whole number of n-th parts. Whether that is so is looked at in
the pass that packs; an input that holds anything else is kept as it is.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import compiler, cpp_preamble, events, pool
from .graph import Graph
from .kernel import call_library, note_threads, threads_for

MOST = 255  # parts that a byte counts
SMALLEST = 1 << 20  # bytes of an input; to pack less saves little memory and takes up to a seventh of a step
_BLOCK = 1 << 14


def find(layer: Any, x: Tensor, parts: int) -> Callable[[Tensor], Tensor] | None:
    """What computes the convolution `layer` of spikes like `x` [T, N, C, ..] in `parts` parts; None where bytes do not
    hold them, or where nothing is gained."""
    fits = (
        layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and parts <= MOST
        and x.nbytes >= SMALLEST
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.dtype == layer.weight.dtype
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and forward_ad._current_level < 0  # there is no rule here for these two
        and torch._C._functorch.peek_interpreter_stack() is None
        and _library(x.dtype) is not None
    )
    by_events = fits and parts == 1 and events.fits(layer, x)
    keeps = torch.is_grad_enabled() and layer.weight.requires_grad
    return partial(_convolve, layer, parts, by_events) if fits and (keeps or by_events) else None


def _convolve(layer: Any, parts: int, by_events: bool, x: Tensor) -> Tensor:
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    flat = x.flatten(0, 1)
    few = int(events.FEW * x.numel()) if by_events else -1
    y = Convolution.apply(flat, _Shadow.apply(flat), layer.weight, layer.bias, options, parts, few)
    return y.unflatten(0, x.shape[:2])


class Convolution(torch.autograd.Function):
    """[N, C, ..] -> [N, C', ..], keeping the input in bytes where they hold it; up to `few` spikes event by event.

    `shadow` stands for the input where its gradient is differentiated once more: bytes have no derivative.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shadow: Tensor, weight: Tensor, bias: Tensor | None, options: Any, parts: int, few: int
    ) -> Tensor:
        stride, padding, dilation, groups = ctx.options = options
        ctx.parts, ctx.biases = parts, None if bias is None else list(bias.shape)
        packed, ones = pack(x, parts)
        ctx.packed, ctx.shadow = packed is not None, shadow
        ctx.save_for_backward(x if packed is None else packed, weight)
        ctx.few = False
        if packed is not None and 0 <= ones <= few:
            ctx.few = True
            return events.convolve(packed, weight, bias, padding)
        zeros = [0] * len(stride)
        return torch.convolution(x, weight, bias, stride, padding, dilation, False, zeros, groups)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        stride, padding, dilation, groups = ctx.options
        kept, weight = ctx.saved_tensors
        of_x, _, of_weight, of_bias = (bool(need) for need in ctx.needs_input_grad[:4])

        def gradients(x: Tensor, *wanted: bool) -> Any:
            return torch.ops.aten.convolution_backward(
                gy, x, weight, ctx.biases, stride, padding, dilation, False, [0] * len(stride), groups, wanted
            )

        plain = not torch.is_grad_enabled() and not torch._C._functorch.is_legacy_batchedtensor(gy)
        if ctx.few and plain and events.sums_for(gy, weight) > 1:  # else with create_graph or is_grads_batched
            gx = gradients(_of_shape(kept.shape, gy), True, False, False)[0] if of_x else None
            gw = events.gradient(kept, gy, weight, padding) if of_weight else None
            gb = gy.sum([0, *range(2, gy.ndim)]) if of_bias else None
            return gx, None, gw, gb, None, None, None
        x = _Expanded.apply(ctx.shadow, kept, weight.dtype, ctx.parts) if ctx.packed else kept
        if torch.is_grad_enabled():  # it is only with create_graph
            gx, gw, gb = gradients(x, of_x, of_weight, of_bias)
        else:
            _, gw, gb = gradients(x, False, of_weight, of_bias)
            shape = x.shape
            del x
            gx = gradients(_of_shape(shape, gy), True, False, False)[0] if of_x else None
        return gx, None, gw, gb, None, None, None


def _of_shape(shape: torch.Size, gy: Tensor) -> Tensor:
    """A tensor of which the size alone is asked. The numbers of `gy` serve where they suffice: of a single one that is
    expanded PyTorch makes a whole tensor."""
    count = shape.numel()
    if gy.is_contiguous() and gy.numel() >= count:
        return gy.view(-1)[:count].view(shape)
    return gy.new_empty(1).expand(shape)


class _Shadow(torch.autograd.Function):
    """A tensor like `x` without its numbers, whose gradient is that of `x`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        return x.new_empty(1).expand(x.shape)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None) -> Tensor | None:
        return g


class _Expanded(torch.autograd.Function):
    """The numbers of `packed` as those of what `shadow` stands for."""

    @staticmethod
    def forward(ctx: Any, shadow: Tensor, packed: Tensor, dtype: torch.dtype, parts: int) -> Tensor:
        return expand(packed.contiguous(), dtype, parts)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return g, None, None, None


def pack(x: Tensor, parts: int) -> tuple[Tensor | None, int]:
    """`x` as bytes, each so many of `parts` parts, None where one of its numbers is none of these; and how many bytes
    are 1, -1 where some are more."""
    library = _library(x.dtype)
    assert library is not None
    x = x.contiguous()
    packed = pool.empty(tuple(x.shape), x.stride(), torch.uint8)
    found = torch.zeros(3, dtype=torch.int64, device="cpu")
    _run(library.pack, [x, packed, found], x.numel(), parts)
    other, more, ones = found.tolist()
    return None if other else packed, -1 if more else ones


def expand(packed: Tensor, dtype: torch.dtype, parts: int) -> Tensor:
    """What was packed, in `dtype`."""
    x = pool.empty(tuple(packed.shape), packed.stride(), dtype)
    _run(_library(dtype).expand, [packed, x], packed.numel(), parts)  # type: ignore[union-attr]
    return x


def _run(function: Any, arrays: list[Tensor], count: int, parts: int) -> None:
    threads = min(threads_for(count), max(1, count // _BLOCK))
    note_threads(threads)
    call_library(function, arrays, [float(parts)], [1, count, _BLOCK, threads, 0])


@cache
def _library(dtype: torch.dtype) -> ctypes.CDLL | None:
    source = "\n".join([*cpp_preamble.preamble(Graph(), str(dtype).removeprefix("torch.")), _SOURCE])
    try:
        found = compiler.library(source, ("-O3", "-fno-trapping-math")).functions
    except compiler.CompilationError:
        return None
    found.pack.restype = found.expand.restype = None
    return found


_SOURCE = """\
static void pack_block(void** arrays, const double* scalars, const long*, long b, long n) {
  const C* __restrict x = (const C*)arrays[0] + b;
  unsigned char* __restrict to = (unsigned char*)arrays[1] + b;
  const C parts = C(scalars[0]);
  int other = 0, more = 0, ones = 0;
  for (long i = 0; i < n; i++) {
    const C scaled = x[i] * parts;
    const int whole = int(scaled >= 0 ? scaled < C(255.5) ? scaled + C(0.5) : C(0) : C(0));
    other |= C(whole) / parts != x[i];
    to[i] = (unsigned char)whole;
    more |= whole > 1;
    ones += whole == 1;
  }
  long* found = (long*)arrays[2];
  if (other) *(volatile long*)found = 1;
  if (more) *(volatile long*)(found + 1) = 1;
  __atomic_fetch_add(found + 2, ones, __ATOMIC_RELAXED);
}
static void expand_block(void** arrays, const double* scalars, const long*, long b, long n) {
  const unsigned char* __restrict from = (const unsigned char*)arrays[0] + b;
  C* __restrict x = (C*)arrays[1] + b;
  const C parts = C(scalars[0]);
  for (long i = 0; i < n; i++) x[i] = C(from[i]) / parts;
}
extern "C" void pack(void** a, const double* scalars, const long* sizes) { run(pack_block, a, scalars, sizes); }
extern "C" void expand(void** a, const double* scalars, const long* sizes) { run(expand_block, a, scalars, sizes); }
"""
