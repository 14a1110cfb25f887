"""The passes of models.ttfs.plain in C++ for the CPU: each reads and writes every number once.

They compute what the plain ones do, operation by operation, and give the same bits; one that does not, on the numbers
that it is tried with when it is loaded, is not used.
"""

from __future__ import annotations

import ctypes
from functools import cache
from math import inf
from typing import Any

import torch
from torch import Tensor

from neurons.backends.fused import compiler, pool

from . import plain
from .numerics import Numerics

TYPES = {torch.float32: "float", torch.float64: "double"}
# Comparisons become selections. Nothing here looks at the flags of floating point.
FLAGS = ("-O3", "-fno-trapping-math")

_SOURCE = r"""
typedef long L;

// Times with infinity for silence -> 0 there, and after all of them 1 for those that fired. Returns how many did not.
template <class C> static L split(const C* times, C* finite, C* fired, L n) {
  L silent = 0;
  for (L i = 0; i < n; i++) {
    const bool never = times[i] == C(__builtin_inf());
    finite[i] = never ? C(0) : times[i];
    fired[i] = never ? C(0) : C(1);
    silent += never;
  }
  return silent;
}

// I, n samples of m, becomes the spike times; S lies m, or nothing, further for each sample.
template <class C> static void fire(C* I, const C* S, L n, L m, L step, C start, C T, C falling) {
  for (L k = 0; k < n; k++, I += m, S += step)
    for (L i = 0; i < m; i++) {
      const C late = (start + I[i]) - S[i] * T, t = late / (falling + S[i]);
      const C in_time = ((t < 0) | (t > T)) ? C(__builtin_inf()) : t;
      I[i] = late <= 0 ? C(0) : in_time;
    }
}

template <class C>
static void gradients(const C* grad, const C* S, const C* out, C* to_I, C* to_S, L n, L m, L step, C T, C falling,
                      C clip) {
  for (L k = 0; k < n; k++, grad += m, S += step, out += m, to_I += m, to_S += m)
    for (L i = 0; i < m; i++) {
      C by_I = 1 / (falling + S[i]), by_S = -(T + out[i]) * by_I;
      by_I = by_I < -clip ? -clip : by_I > clip ? clip : by_I;
      by_S = by_S < -clip ? -clip : by_S > clip ? clip : by_S;
      const bool inside = (out[i] > 0) & (out[i] < T);
      to_I[i] = inside ? grad[i] * by_I : C(0);
      to_S[i] = inside ? grad[i] * by_S : C(0);
    }
}

// The earliest of each field of k x k, and where in the map it is: n times h x w places of c channels become oh x ow.
template <class C>
static void earliest(const C* times, C* out, int* where, L n, L h, L w, L c, L oh, L ow, L k, L stride) {
  for (L p = 0; p < n; p++, times += h * w * c)
    for (L y = 0; y < oh; y++)
      for (L x = 0; x < ow; x++, out += c, where += c)
        for (L dy = 0; dy < k; dy++)
          for (L dx = 0; dx < k; dx++) {
            const int at = int((y * stride + dy) * w + x * stride + dx);
            const C* t = times + at * c;
            if (dy == 0 && dx == 0)
              for (L i = 0; i < c; i++) { out[i] = t[i]; where[i] = at; }
            else
              for (L i = 0; i < c; i++) {
                const bool first = (t[i] < out[i]) | (t[i] != t[i]);
                out[i] = first ? t[i] : out[i];
                where[i] = first ? at : where[i];
              }
          }
}

template <class C> static void spread(const C* grad, const int* where, C* to, L n, L inputs, L outputs, L c) {
  __builtin_memset(to, 0, sizeof(C) * n * inputs * c);
  for (L p = 0; p < n; p++, to += inputs * c)
    for (L o = 0; o < outputs; o++, grad += c, where += c)
      for (L i = 0; i < c; i++) to[where[i] * c + i] += grad[i];
}

#define OF(C)                                                                                                        \
  extern "C" L split_##C(const C* a, C* b, C* c, L n) { return split(a, b, c, n); }                                  \
  extern "C" void fire_##C(C* I, const C* S, L n, L m, L step, double start, double T, double falling) {             \
    fire(I, S, n, m, step, C(start), C(T), C(falling));                                                              \
  }                                                                                                                  \
  extern "C" void gradients_##C(const C* grad, const C* S, const C* out, C* to_I, C* to_S, L n, L m, L step,         \
                                double T, double falling, double clip) {                                             \
    gradients(grad, S, out, to_I, to_S, n, m, step, C(T), C(falling), C(clip));                                      \
  }                                                                                                                  \
  extern "C" void earliest_##C(const C* a, C* b, int* at, L n, L h, L w, L c, L oh, L ow, L k, L stride) {           \
    earliest(a, b, at, n, h, w, c, oh, ow, k, stride);                                                               \
  }                                                                                                                  \
  extern "C" void spread_##C(const C* a, const int* at, C* b, L n, L in, L out, L c) {                               \
    spread(a, at, b, n, in, out, c);                                                                                 \
  }
OF(float)
OF(double)
"""


