"""A store that is read for many tables at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import Dataset, Published, Run, Sample, Store, StoredRun


class ReadOnce:
    """A store whose runs and published values are read from the database once: each table asks for them again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Any] = {}
        self._full: dict[str, Run] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def runs(self, *args: Any, **options: Any) -> list[StoredRun]:
        return self._once("runs", *args, **options)

    def full_runs(self, keys: Iterable[str]) -> list[Run]:
        """Their values, samples and data sets are then known."""
        found: list[Run] = self._store.full_runs(keys)
        self._full |= {run.id: run for run in found}
        return found

    def values(self, run_ids: Iterable[str]) -> Iterator[tuple[str, str, int | None, float | None]]:
        known, others = self._known(run_ids)
        for run in known:
            for metric in run.metrics:
                yield run.id, metric.name, metric.step, metric.value
        yield from self._store.values(others)

    def samples(self, run_ids: Iterable[str]) -> dict[str, list[Sample]]:
        known, others = self._known(run_ids)
        return {run.id: list(run.samples) for run in known} | self._store.samples(others)

    def datasets(self, run_ids: Iterable[str]) -> dict[str, tuple[Dataset, ...]]:
        known, others = self._known(run_ids)
        return {run.id: run.datasets for run in known} | self._store.datasets(others)

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

    def _known(self, run_ids: Iterable[str]) -> tuple[list[Run], list[str]]:
        """The runs that were read in full, and the ids of the others."""
        wanted = list(run_ids)
        return [self._full[i] for i in wanted if i in self._full], [i for i in wanted if i not in self._full]

    def _once(self, what: str, *args: Any, **options: Any) -> Any:
        key = repr((what, args, options))
        if key not in self._read:
            self._read[key] = getattr(self._store, what)(*args, **options)
        return self._read[key]
