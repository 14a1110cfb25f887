"""Sequences of spikes kept as lists of events: channel and step of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from tasks.errors import DataDamaged, TaskError
from tasks.task import Indices, Split


class SpikeTrains(Split):
    """Counts [N, T, *shape] (float32) of the events of each sample, `steps[i]` and `places[i]`, a place being the flat
    index into `shape`; labels [N]."""

    def __init__(
        self,
        steps: Sequence[np.ndarray],
        places: Sequence[np.ndarray],
        labels: torch.Tensor,
        *,
        T: int,
        shape: tuple[int, ...],
    ) -> None:
        self.steps, self.places, self.labels, self.T, self.shape = steps, places, labels, T, shape

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        width = math.prod(self.shape)
        counts = np.zeros((len(indices), self.T * width), np.float32)
        for row, i in zip(counts, indices.tolist(), strict=True):
            flat = self.steps[i].astype(np.int64) * width + self.places[i]
            row += np.bincount(flat, minlength=self.T * width)
        return torch.from_numpy(counts.reshape(len(indices), self.T, *self.shape)), self.labels[indices]

    def subset(self, indices: Indices) -> SpikeTrains:
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        steps, places = ([events[i] for i in chosen.tolist()] for events in (self.steps, self.places))
        return SpikeTrains(steps, places, self.labels[chosen], T=self.T, shape=self.shape)


def check_steps(T: int, dt: float) -> None:
    """TaskError unless `T` steps of `dt` ms make a sequence."""
    if isinstance(T, bool) or not isinstance(T, int) or T < 1:
        raise TaskError(f"T={T!r} steps were asked for; give a whole number of at least 1.")
    if isinstance(dt, bool) or not isinstance(dt, int | float) or not 0 < dt < math.inf:
        raise TaskError(f"Steps of dt={dt!r} ms were asked for; give a positive number.")


def check_places(places: np.ndarray, count: int, path: Path, where: str, what: str = "channels") -> None:
    """DataDamaged unless all places are 0 to `count` - 1."""
    if len(places) and not 0 <= int(places.min()) <= int(places.max()) < count:
        problem = f"{what} {places.min()} to {places.max()} are not within 0 to {count - 1}"
        raise DataDamaged(path, where, problem)
