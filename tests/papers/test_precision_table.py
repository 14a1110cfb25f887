"""The table of float32 and bf16."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from papers.experiment import SCALES
from papers.overrides import overridden
from papers.plif.tables import PLIF_TABLE
from papers.precision.table import PRECISION
from papers.psn.tables import PSN_SEQUENTIAL
from papers.usual import precision_alone, precision_of


@pytest.mark.parametrize("scale", SCALES)
def test_two_rows_that_differ_in_the_precision_alone(scale: str) -> None:
    cells = PRECISION.cells(scale)
    assert len({cell.column for cell in cells}) >= 5
    for first, second in zip(cells[::2], cells[1::2], strict=True):
        assert (first.row, second.row) == PRECISION.paired
        assert (first.column, first.heading) == (second.column, second.heading)
        assert [precision_of(cell.experiment) for cell in (first, second)] == list(PRECISION.paired)
        assert precision_alone(first.experiment, second.experiment)


def test_float32_is_trained_once_for_all_tables() -> None:
    keys = {cell.experiment.key for cell in PRECISION.cells("quick") if cell.row == "float32"}
    for table in (PLIF_TABLE, PSN_SEQUENTIAL):
        assert keys & {cell.experiment.key for cell in table.cells("quick")}


def test_its_precision_cannot_be_set() -> None:
    with pytest.raises(UsageError, match="precision trains everything in float32 and in bf16"):
        overridden(PRECISION, {"scheme.precision": "bf16"})
    assert {cell.experiment.epochs for cell in overridden(PRECISION, {"epochs": 3}).cells("quick")} == {3}
