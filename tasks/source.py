"""Finding raw data and telling what is missing."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import DataDamaged, DataMissing


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


def visible(name: str) -> bool:
    """False for what systems leave beside data: names that begin with a dot, as ._x and .DS_Store, and __MACOSX."""
    return not name.startswith(".") and name != "__MACOSX"


def listed(folder: Path) -> list[Path]:
    """What lies in a folder and is visible, in the order of the names."""
    return sorted(path for path in folder.iterdir() if visible(path.name))


def holds(folder: Path, pattern: str) -> bool:
    """A quick look: whether anything visible in a visible folder below `folder` fits `pattern`."""
    return any(visible(path.name) and visible(path.parent.name) for path in folder.glob(pattern))


def misnamed(path: Path, problem: str, where: str = "its name") -> DataDamaged:
    """The error for a file that lies among samples under a name that none of them has, as a copy does."""
    return DataDamaged(path, where, problem, "remove it, or give it the name it was published under")


def text_lines(path: Path) -> list[str]:
    """The lines of a text file, which may begin with the byte-order mark of UTF-8 or UTF-16."""
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig", errors="replace").splitlines()


def completeness(found: dict[str, int], expected: dict[str, int]) -> tuple[bool, str]:
    """Whether all published samples are there, and a note that says so when they are not."""
    if found == expected:
        return True, ""
    parts = [f"{found[part]:,} of {expected[part]:,} {part}" for part in ("train", "test")]
    return False, f"A subset: {parts[0]}ing and {parts[1]} samples."
