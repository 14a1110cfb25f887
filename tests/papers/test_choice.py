"""Which cells --only chooses."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.registry import UnknownName
from papers.choice import choose
from papers.plif.tables import PLIF_ABLATION
from papers.psn.tables import PSN_ORDER

CELLS = PLIF_ABLATION.cells("quick")


def places(*names: str) -> set[tuple[str, str]]:
    wanted = choose(CELLS, names)
    return {(cell.row, cell.column) for cell in CELLS if wanted(cell)}


def test_rows_columns_and_where_they_meet() -> None:
    every = {(cell.row, cell.column) for cell in CELLS}
    assert places() == every
    assert places("LIF 2 max") == {place for place in every if place[0] == "LIF 2 max"}
    assert places("MNIST", "N-MNIST") == {place for place in every if place[1] in ("MNIST", "N-MNIST")}
    assert places("LIF 2 max", "MNIST") == {("LIF 2 max", "MNIST")}
    assert places("LIF 2 max", "PLIF 2 avg", "MNIST", "CIFAR-10") == {
        (row, column) for row in ("LIF 2 max", "PLIF 2 avg") for column in ("MNIST", "CIFAR-10")
    }


def test_a_column_may_be_named_as_it_is_shown() -> None:
    assert places("LIF 2 max", "Fashion-MNIST, 8x8 digits standing in") == places("LIF 2 max", "Fashion-MNIST")


def test_what_is_chosen_is_run() -> None:
    wanted = choose(CELLS, ["LIF 2 max", "MNIST"])
    (experiment,) = PLIF_ABLATION.experiments("quick", [2020], wanted)
    assert (experiment.neuron, experiment.model) == ("lif", "plif_mnist")


def test_no_cell_is_wrong_use() -> None:
    cells = [cell for cell in PSN_ORDER.cells("quick") if (cell.row, cell.column) != ("k=1", "sliding")]
    with pytest.raises(UsageError, match="There is no cell in row 'k=1' and column 'sliding'"):
        choose(cells, ["k=1", "sliding"])
    with pytest.raises(UnknownName, match="Unknown row or column 'LIF 2 min'"):
        choose(CELLS, ["LIF 2 min"])


ORDERS = PSN_ORDER.cells("quick")


def chosen(*names: str) -> set[tuple[str, str]]:
    """Row and heading of the cells that `names` mean."""
    wanted = choose(ORDERS, names)
    return {(cell.row, cell.heading) for cell in ORDERS if wanted(cell)}


@pytest.mark.parametrize(
    ("name", "headings"),
    [
        (
            "sliding",
            {"sliding, 8x8 digits standing in", "sliding, last epoch, 8x8 digits standing in"},
        ),  # every protocol
        ("sliding, 8x8 digits standing in", {"sliding, 8x8 digits standing in"}),  # as shown
        ("masked, last epoch", {"masked, last epoch, 8x8 digits standing in"}),  # without the stand-in
        ("masked, mask closed, 8x8 digits standing in", {"masked, mask closed, 8x8 digits standing in"}),
    ],
)
def test_a_column_may_be_named_as_shown_or_shorter(name: str, headings: set[str]) -> None:
    assert {heading for _, heading in chosen(name)} == headings
    assert {row for row, _ in chosen(name)} == {"k=1", "k=2", "k=4", "k=8"}


def test_rows_and_columns_meet() -> None:
    assert chosen("k=2", "sliding, last epoch") == {("k=2", "sliding, last epoch, 8x8 digits standing in")}
    assert chosen() == {(cell.row, cell.heading) for cell in ORDERS}


def test_nothing_to_choose_is_told() -> None:
    with pytest.raises(UnknownName, match=r"'masked, last epch'\. Did you mean 'masked, last epo"):
        chosen("masked, last epch")
    one_place = [cell for cell in ORDERS if (cell.row == "k=1") == (cell.column == "masked")]
    with pytest.raises(UsageError, match="There is no cell in row 'k=1' and column 'sliding'"):
        choose(one_place, ["k=1", "sliding"])
