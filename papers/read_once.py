"""A store that is read for many tables at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import Published, Store, StoredRun


class ReadOnce:
    """A store whose runs and published values are read from the database once: each table asks for them again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def runs(self, *args: Any, **options: Any) -> list[StoredRun]:
        return self._once("runs", *args, **options)

    def published(self, paper: str, tables: Iterable[str]) -> list[Published]:
        by_table = self.all_published.get(paper, {})
        return [value for name in tables for value in by_table.get(name, ())]

    @cached_property
    def all_published(self) -> dict[str, dict[str, list[Published]]]:
        """The values by paper and table."""
        found: dict[str, dict[str, list[Published]]] = defaultdict(lambda: defaultdict(list))
        for value in self._store.published():
            found[value.paper][value.table].append(value)
        return found

    def _once(self, what: str, *args: Any, **options: Any) -> Any:
        key = repr((what, args, options))
        if key not in self._read:
            self._read[key] = getattr(self._store, what)(*args, **options)
        return self._read[key]
