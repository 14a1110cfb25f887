"""The kernels as operators of PyTorch (`torch.ops.spikebench.*`), so that torch.compile keeps them in its graphs.

Outside compiled code `call` does the same with less work per call. A layer goes in by its number, which is looked up
when the operator runs: a graph stays right when the layer's constants change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ... import recomputation
from ...base import Neuron
from ...computation import Refusal
from ...numbers import by_number
from . import layout, plan
from .call import NO_SECOND_DERIVATIVE
from .kernel import Kernel, compute_type
from .plan import Plan

_library = torch.library.Library("spikebench", "DEF")
_library.define(
    "fused_forward(int layer, bool keep, bool grad_x, int every, Tensor x, Tensor[] states, Tensor[] raw) -> Tensor[]"
)
_library.define(
    "fused_backward(int layer, bool grad_x, int every, SymInt[] shape, SymInt[] strides, Tensor? x, Tensor? y, "
    "Tensor[] kept, Tensor[] states, Tensor[] raw, Tensor? gy, Tensor?[] gs) -> Tensor[]"
)


def sequence(neuron: Neuron, x: Tensor, every: int, raw_names: list[str], trainable: bool) -> Tensor:
    """Spikes of all steps of `x`, as traced by torch.compile."""
    values = neuron.carried(x.shape[1:])
    states = []
    if any(isinstance(value, Tensor) for value in values):
        wide = compute_type(x.dtype)
        states = [
            value.to(x.device, wide) if isinstance(value, Tensor) else torch.full_like(x[0], value, dtype=wide)
            for value in values
        ]
    raw = [_member(neuron, name) for name in raw_names]
    keep = torch.is_grad_enabled() and (x.requires_grad or trainable or any(s.requires_grad for s in states))
    outputs = torch.ops.spikebench.fused_forward(
        neuron.number, keep, x.requires_grad or not trainable, every, x, states, raw
    )
    neuron.store_states(outputs[1 : 1 + len(neuron.states)])
    return outputs[0]


def _member(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


def _found(layer: int, x: Tensor, grad_x: bool, every: int) -> tuple[Neuron, Plan, Kernel]:
    return _lookup(layer, x.dtype, x.shape[1:], grad_x, every, x.device.type)


def _lookup(
    layer: int, dtype: torch.dtype, shape: Sequence[int], grad_x: bool, every: int, target: str
) -> tuple[Neuron, Plan, Kernel]:
    neuron = by_number(layer)
    found = plan.find(neuron, dtype, shape, target)
    loop = found if isinstance(found, Refusal) else found.loop(neuron, grad_x, every > 0)
    if isinstance(loop, Refusal):
        raise RuntimeError(loop.reason)
    return neuron, loop.plan, loop.compiled


def _forward(
    layer: int, keep: bool, grad_x: bool, every: int, x: Tensor, states: list[Tensor], raw: list[Tensor]
) -> list[Tensor]:
    neuron, found, kernel = _found(layer, x, grad_x, every)
    if recomputation.running():
        raise RuntimeError(
            "A layer in code of torch.compile does not know the state that a checkpointed region began with; put "
            "torch.utils.checkpoint inside the function that is compiled, not around it."
        )
    x, place = layout.of_sequence(x)
    at_rest: list[Tensor | None] = [None] * len(neuron.states)
    given = [layout.like(s, place) for s in states] or at_rest
    values = dict(zip(found.raw_names, raw, strict=True))
    rest = [neuron.rest()[name] for name in neuron.states]
    y, after, kept = kernel.forward(x, place, given, rest, values, found.constants, keep, every or 1)
    return [y, *after, *kept]


def _forward_shapes(
    layer: int, keep: bool, grad_x: bool, every: int, x: Tensor, states: list[Tensor], raw: list[Tensor]
) -> list[Tensor]:
    neuron, _, kernel = _found(layer, x, grad_x, every)
    strides, neurons = _strides(x)
    outputs = [x.new_empty_strided(x.shape, (neurons, *strides))]
    outputs += [x.new_empty_strided(x.shape[1:], strides, dtype=kernel.compute) for _ in neuron.states]
    if keep:
        rows, count = kernel.kept_rows(x.shape[0], every or 1)
        outputs += [x.new_empty((rows, neurons), dtype=kernel.compute) for _ in range(count)]
    return outputs


def _strides(x: Tensor) -> tuple[tuple[int, ...], int]:
    """Strides of one step's neurons in the outputs, and their number, for sizes that may be symbols."""
    shape, strides = x.shape[1:], x.stride()[1:]
    neurons = 1
    for n in shape:
        neurons = neurons * n
    if not layout.dense(shape, strides):
        strides = x.new_empty(shape).stride()
    return tuple(strides), neurons


