"""ImageNet (ILSVRC 2012): 1,281,167 + 50,000 photographs of 1,000 classes, as a folder of JPEG files for each class.

Layout ImageNet/train/<wnid>/*.JPEG and ImageNet/val/<wnid>/*.JPEG; the validation images of the challenge are the test
set here. Classes count from 0 in the order of their wnids. A part of the images or classes is a subset, not an error;
its classes are counted among the training folders found. Hashing the images would take longer than an epoch, so the
digest covers their names and sizes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged
from tasks.loader import Loader
from tasks.source import Published, completeness, holds, misnamed, visible

if TYPE_CHECKING:
    from tasks.hashes import Progress
    from tasks.task import Task

# Copies have other characters in their names: "n01440764_18 (1).JPEG", "n01440764_18 copy.JPEG".
_NAME = re.compile(r"\w+(\.JPEG)?", re.ASCII)
EXPECTED = {"train": 1_281_167, "test": 50_000}
FOLDERS = {"train": "train", "test": "val"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DIGEST_NOTE = "The digest covers the names and sizes of the files, not their contents."

PUBLISHED = Published(
    "ImageNet (ILSVRC 2012)",
    "ImageNet",
    "https://image-net.org/challenges/LSVRC/2012/",
    "put the archives of its training images, validation images and development kit (tasks 1 and 2) into "
    "DATA_ROOT/ImageNet and run torchvision.datasets.ImageNet('DATA_ROOT/ImageNet', split) for the splits 'train' and "
    "'val', which also sorts the validation images into a folder for each class",
)


def _check(root: Path | None) -> None:
    place = PUBLISHED.place(root)
    for folder in FOLDERS.values():
        if not holds(place, f"{folder}/*/*.JPEG"):
            raise PUBLISHED.missing(place / folder / "<wnid>" / "*.JPEG")


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    return _found(root)[1]


def _found(root: Path | None) -> tuple[dict[str, dict[str, list[str]]], str]:
    """The image files by part and class, and the digest of their names and sizes."""
    _check(root)
    place, digest = PUBLISHED.place(root), hashlib.sha256()
    return {part: _scan(place / folder, digest) for part, folder in FOLDERS.items()}, digest.hexdigest()


def load(root: Path | None, cache: Path | None, *, validation: float = 0.0) -> Task:
    import torch

    from tasks.jpegs import JpegSplit
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    place = PUBLISHED.place(root)
    found, digest = _found(root)
    number = {wnid: i for i, wnid in enumerate(found["train"])}
    splits = {}
    for part, images in found.items():
        if unknown := images.keys() - number.keys():
            wnid = min(unknown)
            raise DataDamaged(place / FOLDERS[part] / wnid, "its name", f"there are no training images of {wnid}")
        labels = torch.tensor([number[wnid] for wnid, paths in images.items() for _ in paths])
        paths = [path for paths in images.values() for path in paths]
        splits[part] = JpegSplit(paths, labels, mean=MEAN, std=STD, augment=part == "train")
    train, held_out = divide(splits["train"], validation)
    counts = {part: len(split) for part, split in splits.items()}
    complete, note = completeness(counts, EXPECTED)
    return Task(
        name="imagenet",
        target=Classes(len(number)),
        train=train,
        validation=held_out,
        test=splits["test"],
        dataset=DatasetInfo("imagenet", digest, complete, counts, f"{note} {DIGEST_NOTE}".strip()),
    )


def _scan(folder: Path, digest: hashlib._Hash) -> dict[str, list[str]]:
    """The image files of each class, both in the order of their names; feeds the names and sizes to the digest."""
    found = {}
    for wnid in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and visible(entry.name)):
        images = sorted(
            (entry.name, entry.path, entry.stat().st_size)
            for entry in os.scandir(folder / wnid)
            if entry.name.endswith(".JPEG") and visible(entry.name)
        )
        for name in (wnid, *(name for name, _, _ in images)) if images else ():
            if not _NAME.fullmatch(name):
                place = folder / wnid if name == wnid else folder / wnid / name
                raise misnamed(place, "only letters, digits and _ are in the names of classes and images")
        for name, _, size in images:
            digest.update(f"{folder.name}/{wnid}/{name}\0{size}\n".encode())
        if images:
            found[wnid] = [path for _, path, _ in images]
    return found


IMAGENET = Loader(load, _check, _digest)
