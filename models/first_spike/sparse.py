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
// y [rows, out] = x [rows, in] w [in, out]
extern "C" void forward(const float* x, const float* w, float* y, long rows, long in, long out) {
  for (long r = 0; r < rows; r++, x += in, y += out) {
    for (long o = 0; o < out; o++) y[o] = 0;
    for (long b = 0; b < in; b += BLOCK) {
      const long end = b + BLOCK < in ? b + BLOCK : in;
      if (silent(x + b, end - b)) continue;
      for (long i = b; i < end; i++)
        if (x[i] != 0) {
          const float v = x[i];
          const float* row = w + i * out;
          for (long o = 0; o < out; o++) y[o] += v * row[o];
        }
    }
  }
}
// w [in, out] += x' [in, rows] g [rows, out]
extern "C" void backward(const float* x, const float* g, float* w, long rows, long in, long out) {
  for (long r = 0; r < rows; r++, x += in, g += out)
    for (long b = 0; b < in; b += BLOCK) {
      const long end = b + BLOCK < in ? b + BLOCK : in;
      if (silent(x + b, end - b)) continue;
      for (long i = b; i < end; i++)
        if (x[i] != 0) {
          const float v = x[i];
          float* row = w + i * out;
          for (long o = 0; o < out; o++) row[o] += v * g[o];
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
        laid_out = x.contiguous()
        if _functions().count(laid_out.data_ptr(), x.numel()) > MOST * x.numel():
            return F.linear(x, self.weight)
        return _Product.apply(laid_out, self.weight)


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
        rows, turned = x.numel() // x.shape[-1], weight.t().contiguous()
        outputs = x.new_empty((*x.shape[:-1], len(weight)))
        _functions().forward(x.data_ptr(), turned.data_ptr(), outputs.data_ptr(), rows, *turned.shape)
        ctx.save_for_backward(x)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (x,) = ctx.saved_tensors
        gradient = gradient.contiguous()
        turned = x.new_zeros((x.shape[-1], gradient.shape[-1]))
        rows = x.numel() // x.shape[-1]
        _functions().backward(x.data_ptr(), gradient.data_ptr(), turned.data_ptr(), rows, *turned.shape)
        return None, turned.t().contiguous()


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled functions, None where there is no compiler."""
    try:
        found = compiler.library(_SOURCE).functions
    except compiler.CompilationError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_long
    found.count.argtypes, found.count.restype = [pointer, size], size
    for function in (found.forward, found.backward):
        function.argtypes, function.restype = [pointer] * 3 + [size] * 3, None
    return found


def _functions() -> ctypes.CDLL:
    found = _library()
    assert found is not None
    return found
