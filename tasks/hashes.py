"""Knowing data again: the SHA-256 of files, remembered while they stay as they are.

Event sets hold up to 70,000 files or many gigabytes, and every plan asks which data is at hand. With a folder to
remember in, a file is read again only when its size, its times of change or its inode differ; then a stat tells.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.errors import DataDamaged

Progress = Callable[[int, int], None]

# The clock of a file system may tick this rarely. A file changed so short a time ago could change again without a
# new time, so its hash is not remembered yet.
SETTLED_NS = 2_000_000_000


def combined(hashes: Iterable[tuple[str, str]]) -> str:
    """SHA-256 (hex) over the names and content hashes of files, in this order."""
    return hashlib.sha256("".join(f"{name}\0{content}\n" for name, content in hashes).encode()).hexdigest()


def content_hash(path: Path) -> str:
    """SHA-256 (hex) of the content of a file; of what is packed in it when its name ends in .gz.

    Raises OSError, and DataDamaged for a broken archive.
    """
    with open(path, "rb") as file:
        if path.suffix != ".gz":
            return hashlib.file_digest(file, "sha256").hexdigest()
        seen = hashlib.sha256()
        try:
            with gzip.GzipFile(fileobj=file) as packed:
                while part := packed.read(1 << 20):
                    seen.update(part)
        except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
            raise DataDamaged(path, f"byte {file.tell()} (compressed)", str(problem)) from None
    return seen.hexdigest()


def files_digest(
    files: Iterable[tuple[str, Path]], base: Path, cache: Path | None = None, progress: Progress | None = None
) -> str:
    """`combined` of files, each with the name it counts under; `base` is the folder that holds them all.

    The hashes are remembered in the folder `cache`. `progress(read, all)` is called after each file that was read; what
    was read stays remembered when the work is interrupted. Raises as `content_hash` does.
    """
    files = list(files)
    memory = _Memory(base, cache)
    hashes = []
    try:
        for i, (name, path) in enumerate(files):
            known, content = memory.hash(path)
            hashes.append((name, content))
            if progress and not known:
                progress(i + 1, len(files))
    finally:
        memory.keep()
    return combined(hashes)


def recordings_digest(
    files: dict[str, list[tuple[int, Path]]], base: Path, cache: Path | None = None, progress: Progress | None = None
) -> str:
    """`files_digest` of the "train" and "test" recordings `(label, path)`: their part, name and order count."""
    named = [
        (f"{part} {path.relative_to(base).as_posix()}", path) for part in ("train", "test") for _, path in files[part]
    ]
    return files_digest(named, base, cache, progress)


class _Memory:
    """The hashes of the files below `base`, in one file under `cache` that begins with its own SHA-256."""

    def __init__(self, base: Path, cache: Path | None) -> None:
        self.base, self.file = base, None
        if cache:
            place = hashlib.sha256(str(base.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
            self.file = cache / f"{base.name}-{place}.hashes"
        self.known = self._read()
        self.used: dict[str, list] = {}

    def hash(self, path: Path) -> tuple[bool, str]:
        """Whether the hash of a file was remembered, and the hash."""
        stat = path.stat()
        name = path.relative_to(self.base).as_posix()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        entry = self.known.get(name)
        if entry and entry[:-1] == state:
            self.used[name] = entry
            return True, entry[-1]
        content = content_hash(path)
        if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED_NS:
            self.used[name] = [*state, content]
        return False, content

    def keep(self) -> None:
        """Write what was used now. It only saves time, so a folder that cannot be written is no error."""
        kept = {**self.known, **self.used}
        if self.file is None or kept == self.known:
            return
        body = json.dumps(kept)
        part = self.file.with_suffix(f".{os.getpid()}.part")
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_text(f"{_seal(body)}\n{body}")
                os.replace(part, self.file)
            finally:
                part.unlink(missing_ok=True)

    def _read(self) -> dict[str, list]:
        if self.file is None:
            return {}
        try:
            seal, _, body = self.file.read_text().partition("\n")
            return json.loads(body) if seal == _seal(body) else {}
        except (OSError, ValueError):
            return {}


def _seal(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
