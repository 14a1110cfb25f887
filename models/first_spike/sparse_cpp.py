"""C++ for matrices of which few entries are not zero: these entries row by row, and products with them.

The sums have the same order with any number of threads: rows are shared out, or columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .native import FURTHER, Native

LANES = 16  # columns are shared out by as many: a vector, or several

_SOURCE = (
    f"enum {{ ROWS = {FURTHER}, IN, OUT, BATCH, STEP, SAMPLE }};  // of sizes"
    """
enum { TOGETHER = 16 };

static inline const float* row_of(const void* x, const long* sizes, long r) {
  return (const float*)x + r / sizes[BATCH] * sizes[STEP] + r % sizes[BATCH] * sizes[SAMPLE];
}

static void count_block(void** arrays, const double*, const long* sizes, long b, long n) {
  for (long r = b; r < b + n; r++) {
    const float* x = row_of(arrays[0], sizes, r);
    int found = 0;
    for (long i = 0; i < sizes[IN]; i++) found += x[i] != 0;
    ((long*)arrays[1])[r] = found;
  }
}

static void fill_block(void** arrays, const double*, const long* sizes, long b, long n) {
  const long in = sizes[IN];
  for (long r = b; r < b + n; r++) {
    const float* x = row_of(arrays[0], sizes, r);
    const long start = ((const long*)arrays[1])[r];
    int* place = (int*)arrays[2] + start;
    float* value = (float*)arrays[3] + start;
    for (long i = 0; i < in; i += TOGETHER) {
      const long end = i + TOGETHER < in ? i + TOGETHER : in;
      unsigned any = 0;
      for (long j = i; j < end; j++) any |= x[j] != 0;
      if (!any) continue;
      for (long j = i; j < end; j++)
        if (x[j] != 0) { *place++ = j; *value++ = x[j]; }
    }
  }
}

template <int N> static inline void sums(const int* place, const float* value, long count, const C* w, long out, C* y) {
  V s[N] = {};
  for (long k = 0; k < count; k++) {
    const C* from = w + place[k] * out;
    const V v = splat(value[k]);
    for (int j = 0; j < N; j++) s[j] = s[j] + v * load(from + j * W);
  }
  for (int j = 0; j < N; j++) save(y + j * W, s[j]);
}

// y [rows, out] = x w, w [in, out]
static void product_block(void** arrays, const double*, const long* sizes, long b, long n) {
  const long* starts = (const long*)arrays[0];
  const C* w = (const C*)arrays[3];
  const long out = sizes[OUT];
  for (long r = b; r < b + n; r++) {
    const long count = starts[r + 1] - starts[r];
    const int* place = (const int*)arrays[1] + starts[r];
    const float* value = (const float*)arrays[2] + starts[r];
    C* y = (C*)arrays[4] + r * out;
    long o = 0;
    for (; o + 4 * W <= out; o += 4 * W) sums<4>(place, value, count, w + o, out, y + o);
    for (; o + W <= out; o += W) sums<1>(place, value, count, w + o, out, y + o);
    for (; o < out; o++) {
      C s = 0;
      for (long k = 0; k < count; k++) s += value[k] * w[place[k] * out + o];
      y[o] = s;
    }
  }
}

// w [in, out] += x' g, g [rows, out], for the columns b to b + n
static void transposed_block(void** arrays, const double*, const long* sizes, long b, long n) {
  const long* starts = (const long*)arrays[0];
  const int* place = (const int*)arrays[1];
  const float* value = (const float*)arrays[2];
  const long rows = sizes[ROWS], out = sizes[OUT];
  const C* g = (const C*)arrays[3] + b;
  C* w = (C*)arrays[4] + b;
  for (long r = 0; r < rows; r++, g += out)
    for (long k = starts[r]; k < starts[r + 1]; k++) {
      C* into = w + place[k] * out;
      const V v = splat(value[k]);
      long o = 0;
      for (; o + W <= n; o += W) save(into + o, load(into + o) + v * load(g + o));
      for (; o < n; o++) into[o] += value[k] * g[o];
    }
}

CALLED(count)
CALLED(fill)
CALLED(product)
CALLED(transposed)
"""
)


LIBRARY = Native(_SOURCE)


@dataclass(frozen=True)
class Entries:
    """What is not zero in a matrix [rows, inputs]: of row r the columns and values from `starts`[r] to `starts`[r + 1],
    in order."""

    starts: Tensor
    places: Tensor
    values: Tensor
    inputs: int


def entries(x: Tensor, most: float) -> Entries | None:
    """Those of `x` [T, N, inputs], float32, its rows in one piece each; None where more than the share `most` is."""
    rows, inputs = x.shape[0] * x.shape[1], x.shape[2]
    layout = (rows, inputs, 0, x.shape[1], *x.stride()[:2])
    starts = torch.zeros(rows + 1, dtype=torch.int64)
    LIBRARY.call("count", [x, starts[1:]], rows, layout)
    torch.cumsum(starts, 0, out=starts)
    found = int(starts[-1])
    if found > most * x.numel():
        return None
    places, values = torch.empty(found, dtype=torch.int32), torch.empty(found)
    LIBRARY.call("fill", [x, starts, places, values], rows, layout)
    return Entries(starts, places, values, inputs)


def product(x: Entries, w: Tensor) -> Tensor:
    """X w [rows, outputs] with `w` [inputs, outputs] in one piece."""
    rows, outputs = len(x.starts) - 1, w.shape[1]
    y = torch.empty(rows, outputs)
    LIBRARY.call("product", [x.starts, x.places, x.values, w, y], rows, (rows, x.inputs, outputs))
    return y


def transposed_product(x: Entries, g: Tensor) -> Tensor:
    """X' g [inputs, outputs] with `g` [rows, outputs] in one piece."""
    rows, outputs = g.shape
    w = torch.zeros(x.inputs, outputs)
    LIBRARY.call("transposed", [x.starts, x.places, x.values, g, w], outputs, (rows, x.inputs, outputs), together=LANES)
    return w
