"""Samples held in memory that are given as they are."""

from __future__ import annotations

import torch

from tasks.task import Indices, Split


class ArraySplit(Split):
    """Inputs [N, ...] (float32) with their labels [N, ...]."""

    def __init__(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        self.inputs, self.labels = inputs, labels

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        return self.inputs[indices], self.labels[indices]

    def subset(self, indices: Indices) -> ArraySplit:
        return ArraySplit(*self.batch(indices))
