"""The parameters of a network as one vector, for what treats all numbers alike: traces, norms, optimisers."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

ALIGNED = 16  # a tensor begins at a multiple of so many numbers, as fast kernels like it; what fills up is always 0


class Flat:
    """The learned parameters of `network` and their gradients, each one vector [P] that the network's tensors are views
    of: what changes here changes there.

    Gradients are added up in place: `gradient` has to be cleared between two backward passes, and no parameter's `grad`
    may be taken away. The network must stay on its device. ValueError for parameters of several types or devices.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        kinds = {(parameter.dtype, parameter.device) for parameter in parameters}
        if len(kinds) != 1:
            found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
            raise ValueError(
                f"Parameters of one type on one device are needed, to make one vector of them; found {found}."
            )
        ends = list(accumulate(ALIGNED * -(-parameter.numel() // ALIGNED) for parameter in parameters))
        self.weights = nn.Parameter(parameters[0].detach().new_zeros(ends[-1]))
        self.gradient: Tensor = torch.zeros_like(self.weights.data)
        self.weights.grad = self.gradient
        for parameter, begin in zip(parameters, [0, *ends[:-1]], strict=True):
            weights, gradient = (
                vector[begin : begin + parameter.numel()].view(parameter.shape)
                for vector in (self.weights.data, self.gradient)
            )
            parameter.data, parameter.grad = weights.copy_(parameter.data), gradient
