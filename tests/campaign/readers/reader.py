"""What reads files, and files that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Reader:
    """`read` is given the folder of `files`, one of which was damaged by the strategy `damage` of its content."""

    name: str
    files: Mapping[str, bytes]
    read: Callable[[Path], object]
    damage: Callable[[bytes], Any]
