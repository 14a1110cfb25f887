"""Which experiments a command looks after on other machines, so that no second one on the same folder does so, too."""

from __future__ import annotations

import fcntl
import hashlib
from pathlib import Path
from typing import Self


class Claims:
    """Locks in one file below `out`: of each name a byte of its own, which the system frees when this process ends."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._file = (out / "claims").open("a+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def take(self, name: str) -> bool:
        """Whether no other command has it; from now on this one does."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except OSError:
            return False
        return True

    def leave(self, name: str) -> None:
        """Lets others have it."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))


def _place(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
