"""Which runs of a store count for a table: of one code and data, of the seeds that decide, with what they measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from .currency import stale
from .measures import TEST
from .protocols import LAST
from .seeds import WITH_RESULT, Seeds, chosen, deciding, template_of
from .statistics import READ, Interval, Readings
from .table import Cell

if TYPE_CHECKING:
    from results import Dataset, Sample, Standing, Store, StoredRun


class Runs:
    """The latest runs of a table's experiments, whatever their seed, with what they measured."""

    def __init__(self, store: Store, cells: Sequence[Cell], seeds: Iterable[int] | None) -> None:
        wanted = {cell.experiment.key for cell in cells}  # all with seed 0
        chosen = None if seeds is None else set(seeds)
        found = [
            (template, run)
            for run in store.runs()  # oldest first
            if (template := template_of(run)) in wanted and (chosen is None or run.seed in chosen)
        ]
        ids = [run.id for _, run in found if run.outcome == "ok"]
        self.datasets: dict[str, tuple[Dataset, ...]] = store.datasets(ids)
        self.standing: dict[str, Standing] = store.standing()
        self.parities = cache(store.parity)
        self.plans = store.planned(wanted)
        self.ok: dict[tuple[str, int], StoredRun] = {}
        self.latest: dict[tuple[str, int], StoredRun] = {}
        for template, run in found:
            assert template is not None
            place = template, run.seed
            if run.outcome != "skipped" or place not in self.latest:  # another process was at it
                self.latest[place] = run
            old = self.ok.get(place)
            if run.outcome == "ok" and (old is None or self.stale(template, old) or not self.stale(template, run)):
                self.ok[place] = run
        ids = [run.id for (key, _), run in self.ok.items() if key in _read(cells)]
        self.samples: dict[str, list[Sample]] = store.samples(ids) if ids else {}
        ids = [run.id for run in self.ok.values()]
        self.curves: dict[str, dict[str, dict[int, float]]] = {run_id: defaultdict(dict) for run_id in ids}
        self.finals: dict[str, dict[str, float]] = {run_id: {} for run_id in ids}
        self.unbounded: dict[str, set[str]] = {run_id: set() for run_id in ids}  # measured, and no finite number
        for run_id, name, step, value in store.values(ids):
            if value is None:
                if step is None:
                    self.unbounded[run_id].add(name)
            elif step is None:
                self.finals[run_id][name] = value
            else:
                self.curves[run_id][name][step] = value
        self.seeds = sorted({seed for _, seed in self.latest})
        self._places: dict[str, list[tuple[str, int]]] = defaultdict(list)  # by experiment
        for place in sorted(self.latest):
            self._places[place[0]].append(place)
        self._together: dict[str, list[StoredRun]] = {}

    def attempts(self, cell: Cell) -> list[StoredRun]:
        return [self.latest[place] for place in self._places[cell.experiment.key]]

    def of(self, cell: Cell) -> list[StoredRun]:
        """The runs of the cell that may stand together: of the same code and data, the current ones if there are any,
        else those like the newest."""
        return [run for run in self._every(cell) if run.outcome == "ok"]

    def diverged(self, cell: Cell) -> list[StoredRun]:
        """Trainings of the same state of which nothing came."""
        return [run for run in self._every(cell) if run.outcome == "diverged"]

    def left_out(self, cell: Cell) -> int:
        """How many finished runs are of another state."""
        return sum(place in self.ok for place in self._places[cell.experiment.key]) - len(self.of(cell))

    def _every(self, cell: Cell) -> list[StoredRun]:
        key = cell.experiment.key
        if key not in self._together:
            runs = []
            for place in self._places[key]:
                of_seed = [run for run in (self.ok.get(place), self.latest[place]) if run]
                of_seed = [run for run in of_seed if run.outcome in WITH_RESULT]
                runs += ([run for run in of_seed if not self.stale(key, run)] or of_seed)[:1]
            runs = [run for run in runs if not self.stale(key, run)] or runs
            newest = max(runs, key=lambda run: run.started, default=None)
            self._together[key] = [run for run in runs if newest and self.alike(run, newest)]
        return self._together[key]

    def alike(self, one: StoredRun, other: StoredRun) -> bool:
        """Whether code and data of two runs are the same, as far as both say what data they had."""
        data = [{dataset.id for dataset in self.datasets.get(run.id, ())} for run in (one, other)]
        return one.implementation == other.implementation and (data[0] == data[1] or not all(data))

    def planned(self, cell: Cell) -> tuple[int, ...] | None:
        """The seeds that were planned with the code of the cell's runs; None without a plan."""
        runs = self._every(cell)
        if not runs:
            return None
        begun = [run.started for run in runs]
        return deciding(self.plans, cell.experiment.key, runs[0].implementation, begun)

    def seeds_of(self, cell: Cell) -> Seeds:
        """Which of its seeds decide."""
        return chosen([run.seed for run in self._every(cell)], self.planned(cell), self.incomplete(self.of(cell)))

    def value(self, run: StoredRun, cell: Cell) -> float | None:
        """What the run measured for the cell, as stored."""
        if not cell.measure.over:
            return self.finals[run.id].get(cell.measure.name)
        found = cell.protocol.select(self.curves[run.id], cell.measure)
        return None if found is None else found.value

    def around(self, runs: Sequence[StoredRun], cell: Cell) -> Interval | None:
        """The interval that a single run has found itself, as shown: the finals NAME_low and NAME_high."""
        if len(runs) != 1 or cell.measure.over:
            return None
        low, high = (self.finals[runs[0].id].get(f"{cell.measure.name}_{end}") for end in ("low", "high"))
        return None if low is None or high is None else (cell.measure.shown(low), cell.measure.shown(high))

    def stale(self, template: str, run: StoredRun) -> str:
        """Why a run is not current, by what the last command found that knows the sources."""
        now = self.standing.get(template)
        return stale(run, self.datasets.get(run.id, ()), now, self.parities) if now else ""

    def test_samples(self, runs: Sequence[StoredRun]) -> int | None:
        return next((d.counts["test"] for run in runs for d in self.datasets[run.id] if "test" in d.counts), None)

    def readings(self, runs: Sequence[StoredRun], cell: Cell) -> Readings:
        """The samples behind the values of the runs, in the order of their index; empty where a run has none.

        They have the name of the metric. Those of a curve belong to its last point.
        """
        if cell.measure.interval not in READ or (cell.measure.over and cell.protocol is not LAST):
            return ()
        name = cell.measure.curve(TEST) if cell.measure.over else cell.measure.name
        found = [[s.value for s in self.samples[run.id] if s.name == name and s.value is not None] for run in runs]
        return found if all(found) else ()

    def incomplete(self, runs: Sequence[StoredRun]) -> str:
        subsets = (d for run in runs for d in self.datasets[run.id] if not d.complete)
        return next((d.note or f"{d.name} is a subset" for d in subsets), "")


def _read(cells: Iterable[Cell]) -> set[str]:
    """The experiments of whose runs the single samples are looked at."""
    return {cell.experiment.key for cell in cells if cell.measure.interval in READ}
