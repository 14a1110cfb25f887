"""The adding problem: two of T random numbers are marked, and their sum is to be told (Yin et al. 2023, released code).

A sample is a sequence [T, 2]. The first channel holds numbers from U(0, 1). The second is 0 but for two marks of 1, one
in the first half of the steps and one in the second; of an odd T the step in the middle is never marked. The answer,
the sum of the two marked numbers, has mean 1 and variance 1/6: who always says 1 has a mean squared error of 0.1667.

Training samples are drawn anew for each epoch, and so are those of the test: as the work does, a network is tested on
samples that it has never met. `updates * batch` of them make an epoch without repetition.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

RULE = "adding, version 1"  # raise the number where the draws change


def draw(numbers: np.random.RandomState, samples: int, T: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences `[samples, T, 2]` and sums `[samples, 1]`, float32, in the order of the released code: all numbers
    first, then the two marks of one sample after the other."""
    import numpy as np

    x = np.zeros((samples, T, 2), np.float32)
    x[:, :, 0] = numbers.uniform(size=(samples, T))
    marks = np.empty((samples, 2), np.int64)
    for sample in marks:
        sample[0] = numbers.choice(T // 2, 1, replace=False)[0]  # a permutation's first number, not randint
        sample[1] = numbers.choice(T // 2, 1, replace=False)[0] + (T + 1) // 2
    rows = np.arange(samples)[:, None]
    x[rows, marks, 1] = 1.0
    return x, x[rows, marks, 0].sum(1, keepdims=True)


def load(root: Path | None, cache: Path | None, *, T: int = 200, train: int = 3200, test: int = 3200) -> Task:
    from tasks.fresh import Fresh
    from tasks.task import DatasetInfo, Task, Values

    for name, value, least in (("T", T, 2), ("train", train, 1), ("test", test, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise TaskError(f"Adding was asked for with {name}={value!r}; give a whole number, at least {least}.")
    return Task(
        name="adding",
        target=Values(1),
        train=Fresh(train, 0, lambda numbers, samples: draw(numbers, samples, T)),
        validation=None,
        test=Fresh(test, 1, lambda numbers, samples: draw(numbers, samples, T)),
        dataset=DatasetInfo("adding", digest(), counts={"train": train, "test": test}, note="Drawn anew every epoch."),
    )


def digest(*_: Any) -> str:
    """The SHA-256 of the rule by which samples are drawn."""
    return hashlib.sha256(RULE.encode()).hexdigest()


ADDING = Loader(load, digest=digest)
