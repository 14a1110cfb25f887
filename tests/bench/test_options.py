"""Numbers that cannot be read or are too small, at every option of every command."""

from __future__ import annotations

import inspect
import math
import typing

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.reference import commands
from core.errors import UsageError
from core.options import at_least_one, positive


def numeric_options() -> list[list[str]]:
    """The words that lead to each option which takes a number."""
    found = []
    for words, command in commands():
        hints = typing.get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
        for parameter in command.params:
            kind = hints.get(parameter.name)
            if {int, float} & {kind, *typing.get_args(kind)}:
                found.append([*words.split()[1:], parameter.opts[0]])
    return found


OPTIONS = numeric_options()


def test_there_are_such_options() -> None:
    assert {"--seeds", "--jobs", "--processes", "--timeout", "--memory", "--threads", "--budget"} <= {
        words[-1] for words in OPTIONS
    }


@pytest.mark.parametrize("given", ["many", "", "1,5", "--"])
@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_what_cannot_be_read_is_told_with_what_can(words: list[str], given: str) -> None:
    done = CliRunner().invoke(app, [*words[:-1], f"{words[-1]}={given}"])
    assert done.exit_code == 2
    assert f"'{words[-1]}': {given!r} was given; it must be a " in done.output
    assert done.output.rstrip().endswith(("at least 1.", "more than 0.", "such as 5%."))


def test_numbers_in_their_bounds() -> None:
    for number in (None, 1, 10**6):
        at_least_one("--seeds", number)
    with pytest.raises(UsageError, match=r"^--seeds was given 1000001; it can be at most 1,000,000.$"):
        at_least_one("--seeds", 10**6 + 1)
    for amount in (None, 1e-9, 1e9):
        positive("--memory", amount)
    for wrong in (0, -1):
        with pytest.raises(UsageError, match=rf"^--seeds was given {wrong}; it must be at least 1.$"):
            at_least_one("--seeds", wrong)
    for amount in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UsageError, match=rf"^--memory was given {amount:g}; it must be more than 0 and finite.$"):
            positive("--memory", amount)
