"""All steps of a recurrent layer at once, on a CUDA device: ALIF, and liquid neurons with diagonal or dense gates.

The kernels are made from the traced step (`recurrence_triton`), so that every option of these neurons has them. They
compute in float32. As the kernels of `fused` they owe a proof on the device before their first use.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from .. import choice, gates
from ..adaptive_threshold import ALIF, LTC
from ..base import Neuron
from ..computation import Refusal
from . import recurrence_triton
from .between import between
from .fused import cuda_kernel, parity, plan
from .fused.call import once_only
from .fused.program import program
from .fused.trace import Reduction, layer_tensors, with_tensors
from .fused.triton_kernel import load
from .recurrence import BACKEND, Sequence

Gates = Many[tuple[Tensor, Tensor]]
"""Weight [C, 2 C] and bias [C] of each gate."""

_NO_CAPTURE = (
    "A kernel is compiled and proven on its first use, which a CUDA graph cannot capture; call the layer once, forward "
    "and backward, before capturing."
)
_STEPS, _SAMPLES = 4, 19  # of the proof: no whole number of tiles
_kernels: WeakKeyDictionary[plan.Plan, dict[torch.device, Kernel | Refusal]] = WeakKeyDictionary()


def find(neuron: Neuron, feedback: nn.Module, x: Tensor) -> Sequence | None:
    """As `recurrence.find`; where a kernel could have been and is not, a warning says why."""
    found = sequence(neuron, feedback, x)
    if not isinstance(found, Refusal):
        return found
    if found.costly:
        choice._warn(BACKEND, found.reason)
    return None


def sequence(neuron: Neuron, feedback: nn.Module, x: Tensor) -> Sequence | Refusal:
    """What computes inputs like `x` [T, N, C] of `neuron` with its spikes fed back by `feedback`, or why nothing does.

    RuntimeError where the first use is inside a CUDA graph.
    """
    if reason := _unfit(neuron, feedback, x):
        return Refusal(reason)
    if reason := cuda_kernel.missing():
        return Refusal(reason, costly=True)
    assert isinstance(feedback, nn.Linear)
    dense = neuron.gates if isinstance(neuron, LTC) and isinstance(neuron.gates, gates.Dense) else None
    layer = between(neuron) if isinstance(neuron, LTC) and dense else neuron
    found = plan.find(layer, x.dtype, x.shape[1:], x.device.type)
    if isinstance(found, Refusal):
        return found
    kernel = _proven(found, layer, len(neuron.states), x)
    if isinstance(kernel, Refusal):
        return kernel
    both = [dense.membrane, dense.adaptation] if dense else []
    acting = [(both[k].weight, both[k].bias) for k in kernel.acting]

    def computed(x: Tensor, states: Many[Tensor], spikes: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        if feedback.bias is not None:
            x = x + feedback.bias
        raw = [attrgetter(name)(layer) for name in found.raw_names]
        return run(kernel, found, layer, x, states, spikes, feedback.weight, acting, raw)

    return computed


def _unfit(neuron: Neuron, feedback: nn.Module, x: Tensor) -> str | None:
    """Why no kernel is for this layer and input, or None."""
    if neuron.backend not in ("auto", BACKEND):
        return f"the backend {neuron.backend!r} was asked for"
    kinds = (type(neuron), type(getattr(neuron, "gates", None)))
    if kinds not in ((ALIF, type(None)), (LTC, gates.Diagonal), (LTC, gates.Dense)):
        return "it is for ALIF and for liquid neurons with diagonal or dense gates"
    if x.ndim != 3 or x.numel() == 0 or x.dtype is not torch.float32:
        return f"it is for inputs [T, N, C] of float32, got {list(x.shape)} of {x.dtype}"
    if type(feedback) is not nn.Linear or not (x.shape[-1] == feedback.in_features == feedback.out_features):
        return "the feedback is no nn.Linear as wide as the layer"
    inner = [module for part in (*neuron.children(), feedback) for module in part.modules()]
    if any(module._forward_hooks or module._forward_pre_hooks for module in inner):
        return "a part of the layer has hooks, which a kernel does not call"
    if any((p.dtype, p.device) != (x.dtype, x.device) for p in (*neuron.parameters(), *feedback.parameters())):
        return "its weights are not all of float32 and on the device of the input"
    if torch.is_autocast_enabled(x.device.type) or torch.compiler.is_compiling():
        return "it is for calls outside autocast and torch.compile"
    if forward_ad._current_level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None:
        return "it knows neither forward-mode derivatives nor the transforms of torch.func"
    return None


def _proven(found: plan.Plan, layer: Neuron, own: int, x: Tensor) -> Kernel | Refusal:
    """The kernels of a plan, tried on the device of `x` before their first use."""
    tried = _kernels.setdefault(found, {})
    if x.device not in tried:
        if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
            raise RuntimeError(_NO_CAPTURE)
        tried[x.device] = plan._apart(lambda: _tried(found, layer, own, x.shape[-1], x.device))
    return tried[x.device]


def _tried(found: plan.Plan, layer: Neuron, own: int, width: int, device: torch.device) -> Kernel | Refusal:
    try:
        kernel = Kernel(found, own, layer.states.index("v"))
        wrong = difference(kernel, found, layer, width, device, seed=1)
        if wrong and wrong.startswith("the gradient of "):  # a sum may have cancelled, but not twice
            wrong = difference(kernel, found, layer, width, device, seed=2)
    except torch.OutOfMemoryError:
        raise  # of the moment: the next call tries again
    except Exception as error:
        wrong = f"it does not run: {type(error).__name__}: {error}"
    if wrong is None:
        return kernel
    return Refusal(f"the kernel of a recurrent layer of {layer.name!r} for this device is wrong: {wrong}", costly=True)


class Kernel:
    """The compiled kernels of the layer whose step `found` has traced; `own` of its states are the neuron's."""

    tile = recurrence_triton.TILE

    def __init__(self, found: plan.Plan, own: int, potential: int) -> None:
        self.trace, self.parameters = found.trace, found.trainable
        made = program(found.trace, grad_x=True, parameters=found.trainable, storage_bytes=4, compute_bytes=4)
        drives = range(own, len(made.next_states))
        used = {*made.graph.inputs(made.graph.ancestors([made.spikes, *made.next_states[:own]]), "s")}
        self.acting = [k for k, drive in enumerate(drives) if f"s{drive}" in used]
        # The gate of the membrane sees the potential, that of the adaptation the adaptation: states 0 and 1.
        self.layer = recurrence_triton.Layer(made, own, tuple((drives[k], k) for k in self.acting), potential)
        self.functions = load(recurrence_triton.source(self.layer))
        self._compiled: dict[tuple[Any, ...], Any] = {}

    def launch(
        self, way: str, arrays: Many[Tensor | None], numbers: Many[float], shape: Many[int], switches: tuple[bool, ...]
    ) -> None:
        """Queues `way` ("forward", "backward") with its arguments in the order of `recurrence_triton.arguments`."""
        device = next(t.device for t in arrays if t is not None)
        pointers = [0 if t is None else t.data_ptr() for t in arrays]
        wide = cuda_kernel.aligned(pointers, shape[2:])
        key = (device, way, wide, switches)
        with torch.cuda.device(device):
            if key not in self._compiled:
                self._compiled[key] = self.compile(way, wide, switches)
            programs = -(-shape[1] // self.tile["ROWS"])
            self._compiled[key][(programs, 1, 1)](*pointers, *numbers, *shape, *switches, *self.tile.values())

    def compile(self, way: str, wide: bool, switches: tuple[bool, ...], target: Any = None) -> Any:
        """Triton's compiled kernel; `wide` promises `aligned` arrays, `target` is a GPUTarget (None: this device)."""
        from triton import compile as build
        from triton.compiler import ASTSource

        names = recurrence_triton.arguments(self.layer, way)
        numbers = {f"c{k}": "fp32" for k in range(self.layer.program.constants)}
        kinds = {**dict.fromkeys(names, "*fp32"), **numbers, "T": "i32", "N": "i64", "H": "i64"}
        constants = dict(zip(recurrence_triton.SWITCHES[way], switches, strict=True)) | self.tile
        divisible = [i for i, name in enumerate(names) if kinds[name] == "*fp32" or name == "H"] if wide else []
        source = ASTSource(
            self.functions[way],
            kinds | dict.fromkeys(constants, "constexpr"),
            constants,
            {(i,): [["tt.divisibility", 16]] for i in divisible},
        )
        return build(source, target=target, options=recurrence_triton.OPTIONS)

    def prologue(self, raw: dict[str, Tensor]) -> list[Tensor]:
        """What the step reads of the parameters."""
        return [_copied(value) for value in self.trace.evaluate(self.trace.prologue, raw)]  # type: ignore[arg-type]

    def of_parameters(self, sums: Many[Tensor], raw: dict[str, Tensor]) -> dict[str, Tensor]:
        """The gradients of the parameters of the step by name, from what was added up per neuron, [N, C] each."""
        known: dict[str | int, Tensor] = {}
        known.update(raw)
        for place, partial in zip(self.trace.reductions(self.parameters), sums, strict=True):
            entry = self.trace.host[place]
            assert isinstance(entry, Reduction)
            if entry.dims == ():
                known[place] = partial
            else:
                known[place] = partial.sum(entry.dims, keepdim=entry.keepdim, dtype=torch.float64).float()
        places = [self.trace.grad_parameters[name] for name in self.parameters]
        return dict(zip(self.parameters, self.trace.evaluate(places, known), strict=True))


def run(
    kernel: Kernel,
    found: plan.Plan,
    layer: Neuron,
    x: Tensor,
    states: Many[Tensor],
    spikes: Tensor,
    back: Tensor,
    acting: Gates,
    raw: list[Tensor],
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Spikes and potentials after each step [T, N, C], and the states after the last; differentiable.

    `x` is the input with the bias of the feedback, whose weight is `back`; `acting` are the gates that act, `raw` the
    tensors of `found.raw_names`.
    """
    own = kernel.layer.own
    of_gates = [t for gate in acting for t in gate]
    y, potentials, *others = _All.apply(kernel, found, x, spikes, back, *states[:own], *of_gates, *raw)
    left = iter(others)
    after = []
    for j in range(own):
        if j == kernel.layer.potential:
            after.append(potentials[-1])
        elif kernel.layer.stays(j):
            after.append(states[j])
        else:
            after.append(y[-1] if _fires(kernel, j) else next(left))
    return y, potentials, after


def _fires(kernel: Kernel, state: int) -> bool:
    """Whether the state after a step is its spikes."""
    return kernel.layer.program.next_states[state] == kernel.layer.program.spikes


def _others(kernel: Kernel) -> list[int]:
    """The states whose value after the last step is in nothing else that a layer gives."""
    layer = kernel.layer
    return [j for j in range(layer.own) if j != layer.potential and not layer.stays(j) and not _fires(kernel, j)]


class _All(torch.autograd.Function):
    """Spikes and potentials of all steps, and `_others` after the last."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, found: plan.Plan, x: Tensor, spikes: Tensor, *tensors: Tensor) -> Any:
        layer = kernel.layer
        x, spikes, back, *tensors = (t.contiguous() for t in (x, spikes, *tensors))  # type: ignore[assignment]
        states, weights, raw = _split(layer, tensors)
        T, N, C = x.shape
        keep = any(ctx.needs_input_grad)
        y = x.new_empty(T + 1, N, C)
        y[0] = spikes
        currents = x.new_empty(T if keep else 1, N, C)
        rows = []
        for state, has_rows in zip(states, layer.rows, strict=True):
            rows.append(x.new_empty(T + 1, N, C) if has_rows else state)
            if has_rows:
                rows[-1][0] = state
        drives = [x.new_empty(T, N, C) if keep else None for _ in layer.gates]
        by_name = dict(zip(found.raw_names, raw, strict=True))
        turned = [_copied(t) for weight, bias in weights for t in (*weight.t().chunk(2), bias)]
        arrays = [x, y, currents, *rows, *drives, _copied(back.t()), *turned, *kernel.prologue(by_name)]
        kernel.launch("forward", arrays, found.constants, (T, N, C), (keep,))
        if keep:
            ctx.kernel, ctx.found = kernel, found
            ctx.save_for_backward(y, currents, *rows, *drives, back, *(t for pair in weights for t in pair), *raw)
            ctx.set_materialize_grads(False)
        return y[1:], rows[layer.potential][1:], *(rows[j][-1] for j in _others(kernel))

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # once: checkpointing makes them anew each time
        with torch.no_grad():
            gradients = _gradients(ctx.kernel, ctx.found, saved, upstream)
        return (None, None, *once_only(gradients, *upstream, *saved))


def _copied(weight: Tensor) -> Tensor:
    """Dense and where a kernel may read 16 bytes at once; weights may lie anywhere in one long vector."""
    return weight.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def _split(layer: recurrence_triton.Layer, tensors: Many[Tensor]) -> tuple[list[Tensor], Gates, list[Tensor]]:
    """States, gates and tensors of the step."""
    own, gates = layer.own, 2 * len(layer.gates)
    pairs = tensors[own : own + gates]
    return [*tensors[:own]], [*zip(pairs[::2], pairs[1::2], strict=True)], [*tensors[own + gates :]]


def _gradients(
    kernel: Kernel, found: plan.Plan, saved: Many[Tensor], upstream: Many[Tensor | None]
) -> list[Tensor | None]:
    """Those of what `_All` takes, in its order."""
    layer = kernel.layer
    y, currents, *saved = saved
    rows, saved = saved[: layer.own], saved[layer.own :]
    drives, (back, *saved) = saved[: len(layer.gates)], saved[len(layer.gates) :]
    _, weights, raw = _split(layer, [*rows, *saved])
    T, N, C = currents.shape
    gy, gv, *last = (None if g is None else g.contiguous() for g in upstream)
    of_states = [y.new_zeros(N, C) for _ in rows]
    for j, g in zip(_others(kernel), last, strict=True):
        if g is not None:
            of_states[j] = g.clone()
    of_spikes = y.new_zeros(N, C)
    of_currents, *of_drives = (torch.empty_like(currents) for _ in range(1 + len(drives)))
    sums = [y.new_zeros(N, C) for _ in layer.program.sums]
    by_name = dict(zip(found.raw_names, raw, strict=True))
    parts = [_copied(part) for weight, _ in weights for part in weight.chunk(2, 1)]
    arrays = [currents, *rows, *drives, gy, gv, of_currents, *of_drives, *of_states, of_spikes, *sums]
    arrays += [_copied(back), *parts, *kernel.prologue(by_name)]
    kernel.launch("backward", arrays, found.constants, (T, N, C), (gy is not None, gv is not None))

    def product(g: Tensor, seen: Tensor) -> Tensor:
        return g.flatten(0, 1).t() @ seen.flatten(0, 1)

    of_weights: list[Tensor] = []
    for g, (_, state) in zip(of_drives, layer.gates, strict=True):
        before = rows[state][:-1] if layer.rows[state] else rows[state].expand(T, N, C)
        of_weights += [torch.cat([product(g, currents), product(g, before)], 1), g.flatten(0, 1).sum(0)]
    of_step = kernel.of_parameters(sums, by_name)
    of_raw = [of_step[name].to(t.dtype).reshape(t.shape) if name in of_step else None for name, t in by_name.items()]
    return [of_currents, of_spikes, product(of_currents, y[:-1]), *of_states, *of_weights, *of_raw]


def difference(
    kernel: Kernel, found: plan.Plan, layer: Neuron, width: int, device: torch.device, seed: int
) -> str | None:
    """What the kernels compute otherwise on `device` than the plain steps on the CPU, by a random sequence; or None."""
    generator = torch.Generator().manual_seed(seed)
    own, T, N = kernel.layer.own, _STEPS, _SAMPLES

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    values = {"x": 2 * drawn(T, N, width), "the spikes before": (drawn(N, width) > 0).float()}
    values |= {name: 0.5 * drawn(N, width) for name in layer.states[:own]}
    values["the feedback"] = drawn(width, width) / width**0.5
    for k in kernel.acting:
        values |= {f"gate {k}": drawn(width, 2 * width) / width**0.5, f"the bias of gate {k}": drawn(width)}
    tensors = layer_tensors(layer)
    values |= {name: tensors[name].detach().cpu() for name in found.raw_names}
    sides = []
    with torch.enable_grad():
        for compute, place in ((_plain, torch.device("cpu")), (run, device)):
            leaves = {name: value.to(place, copy=True) for name, value in values.items()}
            for name, leaf in leaves.items():
                leaf.requires_grad_(name not in found.raw_names or name in kernel.parameters)
            x, spikes, *others = leaves.values()
            states, (back, *others) = others[:own], others[own:]
            _, weights, raw = _split(kernel.layer, [*states, *others])
            y, potentials, after = compute(kernel, found, layer, x, states, spikes, back, weights, raw)
            weight = torch.linspace(-1, 1, y.numel(), device=place).reshape(y.shape)
            ends = [state.square().sum() for state in after]
            torch.autograd.backward([(y * weight).sum(), (potentials * weight).sum(), *ends])
            with torch.no_grad():
                silent = compute(kernel, found, layer, x, states, spikes, back, weights, raw)[0]
            outputs = [y, potentials, *after, silent]
            sides.append([*(o.detach() for o in outputs), *(leaf.grad for leaf in leaves.values())])
    shown = ["spikes", "potentials", *(f"{name} at the end" for name in layer.states[:own]), "spikes without gradient"]
    for name, expected, value in zip([*shown, *(f"the gradient of {name}" for name in values)], *sides, strict=True):
        wrong = parity._difference(name, None if value is None else value.cpu(), expected, torch.float32)
        if wrong:
            return wrong
    return None


def _plain(
    kernel: Kernel,
    found: plan.Plan,
    layer: Neuron,
    x: Tensor,
    states: Many[Tensor],
    spikes: Tensor,
    back: Tensor,
    acting: Gates,
    raw: list[Tensor],
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """What `run` gives, by the steps of `layer`."""
    twin: Any = with_tensors(layer, dict(zip(found.raw_names, raw, strict=True)))
    own, potential = kernel.layer.own, kernel.layer.potential
    y, potentials = [], []
    for x_t in x.unbind(0):
        current = x_t + spikes @ back.t()
        drives = [torch.zeros_like(current) for _ in layer.states[own:]]
        for k, (weight, bias) in zip(kernel.acting, acting, strict=True):
            drives[k] = torch.cat([current, states[k]], 1) @ weight.t() + bias
        spikes, *states = twin.step(current, *states, *drives)
        states = states[:own]
        y.append(spikes)
        potentials.append(states[potential])
    return torch.stack(y), torch.stack(potentials), list(states)
