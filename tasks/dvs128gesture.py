"""DVS128 Gesture: 11 hand and arm gestures before an event camera of 128 x 128 pixels.

Layout DVS128Gesture/DvsGesture/ (or DVS128Gesture/ itself): the lists trials_to_train.txt and trials_to_test.txt, each
recording they name (AEDAT 3.1) and its <recording>_labels.csv, which cuts it into samples [start, end) of one gesture.
Recordings that are not there make a subset, not an error. Complete: 1,176 + 288 samples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged, shown
from tasks.hashes import Progress, files_digest
from tasks.loader import Loader
from tasks.source import Published, completeness, text_lines, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.recordings import Recording
    from tasks.task import Task

SIDE, CLASSES = 128, 11
EXPECTED = {"train": 1176, "test": 288}
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
_RECORDING = re.compile(r"[\w-]+\.aedat", re.ASCII)
_SEGMENT = re.compile(r"\s*([0-9]{1,15})\s*,\s*([0-9]{1,15})\s*,\s*([0-9]{1,15})\s*")

PUBLISHED = Published(
    "DVS128 Gesture",
    "DVS128Gesture",
    "https://research.ibm.com/interactive/dvsgesture/",
    "unpack DvsGesture.tar.gz into DATA_ROOT/DVS128Gesture",
)


@dataclass(frozen=True)
class Trial:
    """A recording and its segments: line of the csv, label (from 0), start and end in us."""

    path: Path
    labels_path: Path
    segments: list[tuple[int, int, int, int]]


def _folder(root: Path | None) -> Path:
    base = PUBLISHED.place(root)
    for folder in (base / "DvsGesture", base):
        if all((folder / name).is_file() for name in LISTS.values()):
            return folder
    raise PUBLISHED.missing(base / "DvsGesture" / LISTS["train"])


def _check(root: Path | None) -> None:
    _recorded(_folder(root))


def _recorded(folder: Path) -> dict[str, list[Path]]:
    """The recordings of each part that its list names and that are there, sorted by name."""
    names = {part: _listed(folder / name) for part, name in LISTS.items()}
    if both := names["train"] & names["test"]:
        problem = f"it is in {LISTS['train']} too, and no recording may train and test"
        raise DataDamaged(folder / LISTS["test"], f"the entry {min(both)!r}", problem)
    found = {part: [folder / name for name in sorted(names[part]) if (folder / name).is_file()] for part in LISTS}
    for part, name in LISTS.items():
        if not found[part]:
            raise PUBLISHED.missing(folder / f"the recordings in {name}")
    return found


def _listed(path: Path) -> set[str]:
    """The names of recordings in a list, without hidden ones."""
    entries = {line.strip() for line in text_lines(path)} - {""}
    names = {name for name in entries if visible(name) or Path(name).name != name}
    for name in sorted(names):
        if not _RECORDING.fullmatch(name):
            raise DataDamaged(path, f"the entry {shown(name)}", "it is not the name of an .aedat file")
    return names


def _digest(
    root: Path | None, cache: Path | None, progress: Progress | None = None, options: Mapping[str, Any] | None = None
) -> str:
    folder = _folder(root)
    files = [
        (f"{part} {path.name}", path)
        for part, recordings in _recorded(folder).items()
        for recording in recordings
        for path in (recording, _labels_path(recording))
    ]
    return files_digest(files, folder, cache, progress)


def _labels_path(recording: Path) -> Path:
    return recording.with_name(f"{recording.stem}_labels.csv")


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 20,
    split_by: str = "number",
    normalization: str | None = None,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import numpy as np

    from tasks import aedat3
    from tasks.events import DEFAULT_CACHE, event_task
    from tasks.recordings import EventSource
    from tasks.task import DatasetInfo

    folder, cache = _folder(root), cache or DEFAULT_CACHE
    parts = {part: [_trial(path) for path in paths] for part, paths in _recorded(folder).items()}
    found = {part: sum(len(trial.segments) for trial in trials) for part, trials in parts.items()}
    trials = parts["train"] + parts["test"]
    complete, note = completeness(found, EXPECTED)
    source = EventSource(
        info=DatasetInfo("dvs128gesture", _digest(root, cache), complete, found, note),
        classes=CLASSES,
        height=SIDE,
        width=SIDE,
        labels=np.array([label for trial in trials for _, label, _, _ in trial.segments], np.int64),
        train=found["train"],
        recordings=lambda: _recordings(trials),
        code=(aedat3,),
    )
    return event_task(
        source, cache, T=T, split_by=split_by, normalization=normalization, validation=validation, progress=progress
    )


def _trial(path: Path) -> Trial:
    labels_path = _labels_path(path)
    if not labels_path.is_file():
        raise PUBLISHED.missing(labels_path)
    segments: list[tuple[int, int, int, int]] = []
    lines = text_lines(labels_path)
    if not lines or not lines[0].startswith("class"):
        raise DataDamaged(labels_path, "line 1", "it does not name the columns class,startTime_usec,endTime_usec")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        fields = _SEGMENT.fullmatch(line)
        if fields is None:
            raise DataDamaged(labels_path, f"line {number}", f"{shown(line)} is not class,start,end in whole numbers")
        gesture, start, end = map(int, fields.groups())
        if not 1 <= gesture <= CLASSES:
            raise DataDamaged(labels_path, f"line {number}", f"class {gesture} is not one of 1 to {CLASSES}")
        if start >= end:
            raise DataDamaged(labels_path, f"line {number}", f"the segment ends at {end} us, before {start} us")
        if any((start, end) == known[2:] for known in segments):
            raise DataDamaged(labels_path, f"line {number}", f"the segment {start} to {end} us is there already")
        segments.append((number, gesture - 1, start, end))
    if not segments:
        raise DataDamaged(labels_path, f"line {len(lines) + 1}", "no segment before the end of the file")
    return Trial(path, labels_path, segments)


def _recordings(trials: list[Trial]) -> Iterator[Recording]:
    import numpy as np

    from tasks import aedat3
    from tasks.recordings import Recording

    for trial in trials:
        t, x, y, p = aedat3.read(trial.path, SIDE)
        for line, _, start, end in trial.segments:
            own = np.flatnonzero((t >= start) & (t < end))
            if not len(own):
                problem = f"no event in {start} to {end} us; the recording covers {t.min()} to {t.max()} us"
                raise DataDamaged(trial.labels_path, f"line {line}", problem)
            yield Recording(t[own], x[own], y[own], p[own], f"{trial.labels_path}, line {line}")


DVS128GESTURE = Loader(load, _check, _digest)
