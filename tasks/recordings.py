"""Event recordings: the samples of a set before they become frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from tasks.errors import TaskError
from tasks.frames import count
from tasks.hashes import recordings_digest
from tasks.source import completeness
from tasks.task import DatasetInfo


class Recording(NamedTuple):
    """Events of one sample: times (us), pixels, polarities (0 or 1), and where they came from, for messages."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    origin: str


@dataclass(frozen=True)
class EventSource:
    """A set of recordings. `recordings()` yields them in the order of `labels`, the `train` training samples first.

    `code` are the modules that decide what the recordings hold; a change in them makes cached frames stale.
    """

    info: DatasetInfo
    classes: int
    height: int
    width: int
    labels: np.ndarray
    train: int
    recordings: Callable[[], Iterator[Recording]]
    code: tuple[ModuleType, ...]

    def counts(self, T: int, split_by: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Counts `[T, 2, H, W]` (uint16) and frame durations `[T]` (us) of each recording."""
        try:
            for t, x, y, p, origin in self.recordings():
                yield self._count(t, x, y, p, origin, T, split_by)
        except OSError as problem:
            raise TaskError(f"A recording of {self.info.name} cannot be read: {problem}.") from problem

    def _count(
        self, t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, origin: str, T: int, split_by: str
    ) -> tuple[np.ndarray, np.ndarray]:
        try:
            frames, durations = count(t, x, y, p, frames=T, height=self.height, width=self.width, split_by=split_by)
        except TaskError as problem:
            raise TaskError(f"{origin}: {problem}") from None
        if frames.max() > np.iinfo(np.uint16).max:
            raise TaskError(f"{origin}: a pixel has {frames.max():,} events in one frame; ask for more frames.")
        return frames.astype(np.uint16), durations


def from_files(
    name: str,
    folder: Path,
    files: dict[str, list[tuple[int, Path]]],
    expected: dict[str, int],
    *,
    classes: int,
    side: int,
    read: Callable[[Path], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]],
    code: ModuleType,
    cache: Path,
) -> EventSource:
    """The set of a square sensor whose recordings are a file each.

    `files` holds the label and path of every "train" and "test" sample found in `folder`, `expected` how many the
    published set has. `read`, of the module `code`, gives times, x, y and polarities; hashes are kept in `cache`.
    """
    labels, paths = zip(*files["train"], *files["test"], strict=True)
    found = {part: len(samples) for part, samples in files.items()}
    complete, note = completeness(found, expected)
    return EventSource(
        info=DatasetInfo(name, recordings_digest(files, folder, cache), complete, found, note),
        classes=classes,
        height=side,
        width=side,
        labels=np.array(labels, np.int64),
        train=found["train"],
        recordings=lambda: (Recording(*read(path), str(path)) for path in paths),
        code=(code,),
    )


def compact(counts: np.ndarray) -> np.ndarray:
    """The counts in one byte each where they fit."""
    return counts.astype(np.uint8) if counts.max(initial=0) <= np.iinfo(np.uint8).max else counts
