"""What the registry knows of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.task import Task


@dataclass(frozen=True)
class Loader:
    """`load(root, cache, **options)` makes the task; `check(root)` raises TaskError when a quick look finds no data.

    Both get the data root the caller named, or None. Embedded sets have no `check`.
    """

    load: Callable[..., Task]
    check: Callable[[Path | None], None] | None = None
