"""Cells that differ from the table's own in the precision of the training alone (Cell.usual): may they be judged as
those are?

They may where the store holds both with the same seeds and a paired test finds no difference; then they are marked. The
test is that of each cell by itself: Holm's rule, which finds fewer differences, would let more of them pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .counted import Runs
from .experiment import Experiment
from .paired import between
from .table import Cell

if TYPE_CHECKING:
    from results import Store

OPTION = "precision"  # of a scheme
FLOAT32 = "float32"  # where nothing is said


@dataclass(frozen=True)
class Mark:
    """What a cell in another precision is marked with; `same`: no difference was found."""

    text: str
    same: bool


def precision_of(experiment: Experiment) -> str:
    """The precision that a training has by its scheme's options."""
    return str(experiment.scheme_options.get(OPTION, FLOAT32))


def precision_alone(one: Experiment, other: Experiment) -> bool:
    """Whether two trainings differ in their precision, and in nothing else but the seed."""
    bare = [
        replace(each, scheme_options={name: v for name, v in each.scheme_options.items() if name != OPTION}).template
        for each in (one, other)
    ]
    return bare[0] == bare[1] and precision_of(one) != precision_of(other)


def marks(store: Store, cells: Sequence[Cell], seeds: Iterable[int] | None) -> dict[int, Mark]:
    """How each cell that has a usual one compares with that, by its place among `cells`."""
    beside = {place: (cell.usual, cell) for place, cell in enumerate(cells) if cell.usual is not None}
    if not beside:
        return {}
    runs = Runs(store, [cell for pair in beside.values() for cell in pair], seeds)
    return {place: _mark(runs, *pair) for place, pair in beside.items()}


def _mark(runs: Runs, usual: Cell, cell: Cell) -> Mark:
    first, second = (precision_of(one.experiment) for one in (usual, cell))
    found = between(runs, usual, cell)
    number = f"{len(found.seeds)} seed{'s' * (len(found.seeds) != 1)}"
    if found.none_found:
        return Mark(f"{second}; no difference from {first} found over {number} ({found.text})", True)
    if found.p is not None:
        return Mark(f"it differs from {first} by {found.text} over {number}, p = {found.p:.2g}", False)
    return Mark(f"not known to be like {first}: {found.lacking}", False)
