"""N-TIDIGITS18: spoken digits before a silicon cochlea of 64 channels; here the recordings of one digit.

Layout NTIDIGITS/n-tidigits.hdf5 as published, or n-tidigits-single.hdf5 as the first-spike work makes it. Of the first
the isolated digits are taken, those whose label ends in a part of one character: z is 0, o is 10. A sample is a
sequence [T, 64] of counts: events before T steps of `dt` ms, whose time then begins with the first one (spec
first_spike 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged, shown
from tasks.hashes import Progress, files_digest
from tasks.loader import Loader
from tasks.source import Published

if TYPE_CHECKING:
    import numpy as np

    from tasks.hdf5 import Contents
    from tasks.task import Task

CHANNELS, CLASSES = 64, 11
PUBLISHED_FILE, SINGLE_FILE = "n-tidigits.hdf5", "n-tidigits-single.hdf5"
DIGITS = {"z": 0, "o": 10, **{str(digit): digit for digit in range(1, 10)}}

PUBLISHED = Published(
    "N-TIDIGITS18",
    "NTIDIGITS",
    "https://docs.google.com/document/d/1Uxe7GsKKXcy6SlDUX4hoJVAC0-UkH-8kr5UXp0Ndi1M",
    f"put {PUBLISHED_FILE} into DATA_ROOT/NTIDIGITS",
)

Sample = tuple["np.ndarray", "np.ndarray", int, str]  # times (us), channels, label, where it lies


def _path(root: Path | None) -> Path:
    folder = PUBLISHED.place(root)
    for name in (PUBLISHED_FILE, SINGLE_FILE):
        if (folder / name).is_file():
            return folder / name
    raise PUBLISHED.missing(folder / PUBLISHED_FILE)


def _check(root: Path | None) -> None:
    _path(root)


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    path = _path(root)
    return files_digest([(path.name, path)], path.parent, cache, progress)


def _as_published(file: Contents, path: Path, part: str) -> Iterator[Sample]:
    for entry in file.read(f"{part}_labels"):
        name = entry.decode()
        spoken = name.split("-")[-1]
        if len(spoken) != 1:
            continue
        if spoken not in DIGITS:
            raise DataDamaged(path, f"{part}_labels", f"{shown(name)} ends in no digit")
        times = (file.read(f"{part}_timestamps/{name}") * 1e6).astype("int64")
        yield times, file.read(f"{part}_addresses/{name}").astype("int64"), DIGITS[spoken], name


def _single(file: Contents, path: Path, part: str) -> Iterator[Sample]:
    for key in file.read(f"extra/{part}_keys"):
        times, channels, label = (file.read(f"data/{key}/{name}") for name in ("times", "addrs", "labels"))
        yield times.astype("int64"), channels.astype("int64").reshape(-1), int(label), f"data/{key}"


def steps_of(times: np.ndarray, T: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """The steps of events at `times` (us, rising), and which of the events are before T steps of `dt` ms."""
    import numpy as np

    kept = (times >= 0) & (times < T * dt * 1000)
    within = times[kept].astype(np.int64)
    return np.floor((within - within[:1]) / (dt * 1000)).astype(np.int16), kept


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 250,
    dt: float = 5,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import numpy as np
    import torch

    from tasks.hdf5 import opened
    from tasks.spike_trains import SpikeTrains, check_places, check_steps
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    check_steps(T, dt)
    path = _path(root)
    samples = _as_published if path.name == PUBLISHED_FILE else _single
    splits = {}
    with opened(path) as file:
        for part in ("train", "test"):
            steps, places, labels = [], [], []
            for times, channels, label, where in samples(file, path, part):
                if len(times) != len(channels):
                    raise DataDamaged(path, where, f"{len(times)} times and {len(channels)} channels")
                check_places(channels, CHANNELS, path, where)
                check_places(np.array([label]), CLASSES, path, f"the label of {where}", "labels")
                at, kept = steps_of(times, T, dt)
                if len(at) and at.min() < 0:
                    raise DataDamaged(path, where, "the times of its events do not rise")
                steps.append(at)
                places.append(channels[kept])
                labels.append(label)
            if not labels:
                raise DataDamaged(path, f"{part}_labels", "there is no recording of one digit")
            splits[part] = SpikeTrains(steps, places, torch.tensor(labels), T=T, shape=(CHANNELS,))
    learned, held_out = divide(splits["train"], validation)
    counts = {part: len(split) for part, split in splits.items()}
    info = DatasetInfo("ntidigits", _digest(root, cache, progress, {}), counts=counts, note="Recordings of one digit.")
    return Task("ntidigits", Classes(CLASSES), learned, held_out, splits["test"], info)


NTIDIGITS = Loader(load, _check, _digest)
