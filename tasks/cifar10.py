"""CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 pixels, in five training batches and one test batch.

Training batches that are not there make a subset, not an error.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.loader import Loader
from tasks.source import Published, completeness

if TYPE_CHECKING:
    from tasks.task import Task

CLASSES = 10
EXPECTED = {"train": 50_000, "test": 10_000}
TRAIN, TEST = [f"data_batch_{i}" for i in range(1, 6)], "test_batch"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)

PUBLISHED = Published(
    "CIFAR-10",
    "CIFAR10",
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "run torchvision.datasets.CIFAR10('DATA_ROOT/CIFAR10', download=True)",
)


def _files(root: Path | None) -> tuple[list[Path], Path]:
    folder = PUBLISHED.place(root) / "cifar-10-batches-py"
    train = [folder / name for name in TRAIN if (folder / name).is_file()]
    test = folder / TEST
    if not train or not test.is_file():
        raise PUBLISHED.missing(test if train else folder / "data_batch_*")
    return train, test


def _check(root: Path | None) -> None:
    _files(root)


def load(root: Path | None, cache: Path | None, *, validation: float = 0.0) -> Task:
    import numpy as np

    from tasks.augment import crop_and_flip
    from tasks.cifar_batches import parse
    from tasks.images import ImageSplit, as_tensors
    from tasks.splits import divide
    from tasks.task import DatasetInfo, Task

    train_files, test_file = _files(root)
    digest = hashlib.sha256()
    batches = []
    for path in (*train_files, test_file):
        data = path.read_bytes()
        digest.update(data)
        batches.append(parse(data, path, key=b"labels", classes=CLASSES))
    images, labels = (np.concatenate(part) for part in zip(*batches[:-1], strict=True))
    training = ImageSplit(*as_tensors(images, labels), mean=MEAN, std=STD, augment=crop_and_flip())
    test = ImageSplit(*as_tensors(*batches[-1]), mean=MEAN, std=STD)
    train, held_out = divide(training, validation)
    found = {"train": len(training), "test": len(test)}
    complete, note = completeness(found, EXPECTED)
    return Task(
        name="cifar10",
        kind="static",
        classes=CLASSES,
        shape=(3, 32, 32),
        steps=None,
        train=train,
        validation=held_out,
        test=test,
        dataset=DatasetInfo("cifar10", digest.hexdigest(), complete, found, note),
    )


CIFAR10 = Loader(load, _check)
