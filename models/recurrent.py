"""Recurrence: the spikes of a layer are a part of its own input one step later. And reading what no spike tells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import neurons
from neurons.backends import recurrence
from neurons.base import STEP_MODES, Neuron

from .stateful import Stateful, fitting


class Recurrent(Stateful):
    """`neuron` with the input X[t] + `feedback`(S[t-1]), S = 0 before the first step.

    `feedback` takes spikes [N, ...] to inputs of the same shape: nn.Linear, a convolution; it may have a state of its
    own. In step mode "m" a call takes [T, N, ...], in "s" one step; the neuron itself runs step by step, because an
    input needs the spikes before it. ValueError for a neuron that has no single step.
    """

    memory = ("spikes",)
    spikes: Tensor | None
    potentials = False  # whether a call tells the potentials after each step in place of the spikes

    def __init__(self, neuron: Neuron, feedback: nn.Module, *, step_mode: str = "m") -> None:
        super().__init__()
        if step_mode not in STEP_MODES:
            raise ValueError(f"Unknown step mode {step_mode!r}. Known: 's' (one step), 'm' (a sequence).")
        if not neuron.has_step():
            raise ValueError(f"{type(neuron).__name__} has no single step, so nothing can be fed back to its next one.")
        neuron.step_mode = "s"
        self.neuron, self.feedback, self.step_mode = neuron, feedback, step_mode

    def advance(self, x: Tensor) -> Tensor:
        if self.step_mode == "s":
            return self._told(self.step(x))
        sequence = recurrence.find(self.neuron, self.feedback, x)
        if sequence is not None:  # a kernel computes the neuron and its feedback together
            return self._at_once(x, sequence)
        return torch.stack([self._told(self.step(x_t)) for x_t in x.unbind(0)])

    def _told(self, spikes: Tensor) -> Tensor:
        """What the layer tells of a step: its spikes or its potentials."""
        return self.neuron.v if self.potentials else spikes  # type: ignore[return-value]

    def _at_once(self, x: Tensor, sequence: recurrence.Sequence) -> Tensor:
        neuron = self.neuron
        found: list[Tensor] = []

        def advance(x: Tensor) -> Tensor:
            states = neuron.load_states(x[0])
            spikes, potentials, states = sequence(x, states, fitting(self.spikes, x[0], "The spikes fed back"))
            neuron.store_states(states)
            object.__setattr__(neuron, "ran", recurrence.BACKEND)
            object.__setattr__(neuron, "kernel", recurrence.KERNEL)
            found.append(potentials)
            return spikes

        # A call like any other of the neuron, so that hooks and checkpointing see it, with another way to compute it.
        neuron.step_mode, neuron.advance = "m", advance  # type: ignore[method-assign]
        try:
            spikes = neuron(x)
        finally:
            neuron.step_mode = "s"
            del neuron.advance
        self.spikes = spikes[-1]
        return found[0] if self.potentials else spikes

    def step(self, x: Tensor) -> Tensor:
        """Spikes of one step's input [N, ...]."""
        before = fitting(self.spikes, x, "The spikes fed back")
        self.spikes = self.neuron(x + self.feedback(before).to(x.dtype))
        return self.spikes

    def reset(self) -> None:
        super().reset()
        if "neuron" in self._modules:  # there is none yet when the constructor asks
            neurons.reset(self.neuron)
            neurons.reset(self.feedback)

    def detach(self) -> None:
        super().detach()
        neurons.detach(self.neuron)
        neurons.detach(self.feedback)

    def extra_repr(self) -> str:
        return f"step_mode={self.step_mode!r}"


class Potentials(nn.Module):
    """The potentials of the neurons of `layer` after each step [T, N, ...], in place of their spikes.

    `layer` is a neuron or a Recurrent one. It runs step by step; a neuron without a single step or without a potential
    `v` is read from its spikes.
    """

    def __init__(self, layer: Neuron | Recurrent) -> None:
        super().__init__()
        neuron = layer.neuron if isinstance(layer, Recurrent) else layer
        self.layer = layer
        self.readable = neuron.has_step() and "v" in neuron.states
        if isinstance(layer, Recurrent):
            layer.potentials = self.readable
        elif self.readable:
            layer.step_mode = "s"

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.layer, Recurrent) or not self.readable:
            return self.layer(x)
        potentials: list[Tensor] = []
        for x_t in x.unbind(0):
            self.layer(x_t)
            potentials.append(self.layer.v)  # type: ignore[arg-type]
        return torch.stack(potentials)
