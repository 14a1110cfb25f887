"""Batch norm, neurons and pooling in one pass, made from the neuron's own `step` like the other kernels of `fused`.

    cpp       C++ from the program of a step: scale and shift before it, pooling after it, gradients of all
    kernel    a compiled block and how it is called
    triton, triton_kernel    the same for CUDA devices
    call      a block as a differentiable function
    proof     what a block owes before it is used
    product, product_cpp, product_proof    the same for neurons whose sequence is a product over time

It keeps its input alone for the backward pass: what the neurons and the pooling need is computed again. Where there is
no block, the layers run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .... import choice, drawing, recomputation
from ....base import Neuron
from ....computation import Refusal
from ....psn import PSN, MaskedPSN
from .. import compiler
from .. import plan as plans
from .. import product as products
from ..loop import BACKENDS, Loop, distance
from ..plan import Plan, _apart
from ..product_kernel import MOST_STEPS
from . import call, cpp, product, product_proof, proof
from .kernel import Kernel, Norm, Pool, Unfit

__all__ = ["Block", "Norm", "Pool", "find"]

ON_CUDA = "neurons.backends.fused.block.triton_kernel"
KERNEL = {(True, True): "with batch norm and pooling", (True, False): "with batch norm", (False, True): "with pooling"}
TYPES = {
    "cpu": (torch.float32, torch.float64),
    "cuda": (torch.float32, torch.bfloat16, torch.float16),
}
_kernels: WeakKeyDictionary[Any, dict[bool, Any]] = WeakKeyDictionary()  # with batch norm or without; or why not
_along: WeakKeyDictionary[Plan, dict[tuple[int, int], bool]] = WeakKeyDictionary()  # by dimensions and channels of x


class Block:
    """Runs `neuron` with what stands before and after it; the layers stay what they are and keep their state."""

    def __init__(self, neuron: Neuron, plan: Any, kernel: Any, norm: Any, together: bool, pooling: Pool) -> None:
        self.neuron, self.plan, self.kernel = neuron, plan, kernel
        self.norm, self.together, self.pooling = norm, together, pooling
        target = "cpu" if plan is None else plan.target  # a product over time is for the CPU and has no plan
        self.name = f"{BACKENDS[target][1]}, {KERNEL[norm is not None, bool(pooling.kind)]}"

    def __call__(self, x: Tensor, step: Tensor | None = None) -> Tensor:
        """What the layers one after the other would give for `x` [T, N, C, H, W] or [T, N, C, L]; `step` is what it
        repeats (neurons.blocks.step_of)."""
        neuron = self.neuron
        if recomputation.possible():  # as in Neuron.forward
            if drawing.generator() is not None and not recomputation.running():
                neuron.begin(x.shape[1:])
            return recomputation.call(neuron, self._run, x)
        return self._run(x, step)

    def _run(self, x: Tensor, step: Tensor | None = None) -> Tensor:
        neuron, norm = self.neuron, self.norm
        object.__setattr__(neuron, "ran", "fused")
        object.__setattr__(neuron, "kernel", self.name)
        of_norm = None
        if norm is not None:
            of_norm = Norm(norm.running_mean, norm.running_var, norm.eps, norm.momentum, norm.training, self.together)
            if norm.training:
                norm.num_batches_tracked.add_(1 if self.together else x.shape[0])
        return self._computed(of_norm, x, step)

    def _computed(self, of_norm: Norm | None, x: Tensor, step: Tensor | None) -> Tensor:
        neuron = self.neuron
        states = neuron.carried(x.shape[1:])
        y, after = call.call(self.kernel, self.plan.raw_names, _every(self.plan), of_norm, self.pooling, neuron,
                             self.norm, states, x, step)  # fmt: skip
        neuron.store_states(after)
        return y


class Parallel(Block):
    """The same for neurons whose sequence is a product over time."""

    def _computed(self, of_norm: Norm | None, x: Tensor, step: Tensor | None) -> Tensor:
        return product.sequence(self.kernel, of_norm, self.pooling, self.norm, self.neuron, x, step)


def find(
    neuron: Neuron, x: Tensor, norm: nn.modules.batchnorm._BatchNorm | None, together: bool, pooling: Pool
) -> Block | str:
    """What computes `neuron` with the batch norm before it (statistics over all steps `together`, else of each) and the
    pooling after it for inputs like `x` [T, N, C, ..]; or why nothing does, so that they run one after the other.
    """
    reason = _refused(neuron, x, norm, together, pooling)
    if reason is not None:
        return reason
    if products.covers(type(neuron)):
        if x.device.type != "cpu":
            return "blocks of neurons whose sequence is a product over time are for the CPU"
        return _parallel(neuron, x, norm, together, pooling)
    reason = _no_loop(neuron)
    if reason is not None:
        return reason
    computation = choice.choose(neuron, x.device.type, x)
    if not isinstance(computation, Loop) or computation.backend != "fused":
        return "the neuron's sequence is no kernel over time"
    plan = computation.plan
    if _every(plan) == 0:
        return "the neuron's kernel keeps what its backward pass needs of every step"
    if not _along_channels(plan, neuron, x):
        return "a parameter, or what the step makes of it, has values of neither the layer nor its channels"
    kernel = _kernel(plan, norm is not None, lambda: _make(plan, neuron, norm is not None))
    return kernel if isinstance(kernel, str) else Block(neuron, plan, kernel, norm, together, pooling)


def _parallel(neuron: Any, x: Tensor, norm: Any, together: bool, pooling: Pool) -> Block | str:
    """`find` for neurons whose sequence is a product over time."""
    kind, T = type(neuron), x.shape[0]
    if kind.advance not in (Neuron.advance, PSN.advance, MaskedPSN.advance) or getattr(neuron, "T", T) != T:
        return "the neuron has a call of its own, or asks for another number of steps"
    if T > MOST_STEPS or _plane(x)[1] * pooling.size[0] > product.most(T, x.dtype):
        return "too many steps for a product in one pass"
    computation = choice.choose(neuron, "cpu", x)
    if computation.backend != "fused":
        return "the neuron's sequence is no kernel"
    kernel = _kernel(computation.sequence, norm is not None, lambda: _make_product(neuron, x.dtype, norm is not None))
    return kernel if isinstance(kernel, str) else Parallel(neuron, None, kernel, norm, together, pooling)


def _refused(neuron: Neuron, x: Tensor, norm: Any, together: bool, pooling: Pool) -> str | None:
    if x.dtype not in TYPES.get(x.device.type, ()):
        return "blocks are for float32 and float64 on the CPU, and for float32 and 16 bits on a CUDA device"
    if torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type):
        return "torch.compile and autocast see the layers one by one"
    shape = x.shape
    if len(shape) not in (4, 5) or 0 in shape:
        return "blocks are for [T, N, C, L] and [T, N, C, H, W]"
    if neuron.step_mode != "m" or neuron.backend not in ("auto", "fused"):
        return "the neuron runs step by step or on another backend"
    if type(neuron).forward is not Neuron.forward or type(neuron).__call__ is not Neuron.__call__:
        return "the neuron has a call of its own"
    height, width = _plane(x)
    if 0 in pooling.of(height, width):
        return "the pooling leaves nothing"
    if x.device.type == "cpu" and width * pooling.size[0] > cpp.MOST:
        return "a row of the plane is too long"
    if x.device.type == "cuda" and (reason := import_module(ON_CUDA).unfit(x, pooling)):
        return str(reason)
    if norm is None:
        return None
    like = (x.dtype, x.device, shape[2:3])
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        if tensor is None or (tensor.dtype, tensor.device, tensor.shape) != like or not _plain(tensor):
            return "the batch norm has no scale, shift and running statistics of the input's type"
    if norm.momentum is None or norm.eps <= 0:
        return "the batch norm has no scale, shift and running statistics of the input's type"
    if not norm.track_running_stats or norm.num_batches_tracked is None:
        return "the batch norm leaves its running statistics as they are"
    if norm.training and x.numel() == shape[2] * (1 if together else shape[0]):
        return "the statistics of a single value are refused by PyTorch"
    return None


def _no_loop(neuron: Neuron) -> str | None:
    kind = type(neuron)
    if kind.advance is not Neuron.advance:
        return "the neuron has a call of its own"
    if not neuron.recurrent or not neuron.pointwise or kind.sequence is not Neuron.sequence:
        return "the neuron's sequence is no loop over its step"
    return None


def _plain(tensor: Tensor) -> bool:
    return tensor.is_contiguous() and not tensor.is_neg()


def _plane(x: Tensor) -> tuple[int, int]:
    return (x.shape[3], x.shape[4]) if x.ndim == 5 else (1, x.shape[3])


def _along_channels(plan: Plan, neuron: Neuron, x: Tensor) -> bool:
    """Whether every parameter, and what the step makes of them, is one number or one of each channel.

    Worked out once: all of a plan have the same shapes.
    """
    known, place = _along.setdefault(plan, {}), (x.ndim, x.shape[2])
    if place not in known:
        raw: dict[Any, Tensor] = {name: attrgetter(name)(neuron) for name in plan.raw_names}
        with torch.no_grad():
            prologue = plan.trace.evaluate(plan.trace.prologue, raw)
        known[place] = all(_of_channels(tensor, x) for tensor in (*raw.values(), *prologue))
    return known[place]


def _of_channels(tensor: Tensor, x: Tensor) -> bool:
    """Whether a parameter is one number or one of each channel."""
    behind = x.ndim - 3
    return tensor.numel() == 1 or (
        tensor.ndim > behind and tensor.shape[tensor.ndim - 1 - behind] == tensor.numel() == x.shape[2]
    )


def _kernel(of: Any, normalised: bool, make: Callable[[], Any]) -> Any:
    """The proven kernel of a plan or a product, or why there is none."""
    made = _kernels.setdefault(of, {})
    if normalised not in made:
        if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
            return "a block is proven on its first use, which a CUDA graph cannot capture"
        made[normalised] = _apart(make)
    return made[normalised]


def _every(plan: Plan) -> int:
    """Steps between checkpoints, 0 for none; on a CUDA device, where neurons alone have none, a block has them."""
    return distance(plan) or (0 if plan.target == "cpu" else plans.CHECKPOINTS)


def _tools(target: str) -> tuple[type[Kernel], Callable[[Any, Neuron], str | None]]:
    """The kernels of a target and what proves one."""
    if target == "cpu":
        return Kernel, proof.verdict
    module = import_module(ON_CUDA)  # by name, for results of CPUs do not rest on it
    return module.Kernel, module.verdict


def _make(plan: Plan, neuron: Neuron, normalised: bool) -> Kernel | str:
    make, verdict = _tools(plan.target)
    try:
        kernel = make(plan.trace, plan.dtype, plan.trainable, normalised)
    except (Unfit, compiler.CompilationError) as error:
        return str(error)
    return _verdict(verdict, kernel, neuron) or kernel


def _make_product(neuron: Any, dtype: torch.dtype, normalised: bool) -> product.Product | str:
    firing = products._firing(neuron)
    plan = plans.find(firing, dtype, (2,), "cpu")
    if isinstance(plan, Refusal) or plan.trace.prologue or plan.trace.grad_x is None:
        return "the neuron's threshold has parameters"
    try:
        kernel = product.Product(plan.trace, plan.dtype, normalised)
    except compiler.CompilationError as error:
        return str(error)
    return _verdict(product_proof.verdict, kernel, firing) or kernel


def _verdict(prove: Callable[[Any, Any], str | None], kernel: Any, neuron: Neuron) -> str | None:
    """Why `kernel` is not used; None where it agrees."""
    try:
        return prove(kernel, neuron)
    except torch.OutOfMemoryError:
        raise  # of the moment: the next call tries again
    except Exception as error:  # the step of a plug-in may compute with no shape but its own
        return f"the proof of the block cannot run: {error}"
