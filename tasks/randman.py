"""Single-spike manifolds: classes that differ in nothing but when their inputs fire (spec first_spike 8, data A).

A sample is a sequence [T, inputs] in which each input fires exactly once, so that counts tell nothing of the class.
Input i of a sample of class c fires in step floor(3/4 T f_ci(z)), z from U(0, 1) for each sample; f_ci is a random
smooth function on [0, 1], the sum over k = 1, 2, 3 of a_k sin(2 pi k z + p_k), a_k normal with deviation 1/k and p_k
uniform, scaled to [0, 1]. `seed` decides functions and samples.

With `shuffled` the steps change places at random, for each input and sample anew: nothing is left to learn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.hashes import Progress
    from tasks.task import Task

DEFAULTS = {"seed": 0, "T": 40, "inputs": 24, "classes": 4, "train": 800, "test": 200, "shuffled": False}
LEAST = {"seed": 0, "T": 2, "inputs": 1, "classes": 2, "train": 1, "test": 1}
WAVES, GRID = 3, 1001
VERSION = 1  # of the rule by which samples are drawn: part of the digest


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    said = [VERSION, *(options.get(name, default) for name, default in DEFAULTS.items())]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def draw(
    seed: int, samples: int, *, T: int, inputs: int, classes: int, shuffled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences [samples, T, inputs] (float32) and classes [samples] (int64), which take turns."""
    import numpy as np

    numbers = np.random.default_rng(seed)
    waves = np.arange(1, WAVES + 1)
    amplitudes = numbers.standard_normal((classes, inputs, WAVES)) / waves
    phases = numbers.uniform(0, 2 * np.pi, (classes, inputs, WAVES))

    def height(which: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The functions of the classes `which` at `z`, [samples, inputs]."""
        angles = 2 * np.pi * waves * z[:, None, None] + phases[which]
        return (amplitudes[which] * np.sin(angles)).sum(-1)

    grid = np.linspace(0, 1, GRID)
    over = [height(np.full(GRID, which), grid) for which in range(classes)]
    low, high = (np.stack([end(values, axis=0) for values in over]) for end in (np.min, np.max))
    labels = np.arange(samples) % classes
    f = (height(labels, numbers.uniform(size=samples)) - low[labels]) / (high - low)[labels]
    steps = np.floor(0.75 * T * f.clip(0, 1)).astype(np.int64)
    if shuffled:
        steps = numbers.integers(0, T, steps.shape)  # where one spike lands when the T steps of an input are shuffled
    x = np.zeros((samples, T, inputs), np.float32)
    np.put_along_axis(x, steps[:, None, :], 1.0, axis=1)
    return x, labels


def load(
    root: Path | None,
    cache: Path | None,
    *,
    seed: int = 0,
    T: int = 40,
    inputs: int = 24,
    classes: int = 4,
    train: int = 800,
    test: int = 200,
    shuffled: bool = False,
    validation: float = 0.0,
) -> Task:
    import torch

    from tasks.arrays import ArraySplit
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    asked = {"seed": seed, "T": T, "inputs": inputs, "classes": classes, "train": train, "test": test}
    for name, value in asked.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < LEAST[name]:
            raise TaskError(f"{name}={value!r} was asked for; give a whole number of at least {LEAST[name]}.")
    x, labels = draw(seed, train + test, T=T, inputs=inputs, classes=classes, shuffled=shuffled)
    every = ArraySplit(torch.from_numpy(x), torch.from_numpy(labels))
    learned, held_out = divide(every.subset(range(train)), validation)
    info = DatasetInfo(
        "randman",
        _digest(None, None, None, {**asked, "shuffled": shuffled}),
        counts={"train": train, "test": test},
        note="Generated single-spike manifolds.",
    )
    return Task("randman", Classes(classes), learned, held_out, every.subset(range(train, train + test)), info)


RANDMAN = Loader(load, digest=_digest)
