"""Which cells of the tables a command is about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from core.errors import UsageError
from core.registry import unknown

from .table import Cell


def choose(cells: Iterable[Cell], names: Collection[str]) -> Callable[[Cell], bool]:
    """Whether a cell is meant by `names` of rows and columns; every cell without any.

    Rows choose rows, columns choose columns, both together the cells where they meet. A column may be named as it is
    shown, without what stands in for its data, and without a protocol, which means all of them. UnknownName for a name
    that none of `cells` has, UsageError when nothing is left.
    """
    if not names:
        return lambda cell: True
    cells = list(cells)
    rows = {name for name in names if any(cell.row == name for cell in cells)}
    columns = {name for name in names if any(name in _names(cell) for cell in cells)}
    for name in names:
        if name not in rows | columns:
            known = [place for cell in cells for place in (cell.row, cell.column, cell.of_paper)]
            raise unknown("row or column", name, sorted(set(known)))

    def wanted(cell: Cell) -> bool:
        in_column = not columns or not columns.isdisjoint(_names(cell))
        return in_column and (not rows or cell.row in rows)

    if not any(map(wanted, cells)):
        raise UsageError(
            f"There is no cell in {_listed('row', rows)} and {_listed('column', columns)}. Name fewer with --only."
        )
    return wanted


def _names(cell: Cell) -> tuple[str, ...]:
    """What the column of a cell may be called."""
    return cell.column, cell.of_paper, cell.heading


def _listed(kind: str, names: Collection[str]) -> str:
    return f"{kind} {' or '.join(repr(name) for name in sorted(names))}"
