"""All steps of a recurrent layer of liquid neurons at once, on a CPU; on a CUDA device as `recurrence_cuda` says.

A layer whose spikes come back through a matrix cannot be computed neuron by neuron, so that the kernels of `fused`
refuse it. Its samples are independent all the same: see `recurrence_cpp`. It is for the layer of the adding task: LTC
with dense gates, a constant threshold and a hard reset, in float32. Everything else runs step by step.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from core.compare import relative, tolerance

from .. import gates
from ..adaptive_threshold import LTC
from ..base import Neuron
from ..surrogate import MultiGaussian
from . import recurrence_cpp
from .fused import compiler, cpp_preamble, pool
from .fused.call import once_only
from .fused.kernel import bind_functions

BACKEND, KERNEL = "fused", "dense recurrence"
ON_CUDA = "neurons.backends.recurrence_cuda"
Sequence = Callable[[Tensor, list[Tensor], Tensor], tuple[Tensor, Tensor, list[Tensor]]]


def find(neuron: Neuron, feedback: nn.Module, x: Tensor) -> Sequence | None:
    """What computes inputs like `x` [T, N, width] of `neuron` with its spikes fed back by `feedback`; None: nothing.

    It takes the input, the states and the spikes fed back before the first step, [N, width] each, and returns spikes
    and potentials after each step, [T, N, width], and the states after the last.
    """
    if x.device.type == "cuda" and not torch.compiler.is_compiling():
        module = import_module(ON_CUDA)  # by name, for results of CPUs do not rest on it
        found: Sequence | None = module.find(neuron, feedback, x)
        return found
    if not _fits(neuron, feedback, x) or not _sound():
        return None
    assert isinstance(neuron, LTC)
    assert isinstance(feedback, nn.Linear)
    assert isinstance(neuron.gates, gates.Dense)
    membrane, surrogate, threshold = neuron.gates.membrane, neuron.surrogate, neuron.v_threshold

    def sequence(x: Tensor, states: list[Tensor], spikes: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        if feedback.bias is not None:
            x = x + feedback.bias
        v, b, _ = states
        weights = (feedback.weight, membrane.weight, membrane.bias)
        spikes, potentials = _All.apply(x, v, spikes, *weights, _scalars(threshold, surrogate))
        return spikes, potentials, [potentials[-1], b, spikes[-1]]

    return sequence


def _fits(neuron: nn.Module, feedback: nn.Module, x: Tensor) -> bool:
    if type(neuron) is not LTC or type(feedback) is not nn.Linear or neuron.backend not in ("auto", BACKEND):
        return False
    inner = (neuron.gates, neuron.surrogate, feedback)
    plain = (
        type(neuron.gates) is gates.Dense
        and type(neuron.gates.squash_membrane) is nn.Sigmoid
        and type(neuron.surrogate) is MultiGaussian
        and neuron.surrogate.strict
        and isinstance(neuron.surrogate.slope, float)
        and not (neuron.adaptive or neuron.refractory or neuron.late_reset or neuron.retains or neuron.without_reset)
        and neuron.r_m == 1
        and neuron.v_reset == 0
        and not neuron.detach_reset
    )
    return (
        plain
        and x.device.type == "cpu"
        and x.dtype is torch.float32
        and x.ndim == 3
        and x.numel() > 0
        and x.shape[-1] % recurrence_cpp.LANES == 0
        and x.shape[-1] == feedback.in_features == feedback.out_features
        and all(p.dtype is torch.float32 for module in inner for p in module.parameters())
        and not any(module._forward_hooks or module._forward_pre_hooks for m in inner for module in m.modules())
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and forward_ad._current_level < 0  # there is no rule here for these two
        and torch._C._functorch.peek_interpreter_stack() is None
    )


def _scalars(threshold: float, surrogate: nn.Module) -> tuple[float, ...]:
    """In the order of recurrence_cpp.SCALARS."""
    assert isinstance(surrogate, MultiGaussian)
    factor = surrogate.gamma / math.sqrt(2 * math.pi) * surrogate.slope
    return threshold, float(surrogate.slope), surrogate.scale, surrogate.height, float(factor)


class _All(torch.autograd.Function):
    """Spikes and potentials of all steps."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        v: Tensor,
        spikes: Tensor,
        back: Tensor,
        gate: Tensor,
        bias: Tensor,
        scalars: tuple[float, ...],
    ) -> tuple[Tensor, Tensor]:
        T, _, width = x.shape
        keep = any(ctx.needs_input_grad)
        rows = [_empty(T if keep else 1, *x.shape[1:]) for _ in range(3)]
        u, z = (_empty(T + 1, *x.shape[1:]) for _ in range(2))
        u[0], z[0] = v, spikes
        weights = [w.t().contiguous() for w in (back, gate[:, :width], gate[:, width:])]
        fed = x.new_zeros(torch.get_num_threads())
        _call("forward", [x, *weights, bias, *rows, u, z, fed], scalars, x.shape, keep)
        if keep:
            ctx.silent = not any(fed.tolist())
            ctx.save_for_backward(x, v, spikes, back, gate, bias, *rows, u, z)
            ctx.scalars = scalars
            ctx.set_materialize_grads(False)
        return z[1:], u[1:]

    @staticmethod
    def backward(ctx: Any, gz: Tensor | None, gu: Tensor | None) -> tuple[Tensor | None, ...]:
        x, v, spikes, back, gate, bias, *kept = ctx.saved_tensors  # once: checkpointing makes them anew each time
        with torch.no_grad():
            first = any(ctx.needs_input_grad[1:3])
            gradients = _gradients(gz, gu, back, gate, kept, ctx.scalars, first, ctx.silent)
        return (*once_only(gradients, gz, gu, x, v, spikes, back, gate, bias), None)


