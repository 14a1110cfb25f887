"""Which epoch is reported: protocols from one training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Selected:
    """A reported accuracy (fraction) and the epoch, from 0, that it belongs to."""

    accuracy: float
    epoch: int


def accuracy_a(test: Sequence[float]) -> Selected:
    """Best on test: optimistic, because the test set chooses. The last epoch among equals."""
    epoch = max(range(len(test)), key=lambda e: (test[e], e))
    return Selected(test[epoch], epoch)


def accuracy_b(test: Sequence[float], validation: Sequence[float]) -> Selected:
    """Test accuracy at the best validation accuracy, the last such epoch (the released code compares with <=)."""
    epoch = max(range(len(validation)), key=lambda e: (validation[e], e))
    return Selected(test[epoch], epoch)


def accuracy_closed(test: Sequence[float], mask: Sequence[float]) -> Selected | None:
    """Best on test among the epochs in which a masked PSN saw no future: `mask` (lambda) was 1. None without any."""
    closed = [epoch for epoch, value in enumerate(mask) if value >= 1]
    if not closed:
        return None
    epoch = max(closed, key=lambda e: (test[e], e))
    return Selected(test[epoch], epoch)
