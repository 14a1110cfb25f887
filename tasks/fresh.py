"""Samples that are drawn anew for every epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch

from tasks.task import Indices, Split

Draw = Callable[[np.random.RandomState, int], tuple[np.ndarray, np.ndarray]]


class Fresh(Split):
    """`samples` pairs of input and label, made by `draw(numbers, samples)`: others in every epoch and for every seed.

    `stream` tells splits apart that must not meet. Outside an epoch the samples are those of epoch 0 and seed 0.
    """

    def __init__(self, samples: int, stream: int, draw: Draw, key: tuple[int, int] = (0, 0)) -> None:
        self.samples, self.stream, self.draw, self.key = samples, stream, draw, key

    def __len__(self) -> int:
        return self.samples

    def for_epoch(self, epoch: int, seed: int) -> Fresh:
        return Fresh(self.samples, self.stream, self.draw, (seed, epoch))

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = torch.as_tensor(indices, dtype=torch.int64)
        x, labels = self.drawn
        return x[chosen], labels[chosen]

    def subset(self, indices: Indices) -> Fresh:
        """The first so many samples: one freshly drawn sample is as good as another."""
        return Fresh(len(torch.as_tensor(indices)), self.stream, self.draw, self.key)

    @cached_property
    def drawn(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All samples of this epoch and their labels."""
        words = np.random.SeedSequence((*self.key, self.stream)).generate_state(8)
        x, labels = self.draw(np.random.RandomState(words), self.samples)
        return torch.from_numpy(x), torch.from_numpy(labels)