def _backward(
    layer: int,
    grad_x: bool,
    every: int,
    shape: list[int],
    strides: list[int],
    x: Tensor | None,
    y: Tensor | None,
    kept: list[Tensor],
    states: list[Tensor],
    raw: list[Tensor],
    gy: Tensor | None,
    gs: list[Tensor | None],
) -> list[Tensor]:
    one = next(t for t in (gy, x, y, *gs) if t is not None)
    neuron, found, kernel = _lookup(layer, one.dtype, shape[1:], grad_x, every, one.device.type)
    place = layout.step(tuple(shape[1:]), tuple(strides))
    values = dict(zip(found.raw_names, raw, strict=True))
    x = None if x is None else layout.rows_like(x, place)
    gx, before, params = kernel.backward(
        x, y, kept, values, found.constants, gy, gs, [bool(states)] * len(neuron.states), place, shape[0], every or 1
    )
    gradients = [gx] if gx is not None else []
    gradients += [b for b in before if b is not None]
    return gradients + [
        params[n].to(values[n].dtype).reshape(values[n].shape).clone() for n in found.raw_names if n in params
    ]


def _backward_shapes(
    layer: int,
    grad_x: bool,
    every: int,
    shape: list[int],
    strides: list[int],
    x: Tensor | None,
    y: Tensor | None,
    kept: list[Tensor],
    states: list[Tensor],
    raw: list[Tensor],
    gy: Tensor | None,
    gs: list[Tensor | None],
) -> list[Tensor]:
    given = next(t for t in (gy, x, y, *gs) if t is not None)
    _, found, kernel = _lookup(layer, given.dtype, shape[1:], grad_x, every, given.device.type)
    neurons = 1
    for n in shape[1:]:
        neurons = neurons * n
    gradients = []
    if kernel.program.grad_x is not None:
        gradients.append(given.new_empty_strided(shape, (neurons, *strides)))
    gradients += [given.new_empty_strided(shape[1:], strides, dtype=kernel.compute) for _ in states]
    return gradients + [
        torch.empty_like(value) for name, value in zip(found.raw_names, raw, strict=True) if name in found.trainable
    ]


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    layer, _, grad_x, every, x, states, raw = inputs
    neuron, found, kernel = _found(layer, x, grad_x, every)
    ctx.set_materialize_grads(False)
    ctx.layer, ctx.grad_x, ctx.every = layer, grad_x, every
    ctx.shape, ctx.strides = list(x.shape), list(_strides(x)[0])
    ctx.raw_names, ctx.trainable = found.raw_names, found.trainable
    ctx.counts = (len(neuron.states), len(states), len(raw))
    ctx.reads = (kernel.reads_x, kernel.program.reads_spikes and not kernel.checkpoint)
    read = [t for t, wanted in zip((x, output[0]), ctx.reads, strict=True) if wanted]
    ctx.save_for_backward(*read, *states, *raw, *output[1 + len(neuron.states) :])


def _gradients(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    saved = list(ctx.saved_tensors)
    x, y = (saved.pop(0) if wanted else None for wanted in ctx.reads)
    outputs, given, raws = ctx.counts
    states, raw, kept = saved[:given], saved[given : given + raws], saved[given + raws :]
    gy, gs = grads[0], list(grads[1 : 1 + outputs])
    if gy is None and all(g is None for g in gs):
        return (None,) * 4 + (None, [None] * given, [None] * raws)
    found = torch.ops.spikebench.fused_backward(
        ctx.layer, ctx.grad_x, ctx.every, ctx.shape, ctx.strides, x, y, kept, states, raw, gy, gs
    )
    gx = found.pop(0) if ctx.grad_x else None
    before = [found.pop(0) for _ in range(given)]
    of_raw = [found.pop(0) if name in ctx.trainable else None for name in ctx.raw_names]
    return None, None, None, None, gx, before, of_raw


def _refuse(*_: Any) -> Any:
    raise RuntimeError(NO_SECOND_DERIVATIVE)


for _device in ("CPU", "CUDA"):
    _library.impl("fused_forward", _forward, _device)
    _library.impl("fused_backward", _backward, _device)
torch.library.register_fake("spikebench::fused_forward", _forward_shapes, lib=_library)
torch.library.register_fake("spikebench::fused_backward", _backward_shapes, lib=_library)
torch.library.register_autograd("spikebench::fused_forward", _gradients, setup_context=_remember, lib=_library)
torch.library.register_autograd("spikebench::fused_backward", _refuse, lib=_library)
