"""What a sample may be asked for: classes, values, boxes; how such sets are divided, and drawn anew."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tasks import Split
from tasks.splits import divide


class Tensors(Split):
    def __init__(self, labels: Tensor) -> None:
        self.labels = labels

    def batch(self, indices: Any) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(indices), 1), self.labels[indices]

    def subset(self, indices: Any) -> Tensors:
        return Tensors(self.labels[torch.as_tensor(indices)])


def test_classes_are_divided_one_by_one_and_anything_else_as_a_whole() -> None:
    train, held_out = divide(Tensors(torch.tensor([1, 0, 1, 0, 1, 1])), 0.5)
    assert held_out is not None
    assert (train.labels.tolist(), held_out.labels.tolist()) == ([0, 1, 1], [0, 1, 1])
    values = torch.tensor([[0.3], [0.1], [0.2], [0.1]])
    train, held_out = divide(Tensors(values), 0.5)
    assert held_out is not None
    assert torch.equal(train.labels, values[:2])
    assert torch.equal(held_out.labels, values[2:])
    boxes = torch.full((5, 3, 5), -1.0)
    train, held_out = divide(Tensors(boxes), 0.4)
    assert held_out is not None
    assert (train.labels.shape, held_out.labels.shape) == ((3, 3, 5), (2, 3, 5))


@pytest.mark.parametrize("epoch", [0, 7])
def test_samples_stay_unless_a_split_draws_them_anew(epoch: int) -> None:
    split = Tensors(torch.arange(3))
    assert split.for_epoch(epoch, seed=1) is split
