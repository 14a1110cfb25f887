"""Recall of a digit after a delay: a memory test on embedded data, with nothing to learn from where memory ends.

A sample is an image of 8 x T pixels: one of scikit-learn's digits in its first 8 columns, background in the others.
Read column by column, one a step, the digit is followed by T - 8 steps without information. A network that answers in
the last steps alone knows nothing of the digit, and is right by chance (a tenth), unless its neurons carry it over the
delay. Split and normalisation are those of `tasks.digits`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks import digits
from tasks.errors import TaskError
from tasks.loader import Loader

if TYPE_CHECKING:
    from tasks.task import Task

SIDE = 8


def load(root: Path | None, cache: Path | None, *, T: int = 32, validation: float = 0.0) -> Task:
    import numpy as np

    from tasks.images import ImageSplit, as_tensors
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    if isinstance(T, bool) or not isinstance(T, int) or T < SIDE:
        raise TaskError(f"T={T!r} steps were asked for; give a whole number, at least the {SIDE} columns of a digit.")
    images, labels, digest = digits.arrays()
    known = images[: digits.TRAIN] / digits.LEVELS
    wide = np.pad(images, ((0, 0), (0, 0), (0, T - SIDE)))
    tensors = as_tensors(wide[:, None], labels)
    split = ImageSplit(*tensors, mean=[known.mean()], std=[known.std()], scale=digits.LEVELS)
    train, held_out = divide(split.subset(range(digits.TRAIN)), validation)
    return Task(
        name="digits_recall",
        target=Classes(10),
        train=train,
        validation=held_out,
        test=split.subset(range(digits.TRAIN, digits.TRAIN + digits.TEST)),
        dataset=DatasetInfo(
            "digits_recall",
            digest,
            counts={"train": digits.TRAIN, "test": digits.TEST},
            note="scikit-learn's digits, each followed by background.",
        ),
    )


DIGITS_RECALL = Loader(load, digest=lambda *_: digits.digest())
