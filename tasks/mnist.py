"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28 pixels, as four idx files, raw or gzip-compressed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged
from tasks.hashes import Progress, combined, files_digest
from tasks.loader import Loader
from tasks.source import Published, completeness

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

SIDE, CLASSES = 28, 10
EXPECTED = {"train": 60_000, "test": 10_000}
STEMS = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class IdxSet:
    """One of the two sets: where it lies, its normalisation (spec section 3.1), whether training images are warped."""

    name: str
    published: Published
    mean: float
    std: float
    affine: bool

    def files(self, root: Path | None) -> dict[tuple[str, str], Path]:
        """The four files by (part, kind). Raises DataMissing."""
        folder = self.published.place(root) / "raw"
        found = {}
        for part, stem in STEMS.items():
            for kind, suffix in (("images", "images-idx3-ubyte"), ("labels", "labels-idx1-ubyte")):
                raw = folder / f"{stem}-{suffix}"
                path = next((path for path in (raw, raw.with_name(f"{raw.name}.gz")) if path.is_file()), None)
                if path is None:
                    raise self.published.missing(raw.with_name(f"{raw.name}[.gz]"))
                found[part, kind] = path
        return found

    def check(self, root: Path | None) -> None:
        self.files(root)

    def digest(
        self, root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]
    ) -> str:
        files = self.files(root).values()
        return files_digest(((_name(path), path) for path in files), self.published.place(root), cache, progress)

    def load(self, root: Path | None, cache: Path | None, *, validation: float = 0.0) -> Task:
        from tasks.augment import affine
        from tasks.images import ImageSplit, as_tensors
        from tasks.splits import divide
        from tasks.task import Classes, DatasetInfo, Task

        hashes: list[tuple[str, str]] = []
        splits, found = {}, {}
        files = self.files(root)
        for part in STEMS:
            images, labels = _read(files[part, "images"], files[part, "labels"], EXPECTED[part], hashes)
            found[part] = len(labels)
            splits[part] = ImageSplit(
                *as_tensors(images[:, None], labels),
                mean=[self.mean],
                std=[self.std],
                augment=affine() if self.affine and part == "train" else None,
            )
        train, held_out = divide(splits["train"], validation)
        complete, note = completeness(found, EXPECTED)
        return Task(
            name=self.name,
            target=Classes(CLASSES),
            train=train,
            validation=held_out,
            test=splits["test"],
            dataset=DatasetInfo(self.name, combined(hashes), complete, found, note),
        )


def _name(path: Path) -> str:
    """The name under which a file counts in the digest, the same for a raw file and a compressed one."""
    return path.name.removesuffix(".gz")


def _read(
    images_path: Path, labels_path: Path, most: int, hashes: list[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Up to `most` images `[N, 28, 28]` and labels `[N]` (uint8); adds the hashes of the unpacked files to `hashes`."""
    import numpy as np

    from tasks.idx import content, parse

    data = content(images_path, 16 + most * SIDE * SIDE), content(labels_path, 8 + most)
    for path, part in zip((images_path, labels_path), data, strict=True):
        hashes.append((_name(path), hashlib.sha256(part).hexdigest()))
    images, labels = parse(data[0], images_path, (None, SIDE, SIDE)), parse(data[1], labels_path, (None,))
    if len(images) == 0:
        raise DataDamaged(images_path, "byte 4", "it announces no images")
    if len(images) != len(labels):
        raise DataDamaged(labels_path, "byte 4", f"{len(labels):,} labels for the {len(images):,} images")
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        raise DataDamaged(labels_path, f"byte {8 + wrong[0]}", f"label {labels[wrong[0]]} is not one of 0 to 9")
    return images, labels


_MNIST = IdxSet(
    name="mnist",
    published=Published(
        "MNIST",
        "MNIST",
        "http://yann.lecun.com/exdb/mnist/",
        "run torchvision.datasets.MNIST('DATA_ROOT', download=True)",
    ),
    mean=0.1307,
    std=0.3081,
    affine=True,
)
_FASHION_MNIST = IdxSet(
    name="fashion_mnist",
    published=Published(
        "Fashion-MNIST",
        "FashionMNIST",
        "https://github.com/zalandoresearch/fashion-mnist",
        "run torchvision.datasets.FashionMNIST('DATA_ROOT', download=True)",
    ),
    mean=0.2860,
    std=0.3530,
    affine=False,
)

MNIST = Loader(_MNIST.load, _MNIST.check, _MNIST.digest)
FASHION_MNIST = Loader(_FASHION_MNIST.load, _FASHION_MNIST.check, _FASHION_MNIST.digest)
