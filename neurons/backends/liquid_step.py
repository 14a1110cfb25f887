"""One step of a layer of liquid neurons with dense gates and adaptation: gates, threshold, reset. On a CPU.

An update after each step (FPTT with as many chunks as steps) makes a graph of some thirty nodes for a few products.
Here the products are PyTorch's, and what lies between them is one pass over the layer, forward and backward. It is for
the S-MNIST network: LTC with dense gates, an adaptive threshold and a hard reset, in float32. `find` answers None for
everything else. On a CUDA device it is as `liquid_step_cuda` says.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from core.compare import relative, tolerance

from .. import gates
from ..adaptive_threshold import LTC
from ..surrogate import MultiGaussian
from . import liquid_step_cpp, recurrence_cpp
from .fused import compiler, cpp_preamble, pool
from .fused.call import once_only
from .fused.kernel import bind_functions
from .recurrence import _scalars as scalars_of

BACKEND, KERNEL = "fused", "dense step"
ON_CUDA = "neurons.backends.liquid_step_cuda"
States = tuple[Tensor, Tensor, Tensor]
Step = Callable[[Tensor, Tensor, Tensor, Tensor], States]


def find(neuron: nn.Module, x: Tensor) -> Step | None:
    """What computes a step like `x` [N, width] of `neuron`; None: nothing here does.

    It takes the input, potentials, adaptation and spikes before the step, and returns the three after it.
    """
    if x.device.type == "cuda" and not torch.compiler.is_compiling():
        module = import_module(ON_CUDA)  # by name, for results of CPUs do not rest on it
        found: Step | None = module.find(neuron, x)
        return found
    if not _fits(neuron, x) or not _sound():
        return None
    assert isinstance(neuron, LTC)
    assert isinstance(neuron.gates, gates.Dense)
    gate, numbers = neuron.gates, (*scalars_of(neuron.v_threshold, neuron.surrogate), neuron.beta)
    learned = [
        *(gate.membrane.weight, gate.membrane.bias, _slope(gate.squash_membrane, x)),
        *(gate.adaptation.weight, gate.adaptation.bias, _slope(gate.squash_adaptation, x)),
    ]

    def step(x: Tensor, v: Tensor, b: Tensor, s: Tensor) -> States:
        return _Step.apply(x, v, b, s, *learned, numbers)

    return step


def _slope(squash: nn.Module, x: Tensor) -> Tensor:
    return squash.a if isinstance(squash, gates.Sigmoid) else x.new_ones(())


def _sloped(squash: nn.Module) -> bool:
    """Whether it is a sigmoid with a slope, which at a slope of 0 is the identity."""
    return type(squash) is gates.Sigmoid and bool(squash.a)


def _fits(neuron: nn.Module, x: Tensor) -> bool:
    if type(neuron) is not LTC or neuron.backend not in ("auto", BACKEND) or type(neuron.gates) is not gates.Dense:
        return False
    inner = (neuron.gates, neuron.surrogate)
    squashes = (neuron.gates.squash_membrane, neuron.gates.squash_adaptation)
    plain = (
        all(type(squash) is nn.Sigmoid or _sloped(squash) for squash in squashes)
        and type(neuron.surrogate) is MultiGaussian
        and neuron.surrogate.strict
        and isinstance(neuron.surrogate.slope, float)
        and neuron.adaptive
        and not (neuron.accumulate or neuron.refractory or neuron.late_reset or neuron.retains or neuron.without_reset)
        and neuron.r_m == 1
        and neuron.v_reset == 0
        and not neuron.detach_reset
    )
    return (
        plain
        and x.device.type == "cpu"
        and x.dtype is torch.float32
        and x.ndim == 2
        and x.numel() > 0
        and x.shape[-1] % recurrence_cpp.LANES == 0
        and all(p.dtype is torch.float32 for module in inner for p in module.parameters())
        and not any(module._forward_hooks or module._forward_pre_hooks for m in inner for module in m.modules())
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


class _Step(torch.autograd.Function):
    """Potentials, adaptation and spikes after a step."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        u: Tensor,
        b: Tensor,
        z: Tensor,
        membrane: Tensor,
        bias: Tensor,
        slope: Tensor,
        adaptation: Tensor,
        bias_a: Tensor,
        slope_a: Tensor,
        numbers: Sequence[float],
    ) -> States:
        x, u, b, z = (value.contiguous() for value in (x, u, b, z))
        batch, width = x.shape
        seen, seen_a = (torch.cat([x, state], 1, out=_empty(batch, 2 * width)) for state in (u, b))
        drive = torch.addmm(bias, seen, membrane.t(), out=_empty(batch, width))
        drive_a = torch.addmm(bias_a, seen_a, adaptation.t(), out=_empty(batch, width))
        h, after_u, after_b, after_z = (_empty(batch, width) for _ in range(4))
        _call("forward", [x, u, b, z, drive, drive_a, slope, slope_a, h, after_u, after_b, after_z], numbers)
        ctx.numbers = numbers
        ctx.save_for_backward(
            x, u, b, z, membrane, slope, adaptation, slope_a, seen, seen_a, drive, drive_a, h, after_b
        )
        ctx.set_materialize_grads(False)
        return after_u, after_b, after_z

    @staticmethod
    def backward(ctx: Any, *told: Tensor | None) -> tuple[Tensor | None, ...]:
        kept = ctx.saved_tensors
        with torch.no_grad():
            gradients = _gradients(kept, told, ctx.numbers, ctx.needs_input_grad)
        return (*once_only(gradients, *told, *kept), None)


