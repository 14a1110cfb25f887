"""Which kernel computes a layer: found by what the layer is and holds, so that changed parameters are noticed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import compiler, parity
from .kernel import Kernel, compute_type
from .trace import Trace, Untraceable, trace

if TYPE_CHECKING:
    from ...base import Neuron

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_PLANS_KEPT = 512

_plans: OrderedDict[Hashable, Plan | str] = OrderedDict()


class Plan:
    """One configuration of a neuron: its graph, its scalars, and the kernels made from them so far."""

    def __init__(self, neuron: Neuron, dtype: torch.dtype, ndim: int) -> None:
        self.dtype = dtype
        self.trace: Trace = trace(neuron, compute_type(dtype), ndim)
        self.constants = self.trace.constants
        self.raw_names = self.trace.raw_names()
        self.trainable = list(self.trace.grad_parameters)
        self._kernels: dict[tuple[bool, bool], Kernel | str] = {}

    def kernel(self, neuron: Neuron, grad_x: bool, checkpoint: bool) -> Kernel | str:
        """The kernel, proven on first use, or the sentence that says why there is none."""
        key = (grad_x, checkpoint)
        if key not in self._kernels:
            self._kernels[key] = self._make(neuron, *key)
        return self._kernels[key]

    def _make(self, neuron: Neuron, grad_x: bool, checkpoint: bool) -> Kernel | str:
        try:
            kernel = Kernel(self.trace, self.dtype, grad_x=grad_x, parameters=self.trainable, checkpoint=checkpoint)
        except compiler.CompilationError as error:
            return str(error)
        return parity.verdict(kernel, neuron) or kernel


def find(neuron: Neuron, dtype: torch.dtype, ndim: int) -> Plan | str:
    """The plan of a layer for inputs of `dtype` whose steps have `ndim` dimensions, or why there is none."""
    try:
        key = (*_fingerprint(neuron, neuron.states), dtype, ndim)
        found = _plans.get(key)
    except (Untraceable, TypeError) as error:
        return str(error)
    if found is None:
        try:
            found = Plan(neuron, dtype, ndim)
        except Untraceable as error:
            found = str(error)
        except Exception as error:
            found = f"the step of {neuron.name!r} could not be traced: {type(error).__name__}: {error}"
        _plans[key] = found
        if len(_plans) > _PLANS_KEPT:
            _plans.popitem(last=False)
    return found


_PLAIN = frozenset((int, float, bool, str, type(None)))
_NOT_THE_STEP = frozenset(("step_mode", "backend", "training", "number"))


def _fingerprint(module: nn.Module, states: tuple[str, ...] = ()) -> list[Any]:
    """Everything that the step can depend on: types, plain attributes, shapes of parameters and buffers."""
    found: list[Any] = [type(module)]
    for name, value in module.__dict__.items():
        if name[0] == "_" or name in _NOT_THE_STEP or name in states:
            continue
        if type(value) not in _PLAIN:
            if isinstance(value, Tensor):
                raise Untraceable(f"attribute {name!r} is a tensor; register it as a parameter or a buffer")
            try:
                hash(value)
            except TypeError:
                raise Untraceable(
                    f"attribute {name!r} is a {type(value).__name__}, whose changes would go unnoticed; make it a tuple"
                ) from None
        found.append((name, type(value), value))
    for tensors in (module._parameters, module._buffers):
        for name, tensor in tensors.items():
            found.append(name if tensor is None else (name, tensor.shape, tensor.dtype, tensor.requires_grad))
    for name, child in module._modules.items():
        found.append(name)
        if child is not None:
            found += _fingerprint(child)
    return found
