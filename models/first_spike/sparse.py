"""A linear layer on inputs that are mostly zero, such as events: it reads the others alone.

Of the events of a cochlea 1 to 3 % of the entries are not zero, so that outputs and weight gradient are sums of few
rows. They are the dense ones but for the order of their sums, and for 0 times a weight that is no number, which is 0
here. It is for float32 on a CPU; elsewhere, without a compiler, for an input that needs a gradient and where too much
is not zero the dense product runs.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from neurons.backends.fused import compiler

MOST = 0.1  # share of the entries; beyond it the dense product is as fast
FLAGS = ("-O3", "-ffp-contract=fast")

_SOURCE = """\
enum { BLOCK = 16 };

static inline bool silent(const float* x, long n) {
  unsigned bits = 0;
  for (long i = 0; i < n; i++) bits |= x[i] != 0;
  return !bits;
}
extern "C" long count(const float* x, long n) {
  long found = 0;
  for (long i = 0; i < n; i++) found += x[i] != 0;
  return found;
}
// y [T, N, out] = x [T, N, in] w [in, out]; x lies in memory as its strides say
extern "C" void forward(const float* __restrict all, const float* __restrict w, float* __restrict y,
                        const long* sizes) {
  const long T = sizes[0], N = sizes[1], in = sizes[2], out = sizes[3];
  for (long r = 0; r < T * N; r++, y += out) {
    const float* __restrict x = all + r / N * sizes[4] + r % N * sizes[5];
    for (long o = 0; o < out; o++) y[o] = 0;
    for (long b = 0; b < in; b += BLOCK) {
      const long end = b + BLOCK < in ? b + BLOCK : in;
      if (silent(x + b, end - b)) continue;
      for (long i = b; i < end; i++)
        if (x[i] != 0) {
          const float v = x[i];
          const float* __restrict row = w + i * out;
          for (long o = 0; o < out; o++) y[o] += v * row[o];
        }
    }
  }
}
// w [in, out] += x' g, g [T, N, out]
extern "C" void backward(const float* __restrict all, const float* __restrict g, float* __restrict w,
                         const long* sizes) {
  const long T = sizes[0], N = sizes[1], in = sizes[2], out = sizes[3];
  for (long r = 0; r < T * N; r++, g += out) {
    const float* __restrict x = all + r / N * sizes[4] + r % N * sizes[5];
    for (long b = 0; b < in; b += BLOCK) {
      const long end = b + BLOCK < in ? b + BLOCK : in;
      if (silent(x + b, end - b)) continue;
      for (long i = b; i < end; i++)
        if (x[i] != 0) {
          const float v = x[i];
          float* __restrict row = w + i * out;
          for (long o = 0; o < out; o++) row[o] += v * g[o];
        }
    }
  }
}
"""


class SparseLinear(nn.Linear):
    """nn.Linear without bias, [..., in] -> [..., out], which leaves out the entries that are zero; see the module."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if not _fits(x, self.weight):
            return F.linear(x, self.weight)
        rows = _rows(x)
        if _functions().count(rows.data_ptr(), x.numel()) > MOST * x.numel():
            return F.linear(x, self.weight)
        return _Product.apply(rows, self.weight).reshape(*x.shape[:-1], -1)


def _rows(x: Tensor) -> Tensor:
    """`x` as [T, N, in], as it lies in memory where it has no gaps: batches of events come as [N, T, in] turned."""
    if x.ndim == 3 and (x.is_contiguous() or x.transpose(0, 1).is_contiguous()):
        return x
    return x.contiguous().reshape(-1, 1, x.shape[-1])


def _fits(x: Tensor, weight: Tensor) -> bool:
    return (
        not x.requires_grad
        and x.numel() > 0
        and all(tensor.dtype is torch.float32 and tensor.device.type == "cpu" for tensor in (x, weight))
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not any(torch._C._functorch.is_functorch_wrapped_tensor(tensor) for tensor in (x, weight))
        and _library() is not None
    )


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        turned = weight.t().contiguous()
        outputs = x.new_empty((*x.shape[:-1], len(weight)))
        _functions().forward(x.data_ptr(), turned.data_ptr(), outputs.data_ptr(), _sizes(x, outputs))
        ctx.save_for_backward(x)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (x,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        turned = x.new_zeros((x.shape[-1], gradient.shape[-1]))
        _functions().backward(x.data_ptr(), gradient.data_ptr(), turned.data_ptr(), _sizes(x, gradient))
        return None, turned.t().contiguous()


def _sizes(x: Tensor, outputs: Tensor) -> ctypes.Array[ctypes.c_long]:
    return (ctypes.c_long * 6)(*x.shape, outputs.shape[-1], *x.stride()[:2])


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled functions, None where there is no compiler."""
    try:
        found = compiler.library(_SOURCE, FLAGS).functions
    except compiler.CompilationError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_long
    found.count.argtypes, found.count.restype = [pointer, size], size
    for function in (found.forward, found.backward):
        function.argtypes, function.restype = [pointer] * 4, None
    return found


def _functions() -> ctypes.CDLL:
    found = _library()
    assert found is not None
    return found
