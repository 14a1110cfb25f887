"""Linear layers on inputs that are mostly zero, such as events and spikes: they read the others alone.

Of the events of a cochlea 1 to 3 % of the entries are not zero, of spikes some more, so that outputs and weight
gradient are sums of few rows. They are the dense ones but for the order of their sums, and for 0 times a weight that is
no number, which is 0 here; the gradient of the input is the dense one. It is for float32 on a CPU; elsewhere, without a
compiler and where too much is not zero the dense product runs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from . import sparse_cpp

MOST = 0.1  # share of the entries; beyond it the dense product is as fast


class SparseLinear(nn.Linear):
    """nn.Linear without bias, [..., in] -> [..., out], which leaves out the entries that are zero; see the module."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if not _fits(x, self.weight):
            return F.linear(x, self.weight)
        found = sparse_cpp.entries(_rows(x.detach()), MOST)
        if found is None:
            return F.linear(x, self.weight)
        return _Product.apply(x, self.weight, found)


def _rows(x: Tensor) -> Tensor:
    """`x` as [T, N, in], as it lies in memory where it has no gaps: batches of events come as [N, T, in] turned."""
    if x.ndim == 3 and (x.is_contiguous() or x.transpose(0, 1).is_contiguous()):
        return x
    return x.contiguous().reshape(-1, 1, x.shape[-1])


def _fits(x: Tensor, weight: Tensor) -> bool:
    return (
        x.numel() > 0
        and all(tensor.dtype is torch.float32 and tensor.device.type == "cpu" for tensor in (x, weight))
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not any(torch._C._functorch.is_functorch_wrapped_tensor(tensor) for tensor in (x, weight))
        and sparse_cpp.LIBRARY.functions is not None
    )


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, entries: sparse_cpp.Entries) -> Tensor:
        ctx.entries = entries
        ctx.save_for_backward(weight)
        return sparse_cpp.product(entries, weight.t().contiguous()).reshape(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        (weight,) = ctx.saved_tensors
        of_x, of_weight, _ = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        return (
            gradient @ weight if of_x else None,
            sparse_cpp.transposed_product(ctx.entries, rows.contiguous()).t() if of_weight else None,
            None,
        )
