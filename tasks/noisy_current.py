"""Noisy currents: what a neuron is driven with to see how often it fires (demo notebook of Yin et al. 2023, released).

A sample is a sequence [T, 1] of numbers from U(mean - spread / 2, mean + spread / 2), drawn anew for each seed. There
is nothing to learn: the answer is the mean.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

RULE = "noisy current, version 1"  # raise the number where the draws change


def draw(
    numbers: np.random.RandomState, samples: int, T: int, mean: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Currents `[samples, T, 1]` and their means `[samples, 1]`, float32."""
    import numpy as np

    x = mean + spread * (numbers.uniform(size=(samples, T, 1)) - 0.5)
    return x.astype(np.float32), np.full((samples, 1), mean, np.float32)


def load(
    root: Path | None, cache: Path | None, *, T: int = 500, mean: float = 1.0, spread: float = 0.1, samples: int = 1
) -> Task:
    from tasks.fresh import Fresh
    from tasks.task import DatasetInfo, Task, Values

    for name, value in (("T", T), ("samples", samples)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise TaskError(f"Noisy currents were asked for with {name}={value!r}; give a whole number, at least 1.")
    if not (math.isfinite(mean) and math.isfinite(spread) and spread >= 0):
        raise TaskError(
            f"Noisy currents were asked for with mean={mean!r} and spread={spread!r}; give finite numbers, the spread "
            "at least 0."
        )
    made = [Fresh(samples, part, lambda numbers, count: draw(numbers, count, T, mean, spread)) for part in (0, 1)]
    return Task(
        name="noisy_current",
        target=Values(1),
        train=made[0],
        validation=None,
        test=made[1],
        dataset=DatasetInfo(
            "noisy_current", digest(), counts={"train": samples, "test": samples}, note="Drawn anew for each seed."
        ),
    )


def digest(*_: Any) -> str:
    """The SHA-256 of the rule by which samples are drawn."""
    return hashlib.sha256(RULE.encode()).hexdigest()


NOISY_CURRENT = Loader(load, digest=digest)
