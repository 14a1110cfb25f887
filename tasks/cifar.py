"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 colour images of 32 x 32 pixels, in pickled batches.

Training batches that are not there make a subset, not an error. Training images are cropped and flipped as in the PLIF
work, or changed as in the PSN work (`augment="trivial"`, `mix=True`; see `tasks.augment`). A validation split is
augmented like the training images by default, as the PLIF work has it, and never by the other two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.hashes import Progress, combined, files_digest
from tasks.loader import Loader
from tasks.source import Published, completeness

if TYPE_CHECKING:
    from tasks.images import ImageSplit
    from tasks.task import Split, Task

EXPECTED = {"train": 50_000, "test": 10_000}
AUGMENT = (None, "trivial")


@dataclass(frozen=True)
class CifarSet:
    """One of the two sets: its batches in `folder`, the `key` of the labels in them, and its normalisation."""

    name: str
    published: Published
    folder: str
    train: tuple[str, ...]
    test: str
    key: bytes
    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def files(self, root: Path | None) -> tuple[list[Path], Path]:
        """The training batches that are there, and the test batch. Raises DataMissing."""
        folder = self.published.place(root) / self.folder
        train = [folder / name for name in self.train if (folder / name).is_file()]
        test = folder / self.test
        if not train or not test.is_file():
            any_train = self.train[0] if len(self.train) == 1 else f"{self.train[0][:-1]}*"
            raise self.published.missing(test if train else folder / any_train)
        return train, test

    def check(self, root: Path | None) -> None:
        self.files(root)

    def digest(
        self, root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]
    ) -> str:
        train, test = self.files(root)
        return files_digest(((path.name, path) for path in (*train, test)), test.parent, cache, progress)

    def load(
        self,
        root: Path | None,
        cache: Path | None,
        *,
        augment: str | None = None,
        mix: bool = False,
        validation: float = 0.0,
    ) -> Task:
        import numpy as np

        from tasks.cifar_batches import parse
        from tasks.images import ImageSplit, as_tensors
        from tasks.task import Classes, DatasetInfo, Task

        if augment not in AUGMENT:
            raise TaskError(f"augment={augment!r} is unknown; choose one of {', '.join(map(str, AUGMENT))}.")
        train_files, test_file = self.files(root)
        hashes, batches = [], []
        for path in (*train_files, test_file):
            data = path.read_bytes()
            hashes.append((path.name, hashlib.sha256(data).hexdigest()))
            batches.append(parse(data, path, key=self.key, classes=self.classes))
        images, labels = (np.concatenate(part) for part in zip(*batches[:-1], strict=True))
        training = ImageSplit(*as_tensors(images, labels), mean=self.mean, std=self.std)
        test = ImageSplit(*as_tensors(*batches[-1]), mean=self.mean, std=self.std)
        train, held_out = self._augmented(training, augment, mix, validation)
        found = {"train": len(training), "test": len(test)}
        complete, note = completeness(found, EXPECTED)
        return Task(
            name=self.name,
            target=Classes(self.classes),
            train=train,
            validation=held_out,
            test=test,
            dataset=DatasetInfo(self.name, combined(hashes), complete, found, note),
        )

    def _augmented(
        self, training: ImageSplit, augment: str | None, mix: bool, validation: float
    ) -> tuple[Split, Split | None]:
        from tasks.augment import crop_and_flip, erase, flip_and_trivial, mixup_or_cutmix
        from tasks.splits import divide

        if augment is None:
            training = training.changed(augment=crop_and_flip())
        train, held_out = divide(training, validation)
        if augment == "trivial":
            train = train.changed(augment=flip_and_trivial(), erase=erase())
        if mix:
            train = train.changed(mix=mixup_or_cutmix(self.classes))
        return train, held_out


def _published(title: str, name: str) -> Published:
    return Published(
        title,
        name,
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        f"run torchvision.datasets.{name}('DATA_ROOT/{name}', download=True)",
    )


_CIFAR10 = CifarSet(
    name="cifar10",
    published=_published("CIFAR-10", "CIFAR10"),
    folder="cifar-10-batches-py",
    train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
    test="test_batch",
    key=b"labels",
    classes=10,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
)
_CIFAR100 = CifarSet(
    name="cifar100",
    published=_published("CIFAR-100", "CIFAR100"),
    folder="cifar-100-python",
    train=("train",),
    test="test",
    key=b"fine_labels",
    classes=100,
    mean=(0.50708, 0.48655, 0.44092),
    std=(0.26733, 0.25644, 0.27615),
)

CIFAR10 = Loader(_CIFAR10.load, _CIFAR10.check, _CIFAR10.digest)
CIFAR100 = Loader(_CIFAR100.load, _CIFAR100.check, _CIFAR100.digest)
