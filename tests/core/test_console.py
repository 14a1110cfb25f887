"""Our console where the terminal says odd things."""

from __future__ import annotations

import io

import pytest

from core.console import Console


@pytest.mark.parametrize("columns", ["0", "00", "", "80"])
def test_a_terminal_of_no_columns_is_printed_on(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    text = io.StringIO()
    Console(file=text).print("a line")
    assert text.getvalue() == "a line\n"
