"""The columns of a table whose two rows differ in one setting (Table.paired): what that setting changes in each.

Values are tested by Holm's rule over the columns. Speed and memory are factors with intervals, and are not tested.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .counted import Runs
from .evaluate import mean_of
from .hypotheses import ALPHA, MIN_SEEDS, holm
from .measures import PEAK_MEMORY, THROUGHPUT, TRAIN_SECONDS, Measure
from .paired import Change, between, change

if TYPE_CHECKING:
    from results import Store, StoredRun

    from .evaluate import CellResult, TableResult

NO_DIFFERENCE, DIFFERS = "no difference found", "differs"
SAYS = (
    "Runs of equal seeds start alike and meet the same batches, so the difference is taken within each seed; its "
    "interval is Student's over the seeds, its test two-sided at 5 %, with Holm's rule over the columns. It takes "
    f"{MIN_SEEDS} seeds. That no difference is found does not say that there is none: the interval says how large it "
    "may be."
)
COSTS = (
    "Samples of a second are those of the median epoch of training, without its evaluations; memory is the largest "
    "that the process of a training held, on a GPU that of the GPU. The two are trained one after the other: on a "
    "machine that does other work at the same time a factor of speed says little."
)


@dataclass(frozen=True)
class Cost:
    """What both settings cost, the means over the seeds that both have, as shown; None where it is not known."""

    measure: Measure
    first: float | None
    second: float | None
    change: Change


@dataclass(frozen=True)
class Pair:
    """A column with its two cells and the change of its value. `adjusted` is the p of that by Holm's rule, None where
    it was not tested."""

    first: CellResult
    second: CellResult
    change: Change
    adjusted: float | None
    speed: Cost
    memory: Cost

    @property
    def name(self) -> str:
        """The column as it is shown, without its protocol."""
        return self.first.cell.data

    @property
    def finding(self) -> str:
        """NO_DIFFERENCE, DIFFERS, or why nothing was tested."""
        if self.adjusted is None:
            return self.change.lacking
        return DIFFERS if self.adjusted <= 2 * ALPHA else NO_DIFFERENCE


def pairs(store: Store, result: TableResult) -> tuple[Pair, ...]:
    """The columns of a paired table in which anything was tried, in table order."""
    if result.table.paired is None:
        return ()
    cells = {(cell.cell.row, cell.cell.column): cell for cell in result.cells}
    first, second = result.table.paired
    both = [
        (cells[first, column], cells[second, column])
        for column in dict.fromkeys(column for _, column in cells)
        if (first, column) in cells and (second, column) in cells
    ]
    both = [pair for pair in both if any(cell.attempts for cell in pair)]
    runs = Runs(store, [cell.cell for pair in both for cell in pair], result.seeds)
    changes = [between(runs, a.cell, b.cell) for a, b in both]
    tested = [place for place, found in enumerate(changes) if found.p is not None]
    adjusted = dict(zip(tested, holm([p for found in changes if (p := found.p) is not None]), strict=True))
    return tuple(
        Pair(
            a,
            b,
            found,
            adjusted.get(place),
            _cost(THROUGHPUT, a, b, found.seeds, lambda run: _throughput(runs.curves[run.id])),
            _cost(PEAK_MEMORY, a, b, found.seeds, lambda run: run.peak_memory),
        )
        for place, ((a, b), found) in enumerate(zip(both, changes, strict=True))
    )


def _throughput(curves: Mapping[str, Mapping[int, float]]) -> float | None:
    """Samples a second of the median epoch: what a first epoch compiles, and what disturbs another one, is left out."""
    seconds, samples = (curves.get(name, {}) for name in (TRAIN_SECONDS.name, "train_samples"))
    speeds = [samples[epoch] / taken for epoch, taken in seconds.items() if taken > 0 and epoch in samples]
    return statistics.median(speeds) if speeds else None


def _cost(
    measure: Measure,
    first: CellResult,
    second: CellResult,
    seeds: tuple[int, ...],
    read: Callable[[StoredRun], float | None],
) -> Cost:
    sides = [{run.seed: run for run in cell.runs if run.seed in seeds} for cell in (first, second)]
    values = [
        {seed: measure.shown(value) for seed, run in side.items() if (value := read(run)) is not None} for side in sides
    ]
    known = all(len(side) == len(seeds) for side in values) and seeds
    means = [mean_of(measure, list(side.values())) if known else None for side in values]
    where = {_place(run) for side in sides for run in side.values()}
    if len(where) > 1:
        found = Change(measure, seeds, lacking="not all on one machine with as many threads")
    else:
        found = change(measure, values[0], values[1])
    return Cost(measure, means[0], means[1], found)


def _place(run: StoredRun) -> tuple[str, str, str]:
    """What a time depends on beside the setting."""
    return repr(sorted(run.machine.items())), run.device, str(run.environment.get("torch_threads"))