class Passes:
    """The compiled passes of one type. Arguments are dense tensors of it on the CPU, of one layout in a call."""

    def __init__(self, functions: Any, name: str) -> None:
        self._split, self._fire, self._gradients, self._earliest, self._spread = (
            getattr(functions, f"{of}_{name}") for of in ("split", "fire", "gradients", "earliest", "spread")
        )
        self._split.restype = ctypes.c_long
        for function in (self._fire, self._gradients, self._earliest, self._spread):
            function.restype = None

    def split(self, times: Tensor) -> tuple[Tensor, bool]:
        n = len(times)
        both = _room(times, 2 * n)
        all_fire = not self._split(_at(times), _at(both), _at(both[n:]), _long(times.numel()))
        return both[: n + 1] if all_fire else both, all_fire

    def fire(self, sums: Tensor, n: int, numerics: Numerics) -> Tensor:
        I, S = sums[:n], sums[n:]  # noqa: E741
        T = numerics.window
        self._fire(
            _at(I), _at(S), *_sizes(I, S), *map(ctypes.c_double, (numerics.start * T, T, numerics.falling))
        )  # fmt: skip
        return I

    def gradients(self, grad: Tensor, S: Tensor, out: Tensor, numerics: Numerics) -> Tensor:
        n = len(out)
        both = _room(out, 2 * n)
        scalars = (numerics.window, numerics.falling, inf if numerics.clip is None else numerics.clip)
        self._gradients(
            _at(grad), _at(S), _at(out), _at(both), _at(both[n:]), *_sizes(out, S), *map(ctypes.c_double, scalars)
        )  # fmt: skip
        if len(S) == n:
            return both
        both[n] = both[n:].sum(0)
        return both[: n + 1]

    def earliest(self, times: Tensor, kernel: int, stride: int) -> tuple[Tensor, Tensor]:
        n, c, h, w = times.shape
        oh, ow = ((size - kernel) // stride + 1 for size in (h, w))
        out = torch.empty((n, c, oh, ow), dtype=times.dtype, memory_format=plain.layout(times))
        where = torch.empty_like(out, dtype=torch.int32)
        self._earliest(_at(times), _at(out), _at(where), *map(_long, (*_maps(times), oh, ow, kernel, stride)))
        return out, where

    def spread(self, grad: Tensor, where: Tensor, shape: torch.Size) -> Tensor:
        to = _room(grad.new_empty(1, *shape[1:]).contiguous(memory_format=plain.layout(grad)), shape[0])
        n, h, w, c = _maps(to)
        self._spread(_at(grad), _at(where), _at(to), *map(_long, (n, h * w, grad[0, 0].numel(), c)))
        return to


@cache
def _compiled() -> Any:
    return None if compiler.missing() else compiler.library(_SOURCE, FLAGS).functions


@cache
def _of(dtype: torch.dtype) -> Passes | None:
    try:
        functions = _compiled()
    except compiler.CompilationError:
        return None
    found = Passes(functions, TYPES[dtype]) if functions else None
    return found if found is not None and _right(found, dtype) else None


def find(*tensors: Tensor) -> Passes | None:
    """The passes for these tensors, None where the plain ones have to do."""
    first = tensors[0]
    if torch.compiler.is_compiling() or first.dtype not in TYPES or not all(map(_plain, tensors)):
        return None
    return _of(first.dtype) if all(t.dtype == first.dtype for t in tensors) else None


def _plain(x: Tensor) -> bool:
    return type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu" and x.numel() > 0 and not x.is_neg()


def _right(found: Passes, dtype: torch.dtype) -> bool:
    """Whether the compiled passes give the bits of the plain ones for numbers on and beside every edge."""
    near = torch.tensor(
        [0.0, -0.0, 0.3, 1.0, 1.5, -0.5, -1.0, -1.25, -3.0, 2.0, 1 - 2**-24, 1 + 2**-23, inf], dtype=dtype
    )
    S, I = (x.flatten() for x in torch.meshgrid(near[:-1], near[:-1], indexing="ij"))  # noqa: E741
    times = torch.cat([near, -near]).repeat(6).view(4, 1, 3, 13)
    for numerics in (Numerics("released", 1.0, 1.0), Numerics("corrected", 0.7), Numerics("corrected", 1.0, None, 0.5)):
        sums = torch.stack([I, I.flip(0), S, S.flip(0)])
        for rows in (4, 3):  # with an S of each sample, and with one for all
            expected = plain.fire(sums[:rows], 2, numerics)
            grad = torch.linspace(-2, 2, expected.numel(), dtype=dtype).view_as(expected)
            if not _same(found.fire(sums[:rows].clone(), 2, numerics), expected):
                return False
            ways = (found.gradients, plain.gradients)
            if not _same(*(way(grad, sums[2:rows], expected, numerics) for way in ways)):
                return False
    splits = [way(given) for given in (times, times.clamp(max=3)) for way in (found.split, plain.split)]
    for layout in (torch.contiguous_format, torch.channels_last):
        maps = times.view(2, 3, 2, 13).contiguous(memory_format=layout)
        pooled, where = found.earliest(maps, 2, 1)
        expected, at = plain.earliest(maps, 2, 1)
        to = [found.spread(pooled, where, maps.shape), plain.spread(pooled, at, maps.shape)]
        if not (_same(pooled, expected) and torch.equal(where.long(), at) and _same(*to)):
            return False
    return all(_same(splits[i][0], splits[i + 1][0]) and splits[i][1] == splits[i + 1][1] for i in (0, 2))


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.nan_to_num(nan=7e9), b.nan_to_num(nan=7e9))


def _maps(x: Tensor) -> tuple[int, int, int, int]:
    """Maps [N, C, H, W] as they lie in memory: how many, height, width, and the channels that lie beside each other."""
    n, c, h, w = x.shape
    return (n, h, w, c) if plain.layout(x) is torch.channels_last else (n * c, h, w, 1)


def _room(like: Tensor, n: int) -> Tensor:
    """Uninitialised, [n, ...], with the layout of `like` [N, ...], which is dense."""
    return pool.empty((n, *like.shape[1:]), (like[0].numel(), *like.stride()[1:]), like.dtype)


def _sizes(x: Tensor, S: Tensor) -> tuple[ctypes.c_long, ctypes.c_long, ctypes.c_long]:
    """Samples, neurons of each, and how far the S of one sample lies from that of the next."""
    m = x[0].numel()
    return _long(len(x)), _long(m), _long(m if len(S) == len(x) and len(x) > 1 else 0)


def _at(x: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(x.data_ptr())


_long = ctypes.c_long
