"""Finding raw data, telling what is missing, and knowing it again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import DataMissing


@dataclass(frozen=True)
class Published:
    """A published data set: its `title`, its `folder` under the data root, the `url` it has and how to `get` it."""

    title: str
    folder: str
    url: str
    get: str

    def place(self, root: Path | None) -> Path:
        """The folder of the set under `root`, else under the environment variable SPIKEBENCH_DATA.

        Raises DataMissing when neither names a folder that exists.
        """
        named = os.environ.get("SPIKEBENCH_DATA")
        found = root or (Path(os.path.expanduser(named)) if named else None)
        if found is None:
            raise self._error("no data root is named", "name its folder with SPIKEBENCH_DATA or --data")
        if not found.is_dir():
            raise self._error(f"the data root {found} is not a folder", "name it with SPIKEBENCH_DATA or --data")
        return found / self.folder

    def missing(self, path: Path) -> DataMissing:
        """The error for data that is not at `path`."""
        return self._error(f"nothing usable at {path}")

    def _error(self, found: str, then: str = "") -> DataMissing:
        get = f"{self.get} and {then}" if then else self.get
        return DataMissing(f"{self.title} is missing: {found}; it is published at {self.url}; {get}.")


def files_digest(files: Sequence[Path], base: Path, memo: Path | None = None) -> str:
    """SHA-256 over the names (relative to `base`) and contents of the files, in the order given.

    With a folder `memo` the digest is kept there and hashed again only when a size or a time of change differs:
    event sets hold up to 70,000 files or many gigabytes.
    """
    seen = hashlib.sha256()
    for file in files:
        stat = file.stat()
        seen.update(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    note = memo / f"{base.name}-{seen.hexdigest()[:32]}.sha256" if memo else None
    if note and note.is_file() and re.fullmatch("[0-9a-f]{64}\n", known := note.read_text(errors="replace")):
        return known.strip()
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        digest.update(f"{file.relative_to(base).as_posix()}\0{content}\n".encode())
    if note:
        # It only saves time; the frame cache will say so if the folder cannot be written.
        with contextlib.suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            part = note.with_suffix(f".{os.getpid()}.part")
            part.write_text(digest.hexdigest() + "\n")
            os.replace(part, note)
    return digest.hexdigest()


def completeness(found: dict[str, int], expected: dict[str, int]) -> tuple[bool, str]:
    """Whether all published samples are there, and a note that says so when they are not."""
    if found == expected:
        return True, ""
    parts = [f"{found[part]:,} of {expected[part]:,} {part}" for part in ("train", "test")]
    return False, f"A subset: {parts[0]}ing and {parts[1]} samples."
