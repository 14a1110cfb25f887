"""A store that is read for many tables at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import Planned, Published, Standing, Store, StoredRun

Value = tuple[str, int | None, float | None]  # name, step and value of a metric


class ReadOnce:
    """A store whose runs, values and published values are read from the database once: each table asks for them again.

    What a table asks of a run is a name, a step and a number; whole runs, which cost several times as much to make, are
    not kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Any] = {}
        self._values: dict[str, list[Value]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def runs(self, *args: Any, **options: Any) -> list[StoredRun]:
        return self._once("runs", *args, **options)

    def standing(self) -> dict[str, Standing]:
        return self._once("standing")

    def planned(self, keys: Iterable[str]) -> list[Planned]:
        wanted = set(keys)
        return [plan for plan in self._once("planned") if plan.experiment_key in wanted]

    def values(self, run_ids: Iterable[str]) -> Iterator[tuple[str, str, int | None, float | None]]:
        for run_id, values in self.by_run(run_ids).items():
            for name, step, value in values:
                yield run_id, name, step, value

    def by_run(self, run_ids: Iterable[str]) -> dict[str, list[Value]]:
        """The same by run id."""
        wanted = dict.fromkeys(run_ids)
        missing: dict[str, list[Value]] = {run_id: [] for run_id in wanted if run_id not in self._values}
        if missing:
            for run_id, name, step, value in self._store.values(missing):
                missing[run_id].append((name, step, value))
            self._values |= missing
        return {run_id: self._values[run_id] for run_id in wanted}

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
