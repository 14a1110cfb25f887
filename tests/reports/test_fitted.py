"""Tables in pieces: every cell is printed, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from reports import fitted

HEADINGS = ["", "one", "two", "three", "four", ""]
ROWS = [["lif", "11.1", "22.2 [1, 3]", "33.3", "44.4", "unverified"], ["plif", "5", "6", "7", "8", ""]]


def printed(width: int) -> list[list[str]]:
    text = io.StringIO()
    fitted.show(Console(file=text, width=width), HEADINGS, ROWS)
    return [line.split() for line in text.getvalue().splitlines()]


def test_a_table_that_fits_is_one() -> None:
    assert printed(80)[0] == ["one", "two", "three", "four"]
    assert len(printed(80)) == 3


@pytest.mark.parametrize(("width", "pieces"), [(40, 2), (30, 3)])
def test_one_that_does_not_repeats_its_outer_columns(width: int, pieces: int) -> None:
    lines = printed(width)
    assert len(lines) == 3 * pieces
    assert [line for line in lines if line[0] == "lif"][-1][-2:] == ["44.4", "unverified"]
    assert sum(line.count("unverified") for line in lines) == pieces
