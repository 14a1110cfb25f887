"""Which cells --only means."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.registry import UnknownName
from papers.choice import choose
from papers.psn.tables import PSN_ORDER

CELLS = PSN_ORDER.cells("quick")


def chosen(*names: str) -> set[tuple[str, str]]:
    """Row and heading of the cells that `names` mean."""
    wanted = choose(CELLS, names)
    return {(cell.row, cell.heading) for cell in CELLS if wanted(cell)}


@pytest.mark.parametrize(
    ("name", "headings"),
    [
        ("sliding", {"sliding (8x8 digits)", "sliding (8x8 digits), last epoch"}),  # every protocol
        ("sliding (8x8 digits)", {"sliding (8x8 digits)"}),  # as shown
        ("masked, last epoch", {"masked (8x8 digits), last epoch"}),  # without the stand-in
        ("masked (8x8 digits), mask closed", {"masked (8x8 digits), mask closed"}),
    ],
)
def test_a_column_may_be_named_as_shown_or_shorter(name: str, headings: set[str]) -> None:
    assert {heading for _, heading in chosen(name)} == headings
    assert {row for row, _ in chosen(name)} == {"k=1", "k=2", "k=4", "k=8"}


def test_rows_and_columns_meet() -> None:
    assert chosen("k=2", "sliding, last epoch") == {("k=2", "sliding (8x8 digits), last epoch")}
    assert chosen() == {(cell.row, cell.heading) for cell in CELLS}


def test_nothing_to_choose_is_told() -> None:
    with pytest.raises(UnknownName, match=r"'masked, last epch'\. Did you mean 'masked, last epo"):
        chosen("masked, last epch")
    one_place = [cell for cell in CELLS if (cell.row == "k=1") == (cell.column == "masked")]
    with pytest.raises(UsageError, match="There is no cell in row 'k=1' and column 'sliding'"):
        choose(one_place, ["k=1", "sliding"])
