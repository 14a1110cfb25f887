"""What every task looks like to the training loop. Free of torch, so that listing tasks stays quick."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    import torch

Indices: TypeAlias = "torch.Tensor | np.ndarray | Sequence[int]"


@dataclass(frozen=True)
class DatasetInfo:
    """Which data a task was made of.

    `digest` is the SHA-256 (hex) of the names and contents of the source files, of their names and sizes alone where
    `note` says so, or of the arrays of an embedded set. `counts` holds the samples found, "train" and "test", before
    any validation split. `complete` is False for a subset of the published set, and `note` then says what was found
    and what was expected.
    """

    name: str
    digest: str
    complete: bool = True
    counts: dict[str, int] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Classes:
    """One of `count` classes: labels are int64 `[N]`, in training batches also shares of the classes, float32
    `[N, count]`."""

    count: int


@dataclass(frozen=True)
class Values:
    """`width` numbers: labels are float32 `[N, width]`."""

    width: int


@dataclass(frozen=True)
class Boxes:
    """Boxes around things of `count` classes: labels are float32 `[N, M, 6]`, in each row the left and top pixel that a
    box begins with, the right and lower one that it ends with, its class, and 1 for a difficult one (it need not be
    found, and finding it is no mistake), else 0. A sample with fewer than M is filled up with rows of -1."""

    count: int


Target: TypeAlias = Classes | Values | Boxes


class Split(ABC):
    """Part of a data set that can be read in batches. `labels` `[N, ...]` is what is to be told of each sample, as the
    task's target has it; a split that draws its samples may leave it out and say its own length and strata."""

    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (float32, `[N, C, H, W]` or `[N, T, 2, H, W]`, else as the task says) and labels of these samples.

        Random augmentation draws from torch's global generator.
        """

    def batches(self, chosen: Iterable[Indices]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`batch(indices)` for one list of indices after the other.

        A split whose samples take long to make prepares the next batch while the caller uses the present one.
        """
        return map(self.batch, chosen)

    @abstractmethod
    def subset(self, indices: Indices) -> Self:
        """The split of these samples, in this order, with the same transforms."""

    def strata(self) -> np.ndarray:
        """A number for each sample `[N]`: those with the same one are divided in the same ratio. By default the class,
        where labels are classes, and else one stratum of all."""
        import numpy as np

        labels = self.labels.numpy()
        return labels if labels.ndim == 1 and labels.dtype.kind == "i" else np.zeros(len(labels), np.int64)

    def for_epoch(self, epoch: int, seed: int) -> Split:
        """The samples of an epoch (from 0) of a training with this seed: by default the same in every one.

        A split of freshly drawn samples decides them by `epoch` and `seed` alone, so that a training goes on after an
        interruption as if there had been none, and compared networks see the same. It must leave the global generators
        as they are.
        """
        return self


@dataclass(frozen=True)
class Task:
    """A data set ready for training. `validation` is None unless it was asked for."""

    name: str
    target: Target
    train: Split
    validation: Split | None
    test: Split
    dataset: DatasetInfo
