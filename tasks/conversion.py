"""Raw event data into the HDF5 files of the first-spike work, piece by piece, so that it can be stopped and gone on
with.

| set          | files                                                  | entries                                      |
|--------------|--------------------------------------------------------|----------------------------------------------|
| ntidigits    | n-tidigits-single.hdf5                                 | data/<key>/times, addrs, labels; extra/...   |
| dvsplane     | DVSPlane-train.hdf5, DVSPlane-test.hdf5                | <key>/time, data, labels                     |
| dvsgesture10 | DVSGesture-train10.hdf5, DVSGesture-test10.hdf5        | <part>/<key>/time, data, labels              |

The task of the same name reads them. Pieces are kept in a folder beside the files, which come into being whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from core.registry import unknown
from tasks.errors import TaskError

Sample = dict[str, Any]  # arrays by the name of their entry
AT_ONCE = 100  # recordings of N-TIDIGITS in a piece
PARTS = ("train", "test")


@dataclass(frozen=True)
class Piece:
    """Some samples of a part, read when they are asked for; `sources` are the files that they come from."""

    part: str
    sources: tuple[Path, ...]
    read: Callable[[], list[Sample]]


@dataclass(frozen=True)
class Set:
    """A data set that can be converted: its folder, pieces in their order, and the files made of all samples."""

    folder: Callable[[Path | None], Path]
    pieces: Callable[[Path | None], list[Piece]]
    write: Callable[[Path, dict[str, Iterator[Sample]]], None]
    files: tuple[str, ...]


def _ntidigits(root: Path | None) -> list[Piece]:
    from tasks import ntidigits
    from tasks.hdf5 import opened

    path = ntidigits.PUBLISHED.place(root) / ntidigits.PUBLISHED_FILE
    if not path.is_file():
        raise ntidigits.PUBLISHED.missing(path)

    def read(part: str, start: int) -> list[Sample]:
        with opened(path) as file:
            chosen = list(ntidigits._as_published(file, path, part))[start : start + AT_ONCE]
        return [
            {"times": times.astype(np.uint32), "addrs": places.astype(np.uint8)[:, None], "labels": np.uint8(label)}
            for times, places, label, _ in chosen
        ]

    with opened(path) as file:
        counts = {part: sum(1 for _ in ntidigits._as_published(file, path, part)) for part in PARTS}
    return [
        Piece(part, (path,), lambda part=part, start=start: read(part, start))  # type: ignore[misc]
        for part in PARTS
        for start in range(0, counts[part], AT_ONCE)
    ]


def _write_ntidigits(folder: Path, samples: dict[str, Iterator[Sample]]) -> None:
    with h5py.File(folder / "n-tidigits-single.hdf5", "w") as file:
        keys: dict[str, range] = {}
        for part, own in samples.items():  # the keys of the test set follow those of the training set
            first = last = sum(map(len, keys.values()))
            for sample in own:
                _put(file, f"data/{last}", sample)
                last += 1
            keys[part] = range(first, last)
        for part in PARTS:
            file[f"extra/{part}_keys"] = np.array(keys[part], np.int64)
            file[f"extra/N{part}"] = len(keys[part])
        file["extra/N"] = sum(map(len, keys.values()))


def _dvsplane(root: Path | None) -> list[Piece]:
    from tasks import dvsplane

    found = dvsplane._files(root)
    if any(path.suffix != ".mat" for paths in found.values() for path in paths):
        raise TaskError("The HDF5 files of dvsplane are there already, which its task reads; remove them first.")

    def read(part: str, path: Path) -> list[Sample]:
        return [
            {"time": t.astype(np.uint32), "data": np.stack([x, y, p], 1).astype(np.uint16), "labels": np.uint8(label)}
            for (t, x, y, p), label, _, _ in dvsplane._recordings({part: [path]}, part)
        ]

    return [
        Piece(part, (path,), lambda part=part, path=path: read(part, path))  # type: ignore[misc]
        for part in PARTS
        for path in found[part]
    ]


def _gesture(root: Path | None) -> list[Piece]:
    from tasks import dvsgesture10

    def read(trial: Any) -> list[Sample]:
        return [
            {"time": t.astype(np.uint32), "data": np.stack([x, y, p], 1).astype(np.uint8), "labels": np.uint8(label)}
            for (t, x, y, p), label, _, _ in dvsgesture10.gestures(trial)
        ]

    return [
        Piece(part, (trial.path, trial.labels_path), lambda trial=trial: read(trial))  # type: ignore[misc]
        for part, found in dvsgesture10.trials(root).items()
        for trial in found
    ]


def _write_parts(name: str, below: str = "") -> Callable[[Path, dict[str, Iterator[Sample]]], None]:
    """A file for each part, called `name`, in which its samples lie in a group `below`."""

    def write(folder: Path, samples: dict[str, Iterator[Sample]]) -> None:
        for part, own in samples.items():
            with h5py.File(folder / name.format(part=part), "w") as file:
                for key, sample in enumerate(own):
                    _put(file, below.format(part=part) + str(key), sample)

    return write


def _put(file: h5py.File, group: str, sample: Sample) -> None:
    for name, values in sample.items():
        file[f"{group}/{name}"] = values


def _place(module: str) -> Callable[[Path | None], Path]:
    def place(root: Path | None) -> Path:
        import importlib

        found: Path = importlib.import_module(f"tasks.{module}").PUBLISHED.place(root)
        return found

    return place


SETS = {
    "ntidigits": Set(_place("ntidigits"), _ntidigits, _write_ntidigits, ("n-tidigits-single.hdf5",)),
    "dvsplane": Set(
        _place("dvsplane"),
        _dvsplane,
        _write_parts("DVSPlane-{part}.hdf5"),
        ("DVSPlane-train.hdf5", "DVSPlane-test.hdf5"),
    ),
    "dvsgesture10": Set(
        _place("dvsgesture10"),
        _gesture,
        _write_parts("DVSGesture-{part}10.hdf5", "{part}/"),
        ("DVSGesture-train10.hdf5", "DVSGesture-test10.hdf5"),
    ),
}


def convert(
    name: str, root: Path | None, out: Path | None, progress: Callable[[int, int], None] = lambda done, of: None
) -> list[Path]:
    """Makes the files of the set `name` in `out` (by default the set's own folder) and returns them.

    What an earlier call had done is gone on from, unless the raw files have changed since. `progress(done, of)` counts
    pieces. UnknownName, DataMissing, DataDamaged; TaskError where a file to be made is there already.
    """
    if name == "shd":
        raise TaskError("SHD is read as it is published, by the work and here; there is nothing to convert.")
    if name not in SETS:
        raise unknown("data set to convert", name, SETS)
    made = SETS[name]
    folder = out or made.folder(root)
    kept = folder / f".{name}.pieces"
    for file in made.files:
        if (folder / file).exists() and not kept.exists():
            raise TaskError(f"{folder / file} is there already; remove it to make it anew.")
    pieces = made.pieces(root)
    _begin(kept, pieces)
    for number, piece in enumerate(pieces):
        progress(number, len(pieces))
        path = _of(kept, number)
        if not path.exists():
            flat = {f"{i}/{key}": value for i, sample in enumerate(piece.read()) for key, value in sample.items()}
            with path.with_suffix(".new").open("wb") as new:
                np.savez(new, **flat)
            os.replace(path.with_suffix(".new"), path)
    progress(len(pieces), len(pieces))
    whole = kept / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    made.write(whole, {part: _kept(kept, pieces, part) for part in PARTS})
    for file in made.files:
        os.replace(whole / file, folder / file)
    shutil.rmtree(kept)
    return [folder / file for file in made.files]


def _begin(kept: Path, pieces: list[Piece]) -> None:
    """Empties the folder of pieces unless they are of the same raw files."""
    files = sorted({path for piece in pieces for path in piece.sources})
    now = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    note = kept / "sources.json"
    try:
        same = json.loads(note.read_text(encoding="utf-8")) == now
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        note.write_text(json.dumps(now), encoding="utf-8")


def _of(kept: Path, number: int) -> Path:
    return kept / f"{number:06}.npz"


def _kept(kept: Path, pieces: list[Piece], part: str) -> Iterator[Sample]:
    """The samples of a part in their order."""
    for number, piece in enumerate(pieces):
        if piece.part != part:
            continue
        with np.load(_of(kept, number)) as content:
            samples: dict[str, Sample] = {}
            for entry in content.files:
                key, _, name = entry.partition("/")
                samples.setdefault(key, {})[name] = content[entry]
        yield from samples.values()
