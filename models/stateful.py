"""Layers with memory that are no neurons: what they keep goes from call to call until `reset`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neurons import recomputation


class Stateful(nn.Module):
    """A layer that keeps the attributes named in `memory`.

    A subclass states `initial`, the values of a new sequence, and `advance`, one call. Activation checkpointing runs a
    call again from what the layer kept then.
    """

    memory: tuple[str, ...]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reset()

    def initial(self) -> dict[str, Any]:
        """What is kept before a sequence, by name: None of each."""
        return dict.fromkeys(self.memory)

    def advance(self, x: Tensor) -> Tensor:
        """One call of the layer."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            for name in self.memory:
                if isinstance(value := getattr(self, name), Tensor):
                    setattr(self, name, recomputation.trainable(value))
            if recomputation.possible():
                return recomputation.call(self, self.advance, x)
        return self.advance(x)

    def reset(self) -> None:
        """Begins a new sequence."""
        if not recomputation.running():
            for name, value in self.initial().items():
                setattr(self, name, value)

    def detach(self) -> None:
        """Keeps what it has and lets no later gradient go back beyond it."""
        if not recomputation.running():
            for name in self.memory:
                if isinstance(value := getattr(self, name), Tensor):
                    setattr(self, name, value.detach())

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for name in self.memory:  # PyTorch copies no tensor that hangs on a graph
            if isinstance(state.get(name), Tensor):
                state[name] = state[name].detach()
        return state


def fitting(kept: Tensor | None, x: Tensor, what: str) -> Tensor:
    """`kept` for a step's input like `x` [N, ...], zeros where there is none yet. ValueError for another shape."""
    if kept is None:
        return torch.zeros_like(x, requires_grad=False)
    if kept.shape != x.shape:
        raise ValueError(
            f"{what} have shape {list(kept.shape)} from an earlier input, this one has {list(x.shape)}; call reset() "
            "between sequences of different shape."
        )
    return kept.to(x)
