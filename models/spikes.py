"""Answers of an output layer that fires: its spikes, with the potentials that tell which silent neuron was nearest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurons.base import Neuron, ThresholdNeuron


class WithPotentials(nn.Module):
    """[T, N, ...] -> [T, N, 2, ...]: at each step the spikes of `neuron`, and by how much the potential that was
    compared lies above the threshold, without a gradient.

    It runs step by step. TypeError for a layer without a threshold or without a single step.
    """

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        if not isinstance(neuron, ThresholdNeuron) or not neuron.has_step():
            raise TypeError(
                f"Potentials are told by neurons with a threshold and a single step, not by {type(neuron).__name__}; "
                "take another neuron for the output, or spikes alone."
            )
        neuron.step_mode = "s"
        self.neuron: Neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        surrogate = self.neuron.surrogate
        assert isinstance(surrogate, nn.Module)
        hook = surrogate.register_forward_pre_hook(lambda _module, args: seen.append(args[0].detach()))
        try:
            spikes = [self.neuron(x_t) for x_t in x.unbind(0)]
        finally:
            hook.remove()
        if len(seen) != len(spikes):
            raise ValueError(
                f"{type(self.neuron).__name__} compared {len(seen)} potentials in {len(spikes)} steps, where one a "
                "step is needed; take another neuron for the output, or spikes alone."
            )
        return torch.stack([torch.stack(spikes), torch.stack(seen).to(spikes[0].dtype)], 2)
