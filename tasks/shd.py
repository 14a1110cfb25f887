"""Spiking Heidelberg Digits: ten digits in German and English, through a model of the cochlea, in 700 channels.

Layout SHD/shd_train.h5 and SHD/shd_test.h5 as published: spikes/times (s, half precision), spikes/units, labels. A
sample is a sequence [T, 700] of counts: an event falls into step floor(1000 t / dt), computed in the precision in which
it is stored, and what comes after T steps of `dt` ms is left out, as the first-spike work does (spec first_spike 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged
from tasks.hashes import Progress, files_digest
from tasks.loader import Loader
from tasks.source import Published

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

CHANNELS, CLASSES = 700, 20
FILES = {"train": "shd_train.h5", "test": "shd_test.h5"}

PUBLISHED = Published(
    "SHD",
    "SHD",
    "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
    "unpack shd_train.h5.gz and shd_test.h5.gz into DATA_ROOT/SHD",
)


def _paths(root: Path | None) -> dict[str, Path]:
    folder = PUBLISHED.place(root)
    for name in FILES.values():
        if not (folder / name).is_file():
            raise PUBLISHED.missing(folder / name)
    return {part: folder / name for part, name in FILES.items()}


def _check(root: Path | None) -> None:
    _paths(root)


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    paths = _paths(root).values()
    return files_digest([(path.name, path) for path in paths], PUBLISHED.place(root), cache, progress)


def steps_of(times: np.ndarray, T: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """The steps of events at `times` (s), and which of the events are within T steps of `dt` ms."""
    import numpy as np

    steps = np.floor(times * 1000 / dt)
    kept = (steps >= 0) & (steps < T)
    return steps[kept].astype(np.int16), kept


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 100,
    dt: float = 10,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import torch

    from tasks.hdf5 import opened
    from tasks.spike_trains import SpikeTrains, check_places, check_steps
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    check_steps(T, dt)
    splits = {}
    for part, path in _paths(root).items():
        with opened(path) as file:
            times, units = file.read("spikes/times"), file.read("spikes/units")
            labels = file.read("labels").astype("int64")
        if not len(times) == len(units) == len(labels):
            problem = f"{len(times)} trains of times, {len(units)} of units and {len(labels)} labels"
            raise DataDamaged(path, "its lengths", problem)
        check_places(labels, CLASSES, path, "labels", "labels")
        trains = []
        for i, (at, where) in enumerate(zip(times, units, strict=True)):
            if len(at) != len(where):
                raise DataDamaged(path, f"sample {i}", f"{len(at)} times and {len(where)} units")
            check_places(where, CHANNELS, path, f"sample {i}")
            steps, kept = steps_of(at, T, dt)
            trains.append((steps, where[kept]))
        splits[part] = SpikeTrains(
            [steps for steps, _ in trains],
            [places for _, places in trains],
            torch.from_numpy(labels),
            T=T,
            shape=(CHANNELS,),
        )
    learned, held_out = divide(splits["train"], validation)
    counts = {part: len(split) for part, split in splits.items()}
    # Published descriptions disagree about the number of samples, so that none is demanded.
    info = DatasetInfo("shd", _digest(root, cache, progress, {}), counts=counts)
    return Task("shd", Classes(CLASSES), learned, held_out, splits["test"], info)


SHD = Loader(load, _check, _digest)
