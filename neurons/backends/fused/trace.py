"""From a neuron's `step` to its graph: the step and its gradient are run once on a tiny input and recorded.

What depends on parameters alone is not part of the graph. It is kept as the list of PyTorch calls that it was and run
again as such for every sequence (the prologue: PLIF's sigmoid(w)), so that it is rounded as PyTorch rounds it. So is
what follows a sum over neurons in the gradient of a parameter (the epilogue).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .graph import Graph
from .operations import Operand, translate

if TYPE_CHECKING:
    from ...base import Neuron


class Untraceable(Exception):
    """The step contains what no kernel can be made from; the message is a sentence with the reason."""


@dataclass(frozen=True)
class Raw:
    """A parameter or buffer of the layer, by its dotted name."""

    name: str


@dataclass(frozen=True)
class Call:
    """A PyTorch call on host values; `Ref`s in `args` and `kwargs` stand for other values of the list."""

    function: Callable[..., Tensor]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class Reduction:
    """The sum over all steps and over `dims` of the neurons (None: all) of what graph node `node` gives."""

    node: int
    dims: tuple[int, ...] | None
    keepdim: bool


@dataclass(frozen=True)
class Ref:
    """A host value, by its place in `Trace.host`."""

    index: int


@dataclass
class Trace:
    """A step and its gradient.

    `spikes`, `next_states` and `grad_x`, `grad_states` are nodes of `graph` (None: no gradient); `host` lists the
    values computed outside the kernel, `prologue` those that the graph reads as p0, p1 .., `grad_parameters` those
    that are the gradients of the parameters. `constants` are the run-time scalars, `shape` is that of a step's input
    in the trace.
    """

    graph: Graph
    spikes: int
    next_states: list[int]
    grad_x: int | None
    grad_states: list[int | None]
    host: list[Raw | Call | Reduction | Tensor]
    prologue: list[int]
    grad_parameters: dict[str, int]
    constants: list[float]
    prologue_is_scalar: list[bool]
    shape: tuple[int, ...]

    def raw_names(self) -> list[str]:
        """Names of the parameters and buffers that the step uses."""
        used = self._behind([*self.prologue, *self.grad_parameters.values()])
        return [entry.name for i, entry in enumerate(self.host) if i in used and isinstance(entry, Raw)]

    def reductions(self, parameters: list[str]) -> list[int]:
        """Places in `host` of the sums that the gradients of `parameters` need."""
        used = self._behind(self.grad_parameters[name] for name in parameters)
        return [i for i, entry in enumerate(self.host) if i in used and isinstance(entry, Reduction)]

    def evaluate(self, indices: list[int], known: Mapping[str | int, Tensor]) -> list[Tensor]:
        """Host values; `known` gives parameters and buffers by name and reductions by place."""
        done: dict[int, Tensor] = {}

        def value(index: int) -> Tensor:
            if index not in done:
                entry = self.host[index]
                if isinstance(entry, Call):
                    fill = _filled(value)
                    done[index] = entry.function(
                        *map(fill, entry.args), **{k: fill(v) for k, v in entry.kwargs.items()}
                    )
                elif isinstance(entry, Tensor):
                    done[index] = entry
                else:
                    done[index] = _wide(known[entry.name]) if isinstance(entry, Raw) else known[index]
            return done[index]

        return [value(i) for i in indices]

    def computes_as(self, other: Trace) -> bool:
        """Whether the kernels of `other` would be the same, numbers included."""
        return self.graph.nodes == other.graph.nodes and self.constants == other.constants

    def _behind(self, indices: Any) -> set[int]:
        found: set[int] = set()
        todo = list(indices)
        while todo:
            index = todo.pop()
            if index not in found:
                found.add(index)
                todo.extend(_references(self.host[index]))
        return found


def trace(neuron: Neuron, dtype: torch.dtype, shape: tuple[int, ...]) -> Trace:
    """The graph of `neuron.step` for one step's input, for which `shape` stands; `dtype` is what it computes in.

    Raises Untraceable, naming the operator, when the step does what no kernel can.
    """
    tensors = layer_tensors(neuron)
    for name, tensor in tensors.items():
        if tensor.is_complex():
            raise Untraceable(f"{name!r} is complex; kernels compute with real numbers")
    raw = {n: _wide(t.detach().clone()).cpu().requires_grad_(t.requires_grad) for n, t in tensors.items()}
    twin = with_tensors(neuron, raw)
    generator = torch.Generator().manual_seed(0)
    x, *states = (
        torch.rand(shape, dtype=dtype, generator=generator).requires_grad_() for _ in range(1 + len(neuron.states))
    )
    recorder = _Recorder(neuron.name, shape, dtype)
    recorder.expect(x, "x")
    for i, state in enumerate(states):
        recorder.expect(state, f"s{i}")
    for name, tensor in raw.items():
        recorder.host_value(tensor, Raw(name))
    attributes = [(part, dict(part.__dict__)) for part in twin.modules()]
    with torch.enable_grad(), recorder:
        outputs = twin.step(x, *states)
    for part, before in attributes:
        for name, value in before.items():
            if part.__dict__.get(name) is not value:
                raise Untraceable(
                    f"the step of {neuron.name!r} changes its attribute {name!r}, which no kernel can; make it a state"
                )
    if len(outputs) != 1 + len(states):
        raise Untraceable(f"step returns {len(outputs)} tensors, {1 + len(states)} are needed: spikes and every state")
    wanted = [x, *states, *(t for t in raw.values() if t.requires_grad)]
    seeds = [(o, torch.ones_like(o)) for o in outputs]
    for name, (_, seed) in zip(["gy", *(f"gs{i}" for i in range(len(states)))], seeds, strict=True):
        recorder.expect(seed, name)
    with recorder:
        pairs = [(o, s) for o, s in seeds if o.requires_grad]
        gradients: tuple[Tensor | None, ...] = (None,) * len(wanted)
        if pairs:
            end = _Seeded.apply([s for _, s in pairs], *(o for o, _ in pairs))
            gradients = torch.autograd.grad(end, wanted, allow_unused=True)
    nodes = [recorder.node_of(o) for o in outputs]
    if isinstance(nodes[0], type(None)) or None in nodes:
        raise Untraceable("an output of step does not depend on its input or states")
    grads = [None if g is None else recorder.node_of(g) for g in gradients[: 1 + len(states)]]
    names = [n for n, t in raw.items() if t.requires_grad]
    return Trace(
        graph=recorder.graph,
        spikes=nodes[0],
        next_states=nodes[1:],  # type: ignore[arg-type]
        grad_x=grads[0],
        grad_states=grads[1:],
        host=recorder.host,
        prologue=recorder.prologue,
        grad_parameters={
            n: recorder.summed(g) for n, g in zip(names, gradients[1 + len(states) :], strict=True) if g is not None
        },
        constants=recorder.constants,
        prologue_is_scalar=recorder.prologue_is_scalar,
        shape=shape,
    )


def parameters_of(module: nn.Module) -> Mapping[str, Tensor | None]:
    """The module's own parameters; those of a replica of DataParallel are copies that hang on it as attributes."""
    return module.__dict__.get("_former_parameters") or module._parameters


