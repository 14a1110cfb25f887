"""Boxes as the labels of samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch

FIELDS = 6  # left, top, right, lower, class, difficult (tasks.task.Boxes); of a detection the score instead of the last


def table(rows: Sequence[Sequence[Sequence[float]]]) -> torch.Tensor:
    """The boxes of each sample, [M, 6] of any M, as one float32 tensor [N, M, 6], filled up with rows of -1."""
    widest = max(map(len, rows), default=0)
    filled = torch.full((len(rows), widest, FIELDS), -1.0)
    for sample, boxes in zip(filled, rows, strict=True):
        if len(boxes):
            sample[: len(boxes)] = torch.as_tensor(boxes, dtype=torch.float32)
    return filled


def of_sample(rows: torch.Tensor) -> torch.Tensor:
    """The rows [M, 6] of one sample that hold a box."""
    return rows[rows[:, 4] >= 0]
