"""Numbers that cannot be read, at every option of every command."""

from __future__ import annotations

import importlib
import inspect
import typing

import pytest
import typer
from typer.testing import CliRunner

from bench.__main__ import COMMANDS


def numeric_options() -> list[tuple[typer.Typer, list[str]]]:
    """Each app with the words that lead to an option which takes a number."""
    found = []
    for module, _ in COMMANDS.values():
        app = importlib.import_module(module).app
        several = len(app.registered_commands) > 1
        for command in app.registered_commands:
            assert command.callback is not None
            hints = typing.get_type_hints(inspect.unwrap(command.callback), include_extras=False)
            verb = [command.name] if several and command.name else []
            for name, kind in hints.items():
                if name != "return" and {int, float} & {kind, *typing.get_args(kind)}:
                    found.append((app, [*verb, f"--{name.replace('_', '-')}"]))
    return found


OPTIONS = numeric_options()


def test_there_are_such_options() -> None:
    assert {"--seeds", "--jobs", "--processes", "--timeout", "--memory", "--threads", "--budget"} <= {
        words[-1] for _, words in OPTIONS
    }


@pytest.mark.parametrize("given", ["many", "", "1,5", "--"])
@pytest.mark.parametrize(("app", "words"), OPTIONS, ids=[" ".join(words) for _, words in OPTIONS])
def test_what_cannot_be_read_is_told_with_what_can(app: typer.Typer, words: list[str], given: str) -> None:
    done = CliRunner().invoke(app, [*words[:-1], f"{words[-1]}={given}"])
    assert done.exit_code == 2
    assert f"'{words[-1]}': {given!r} was given; it must be a " in done.output
    assert done.output.rstrip().endswith(("at least 1.", "more than 0."))
