"""Backend `cupy`: the kernels of `fused` as CUDA C, compiled and started by CuPy; a second way to a CUDA device.

See `fused.cuda` for the code. CuPy has every compilation flush numbers below 1.2e-38 to zero. Inside torch.compile it
is refused: `fused` is the backend that stays in a graph.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..computation import Computation, Refusal
from . import fused

if TYPE_CHECKING:
    from ..base import Neuron


def refuses(neuron: type[Neuron], device: str) -> Refusal | None:
    """Why CuPy does not compute `neuron` on `device`, or None."""
    if device != "cuda":
        return Refusal("CuPy computes on CUDA devices alone; use device='cuda' or backend='fused'")
    reason = missing()
    return fused.refuses_sequence(neuron) if reason is None else Refusal(reason)


def find(neuron: Neuron, x: Tensor | None = None) -> Computation | Refusal:
    """What computes the layer (and inputs like `x` [T, ...]), or why nothing does."""
    return fused.find(neuron, x, "cupy")


def in_graph(neuron: Neuron, x: Tensor) -> tuple[Any, ...]:
    """RuntimeError: CuPy's launches are none of PyTorch's operators."""
    raise RuntimeError("Backend 'cupy' does not run inside torch.compile; use backend='fused', which does.")


@cache
def missing() -> str | None:
    """What CuPy needs and is not there, or None."""
    if not torch.cuda.is_available():
        return "no CUDA device was found"
    try:
        import cupy
    except ImportError as error:
        major = (torch.version.cuda or "12").split(".")[0]
        return f"CuPy does not import ({error}); install it with: pip install cupy-cuda{major}x"
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no CUDA device ({error})"
    return None
