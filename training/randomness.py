"""Random numbers that are the same whenever a part of the work is done, and change nothing after it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from .checkpoint import generators, set_generators


def seed_all(seed: int) -> None:
    """Seeds the generators of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All generators begin at `seed` inside, and are as they were afterwards."""
    before = generators()
    seed_all(seed)
    try:
        yield
    finally:
        set_generators(before)