def _gradients(
    kept: Sequence[Tensor], told: Sequence[Tensor | None], numbers: Sequence[float], needed: Sequence[bool]
) -> list[Tensor | None]:
    """Those of input, states and weights, as `_Step` takes them."""
    x, u, b, z, membrane, slope, adaptation, slope_a, seen, seen_a, drive, drive_a, h, after_b = kept
    batch, width = x.shape
    into = [_empty(batch, width) if need else None for need in (True, *needed[1:4], True, True)]
    threads = min(torch.get_num_threads(), batch)
    slopes = x.new_zeros(2, threads)
    upstream = [None if g is None else g.contiguous() for g in told]
    arrays = [x, u, b, z, drive, drive_a, slope, slope_a, h, after_b, *upstream, *into, slopes]
    _call("backward", arrays, numbers)
    gx, gu, gb, gz, ga, ga_a = into
    assert gx is not None
    assert ga is not None
    assert ga_a is not None
    gx.addmm_(ga, membrane[:, :width]).addmm_(ga_a, adaptation[:, :width])
    if gu is not None:
        gu.addmm_(ga, membrane[:, width:])
    if gb is not None:
        gb.addmm_(ga_a, adaptation[:, width:])
    of_slope, of_slope_a = slopes.sum(1)
    of_membrane, of_adaptation = (
        torch.mm(g.t(), by, out=_empty(width, 2 * width)) for g, by in ((ga, seen), (ga_a, seen_a))
    )
    return [gx, gu, gb, gz, of_membrane, ga.sum(0), of_slope, of_adaptation, ga_a.sum(0), of_slope_a]


def _empty(rows: int, columns: int) -> Tensor:
    return pool.empty((rows, columns), (columns, 1), torch.float32)


def _call(name: str, arrays: list[Tensor | None], numbers: Sequence[float]) -> None:
    first = arrays[0]
    assert first is not None
    batch, width = first.shape
    threads = min(torch.get_num_threads(), batch)
    sizes = (1, batch, -(-batch // threads), threads, 0, width)
    pointers = (ctypes.c_void_p * len(arrays))(*(None if a is None else a.data_ptr() for a in arrays))
    getattr(_library().functions, name)(
        pointers, (ctypes.c_double * len(numbers))(*numbers), (ctypes.c_long * len(sizes))(*sizes)
    )


@cache
def _library() -> compiler.Library:
    """Raises CompilationError."""
    made = compiler.library(liquid_step_cpp.source(), ("-ffp-contract=fast",))
    bind_functions(made.functions, cpp_preamble.used_functions(recurrence_cpp.graph()), torch.float32)
    return made


@cache
def _sound() -> bool:
    """Whether the kernel can be compiled here and gives what the neuron's own step gives, tried on a small layer."""
    try:
        _library()
    except compiler.CompilationError:
        return False
    generator = torch.Generator().manual_seed(0)
    N, width = 7, recurrence_cpp.LANES
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        neuron = LTC(shape=(width,), gates={"name": "dense", "slope": True}, surrogate=MultiGaussian(strict=True))
    assert isinstance(neuron.gates, gates.Dense)
    drawn = [torch.randn(N, width, generator=generator), *(torch.rand(N, width, generator=generator) for _ in range(2))]
    values = [*drawn, (torch.rand(N, width, generator=generator) > 0.5).float()]
    weights = [torch.rand(N, width, generator=generator) for _ in range(3)]
    found = []
    with torch.enable_grad():
        for plain in (True, False):
            leaves = [value.clone().requires_grad_() for value in values]
            neuron.zero_grad()
            if plain:
                s, v, b, _ = neuron.step(*leaves)
            else:
                gate, numbers = neuron.gates, (*scalars_of(neuron.v_threshold, neuron.surrogate), neuron.beta)
                learned = [
                    *(gate.membrane.weight, gate.membrane.bias, gate.squash_membrane.a),
                    *(gate.adaptation.weight, gate.adaptation.bias, gate.squash_adaptation.a),
                ]
                v, b, s = _Step.apply(*leaves, *learned, numbers)
            torch.autograd.backward([v, b, s], weights)
            gradients = [leaf.grad for leaf in (*leaves, *neuron.parameters())]
            found.append([v.detach(), b.detach(), s.detach(), *(g.clone() for g in gradients if g is not None)])
    allowed = tolerance("use", torch.float32)
    plain_values, fast = found
    return len(fast) == len(plain_values) and all(
        relative(a, b) <= allowed for a, b in zip(fast, plain_values, strict=True)
    )
