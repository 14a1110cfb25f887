"""DVS Planes: four model planes dropped before an event camera of 304 x 240 pixels.

Layout DVSPlane/<plane>_<number>.mat in any folder below, as published: a struct TD of x, y (from 1), p and ts (us). The
recordings 1 to 160 of each plane train and the others test, all cut to the busy part. Or DVSPlane-train.hdf5 and
DVSPlane-test.hdf5, as the first-spike work makes them. A sample is a sequence [T, 2, 60, 76] of counts: events of the
first T steps of `dt` ms after the first one, four by four pixels together (spec first_spike 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged
from tasks.hashes import Progress, files_digest
from tasks.loader import Loader
from tasks.matlab import require_sound
from tasks.source import Published, misnamed, visible

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

PLANES = ("F117", "Mig31", "Su24", "Su35")
WIDTH, HEIGHT, POOLED = 304, 240, 4
LAST_TRAINING = 160
FILES = {"train": "DVSPlane-train.hdf5", "test": "DVSPlane-test.hdf5"}
_NAME = re.compile(r"(\w+?)_(?:.*_)?([0-9]{1,4})\.mat")
WINDOW, FACTOR, LONGEST, GAP = 1000, 10, 300, 2000  # of busy: events, times the least slope, ms, events

PUBLISHED = Published(
    "DVS Planes",
    "DVSPlane",
    "http://greg-cohen.com/datasets/dvs-planes/",
    "unpack the recordings (.mat) into DATA_ROOT/DVSPlane",
)

Events = tuple["np.ndarray", "np.ndarray", "np.ndarray", "np.ndarray"]  # t (us), x, y, p


def _files(root: Path | None) -> dict[str, list[Path]]:
    """The two HDF5 files, or the recordings of each part, sorted by their number and name."""
    folder = PUBLISHED.place(root)
    if all((folder / name).is_file() for name in FILES.values()):
        return {part: [folder / name] for part, name in FILES.items()}
    found: dict[str, list[Path]] = {"train": [], "test": []}
    paths = [path for path in folder.glob("**/*.mat") if visible(path.name)]
    for path in sorted(paths, key=lambda path: (_named(path)[1], path.name)):
        found["train" if _named(path)[1] <= LAST_TRAINING else "test"].append(path)
    if not all(found.values()):
        raise PUBLISHED.missing(folder / "<plane>_<number>.mat")
    return found


def _named(path: Path) -> tuple[int, int]:
    """Class and number of a recording."""
    match = _NAME.fullmatch(path.name)
    if match is None or match[1] not in PLANES:
        raise misnamed(path, f"it is not <plane>_<number>.mat with one of the planes {', '.join(PLANES)}")
    return PLANES.index(match[1]), int(match[2])


def _check(root: Path | None) -> None:
    _files(root)


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    folder = PUBLISHED.place(root)
    named = [(path.relative_to(folder).as_posix(), path) for paths in _files(root).values() for path in paths]
    return files_digest(named, folder, cache, progress)


def busy(t: np.ndarray) -> slice:
    """The part of a recording with times `t` (us) that the first-spike work keeps, as released.

    The slope at an event is the time (ms) to the 1000th after it over 1000. Kept is from the first to the last event
    whose slope is below 10 times the least one. Where that is longer than 300 ms it is below 5 times, and then up to
    the first gap between such events that lies behind the 2000th of them.
    """
    import numpy as np

    slopes = (t[WINDOW:] - t[:-WINDOW]) / 1000 / WINDOW
    limit = FACTOR * slopes.min()
    steep = np.flatnonzero(slopes < limit)
    part = _between(steep)
    if (t[part][-1] - t[part][0]) / 1000 > LONGEST:
        steep = np.flatnonzero(slopes < limit / 2)
        gaps = np.flatnonzero(np.diff(steep) > 2)
        late = gaps[gaps > GAP]
        part = _between(steep[: late[0]] if len(late) else steep)
    return part


def _between(steep: np.ndarray) -> slice:
    return slice(int(steep[0]), int(steep[-1]))


def _recording(path: Path) -> Events:
    import io

    import numpy as np
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        read = path.read_bytes()
        require_sound(read)
        content = loadmat(io.BytesIO(read))["TD"]
        t, x, y, p = (np.asarray(content[name][0, 0]).reshape(-1).astype(np.int64) for name in ("ts", "x", "y", "p"))
    except (KeyError, IndexError, ValueError, TypeError, NotImplementedError, MatReadError, MemoryError) as problem:
        raise DataDamaged(path, "TD", f"it holds no struct TD of x, y, p and ts ({problem!r})") from None
    if not len(t) == len(x) == len(y) == len(p) or len(t) < WINDOW + 2:
        raise DataDamaged(path, "TD", f"it has {len(t)} times, {len(x)} pixels and {len(p)} signs of events")
    slopes_rise = (np.diff(t) >= 0).all() and t[-1] > t[0]
    if not slopes_rise:
        raise DataDamaged(path, "TD.ts", "the times of the events do not rise")
    part = busy(t)
    if part.stop <= part.start:
        raise DataDamaged(path, "TD.ts", "no part of the recording is busy")
    x, y = (np.where(values > 0, values - 1, values) for values in (x, y))
    return t[part], x[part], y[part], (p[part] > 0).astype(np.int64)


def _recordings(files: dict[str, list[Path]], part: str) -> Iterator[tuple[Events, int, Path, str]]:
    """Events, label and place of each sample of a part."""
    for path in files[part]:
        if path.suffix == ".mat":
            yield _recording(path), _named(path)[0], path, "TD"
            continue
        from tasks.hdf5 import opened

        with opened(path) as file:
            for key in range(file.count("/")):
                t, data, label = (file.read(f"{key}/{name}") for name in ("time", "data", "labels"))
                if not len(t) or data.shape != (len(t), 3):
                    problem = f"{len(t)} times and data of shape {data.shape}"
                    raise DataDamaged(path, f"entry '{key}'", problem)
                t, (x, y, p) = t.astype("int64"), data.astype("int64").T
                yield (t, x, y, p), int(label), path, f"entry '{key}'"


def steps_of(t: np.ndarray, T: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """The steps of events at `t` (us) from the first one, and which of the events are within T steps of `dt` ms."""
    import numpy as np

    since = t.astype(np.int64) - int(t[0])
    kept = (since >= 0) & (since < T * dt * 1000)
    return np.floor(since[kept] / (dt * 1000)).astype(np.int16), kept


def places_of(x: np.ndarray, y: np.ndarray, p: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Flat indices into [2, height / 4, width / 4]; a pixel off the sensor gives one that is outside."""
    import numpy as np

    columns, rows = width // POOLED, height // POOLED
    inside = (x >= 0) & (x < columns * POOLED) & (y >= 0) & (y < rows * POOLED) & (p >= 0) & (p < 2)
    return np.where(inside, (p * rows + y // POOLED) * columns + x // POOLED, -1)


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 135,
    dt: float = 2,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import numpy as np
    import torch

    from tasks.spike_trains import SpikeTrains, check_places, check_steps
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    check_steps(T, dt)
    files, shape = _files(root), (2, HEIGHT // POOLED, WIDTH // POOLED)
    splits = {}
    for part in ("train", "test"):
        steps, places, labels = [], [], []
        for (t, x, y, p), label, path, where in _recordings(files, part):
            at, kept = steps_of(t, T, dt)
            own = places_of(x[kept], y[kept], p[kept])
            if (own < 0).any():
                raise DataDamaged(path, where, f"an event lies off the {WIDTH}x{HEIGHT} pixels, or has no polarity")
            check_places(np.array([label]), len(PLANES), path, f"the label of {where}", "labels")
            steps.append(at)
            places.append(own.astype(np.int32))
            labels.append(label)
        splits[part] = SpikeTrains(steps, places, torch.tensor(labels), T=T, shape=shape)
    learned, held_out = divide(splits["train"], validation)
    counts = {part: len(split) for part, split in splits.items()}
    info = DatasetInfo("dvsplane", _digest(root, cache, progress, {}), counts=counts)
    return Task("dvsplane", Classes(len(PLANES)), learned, held_out, splits["test"], info)


DVSPLANE = Loader(load, _check, _digest)
