"""N-MNIST: MNIST recorded by an event camera that made three saccades over each digit; 34 x 34 pixels, about 0.3 s.

Layout NMNIST/{Train,Test}/<digit>/<number>.bin, 60,000 + 10,000 recordings, taken in sorted order; a part of them is a
subset, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.hashes import Progress, recordings_digest
from tasks.loader import Loader
from tasks.source import Published, holds, listed, misnamed

if TYPE_CHECKING:
    from tasks.task import Task

SIDE, CLASSES = 34, 10
EXPECTED = {"train": 60_000, "test": 10_000}
PARTS = {"train": "Train", "test": "Test"}
_NAME = re.compile(r"[0-9]{5}\.bin")

PUBLISHED = Published(
    "N-MNIST",
    "NMNIST",
    "https://www.garrickorchard.com/datasets/n-mnist",
    "unpack Train.zip and Test.zip into DATA_ROOT/NMNIST",
)


def _folder(root: Path | None) -> Path:
    folder = PUBLISHED.place(root)
    for part in PARTS.values():
        if not holds(folder / part, "*/*.bin"):
            raise PUBLISHED.missing(folder / part / "<digit>" / "*.bin")
    return folder


def _check(root: Path | None) -> None:
    _folder(root)


def _files(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    return {
        part: [(_label(path), path) for digit in _digits(folder / name) for path in listed(digit)]
        for part, name in PARTS.items()
    }


def _digits(folder: Path) -> list[Path]:
    found = listed(folder)
    for path in found:
        if not path.is_dir():
            raise misnamed(path, "only the folders of the digits 0 to 9 lie there")
    return found


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    folder = _folder(root)
    return recordings_digest(_files(folder), folder, cache, progress)


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 10,
    split_by: str = "number",
    normalization: str | None = None,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    from tasks import atis
    from tasks.events import DEFAULT_CACHE, event_task
    from tasks.recordings import from_files

    folder, cache = _folder(root), cache or DEFAULT_CACHE
    source = from_files(
        "nmnist",
        folder,
        _files(folder),
        EXPECTED,
        classes=CLASSES,
        side=SIDE,
        read=lambda path: atis.read(path, SIDE),
        code=atis,
        cache=cache,
    )
    return event_task(
        source, cache, T=T, split_by=split_by, normalization=normalization, validation=validation, progress=progress
    )


def _label(path: Path) -> int:
    digit = path.parent.name
    if digit not in list("0123456789"):
        raise misnamed(path, f"{digit!r} is not one of 0 to 9", "the name of its folder")
    if not _NAME.fullmatch(path.name):
        raise misnamed(path, "it is not <five digits>.bin")
    return int(digit)


NMNIST = Loader(load, _check, _digest)
