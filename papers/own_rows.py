"""Rows for neurons that no work has: a user's neuron in the recipe of a table, held against the rows that are there.

A table says `like` which of its rows another neuron is trained: data, network, scheme, epochs and seeds are that row's,
and the neuron has its own options. What such a training was is all in its experiment, so a report finds the row again
without being told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import UsageError

from .comparison import AGAINST, WELCH, Comparison, above, by_column, compare, level
from .evidence import Evidence
from .experiment import Experiment
from .table import Cell, Claim, Table


@dataclass(frozen=True)
class Own:
    """A neuron by name, with options of its own."""

    neuron: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> str:
        """ "mine threshold=0.8"."""
        return " ".join([self.neuron, *(f"{name}={json.dumps(given)}" for name, given in self.options.items())])


def parsed(text: str) -> Own:
    """The neuron that "name:option=value,other=value" says; values are JSON, or else text. UsageError otherwise."""
    name, _, rest = text.partition(":")
    parts = re.split(r"(?:^|,)\s*([A-Za-z_]\w*)\s*=", rest)
    if not name.strip() or parts[0].strip():
        raise UsageError(f"--with was given {text!r}; write NEURON or NEURON:option=value,other=value.")
    options = {key: value(given.strip()) for key, given in zip(parts[1::2], parts[2::2], strict=True)}
    if len(options) < len(parts) // 2:
        raise UsageError(f"--with was given {text!r}, which gives an option twice; give each once.")
    for key, given in options.items():
        require_plain(key, given)
    return Own(name.strip(), options)


def value(text: str) -> Any:
    """What a text of the command line says: JSON, or else itself."""
    try:
        return json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except (ValueError, RecursionError):
        return text


def require_plain(name: str, given: object) -> None:
    """UsageError for what no experiment can be described by: a number that is not finite, or a date of TOML."""
    try:
        json.dumps(given, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(
            f"{name} was set to {given}; give a finite number, a text, true, false, or a list or table of these."
        ) from None


def require_alike(name: str, usual: object, given: object) -> None:
    """UsageError for a text or a truth in place of a number, and for no truth in place of one: "no" would be true."""
    truth = isinstance(usual, bool)
    if not isinstance(usual, int | float) or given is None:
        return
    if isinstance(given, str) or isinstance(given, bool) != truth:
        wanted = "true or false" if truth else "a finite number"
        raise UsageError(f"{name} was set to {json.dumps(given)}; give {wanted}, as in {name}={json.dumps(usual)}.")


def with_rows(table: Table, own: Sequence[Own]) -> Table:
    """The table with a row for each neuron, which a claim compares with the others. UsageError where none fits in."""
    if not own:
        return table
    if not table.like:
        raise UsageError(
            f"The rows of {table.name} are no neurons that one recipe trains, so that --with cannot add one. Take "
            "plif_ablation, psn_sequential, fptt_sequential or another table that compares neurons."
        )
    distinct = list({one.row: one for one in own}.values())

    def cells(scale: str) -> list[Cell]:
        there = table.cells(scale)
        return [*there, *(_cell(cell, one) for one in distinct for cell in there if cell.row in table.like)]

    return replace(table, cells=cells, claims=(*table.claims, *(_claim(table, one) for one in distinct)))


def _cell(like: Cell, own: Own) -> Cell:
    made = replace(like.experiment, neuron=own.neuron, neuron_options=own.options)
    why = like.not_comparable or "a row of your own"  # nor may its spread stand in for that of a row of the work
    return replace(
        like, row=own.row, experiment=made, sources=(), log="", at=None, epoch_seconds=None, not_comparable=why
    )


def _claim(table: Table, own: Own) -> Claim:
    """That it is better than each other row, column by column."""

    def build(evidence: Evidence, column: str) -> Iterable[Comparison]:
        cells = [cell for cell in table.cells(evidence.scale) if cell.column == column]
        like = next((cell for cell in cells if cell.row in table.like), None)
        if like is None:
            return
        score = level(like.measure, like.protocol)
        for row in dict.fromkeys(cell.row for cell in cells if cell.measure == like.measure):
            if not evidence.seeds_of(row, column).deciding:
                continue
            pair = [(own.row, column), (row, column)]
            first, second = pair if like.measure.better == "higher" else pair[::-1]
            yield from compare(evidence, first, second, score, above(), f"against {row}")

    statement = f"{own.row} is better than every other row, trained as {' or '.join(table.like)} is."
    return Claim(own.row, statement, "your own row", by_column(build, f"{WELCH}: better in every column; {AGAINST}"))


def found(table: Table, scale: str, experiments: Iterable[Experiment]) -> list[Own]:
    """The neurons that `experiments`, which are no table's, have in place of the table's own."""
    recipes = {recipe(cell.experiment) for cell in table.cells(scale) if cell.row in table.like}
    own = [
        Own(experiment.neuron, dict(experiment.neuron_options))
        for experiment in experiments
        if experiment.neuron and recipe(experiment) in recipes
    ]
    return list({one.row: one for one in own}.values())


def recipe(experiment: Experiment) -> str:
    """All of it but the neuron and the seed."""
    document: Mapping[str, Any] = experiment.document()
    return json.dumps(
        {k: v for k, v in document.items() if k not in ("neuron", "neuron_options", "seed")}, sort_keys=True
    )
