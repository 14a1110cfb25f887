"""What every task looks like to the training loop. Free of torch, so that listing tasks stays quick."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

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


class Split(ABC):
    """Part of a data set that can be read in batches. `labels` is a LongTensor `[N]`."""

    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (float32, `[N, C, H, W]` or `[N, T, 2, H, W]`) and labels of these samples.

        Labels are classes (int64, `[N]`), or where the task mixes its training images the share of each class
        (float32, `[N, classes]`). Random augmentation draws from torch's global generator.
        """

    def batches(self, chosen: Iterable[Indices]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`batch(indices)` for one list of indices after the other.

        A split whose samples take long to make prepares the next batch while the caller uses the present one.
        """
        return map(self.batch, chosen)

    @abstractmethod
    def subset(self, indices: Indices) -> Self:
        """The split of these samples, in this order, with the same transforms."""


@dataclass(frozen=True)
class Task:
    """A data set ready for training.

    `shape` is the `(C, H, W)` of one image or frame; `steps` the number of frames of a sample for events and None
    for static images. `validation` is None unless it was asked for.
    """

    name: str
    kind: Literal["static", "events"]
    classes: int
    shape: tuple[int, int, int]
    steps: int | None
    train: Split
    validation: Split | None
    test: Split
    dataset: DatasetInfo
