"""Finding raw data and telling what is missing."""

from __future__ import annotations

import os
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
        found = root or (Path(named) if named else None)
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


def completeness(found: dict[str, int], expected: dict[str, int]) -> tuple[bool, str]:
    """Whether all published samples are there, and a note that says so when they are not."""
    if found == expected:
        return True, ""
    parts = [f"{found[part]:,} of {expected[part]:,} {part}" for part in ("train", "test")]
    return False, f"A subset: {parts[0]}ing and {parts[1]} samples."
