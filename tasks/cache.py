"""Integrated frames kept as HDF5.

One file per data set, options and content: the name carries the first digits of a key made of the digest of the raw
files and of the code that read them, so a file for other data or older code is never opened by mistake. A file is
written beside its place and renamed when complete. Inside, every sample is a checksummed chunk, and a seal covers the
rest (for sets read into memory, the frames too).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

from tasks import frames as integration
from tasks.errors import TaskError
from tasks.hashes import Progress
from tasks.recordings import EventSource, compact

IN_MEMORY_BYTES = 256 << 20

log = logging.getLogger(__name__)


def cached_counts(
    folder: Path, source: EventSource, T: int, split_by: str, progress: Progress | None = None
) -> tuple[Any, np.ndarray]:
    """Counts and durations as `tasks.events.FrameSplit` takes them, from the cache or integrated and cached now.

    A file that is damaged or belongs to something else is built anew, and a warning is logged. Processes that want the
    same file wait for the first one to build it. Raises TaskError when the folder cannot be written.
    """
    key = _key(source, T, split_by)
    path = folder / f"{source.info.name}-{source.height}x{source.width}-T{T}-{split_by}-{key[:16]}.h5"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(path.with_suffix(".lock")):
            if path.exists():
                try:
                    return _open(path, key)
                except (OSError, KeyError, ValueError) as problem:
                    log.warning("The frames in %s cannot be used (%s); they are integrated again.", path, problem)
            _build(path, key, source, T, split_by, progress)
        return _open(path, key)
    except OSError as problem:
        # HDF5 tells of the state of its library; in one place of many lines it quotes the system.
        quoted = re.search("error message = '(.+?)'", str(problem))
        raise TaskError(
            f"The frames of {source.info.name} cannot be kept in {folder}: {quoted[1] if quoted else problem}; "
            "name a writable folder with enough space as cache."
        ) from problem


class StoredCounts:
    """The counts of a cache file, read sample by sample: `stored[rows]` is `[n, T, 2, H, W]` (uint16)."""

    def __init__(self, file: h5py.File) -> None:
        self.file, self.counts = file, file["counts"]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), *self.counts.shape[1:]), self.counts.dtype)
        try:
            for i, row in enumerate(rows):
                self.counts.read_direct(out, np.s_[int(row)], np.s_[i])
        except OSError as problem:
            raise TaskError(
                f"{self.file.filename} is damaged ({problem}); delete it, and it is built again."
            ) from problem
        return out


def _key(source: EventSource, T: int, split_by: str) -> str:
    parts = [source.info.name, source.info.digest, source.height, source.width, T, split_by]
    parts += [_code_digest(module) for module in (integration, *source.code)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _code_digest(module: ModuleType) -> str:
    assert module.__file__
    return hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()


def _build(path: Path, key: str, source: EventSource, T: int, split_by: str, progress: Progress | None) -> None:
    n, sample = len(source.labels), (T, 2, source.height, source.width)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with h5py.File(part, "w") as file:
            # Counts above 255 are rare but real; the byte shuffle makes their high bytes nearly free on disk.
            counts = file.create_dataset(
                "counts", (n, *sample), np.uint16, chunks=(1, *sample), compression="lzf", shuffle=True, fletcher32=True
            )
            durations, digest = np.empty((n, T)), hashlib.sha256()
            for i, (frames, durations[i]) in enumerate(source.counts(T, split_by)):
                counts[i] = frames
                digest.update(frames.tobytes())
                if progress:
                    progress(i + 1, n)
            file["durations"] = durations
            file.attrs.update(key=key, counts=digest.hexdigest())
            file.attrs["seal"] = _seal(file.attrs, counts.shape, durations)
        os.replace(part, path)
    except RuntimeError as problem:  # what h5py makes of a disk that is full when a file is closed
        raise OSError(str(problem)) from problem
    finally:
        part.unlink(missing_ok=True)


def _open(path: Path, key: str) -> tuple[Any, np.ndarray]:
    # The file never changes once it has its name, so HDF5's own locks, which some network drives lack, are not needed.
    file = h5py.File(path, "r", locking=False)
    try:
        stored, durations = file["counts"], file["durations"][()]
        if file.attrs["key"] != key:
            raise ValueError("it holds other data or was made by other code")
        if file.attrs["seal"] != _seal(file.attrs, stored.shape, durations):
            raise ValueError("its seal is broken")
        if stored.size > IN_MEMORY_BYTES:
            return StoredCounts(file), durations
        counts = stored[()]
        if file.attrs["counts"] != hashlib.sha256(counts).hexdigest():
            raise ValueError("its frames do not match their digest")
    except BaseException:
        file.close()
        raise
    file.close()
    return compact(counts), durations


def _seal(attributes: Any, shape: tuple[int, ...], durations: np.ndarray) -> str:
    what = repr((attributes["key"], attributes["counts"], tuple(map(int, shape)), durations.shape))
    return hashlib.sha256(what.encode() + durations.tobytes()).hexdigest()


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let one process in at a time; the system frees the place of a process that dies."""
    try:
        import fcntl
    except ImportError:
        # Without it two processes may both build; each renames a complete file of its own, so nothing is lost.
        yield
        return
    with open(path, "a") as handle:  # which empties nothing, whatever lies there
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Whoever was building here was stopped: with the place free, nobody is writing these.
        for part in path.parent.glob(f"{path.stem}.*.part"):
            part.unlink(missing_ok=True)
        yield
