"""Coloured squares, circles and triangles: small generated pictures to detect things in.

A picture of 64 x 64 pixels has one to three things of 10 to 24 pixels on a dark, noisy background. They may cover each
other by at most a fifth of the smaller one. 300 pictures train, the next 100 test; `seed` decides all of them.
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

CLASSES = ("square", "circle", "triangle")
SIDE, TRAIN, TEST = 64, 300, 100
SMALLEST, LARGEST = 10, 24  # pixels
MOST, COVERED = 3, 0.2
VERSION = 1  # of the rule by which pictures are drawn: part of the digest


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    said = [VERSION, *(options.get(name, default) for name, default in (("seed", 0), ("train", TRAIN), ("test", TEST)))]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def load(
    root: Path | None,
    cache: Path | None,
    *,
    seed: int = 0,
    train: int = TRAIN,
    test: int = TEST,
    validation: float = 0.0,
) -> Task:
    import torch

    from tasks.boxes import table
    from tasks.images import ImageSplit
    from tasks.splits import divide
    from tasks.task import Boxes, DatasetInfo, Task

    for name, value, least in (("seed", seed, 0), ("train", train, 1), ("test", test, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise TaskError(f"{name}={value!r} was asked for; give a whole number of at least {least}.")
    images, boxes = pictures(train + test, seed)
    every = ImageSplit(torch.from_numpy(images), table(boxes), mean=[0.0] * 3, std=[1.0] * 3)
    learned, held_out = divide(every.subset(range(train)), validation)
    digest = _digest(None, None, None, {"seed": seed, "train": train, "test": test})
    info = DatasetInfo("shapes", digest, counts={"train": train, "test": test}, note="Generated pictures.")
    return Task("shapes", Boxes(len(CLASSES)), learned, held_out, every.subset(range(train, train + test)), info)


def pictures(many: int, seed: int) -> tuple[np.ndarray, list[list[list[float]]]]:
    """Pictures [N, 3, 64, 64] (uint8) and the boxes in each, as tasks.task.Boxes has them."""
    import numpy as np

    generator = np.random.default_rng(seed)
    drawn = [_picture(generator) for _ in range(many)]
    return np.stack([image for image, _ in drawn]), [boxes for _, boxes in drawn]


def _picture(generator: np.random.Generator) -> tuple[np.ndarray, list[list[float]]]:
    import numpy as np

    image = generator.integers(0, 60, (3, SIDE, SIDE)).astype(np.uint8)
    boxes: list[list[float]] = []
    wanted = int(generator.integers(1, MOST + 1))
    while len(boxes) < wanted:
        kind, size = int(generator.integers(len(CLASSES))), int(generator.integers(SMALLEST, LARGEST + 1))
        left, top = (int(corner) for corner in generator.integers(0, SIDE - size + 1, 2))
        box = [left, top, left + size - 1, top + size - 1]
        colour = generator.integers(90, 256, 3)
        if any(_covered(box, other) > COVERED for other in boxes):
            continue
        y, x = np.mgrid[:size, :size] + 0.5
        inside = (
            np.ones((size, size), bool),
            np.hypot(x - size / 2, y - size / 2) <= size / 2,
            np.abs(x - size / 2) <= y / 2,
        )[kind]
        image[:, top : top + size, left : left + size][:, inside] = colour[:, None]
        boxes.append([*map(float, box), float(kind), 0.0])
    return image, boxes


def _covered(a: list[int], b: list[float]) -> float:
    """The share of the smaller of two boxes that the other one covers."""
    sides = [min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1 for i in range(2)]
    common = max(0.0, sides[0]) * max(0.0, sides[1])
    return common / min((x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b))


SHAPES = Loader(load, digest=_digest)