def layer_tensors(module: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Parameters and buffers of the layer by dotted name; a shared one by each of its names."""
    own = {**parameters_of(module), **module._buffers}
    found = {prefix + name: tensor for name, tensor in own.items() if tensor is not None}
    for name, child in module._modules.items():
        if child is not None:
            found |= layer_tensors(child, f"{prefix}{name}.")
    return found


def with_tensors(module: Any, tensors: Mapping[str, Tensor], prefix: str = "") -> Any:
    """A copy of `module` that uses `tensors` in the place of its parameters and buffers of the same dotted names."""
    twin = object.__new__(type(module))  # copy.copy is refused by parametrized modules
    twin.__dict__.update(module.__dict__)
    names = (*parameters_of(module), *module._buffers)
    own = {name: tensors[prefix + name] for name in names if prefix + name in tensors}
    twin.__dict__.update({name: own[name] for name in module.__dict__.get("_former_parameters", ()) if name in own})
    twin.__dict__["_parameters"] = {k: own.get(k, v) for k, v in module._parameters.items()}
    twin.__dict__["_buffers"] = {k: own.get(k, v) for k, v in module._buffers.items()}
    twin.__dict__["_modules"] = {
        name: None if child is None else with_tensors(child, tensors, f"{prefix}{name}.")
        for name, child in module._modules.items()
    }
    return twin


def _wide(tensor: Tensor) -> Tensor:
    """Parameters stored in 16 bits are computed with in 32; others as they are."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


def step_shape(shape: Sequence[int], sizes: Collection[int], free: int = 2) -> tuple[int, ...]:
    """A small stand-in for one step's `shape`: dimensions that no parameter has (`sizes`) become `free`.

    One neuron without a dimension is computed as a row of one.
    """
    # Compared one by one, since sizes that are symbols of torch.compile cannot be looked up.
    return tuple(next((size for size in sizes if size == n), free) for n in shape) or (free,)


def _filled(value: Callable[[int], Tensor]) -> Callable[[Any], Any]:
    def fill(item: Any) -> Any:
        if isinstance(item, Ref):
            return value(item.index)
        return [fill(i) for i in item] if isinstance(item, (list, tuple)) else item

    return fill


def _references(entry: Any) -> list[int]:
    if isinstance(entry, Ref):
        return [entry.index]
    if isinstance(entry, Call):
        return _references([*entry.args, *entry.kwargs.values()])
    return [i for item in entry for i in _references(item)] if isinstance(entry, (list, tuple)) else []


_SHAPING = ("view", "_unsafe_view", "reshape", "expand", "unsqueeze", "squeeze", "select", "slice", "permute", "t")
_TURNING = ("permute", "t")  # the neurons change places even where the shape stays
_SAME = ("detach", "alias", "lift_fresh")


class _Seeded(torch.autograd.Function):
    """An end whose gradients with respect to the outputs are the given seeds.

    autograd.grad(outputs, ..., seeds) says the same but imports sympy, which takes longer than all of the trace.
    """

    @staticmethod
    def forward(ctx: Any, seeds: list[Tensor], *outputs: Tensor) -> Tensor:
        ctx.seeds = seeds
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *ctx.seeds)


