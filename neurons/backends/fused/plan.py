"""Which kernel computes a layer: found by what the layer is and holds, so that changed parameters are noticed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from ...computation import Refusal
from . import compiler, parity, product_parity
from .graph import FUNCTIONS
from .kernel import Kernel, compute_type
from .loop import Loop
from .product_kernel import ProductKernel
from .trace import Trace, Untraceable, parameters_of, step_shape, trace

if TYPE_CHECKING:
    from ...base import Neuron

T = TypeVar("T")

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
_PLANS_KEPT = 512
CHECKPOINTS = 16  # steps: the states of so many, twice, stay in the caches of a core

MIXES = "the neurons of a layer of {!r} act on each other within a step, and a kernel runs each by itself"

_plans: OrderedDict[Hashable, Plan | Refusal] = OrderedDict()


class Plan:
    """One configuration of a neuron: its graph, its scalars, and the kernels made from them so far.

    `shape` and `larger` both stand for the shape of a step's input. `every` is the distance of checkpoints by default,
    0 for none.
    """

    def __init__(
        self, neuron: Neuron, dtype: torch.dtype, shape: tuple[int, ...], larger: tuple[int, ...], target: str
    ) -> None:
        self.dtype = dtype
        self.target = target
        self.trace: Trace = trace(neuron, compute_type(dtype), shape)
        if not self.trace.computes_as(trace(neuron, compute_type(dtype), larger)):
            raise Untraceable(
                f"the step of {neuron.name!r} computes with the sizes of its input (x.shape), which no kernel knows; "
                "make them an option"
            )
        self.constants = self.trace.constants
        self.raw_names = self.trace.raw_names()
        self.trainable = list(self.trace.grad_parameters)
        self.every = CHECKPOINTS if target == "cpu" and _cheap(self.trace) else 0
        self._loops: dict[tuple[bool, bool], Loop | Refusal] = {}
        self._product: ProductKernel | Refusal | None = None

    def loop(self, neuron: Neuron, grad_x: bool, checkpoint: bool) -> Loop | Refusal:
        """The kernel over time, proven on first use, or why there is none.

        RuntimeError where the first use is inside a CUDA graph, which the proof would be captured into.
        """
        key = (grad_x, checkpoint)
        if key not in self._loops:
            if self.target != "cpu" and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
                raise RuntimeError(
                    "A kernel is compiled and proven on its first use, which a CUDA graph cannot capture; call the "
                    "layer once, forward and backward, before capturing."
                )
            self._loops[key] = _apart(lambda: self._make(neuron, *key))
        return self._loops[key]

    def product(self, firing: Neuron) -> ProductKernel | Refusal:
        """For a stateless step without parameters, on the CPU: the kernel of a product over time and this step, proven
        on first use, or why there is none."""
        if self._product is None:
            self._product = _apart(lambda: self._make_product(firing))
        return self._product

    def _make_product(self, firing: Neuron) -> ProductKernel | Refusal:
        try:
            kernel = ProductKernel(self.trace, self.dtype)
        except compiler.CompilationError as error:
            return Refusal(str(error), costly=True)
        wrong = product_parity.verdict(kernel, firing)
        return kernel if wrong is None else Refusal(wrong, costly=True)

    def _make(self, neuron: Neuron, grad_x: bool, checkpoint: bool) -> Loop | Refusal:
        try:
            make, verdict = _tools(self.target)
            kernel = make(self.trace, self.dtype, grad_x=grad_x, parameters=self.trainable, checkpoint=checkpoint)
        except compiler.CompilationError as error:
            return Refusal(str(error), costly=True)
        wrong = verdict(kernel, neuron)
        return Loop(self, kernel) if wrong is None else Refusal(wrong, costly=True)


def _cheap(trace: Trace) -> bool:
    """Whether a step is computed again faster than it is written to memory and read: it calls no function like exp."""
    nodes = trace.graph.ancestors([trace.spikes, *trace.next_states])
    return not any(trace.graph.nodes[i].op in FUNCTIONS for i in nodes)


def _tools(target: str) -> tuple[type[Kernel], Callable[[Any, Neuron], str | None]]:
    """The kernels of a target and what proves one."""
    if target == "cpu":
        return Kernel, parity.verdict
    from . import cuda_kernel

    if target == "cuda":
        from .triton_kernel import TritonKernel as make
    else:
        from .cupy_kernel import CupyKernel as make  # type: ignore[assignment]
    return make, cuda_kernel.verdict


def find(neuron: Neuron, dtype: torch.dtype, shape: Sequence[int], target: str) -> Plan | Refusal:
    """The plan of a layer for inputs of `dtype` whose steps have `shape`, or why there is none.

    `target` is "cpu" (C++), "cuda" (Triton) or "cupy" (CUDA C).
    """
    try:
        key, sizes = _fingerprint(neuron, neuron.states)
    except Untraceable as error:
        return Refusal(str(error), costly=neuron.pointwise)
    traced = step_shape(shape, sizes)
    place = (*key, dtype, traced, target)
    found = _plans.get(place)
    if found is None:
        found = _plans[place] = _plan(neuron, dtype, traced, step_shape(shape, sizes, 3), target)
        if len(_plans) > _PLANS_KEPT:
            _plans.popitem(last=False)
    return found


def _plan(
    neuron: Neuron, dtype: torch.dtype, shape: tuple[int, ...], larger: tuple[int, ...], target: str
) -> Plan | Refusal:
    if not neuron.pointwise:
        return Refusal(MIXES.format(neuron.name))
    try:
        return _apart(lambda: Plan(neuron, dtype, shape, larger, target))
    except Untraceable as error:
        reason = str(error)
    except Exception as error:
        reason = f"the step of {neuron.name!r} could not be traced: {type(error).__name__}: {error}"
    return Refusal(reason, costly=True)


def _apart(make: Callable[[], T]) -> T:
    """What `make` returns in a thread of its own, where none of the caller's modes holds (inference, autocast,
    tracing), but its CUDA device does.
    """
    device = torch.cuda.current_device() if torch.cuda.is_initialized() else -1  # -1: leave it
    with ThreadPoolExecutor(1, initializer=torch.cuda.set_device, initargs=(device,)) as thread:
        return thread.submit(make).result()


_PLAIN = frozenset((int, float, bool, str, type(None)))
_HASHED_BY_NAME = (FunctionType, partial, type, ModuleType)
_OF_REPLICAS = ("_former_parameters", "_is_replica")  # of DataParallel
_NOT_THE_STEP = frozenset(
    (*nn.Module().__dict__, *_OF_REPLICAS, "_compiled_call_impl", "step_mode", "backend", "ran", "kernel", "number")
)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _fingerprint(module: nn.Module, states: tuple[str, ...] = ()) -> tuple[list[Any], set[int]]:
    """Everything that the step can depend on: types, plain attributes, parameters and buffers by shape and type; and
    the sizes of the dimensions of the latter."""
    found: list[Any] = [type(module), module.training]
    sizes: set[int] = set()
    parameters = parameters_of(module)
    for name, value in module.__dict__.items():
        if name in _NOT_THE_STEP or name in states or name in parameters:
            continue
        if type(value) not in _PLAIN:
            if isinstance(value, Tensor):
                raise Untraceable(f"attribute {name!r} is a tensor; register it as a parameter or a buffer")
            if _changeable(value):
                raise Untraceable(
                    f"attribute {name!r} is a {type(value).__name__}, whose changes would go unnoticed; "
                    "make it a tuple or a frozen dataclass"
                )
        found.append((name, type(value), value))
    for tensors in (parameters, module._buffers):
        for name, tensor in tensors.items():
            found.append(name if tensor is None else (name, tensor.shape, tensor.dtype, tensor.requires_grad))
            if tensor is not None and tensor.dim():
                sizes.update(n for n in tensor.shape if n > 1)
    for name, child in module._modules.items():
        found.append(name)
        if child is not None:
            if any(child.__dict__[hooks] for hooks in _HOOKS):
                raise Untraceable(f"part {name!r} has hooks, which a kernel does not call; put them on the neuron")
            inner = _fingerprint(child)
            found += inner[0]
            sizes |= inner[1]
    return found, sizes


def _changeable(value: Any) -> bool:
    """Whether `value` may change and be equal to what it was."""
    try:
        hash(value)
    except TypeError:
        return True
    by_identity = type(value).__hash__ is object.__hash__ and hasattr(value, "__dict__")
    return by_identity and not isinstance(value, _HASHED_BY_NAME)
