"""Learning rate schedules: the share of the learning rate in an epoch, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[int], float]


def constant(epoch: int) -> float:
    """All of it."""
    return 1.0


def periodic(epoch: int, *, T_max: int) -> float:
    """(1 + cos(pi epoch / T_max)) / 2: down to 0 in epoch `T_max` and back up, without restarts, as PLIF's released
    code does."""
    return (1 + math.cos(math.pi * epoch / T_max)) / 2


def once(epoch: int, *, T_max: int) -> float:
    """Down to 0 in epoch `T_max` like `periodic`, and no more after it."""
    return periodic(min(epoch, T_max), T_max=T_max)


def milestones(epoch: int, *, at: Sequence[int], factor: float) -> float:
    """`factor` to the power of how many of the epochs `at` have come."""
    return float(factor ** sum(epoch >= milestone for milestone in at))