def _gradients(
    gz: Tensor | None,
    gu: Tensor | None,
    back: Tensor,
    gate: Tensor,
    kept: list[Tensor],
    scalars: tuple[float, ...],
    wanted: bool,
    silent: bool,
) -> list[Tensor | None]:
    """Those of the input, of the state before the first step and of the weights, as `_All` takes them.

    That state has none unless they are `wanted`; `silent` says that no spike was fed back.
    """
    currents, gated, before, u, z = kept
    shape = currents.shape
    width = shape[-1]
    first = [currents.new_zeros(shape[1:]) for _ in range(2)]
    into = [_empty(*shape) for _ in range(2)]
    weights = [w.contiguous() for w in (back, gate[:, :width], gate[:, width:])]
    infinite = currents.new_zeros(torch.get_num_threads()) if silent else None
    arrays = [*weights, currents, gated, before, u, z, gu, gz, *into, *first, infinite]
    _call("backward", arrays, scalars, shape, wanted)
    of_current, of_gate = (g.flatten(0, 1) for g in into)
    if infinite is None or any(infinite.tolist()):
        g_back = of_current.t() @ z[:-1].flatten(0, 1)
    else:
        g_back = torch.zeros_like(back)  # the product of what is finite with zeros
    g_gate = torch.cat([of_gate.t() @ seen.flatten(0, 1) for seen in (currents, u[:-1])], 1)
    return [into[0], *(first if wanted else [None, None]), g_back, g_gate, of_gate.sum(0)]


def _empty(steps: int, batch: int, width: int) -> Tensor:
    return pool.empty((steps, batch, width), (batch * width, width, 1), torch.float32)


def _call(name: str, arrays: list[Tensor | None], scalars: tuple[float, ...], shape: torch.Size, keep: bool) -> None:
    T, batch, width = shape
    threads = min(torch.get_num_threads(), batch)
    sizes = (T, batch, -(-batch // threads), threads, 0, width, int(keep))
    # Hooks on saved tensors may have moved them; what is written to lies as it must.
    held = [None if a is None else a.resolve_neg().contiguous() for a in arrays]
    pointers = (ctypes.c_void_p * len(held))(*(None if a is None else a.data_ptr() for a in held))
    getattr(_library().functions, name)(
        pointers, (ctypes.c_double * len(scalars))(*scalars), (ctypes.c_long * len(sizes))(*sizes)
    )


@cache
def _library() -> compiler.Library:
    """Raises CompilationError."""
    made = compiler.library(recurrence_cpp.source(), ("-ffp-contract=fast",))
    bind_functions(made.functions, cpp_preamble.used_functions(recurrence_cpp.graph()), torch.float32)
    return made


@cache
@torch.inference_mode(False)
def _sound() -> bool:
    """Whether the kernel can be compiled here and gives what the steps give, tried on a small layer."""
    try:
        _library()
    except compiler.CompilationError:
        return False
    generator = torch.Generator("cpu").manual_seed(0)
    T, N, width = 4, 7, recurrence_cpp.LANES

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")

    x, v, back = drawn(T, N, width), drawn(N, width), drawn(width, width)
    gate, bias, surrogate = drawn(width, 2 * width), drawn(width), MultiGaussian(strict=True)
    values = [x, v, back, gate, bias]
    found = []
    with torch.enable_grad():
        for plain in (True, False):
            leaves = [value.clone().requires_grad_() for value in values]
            outputs = _plain(leaves, surrogate) if plain else _fast(leaves, surrogate)
            weight = torch.ones_like(outputs[1])
            torch.autograd.backward(outputs, [weight, weight])
            found.append([*(o.detach() for o in outputs), *(leaf.grad for leaf in leaves)])
    allowed = tolerance("use", torch.float32)
    return all(relative(fast, plain) <= allowed for plain, fast in zip(*found, strict=True))


def _fast(leaves: list[Tensor], surrogate: MultiGaussian) -> tuple[Tensor, Tensor]:
    x, v, back, gate, bias = leaves
    return _All.apply(x, v, torch.zeros_like(v), back, gate, bias, _scalars(0.5, surrogate))


def _plain(leaves: list[Tensor], surrogate: MultiGaussian) -> tuple[Tensor, Tensor]:
    x, v, back, gate, bias = leaves
    spike, spikes, potentials = torch.zeros_like(v), [], []
    for x_t in x.unbind(0):
        current = x_t + spike @ back.t()
        g = (torch.cat([current, v], -1) @ gate.t() + bias).sigmoid()
        h = v + g * (current - v)
        spike = surrogate(h - 0.5)
        v = h * (1 - spike)
        spikes.append(spike)
        potentials.append(v)
    return torch.stack(spikes), torch.stack(potentials)
