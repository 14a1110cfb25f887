"""Backend `fused`: all steps of a sequence in one kernel, forward and backward, made from the neuron's own `step`.

    trace      the step and its gradient, recorded once, become a graph (operations: what each PyTorch operator means)
    program    which values the forward pass keeps for the backward pass
    cpp, cpp_preamble    C++ from a program; compiler: compiled once, kept in a cache
    triton, cuda    Triton and CUDA C from a program, for CUDA devices (`fused` and `cupy`); cuda_arguments,
               cuda_kernel, triton_kernel, cupy_kernel: how they are called
    layout, pool, kernel, call    how a kernel meets tensors, threads and autograd
    parity     the proof a kernel owes before it is used
    plan       which kernel computes a layer; loop: a kernel over time at work
    product, product_cpp, product_kernel, product_parity    the same for neurons whose sequence is a product over time
    block      batch norm, neurons and pooling in one pass (neurons.blocks)
    packed     convolutions that keep spikes as bytes

Storage in float32, float64, bfloat16 or float16; 16-bit types are computed with, and their states kept, in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ... import base
from ...base import Neuron
from ...computation import Computation, Refusal
from . import compiler, cuda_kernel, plan, product
from .loop import checkpoint as checkpoint
from .loop import distance

_TRANSFORMED = (
    "its kernels know neither forward-mode derivatives nor the transforms of torch.func; backend='torch' knows both"
)
_IN_FLOAT32 = "kernels for CUDA devices compute in float32; use such an input, or backend='torch' for float64"


def refuses(neuron: type[Neuron], device: str) -> Refusal | None:
    """Why no kernel can be made for `neuron` on `device`, or None."""
    if device not in ("cpu", "cuda"):
        return Refusal("its kernels are for the CPU and for CUDA devices")
    reason = compiler.missing() if device == "cpu" else cuda_kernel.missing()
    loop = None if product.covers(neuron) else refuses_sequence(neuron)
    return loop or (None if reason is None else Refusal(reason, costly=True))


def refuses_sequence(neuron: type[Neuron]) -> Refusal | None:
    """Why the sequence of `neuron` is no loop over its step, neuron by neuron, or None."""
    if neuron.sequence is not base.Neuron.sequence:
        return Refusal(f"{neuron.name!r} computes its sequence as a whole, not step by step")
    return None if neuron.pointwise else Refusal(plan.MIXES.format(neuron.name))


def find(neuron: Any, x: Tensor | None = None, target: str | None = None) -> Computation | Refusal:
    """What computes this layer (and inputs like `x` [T, ...]), compiled and proven now if need be; or why nothing does.

    `target` as in `plan.find`, by default the device of `x`.
    """
    dtype, shape, grad_x = (torch.float32, (2, 2), True) if x is None else (x.dtype, x.shape[1:], x.requires_grad)
    if forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None:
        return Refusal(_TRANSFORMED, costly=neuron.pointwise)
    if dtype not in plan.DTYPES:
        return Refusal(f"inputs of {dtype} have no kernel; floating-point ones do", costly=neuron.pointwise)
    target = target or ("cpu" if x is None else x.device.type)
    if target != "cpu" and dtype == torch.float64:
        return Refusal(_IN_FLOAT32, costly=neuron.pointwise)
    if product.covers(type(neuron)):
        return product.find(neuron, 2 if x is None else x.shape[0], dtype, target)
    found = plan.find(neuron, dtype, shape, target)
    if isinstance(found, Refusal):
        return found
    return found.loop(neuron, grad_x or not found.trainable, distance(found) > 0)


def in_graph(neuron: Neuron, x: Tensor) -> tuple[Any, ...]:
    """As in `eager`, for a layer that is not refused."""
    from . import library

    found = plan.find(neuron, x.dtype, x.shape[1:], x.device.type)
    assert isinstance(found, plan.Plan)
    return library.sequence, (distance(found), found.raw_names, bool(found.trainable))
