"""Backend `fused`: all steps of a sequence in one kernel, forward and backward, made from the neuron's own `step`.

    trace      the step and its gradient, recorded once, become a graph (operations: what each PyTorch operator means)
    program    which values the forward pass keeps for the backward pass
    cpp, cpp_preamble    C++ from a program; compiler: compiled once, kept in a cache
    triton, cuda    Triton and CUDA C from a program, for CUDA devices (`fused` and `cupy`); cuda_arguments,
               cuda_kernel, triton_kernel: how they are called
    layout, pool, kernel, call    how a kernel meets tensors, threads and autograd
    parity     the proof a kernel owes before it is used
    plan       which kernel computes a layer
    product, product_cpp, product_kernel, product_parity    the same for neurons whose sequence is a product over time

Storage in float32, float64, bfloat16 or float16; 16-bit types are computed with, and their states kept, in float32.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ... import base
from ...base import Neuron
from .. import Costly
from . import call, compiler, cuda_kernel, layout, plan, product
from .plan import Plan

_every: ContextVar[int | None] = ContextVar("every", default=None)
_ready = threading.local()  # what `refuses_layer` has just found, for the call of `sequence` that follows


@contextmanager
def checkpoint(every: int) -> Iterator[None]:
    """Inside, sequences keep their states at every `every`-th step alone and run forward again in the backward pass.

    That takes 4 / `every` bytes per element and state in place of 4 or more; 0 keeps what the backward pass needs of
    every step. On the CPU neurons whose step is cheap do the former by themselves (plan.CHECKPOINTS): they wait for
    memory, not for arithmetic. ValueError below 0.
    """
    if every < 0:
        raise ValueError(f"checkpoint needs a distance of steps, or 0 for none, got {every}.")
    token = _every.set(every)
    try:
        yield
    finally:
        _every.reset(token)


def refuses(neuron: type[Neuron], device: str) -> str | None:
    """Why no kernel can be made for `neuron` on `device`, or None."""
    if device not in ("cpu", "cuda"):
        return "its kernels are for the CPU and for CUDA devices"
    reason = compiler.missing() if device == "cpu" else cuda_kernel.missing()
    loop = None if product.covers(neuron) else refuses_sequence(neuron)
    return loop or (None if reason is None else Costly(reason))


def refuses_sequence(neuron: type[Neuron]) -> str | None:
    """Why the sequence of `neuron` is no loop over its step, or None."""
    if neuron.sequence is not base.Neuron.sequence:
        return f"{neuron.name!r} computes its sequence as a whole, not step by step"
    return None


def refuses_layer(neuron: Neuron, x: Tensor | None = None, target: str | None = None) -> str | None:
    """Why there is no kernel for this layer (and inputs like `x` [T, ...]), or None: it is compiled and proven then.

    `target` as in `plan.find`, by default the device of `x`.
    """
    found = _kernel(neuron, x, target)
    refused = isinstance(found, str)
    _ready.value = (None, None, None) if refused else (neuron, x, found)
    return Costly(found) if refused else None


def sequence(neuron: Neuron, x: Tensor, target: str | None = None) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...]. RuntimeError when there is no kernel."""
    ready: tuple[Any, Any, Any] = getattr(_ready, "value", (None, None, None))
    of_neuron, of_x, found = ready
    _ready.value = (None, None, None)
    if of_neuron is not neuron or of_x is not x:
        found = _kernel(neuron, x, target)
    if isinstance(found, str):
        raise RuntimeError(found)
    if isinstance(neuron, product.ParallelNeuron):
        return product.sequence(neuron, x, found)
    plan, kernel = found
    x, place = layout.of_sequence(x)
    rest: list[float] = []
    states: list[Tensor | None] = []
    for value in neuron.carried(x.shape[1:]):
        if isinstance(value, Tensor):
            rest.append(0.0)
            states.append(layout.like(value.to(x.device, kernel.compute), place))
        else:
            rest.append(value)
            states.append(None)
    raw = [attrgetter(name)(neuron) for name in plan.raw_names]
    job = call.Job(rest, plan.raw_names, plan.constants, _distance(plan) or 1)
    outputs = call.call(kernel, job, place, x, states, raw)
    neuron.store_states(list(outputs[1:]))
    return outputs[0]


def constants_of(neuron: Neuron, x: Tensor, target: str) -> tuple[int, list[str], bool]:
    """What `library.sequence` needs to know of a layer that is not refused, as constants of a compiled graph."""
    found = plan.find(neuron, x.dtype, x.shape[1:], target)
    assert isinstance(found, Plan)
    return _distance(found), found.raw_names, bool(found.trainable)


def _kernel(neuron: Any, x: Tensor | None, target: str | None = None) -> Any:
    dtype, shape, grad_x = (torch.float32, (2, 2), True) if x is None else (x.dtype, x.shape[1:], x.requires_grad)
    if forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None:
        return (
            "its kernels know neither forward-mode derivatives nor the transforms of torch.func; backend='torch' knows "
            "both"
        )
    if dtype not in plan.DTYPES:
        return f"inputs of {dtype} have no kernel; floating-point ones do"
    target = target or ("cpu" if x is None else x.device.type)
    if target != "cpu" and dtype == torch.float64:
        return "kernels for CUDA devices compute in float32; use such an input, or backend='torch' for float64"
    if product.covers(type(neuron)):
        return product.find(neuron, 2 if x is None else x.shape[0], dtype, target)
    found = plan.find(neuron, dtype, shape, target)
    if isinstance(found, str):
        return found
    kernel = found.kernel(neuron, grad_x or not found.trainable, _distance(found) > 0)
    return kernel if isinstance(kernel, str) else (found, kernel)


def _distance(plan: Plan) -> int:
    """Steps between checkpoints, 0 for none."""
    asked = _every.get()
    return plan.every if asked is None else asked
