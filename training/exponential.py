"""A learning rate that falls by the same factor every epoch."""

from __future__ import annotations


def exponential(epoch: int, *, factor: float) -> float:
    """`factor` to the power of the epoch."""
    return float(factor**epoch)
