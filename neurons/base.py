"""What every neuron shares: step modes, state carried across calls, backends.

A neuron states its parameters (in `__init__`), its `states` and one `step`, which reads like its equations. Everything
else - sequences, backends, parity, speed and memory targets - is derived from that step. A neuron whose time axis is no
recurrence says so by `recurrent = False` and defines `sequence` instead, with or without a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from . import choice, drawing, options, recomputation
from .numbers import number
from .surrogate import ATan

STEP_MODES = ("s", "m")


def in_the_type_of(x: Tensor) -> AbstractContextManager[Any]:
    """Inside, autocast is off: a neuron computes in the type of its input, whatever computes it."""
    device = x.device.type
    if device in choice.DEVICES and torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


class Neuron(nn.Module):
    """A layer of spiking neurons with state.

    State tensors are attributes named in `states`; before the first input, and after `reset`, they hold their value at
    rest as a float (None where `initial` states another) and take the input's shape, type and device when it comes
    (backend `fused` keeps those of 16-bit inputs in float32). `step_mode` and `backend` may be changed at any time;
    `ran` is the backend that computed the last sequence and `kernel` what of it, "" before the first. A subclass calls
    `reset` at the end of its constructor.
    """

    name: ClassVar[str]
    recurrent: ClassVar[bool] = True  # a sequence is the step repeated, the state carried from call to call
    pointwise: bool = True  # each neuron of a layer computes by itself; False where a step mixes those of one sample
    states: tuple[str, ...] = ("v",)
    counters: tuple[str, ...] = ()  # attributes that count a sequence's steps, 0 at rest
    ran: str = ""
    kernel: str = ""

    def __init__(self, *, step_mode: str = "m", backend: str = "auto") -> None:
        super().__init__()
        if step_mode not in STEP_MODES:
            raise ValueError(_unknown_step_mode(step_mode))
        if step_mode == "s" and not self.has_step():
            raise ValueError(self._no_step())
        choice.check(backend)
        self.step_mode = step_mode
        self.backend = backend
        self.number = number(self)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in self.states:  # PyTorch copies no tensor that hangs on a graph
            if isinstance(state.get(name), Tensor):
                state[name] = state[name].detach()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.number = number(self)  # a copy is a layer of its own

    def rest(self) -> dict[str, float]:
        """Value of each state at rest, which is where a sequence begins."""
        return dict.fromkeys(self.states, 0.0)

    def initial(self, shape: torch.Size, generator: torch.Generator | None) -> Mapping[str, float | Tensor]:
        """The states before the first step of an input [N, ...] of `shape`, where they are not those at rest.

        A random one is drawn here, with `generator` (that of `neurons.drawn_from`, None: PyTorch's own) and on its
        device; a learned one is a parameter. Each is broadcast to `shape` and takes the input's type and device.
        """
        return self.rest()

    def begin(self, shape: torch.Size) -> None:
        """Sets the initial states for inputs [N, ...] of `shape` where a new sequence waits for them."""
        if not any(getattr(self, name) is None for name in self.states):
            return
        found = self.initial(shape, drawing.generator())
        values = [found[name] for name in self.states]
        self.store_states([v.expand(shape) if isinstance(v, Tensor) else torch.full(shape, v) for v in values])

    def step(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """One time step: input `x` [N, ...] and the states before it; returns the spikes and the states after it."""
        raise ValueError(self._no_step())

    @classmethod
    def has_step(cls) -> bool:
        """Whether step mode "s" exists."""
        return cls.step is not Neuron.step

    def _no_step(self) -> str:
        return f"{type(self).__name__} has no single step, its output depends on a whole sequence; use step_mode='m'."

    def sequence(self, x: Tensor) -> Tensor:
        """All steps of `x` [T, N, ...] in plain PyTorch: the reference that every other backend is held against."""
        states = self.load_states(x[0])
        spikes = []
        with in_the_type_of(x):
            for x_t in x.unbind(0):  # x[t] would cost a full [T, N] gradient per step
                spike, *states = self.step(x_t, *states)
                spikes.append(spike)
        self.store_states(states)
        return torch.stack(spikes).to(x.dtype)  # parameters of a wider type widen what a step computes

    def forward(self, x: Tensor) -> Tensor:
        """Spikes (0.0 or 1.0) in the shape of `x`: [N, ...] in step mode "s", [T, N, ...] in "m"."""
        if not x.is_floating_point():
            raise TypeError(f"A neuron takes floating-point inputs, got {x.dtype}; convert them with x.float().")
        if not torch.compiler.is_compiling() and recomputation.possible():
            if drawing.generator() is not None and not recomputation.running():  # no region draws it again
                self.begin(x.shape if self.step_mode == "s" else x.shape[1:])
            return recomputation.call(self, self.advance, x)
        return self.advance(x)

    def advance(self, x: Tensor) -> Tensor:
        """One call of the layer: `forward` once the state is there that the call starts from."""
        if self.step_mode == "s":
            with in_the_type_of(x):
                spike, *states = self.step(x, *self.load_states(x))
            self.store_states(states)
            return spike.to(x.dtype)
        if self.step_mode != "m":
            raise ValueError(_unknown_step_mode(self.step_mode))
        if x.ndim == 0 or x.shape[0] == 0:
            raise ValueError(f"A sequence [T, N, ...] with T of at least 1 is needed, got shape {list(x.shape)}.")
        if torch.compiler.is_compiling():
            return choice.compiled(self, x)
        computation = choice.choose(self, x.device.type, x)
        object.__setattr__(self, "ran", computation.backend)
        object.__setattr__(self, "kernel", computation.kernel)
        return computation.sequence(self, x)

    @property
    def memory(self) -> tuple[str, ...]:
        """Names of all that goes from call to call."""
        return (*self.states, *self.counters)

    def reset(self) -> None:
        """Back to the initial state."""
        if not recomputation.running():
            at_rest = type(self).initial is Neuron.initial
            states = self.rest() if at_rest else dict.fromkeys(self.states)
            for name, value in {**states, **dict.fromkeys(self.counters, 0)}.items():
                setattr(self, name, value)

    def detach(self) -> None:
        """Keeps the state and lets no later gradient go back beyond it."""
        if not recomputation.running():
            self.store_states([v.detach() if isinstance(v := getattr(self, n), Tensor) else v for n in self.states])

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Called before epoch `epoch` (from 0) of `epochs` of a training: for what follows a schedule; here nothing."""

    @classmethod
    def example(cls, T: int, shape: Sequence[int] = (1,)) -> dict[str, Any]:
        """Options of a typical layer for sequences of `T` steps [N, ...] of `shape`, as measurements create it.

        ValueError with the reason where there is no such layer.
        """
        return {}

    def extra_repr(self) -> str:
        return options.shown(self)

    def constants(self) -> dict[str, float]:
        """Learned scalars whose course over training is worth a curve, by name (PLIF: its tau)."""
        return {}

    def carried(self, shape: torch.Size) -> list[float | Tensor]:
        """The states for a step's input of `shape`; a float is the value of all neurons (at rest)."""
        values: list[float | Tensor] = []
        for name in self.states:
            value = getattr(self, name)
            if isinstance(value, Tensor) and not torch.compiler.is_compiling():
                if _is_wrapped(value):
                    value = _outlived(name, value)
                value = recomputation.trainable(value)
            if isinstance(value, Tensor) and value.shape != shape:
                raise ValueError(
                    f"State {name!r} has shape {list(value.shape)} from an earlier input, this one has "
                    f"{list(shape)}; call reset() between sequences of different shape."
                )
            if value is None:
                self.begin(shape)
                return self.carried(shape)
            values.append(value if isinstance(value, Tensor) else float(value))
        return values

    def load_states(self, x: Tensor) -> list[Tensor]:
        """The states in the shape and type and on the device of one step's input `x`."""
        return [
            value.to(x) if isinstance(value, Tensor) else torch.full_like(x, value, requires_grad=False)
            for value in self.carried(x.shape)
        ]

    def store_states(self, values: list[Tensor]) -> None:
        """Keeps the states for the next call."""
        for name, value in zip(self.states, values, strict=True):
            object.__setattr__(self, name, value)  # that of Module looks for parameters first, which costs microseconds


_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor


def _outlived(name: str, value: Tensor) -> Tensor:
    """A state that a transform of torch.func has left: as it is inside one, by its value outside.

    ValueError after a vmap, whose state is one of many samples.
    """
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return value
    while _is_wrapped(value):
        if not torch._C._functorch.is_gradtrackingtensor(value):
            raise ValueError(
                f"State {name!r} is that of the samples of a torch.vmap that has ended; call reset() after it."
            )
        value = torch._C._functorch.get_unwrapped(value)
    return value


def _unknown_step_mode(step_mode: object) -> str:
    return f"Unknown step mode {step_mode!r}. Known: 's' (one step), 'm' (a sequence)."


class ThresholdNeuron(Neuron):
    """A neuron with a potential `v` that fires at `v_threshold` and is then reset.

    `v_reset` is the potential after a spike (hard reset) or None for a soft reset, which subtracts the threshold;
    `detach_reset` keeps the gradient out of the reset; `surrogate` is the spike function, by default ATan(2). With
    `without_reset` a spike leaves the potential as it is, and `v_reset` is only where it starts and leaks to.
    """

    def __init__(
        self,
        *,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        detach_reset: bool = False,
        without_reset: bool = False,
        surrogate: nn.Module | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.v_threshold = float(v_threshold)
        self.v_reset = None if v_reset is None else float(v_reset)
        if math.isnan(self.v_threshold) or not math.isfinite(self.v_reset or 0.0):
            raise ValueError(
                f"{type(self).__name__} needs a threshold and a finite v_reset (or None for a soft reset), got "
                f"v_threshold={v_threshold} and v_reset={v_reset}."
            )
        self.detach_reset = detach_reset
        self.without_reset = without_reset
        self.surrogate = ATan() if surrogate is None else surrogate
        self.reset()

    @property
    def v_rest(self) -> float:
        """Where the potential starts and leaks to: the reset potential, or 0 with a soft reset."""
        return 0.0 if self.v_reset is None else self.v_reset

    def rest(self) -> dict[str, float]:
        return {**super().rest(), "v": self.v_rest}

    def fire(self, h: Tensor) -> Tensor:
        """S = Theta(H - V_th), Theta(0) = 1."""
        return self.surrogate(h - self.v_threshold)

    def after_spike(self, h: Tensor, s: Tensor) -> Tensor:
        """V = H (1 - S) + V_reset S (hard), H - V_th S (soft) or H (without reset)."""
        if self.without_reset:
            return h
        if self.detach_reset:
            s = s.detach()
        if self.v_reset is None:
            return h - self.v_threshold * s
        v = h * (1 - s)
        return v + self.v_reset * s if self.v_reset else v