class _Recorder(TorchDispatchMode):
    """Sees every PyTorch operator of the step; neurons' values become graph nodes, all others host values."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the wrapper that True asks for imports all of torch._dynamo

    def __init__(self, neuron: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        self.graph = Graph()
        self.host: list[Raw | Call | Reduction | Tensor] = []
        self.prologue: list[int] = []
        self.prologue_is_scalar: list[bool] = []
        self.constants: list[float] = []
        self._neuron, self._shape, self._dtype = neuron, shape, dtype
        self._places: dict[int, Operand | Ref] = {}
        self._inputs: set[int] = set()
        self._alive: list[Tensor] = []  # so that no id is given twice

    def expect(self, tensor: Tensor, name: str) -> None:
        """`tensor` is the graph's input `name`."""
        self._put(tensor, Operand(self.graph.input(name)))
        self._inputs.add(id(tensor))

    def host_value(self, tensor: Tensor, entry: Raw | Call | Reduction | Tensor) -> None:
        self.host.append(entry)
        self._put(tensor, Ref(len(self.host) - 1))

    def node_of(self, tensor: Tensor) -> int | None:
        """Graph node of an output."""
        place = self._places.get(id(tensor))
        if isinstance(place, Operand):
            return int(place)
        return None if place is None else self._prologue(place.index, tensor)

    def summed(self, gradient: Tensor) -> int:
        """Host value of a parameter's gradient; one that has the neurons' own shape is summed over time alone."""
        place = self._places[id(gradient)]
        if isinstance(place, Ref):
            return place.index
        self.host.append(Reduction(int(place), (), False))
        return len(self.host) - 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        tensors = _tensors([args, list(kwargs.values())])
        if name in ("_local_scalar_dense", "is_nonzero", "equal", "item"):
            raise self._refuse(
                "decides or computes in Python with a tensor's value (if, float(), item()); use torch.where"
            )
        in_place = func._schema.is_mutable
        if in_place and not (name.endswith("_") and self._is_sole(args[0])):
            raise self._refuse(f"changes a tensor in place ({func}); write it without the underscore")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise self._refuse(f"draws random numbers ({func})")
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor):
            raise self._unknown(func)
        for tensor in tensors:
            self._meet(tensor, fresh=name == "lift_fresh")
        if not any(isinstance(self._places[id(t)], Operand) for t in tensors):
            self._on_host(_functional(func) if in_place else func, name, tensors, args, kwargs, result)
        elif name in _SHAPING and (tuple(result.shape) != self._shape or name in _TURNING):
            # The gradient of a reshaped parameter per neuron: in a step itself, whoever uses it is refused.
            self.host_value(args[0], Reduction(int(self._places[id(args[0])]), (), False))  # type: ignore[arg-type]
            self._on_host(func, name, [args[0]], args, kwargs, result)
        elif name == "sum":
            dims = args[1] if len(args) > 1 else None
            keepdim = bool(args[2]) if len(args) > 2 else False
            place = self._places[id(args[0])]
            self.host_value(result, Reduction(int(place), None if dims is None else tuple(dims), keepdim))  # type: ignore[arg-type]
        else:
            self._put(result, self._node(func, name.removesuffix("_") if in_place else name, args, kwargs, result))
        return result

    def _is_sole(self, tensor: Tensor) -> bool:
        """Whether `tensor` is a result that nothing else looks at, as where autograd builds a mask in place."""
        place = self._places.get(id(tensor))
        made = isinstance(self.host[place.index], Call) if isinstance(place, Ref) else place is not None
        others = sum(t.data_ptr() == tensor.data_ptr() for t in self._alive if t is not tensor)
        return made and id(tensor) not in self._inputs and not others

    def _on_host(self, func: Any, name: str, tensors: list[Tensor], args: Any, kwargs: Any, result: Tensor) -> None:
        if name in _SAME and tensors:
            self._put(result, self._places[id(tensors[0])])
        elif not tensors and result.dim() > 0:
            if name not in ("zeros", "ones", "full") or tuple(result.shape) != self._shape:
                raise self._refuse(
                    f"creates a tensor of fixed shape ({func}); use a parameter, a buffer or zeros_like(x)"
                )
            self._put(result, Operand(self._number(float(result.flatten()[0]))))
        else:
            named = dict(zip(kwargs, self._with_refs(kwargs.values()), strict=True))
            self.host_value(result, Call(func, self._with_refs(args), named))

    def _node(self, func: Any, name: str, args: Any, kwargs: Any, result: Tensor) -> Operand:
        if tuple(result.shape) != self._shape:
            raise self._refuse(f"mixes neurons or changes their shape ({func}), which a pointwise kernel cannot do")
        if result.dtype not in (self._dtype, torch.bool):
            raise self._refuse(f"computes in {result.dtype} ({func}) where the input is {self._dtype}")
        if name in _SHAPING:
            return self._places[id(args[0])]  # type: ignore[return-value]
        try:
            operands = [self._operand(a) for a in args]
            return Operand(
                translate(self.graph, name, operands, {k: self._operand(v) for k, v in kwargs.items()}, self._number)
            )
        except (KeyError, TypeError):
            raise self._unknown(func) from None

    def _operand(self, arg: Any) -> Any:
        if not isinstance(arg, Tensor):
            return arg
        place = self._places[id(arg)]
        if isinstance(place, Operand):
            return place
        entry = self.host[place.index]
        if isinstance(entry, Tensor):
            return Operand(self._number(float(entry)))
        value = self._prologue(place.index, arg)
        if arg.dtype == torch.bool:  # kernels are given numbers
            value = self.graph.add("ne", value, self.graph.literal(0.0))
        return Operand(value)

    def _prologue(self, index: int, tensor: Tensor) -> int:
        behind, todo = set(), [index]
        while todo:
            i = todo.pop()
            if isinstance(self.host[i], Reduction):
                raise self._refuse(
                    "mixes neurons (it uses a sum over them, or moves them), which a pointwise kernel cannot do"
                )
            if i not in behind:
                behind.add(i)
                todo.extend(_references(self.host[i]))
        if index not in self.prologue:
            self.prologue.append(index)
            self.prologue_is_scalar.append(tensor.numel() == 1)
        return self.graph.input(f"p{self.prologue.index(index)}")

    def _number(self, value: float) -> int:
        """0 and 1 are written into the code; every other number stays changeable, so that one kernel serves all."""
        if value in (0.0, 1.0):
            return self.graph.literal(value)
        self.constants.append(value)
        return self.graph.add("constant", value=len(self.constants) - 1)

    def _meet(self, tensor: Tensor, fresh: bool) -> None:
        """A tensor that no recorded operator made; `fresh`: torch.tensor(number) in the step itself does."""
        if id(tensor) not in self._places:
            if tensor.dim() or not fresh:
                raise self._refuse("uses a tensor that is neither parameter, buffer nor state; register it as one")
            self.host_value(tensor, tensor.clone())

    def _with_refs(self, items: Any) -> tuple[Any, ...]:
        def swap(item: Any) -> Any:
            if isinstance(item, Tensor):
                return self._places[id(item)]
            return [swap(i) for i in item] if isinstance(item, (list, tuple)) else item

        return tuple(swap(i) for i in items)

    def _put(self, tensor: Tensor, place: Operand | Ref) -> None:
        self._alive.append(tensor)
        self._places[id(tensor)] = place

    def _refuse(self, what: str) -> Untraceable:
        return Untraceable(f"the step of {self._neuron!r} {what}")

    def _unknown(self, func: Any) -> Untraceable:
        return Untraceable(
            f"the step of {self._neuron!r} uses {func}, which the kernel generator does not know; "
            "use backend='torch' or add it to neurons/backends/fused/operations.py"
        )


def _functional(func: Any) -> Any:
    """The operator that returns what the in-place `func` leaves in its first argument."""
    return getattr(getattr(torch.ops.aten, func._schema.name.split("::")[1].removesuffix("_")), func._overloadname)


def _tensors(items: Any) -> list[Tensor]:
    if isinstance(items, Tensor):
        return [items]
    return [t for item in items for t in _tensors(item)] if isinstance(items, (list, tuple)) else []
