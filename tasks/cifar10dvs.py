"""CIFAR10-DVS: 10,000 images of CIFAR-10 shown moving to an event camera of 128 x 128 pixels, 1,000 a class.

Layout CIFAR10DVS/<class>/cifar10_<class>_<n>.aedat. Of each class, recordings 0 to 899 train and 900 to 999 test as
in the PLIF work, or 100 to 999 train and 0 to 99 test as in the PSN work (`split="psn"`); a part of them is a subset,
not an error. The PSN work also asks for `resize=48` and `augment="crop"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.hashes import Progress, recordings_digest
from tasks.loader import Loader
from tasks.source import Published, holds, listed, misnamed

if TYPE_CHECKING:
    from tasks.task import Task

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PER_CLASS = 1000
TEST = {"plif": range(900, 1000), "psn": range(100)}
SPLIT = "plif"
AUGMENT = (None, "crop")
EXPECTED = {"train": 9000, "test": 1000}
_NAME = re.compile(r"cifar10_([a-z]+)_(0|[1-9][0-9]*)\.aedat")

PUBLISHED = Published(
    "CIFAR10-DVS",
    "CIFAR10DVS",
    "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
    "unpack its ten zip files into DATA_ROOT/CIFAR10DVS",
)


def _folder(root: Path | None) -> Path:
    folder = PUBLISHED.place(root)
    if not any(holds(folder, f"{name}/*.aedat") for name in CLASSES):
        raise PUBLISHED.missing(folder / "<class>" / "cifar10_<class>_<n>.aedat")
    return folder


def _check(root: Path | None) -> None:
    _folder(root)


def _recordings(folder: Path) -> list[Path]:
    """All that lies in the folders of the classes, and recordings in other folders; archives may lie beside them."""
    folders = [path for path in listed(folder) if path.is_dir()]
    return [path for own in folders for path in listed(own) if own.name in CLASSES or path.suffix == ".aedat"]


def _files(folder: Path, split: str) -> dict[str, list[tuple[int, Path]]]:
    # Sorted by class, then by number: the order the split of accuracy-B is made in.
    found = sorted((*_label_and_number(path), path) for path in _recordings(folder))
    files: dict[str, list[tuple[int, Path]]] = {"train": [], "test": []}
    for label, number, path in found:
        files["test" if number in TEST[split] else "train"].append((label, path))
    for part, sense in (("train", "outside"), ("test", "in")):
        if not files[part]:
            numbers = f"{sense} {TEST[split][0]} to {TEST[split][-1]}"
            raise PUBLISHED.missing(folder / "<class>" / f"cifar10_<class>_<n>.aedat with n {numbers}")
    return files


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    folder, split = _folder(root), options.get("split", SPLIT)
    _check_options(split, None, None)
    return recordings_digest(_files(folder, split), folder, cache, progress)


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 20,
    split_by: str = "number",
    normalization: str | None = None,
    split: str = SPLIT,
    resize: int | None = None,
    augment: str | None = None,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    from tasks import aedat2
    from tasks.augment import crop_and_flip_frames
    from tasks.events import DEFAULT_CACHE, event_task
    from tasks.recordings import from_files

    _check_options(split, resize, augment)
    folder, cache = _folder(root), cache or DEFAULT_CACHE
    source = from_files(
        "cifar10dvs",
        folder,
        _files(folder, split),
        EXPECTED,
        classes=len(CLASSES),
        side=aedat2.SIDE,
        read=aedat2.read,
        code=aedat2,
        cache=cache,
    )
    return event_task(
        source,
        cache,
        T=T,
        split_by=split_by,
        normalization=normalization,
        validation=validation,
        progress=progress,
        resize=resize,
        augment=crop_and_flip_frames(resize or aedat2.SIDE) if augment else None,
    )


def _check_options(split: str, resize: int | None, augment: str | None) -> None:
    for name, value, known in (("split", split, tuple(TEST)), ("augment", augment, AUGMENT)):
        if value not in known:
            raise TaskError(f"{name}={value!r} is unknown; choose one of {', '.join(map(str, known))}.")
    if resize is not None and (isinstance(resize, bool) or not isinstance(resize, int) or resize < 1):
        raise TaskError(f"resize={resize!r} was asked for; give the pixels of a side, at least 1, or None.")


def _label_and_number(path: Path) -> tuple[int, int]:
    folder, named = path.parent.name, _NAME.fullmatch(path.name)
    if folder not in CLASSES:
        raise misnamed(path, f"{folder!r} is not a class of CIFAR-10", "the name of its folder")
    if named is None or named[1] != folder or int(named[2]) >= PER_CLASS:
        raise misnamed(path, f"it is not cifar10_{folder}_<0 to {PER_CLASS - 1}>.aedat")
    return CLASSES.index(folder), int(named[2])


CIFAR10DVS = Loader(load, _check, _digest)
