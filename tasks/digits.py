"""scikit-learn's digits: 1,797 scanned handwritten digits of 8 x 8 pixels with 17 grey levels, embedded in the package.

The first 1,400 train, the last 397 test; pixels are divided by 16 and normalised by the mean and standard deviation of
the 1,400 training images.
"""

from __future__ import annotations

import hashlib
from functools import cache as remember
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

TRAIN, TEST, LEVELS = 1400, 397, 16


@remember
def arrays() -> tuple[np.ndarray, np.ndarray, str]:
    """Images `[1797, 8, 8]` (uint8, 0 to 16), labels `[1797]` (int64) and the SHA-256 of both."""
    import numpy as np
    from sklearn.datasets import load_digits

    found = load_digits()
    images, labels = found.images.astype(np.uint8), found.target.astype(np.int64)
    return images, labels, hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()


def load(root: Path | None, cache: Path | None, *, validation: float = 0.0) -> Task:
    from tasks.images import ImageSplit, as_tensors
    from tasks.splits import divide
    from tasks.task import DatasetInfo, Task

    images, labels, digest = arrays()
    known = images[:TRAIN] / LEVELS
    split = ImageSplit(*as_tensors(images[:, None], labels), mean=[known.mean()], std=[known.std()], scale=LEVELS)
    train, held_out = divide(split.subset(range(TRAIN)), validation)
    return Task(
        name="digits",
        kind="static",
        classes=10,
        shape=(1, 8, 8),
        steps=None,
        train=train,
        validation=held_out,
        test=split.subset(range(TRAIN, TRAIN + TEST)),
        dataset=DatasetInfo("digits", digest, counts={"train": TRAIN, "test": TEST}),
    )


DIGITS = Loader(load)
