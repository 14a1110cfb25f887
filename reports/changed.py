"""Trainings with settings of a user's own (`--set`): what was changed, beside the cell that they come from.

Such a training is no cell of a table; what it was is all in its experiment, so it is found without being told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from papers.overrides import GROUPS, NUMBERS, flat
from papers.usual import precision_alone

if TYPE_CHECKING:
    from papers.evaluate import CellResult, TableResult
    from papers.experiment import Experiment
    from papers.table import Cell
    from results import Store

PARTS = ("scale", *GROUPS)  # what --set leaves as it is
UNSET = object()
WHY = "its settings are not the work's"


@dataclass(frozen=True)
class Changed:
    """A cell trained with other settings, and the cell as the table has it; `settings` are name, its and this value."""

    settings: tuple[tuple[str, str, str], ...]
    result: CellResult
    original: CellResult

    @property
    def marked(self) -> bool:
        """Whether it was tried to judge it as the cell of the table, so that there is more to say."""
        return self.result.cell.usual is not None


def changed(store: Store, result: TableResult, others: Iterable[Experiment]) -> list[Changed]:
    """The trainings among `others`, no cells of `result`, that differ from one of its cells in settings alone.

    Of the cells of an experiment the one counts from which it differs least.
    """
    from papers.evaluate import evaluate

    own = {cell.cell.experiment.template for cell in result.cells}
    distinct = {
        one.template: one.with_seed(0) for one in others if one.scale == result.scale and one.template not in own
    }
    known = {cell.cell.experiment.key: _settings(cell.cell.experiment) for cell in result.cells} if distinct else {}
    found = [
        (
            _cell(near.cell, number, one),
            near,
            differing,
        )
        for number, one in enumerate(distinct.values())  # the number tells the rows apart
        for near, differing in _nearest(one, result.cells, known)
    ]
    if not found:
        return []
    cells = [cell for cell, _, _ in found]
    measured = evaluate(store, replace(result.table, cells=lambda scale: cells, claims=(), drawings=None), result.scale)
    return [
        Changed(_told(differing), one, near) for one, (_, near, differing) in zip(measured.cells, found, strict=True)
    ]


def _cell(near: Cell, number: int, experiment: Experiment) -> Cell:
    """`near` with another experiment."""
    alone = not near.not_comparable and precision_alone(near.experiment, experiment)
    return replace(
        near,
        row=f"{near.row} {number}",
        experiment=experiment,
        not_comparable=WHY,
        log="",
        usual=near if alone else None,
    )


Differing = dict[str, tuple[Any, Any]]


def _nearest(
    experiment: Experiment, cells: Sequence[CellResult], known: Mapping[str, Mapping[str, Any]]
) -> list[tuple[CellResult, Differing]]:
    """The cells of the one experiment that this one was made from, with the settings that differ; none where it was
    made from none of them. `known` are the settings of the cells by key."""
    own = _settings(experiment)
    best: list[tuple[CellResult, Differing]] = []
    for cell in cells:
        there = cell.cell.experiment
        if any(getattr(there, part) != getattr(experiment, part) for part in PARTS):
            continue
        theirs = known[there.key]
        pairs = {name: (theirs.get(name, UNSET), own.get(name, UNSET)) for name in sorted({*own, *theirs})}
        differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        if not differing or not all(map(_may_be_set, differing)):
            continue
        if not best or len(differing) < len(best[0][1]):
            best = [(cell, differing)]
        elif there.key == best[0][0].cell.experiment.key:
            best.append((cell, differing))
    return best


def _settings(experiment: Experiment) -> dict[str, Any]:
    return {name: value for name, value in flat(experiment.document()) if name != "seed"}


def _may_be_set(name: str) -> bool:
    return name in NUMBERS or name.partition("_options.")[0] in GROUPS


def _told(differing: Differing) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (name.replace("_options.", "."), _value(theirs), _value(ours)) for name, (theirs, ours) in differing.items()
    )


def _value(value: Any) -> str:
    return "not set" if value is UNSET else value if isinstance(value, str) else json.dumps(value)
