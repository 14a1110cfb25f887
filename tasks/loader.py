"""What the registry knows of a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.hashes import Progress
    from tasks.task import Task


@dataclass(frozen=True)
class Loader:
    """`load(root, cache, **options)` makes the task; `check(root)` raises TaskError when a quick look finds no data;
    `digest(root, cache, progress, options)` is the digest that `load` would give the data set.

    All get the data root the caller named, or None. Embedded sets have no `check`. A task without `digest` cannot be
    told to be `stale` when its data change.
    """

    load: Callable[..., Task]
    check: Callable[[Path | None], None] | None = None
    digest: Callable[[Path | None, Path | None, Progress | None, Mapping[str, Any]], str] | None = None
