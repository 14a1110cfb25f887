"""Which samples make the batches of an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batching:
    """Of one pass through the training set, or of `updates` batches, for which it is passed through as often as needed.

    With `shuffle` each pass has an order of its own; with `drop_last` it leaves out its last, incomplete batch.
    """

    shuffle: bool = True
    drop_last: bool = True
    updates: int | None = None

    def batches(self, samples: int, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
        """The indices in each batch; they depend on these numbers alone. Raises ValueError where there is no batch."""
        if samples < (batch_size if self.drop_last else 1):
            raise ValueError(f"A batch of {batch_size} is larger than the {samples} training samples.")
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        found: list[Tensor] = []
        while True:
            order = torch.randperm(samples, generator=generator) if self.shuffle else torch.arange(samples)
            whole = samples // batch_size * batch_size if self.drop_last else samples
            found += order[:whole].split(batch_size)
            if self.updates is None or len(found) >= self.updates:
                return found[: self.updates]
