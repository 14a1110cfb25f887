"""N-MNIST: MNIST recorded by an event camera that made three saccades over each digit; 34 x 34 pixels, about 0.3 s.

Layout NMNIST/{Train,Test}/<digit>/<number>.bin, 60,000 + 10,000 recordings, taken in sorted order; a part of them is a
subset, not an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import DataDamaged
from tasks.loader import Loader
from tasks.source import Published, completeness, files_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tasks.events import Recording
    from tasks.task import Task

SIDE, CLASSES = 34, 10
EXPECTED = {"train": 60_000, "test": 10_000}
PARTS = {"train": "Train", "test": "Test"}

PUBLISHED = Published(
    "N-MNIST",
    "NMNIST",
    "https://www.garrickorchard.com/datasets/n-mnist",
    "unpack Train.zip and Test.zip into DATA_ROOT/NMNIST",
)


def _folder(root: Path | None) -> Path:
    folder = PUBLISHED.place(root)
    for part in PARTS.values():
        if next((folder / part).glob("*/*.bin"), None) is None:
            raise PUBLISHED.missing(folder / part / "<digit>" / "*.bin")
    return folder


def _check(root: Path | None) -> None:
    _folder(root)


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 10,
    split_by: str = "number",
    normalization: str | None = None,
    validation: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Task:
    import numpy as np

    from tasks import atis
    from tasks.events import DEFAULT_CACHE, EventSource, event_task
    from tasks.task import DatasetInfo

    folder, cache = _folder(root), cache or DEFAULT_CACHE
    files = {part: sorted((folder / name).glob("*/*.bin")) for part, name in PARTS.items()}
    found = {part: len(paths) for part, paths in files.items()}
    paths = files["train"] + files["test"]
    complete, note = completeness(found, EXPECTED)
    source = EventSource(
        info=DatasetInfo("nmnist", files_digest(paths, folder, cache), complete, found, note),
        classes=CLASSES,
        height=SIDE,
        width=SIDE,
        labels=np.array([_label(path) for path in paths], np.int64),
        train=found["train"],
        recordings=lambda: _recordings(paths),
        code=(atis,),
    )
    return event_task(
        source,
        cache,
        T=T,
        split_by=split_by,
        normalization=normalization,
        validation=validation,
        progress=progress,
    )


def _label(path: Path) -> int:
    digit = path.parent.name
    if digit not in list("0123456789"):
        raise DataDamaged(path, "the name of its folder", f"{digit!r} is not one of 0 to 9")
    return int(digit)


def _recordings(paths: list[Path]) -> Iterator[Recording]:
    from tasks import atis
    from tasks.events import Recording

    for path in paths:
        yield Recording(*atis.read(path, SIDE), str(path))


NMNIST = Loader(load, _check)
