"""scikit-learn's digits: 1,797 scanned handwritten digits of 8 x 8 pixels with 17 grey levels, embedded in the package.

The first 1,400 train, the last 397 test; pixels are divided by 16 and normalised by the mean and standard deviation of
the 1,400 training images.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache as remember
from importlib.util import find_spec
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


@remember
def digest() -> str:
    """The SHA-256 that `arrays` gives, from the table itself: importing scikit-learn for it would take a second."""
    package = find_spec("sklearn")
    (folder,) = package.submodule_search_locations if package and package.submodule_search_locations else ("",)
    table = Path(folder) / "datasets" / "data" / "digits.csv.gz"
    if not table.is_file():  # another scikit-learn may keep it elsewhere
        return arrays()[2]
    rows = [[int(value) for value in line.split(b",")] for line in gzip.decompress(table.read_bytes()).splitlines()]
    pixels = b"".join(bytes(row[:-1]) for row in rows)
    return hashlib.sha256(pixels + b"".join(row[-1].to_bytes(8, "little") for row in rows)).hexdigest()


def load(root: Path | None, cache: Path | None, *, validation: float = 0.0) -> Task:
    from tasks.images import ImageSplit, as_tensors
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    images, labels, digest = arrays()
    known = images[:TRAIN] / LEVELS
    split = ImageSplit(*as_tensors(images[:, None], labels), mean=[known.mean()], std=[known.std()], scale=LEVELS)
    train, held_out = divide(split.subset(range(TRAIN)), validation)
    return Task(
        name="digits",
        target=Classes(10),
        train=train,
        validation=held_out,
        test=split.subset(range(TRAIN, TRAIN + TEST)),
        dataset=DatasetInfo("digits", digest, counts={"train": TRAIN, "test": TEST}),
    )


DIGITS = Loader(load, digest=lambda *_: digest())
