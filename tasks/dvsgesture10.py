"""DVS128 Gesture as first-spike coding reads it: ten gestures on 32 x 32 pixels, in steps of equal length.

Layout DVS128Gesture/ as tasks.dvs128gesture has it, or DVSGesture-train10.hdf5 and DVSGesture-test10.hdf5 there, as the
first-spike work makes them: <part>/<number>/time (us), data (x, y, p) and labels. The eleventh class, other gestures,
is left out. A sample is a sequence [T, 2, 32, 32] of counts: events of the first T steps of `dt` ms after the first
one, four by four pixels together (spec first_spike 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import dvs128gesture as native
from tasks.dvs128gesture import PUBLISHED
from tasks.errors import DataDamaged
from tasks.hashes import Progress, files_digest
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

SIDE, CLASSES = 128, 10
PARTS = ("train", "test")

Sample = tuple["tuple[np.ndarray, ...]", int, Path, str]  # t (us), x, y, p; label; file and place in it


def files(root: Path | None) -> dict[str, Path] | None:
    """The two HDF5 files of the work; None where one is not there."""
    found = {part: PUBLISHED.place(root) / f"DVSGesture-{part}10.hdf5" for part in PARTS}
    return found if all(path.is_file() for path in found.values()) else None


def _check(root: Path | None) -> None:
    if files(root) is None:
        native._check(root)


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    made = files(root)
    if made is None:
        return native._digest(root, cache, progress, options)
    return files_digest([(path.name, path) for path in made.values()], PUBLISHED.place(root), cache, progress)


def trials(root: Path | None) -> dict[str, list[Any]]:
    """The recordings of each part with their segments, as published."""
    recorded = native._recorded(native._folder(root))
    return {part: [native._trial(path) for path in recorded[part]] for part in PARTS}


def gestures(trial: Any) -> Iterator[Sample]:
    """The samples of a recording, but those of other gestures."""
    for (_, label, *_), (t, x, y, p, where) in zip(trial.segments, native._recordings([trial]), strict=True):
        if label < CLASSES:
            yield (t, x, y, p), label, trial.path, where


def _samples(root: Path | None, part: str) -> Iterator[Sample]:
    made = files(root)
    if made is None:
        for trial in trials(root)[part]:
            yield from gestures(trial)
        return
    from tasks.hdf5 import opened

    path = made[part]
    with opened(path) as file:
        for key in range(file.count(part)):
            place = f"{part}/{key}"
            t, data, label = (file.read(f"{place}/{name}") for name in ("time", "data", "labels"))
            if not len(t) or data.shape != (len(t), 3):
                raise DataDamaged(path, f"entry {place!r}", f"{len(t)} times and data of shape {data.shape}")
            t, (x, y, p) = t.astype("int64"), data.astype("int64").T
            yield (t, x, y, p), int(label), path, f"entry {place!r}"


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 120,
    dt: float = 10,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import numpy as np
    import torch

    from tasks.dvsplane import POOLED, places_of, steps_of
    from tasks.spike_trains import SpikeTrains, check_places, check_steps
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    check_steps(T, dt)
    _check(root)
    splits, shape = {}, (2, SIDE // POOLED, SIDE // POOLED)
    for part in PARTS:
        steps, places, labels = [], [], []
        for (t, x, y, p), label, path, where in _samples(root, part):
            check_places(np.array([label]), CLASSES, path, f"the label of {where}", "labels")
            at, kept = steps_of(t, T, dt)
            own = places_of(x[kept], y[kept], p[kept], SIDE, SIDE)
            if (own < 0).any():
                raise DataDamaged(path, where, f"an event lies off the {SIDE}x{SIDE} pixels, or has no polarity")
            steps.append(at)
            places.append(own.astype(np.int16))
            labels.append(label)
        if not labels:
            raise PUBLISHED.missing(PUBLISHED.place(root) / f"a sample of the ten gestures to {part}")
        splits[part] = SpikeTrains(steps, places, torch.tensor(labels), T=T, shape=shape)
    learned, held_out = divide(splits["train"], validation)
    counts = {part: len(split) for part, split in splits.items()}
    info = DatasetInfo("dvsgesture10", _digest(root, cache, progress, {}), counts=counts, note="Ten gestures.")
    return Task("dvsgesture10", Classes(CLASSES), learned, held_out, splits["test"], info)


DVSGESTURE10 = Loader(load, _check, _digest)
