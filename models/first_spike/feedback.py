"""Feedback of the SuperSpike form, whose spikes follow from the state before the step and so can be a part of its
input."""

from __future__ import annotations

from torch import Tensor, nn

from neurons.base import Neuron, ThresholdNeuron

from ..recurrent import Recurrent


class SameStep(Recurrent):
    """`neuron` with the input X[t] + `feedback`(S[t]), for one that is `late`; its step is the plain one."""

    def step(self, x: Tensor) -> Tensor:
        assert isinstance(self.neuron, ThresholdNeuron)
        due = self.neuron.fire(self.neuron.load_states(x)[0])
        self.spikes = self.neuron(x + self.feedback(due).to(x.dtype))
        return self.spikes


def fed_back(neuron: Neuron, feedback: nn.Module) -> Recurrent:
    """`neuron` and what takes its spikes back to its input, a step later or, for a late one, in the same step."""
    kind = SameStep if getattr(neuron, "late", False) else Recurrent
    return kind(neuron, feedback)
