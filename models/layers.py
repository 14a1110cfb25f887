"""Layers on sequences [T, N, ...].

Layers without memory fold time into the batch, which gives the same numbers several times faster. Batch norm that folds
takes its statistics over all steps that it is given (PSN), in training those of a piece where a sequence is cut;
StepBatchNorm2d takes them over one step (PLIF).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .stateful import Stateful


class _Folded:
    """Applies a memoryless layer to all T * N samples at once."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # type: ignore[misc]


class Conv1d(_Folded, nn.Conv1d):
    """[T, N, C, L] -> [T, N, C', L']"""


class Conv2d(_Folded, nn.Conv2d):
    """[T, N, C, H, W] -> [T, N, C', H', W']"""


class MaxPool2d(_Folded, nn.MaxPool2d):
    """[T, N, C, H, W] -> [T, N, C, H', W']; spikes stay binary."""


class AvgPool1d(_Folded, nn.AvgPool1d):
    """[T, N, C, L] -> [T, N, C, L']"""


class AvgPool2d(_Folded, nn.AvgPool2d):
    """[T, N, C, H, W] -> [T, N, C, H', W']"""


class BatchNorm1d(_Folded, nn.BatchNorm1d):
    """Batch norm with the statistics of all steps, [T, N, C, L]."""


class BatchNorm2d(_Folded, nn.BatchNorm2d):
    """Batch norm with the statistics of all steps, [T, N, C, H, W]."""


class TEBN2d(Stateful, BatchNorm2d):
    """Batch norm with the statistics of all steps, times a learned scale `p` [T, 1, 1, 1, 1] of each step.

    Temporal effective batch normalisation (Duan et al. 2022) as the CIFAR10-DVS code of the PSN work has it. It counts
    the steps `t` since the last reset, at most `T` (ValueError).
    """

    memory = ("t",)
    t: int

    def __init__(self, num_features: int, T: int) -> None:
        super().__init__(num_features)
        self.p = nn.Parameter(torch.ones(T, 1, 1, 1, 1))

    def initial(self) -> dict[str, int]:
        return {"t": 0}

    def advance(self, x: Tensor) -> Tensor:
        first, T = self.t, len(self.p)
        if first + len(x) > T:
            raise ValueError(
                f"This TEBN2d layer has scales for T={T} steps, {first + len(x)} were given since the last reset(). "
                "Call reset() between sequences or create it with a larger T."
            )
        self.t = first + len(x)
        return BatchNorm2d.forward(self, x) * self.p[first : self.t]


class StepBatchNorm2d(nn.BatchNorm2d):
    """Batch norm of every step by itself, [T, N, C, H, W].

    In training each step is normalised with its own statistics and the running averages move T times; in evaluation
    all steps use the running averages, so time can be folded.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return torch.stack([super(StepBatchNorm2d, self).forward(step) for step in x.unbind(0)])


class SharedDropout(Stateful):
    """Dropout with one mask for the whole sequence [T, N, ...].

    The mask ([N, ...], True = kept) is drawn at the first step after a reset and serves until the next reset; kept
    entries are scaled by 1 / (1 - p). The identity in evaluation.
    """

    memory = ("mask",)
    mask: Tensor | None

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else x

    def advance(self, x: Tensor) -> Tensor:
        if self.mask is None:
            self.mask = torch.rand_like(x[0]) >= self.p
        return x * (self.mask.to(x.dtype) / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Vote(nn.Module):
    """Mean over consecutive groups of `voters` neurons, [T, N, voters * classes] -> [T, N, classes]."""

    def __init__(self, voters: int = 10) -> None:
        super().__init__()
        self.voters = voters

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool1d(x, self.voters)

    def extra_repr(self) -> str:
        return f"voters={self.voters}"
