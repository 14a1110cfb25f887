"""Options of several commands; a value that cannot be used is told with what was given and what is allowed."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import typer

from .errors import UsageError
from .places import NoHome, at_home
from .plugins import use

MOST = 1_000_000


def whole(given: object) -> int:
    """The whole number that was given."""
    try:
        return int(str(given))
    except ValueError:
        raise typer.BadParameter(f"{str(given)!r} was given; it must be a whole number, at least 1.") from None


def amount(given: object) -> float:
    """The number that was given."""
    try:
        return float(str(given))
    except ValueError:
        raise typer.BadParameter(f"{str(given)!r} was given; it must be a number, more than 0.") from None


def place(given: object) -> Path:
    """The file or folder that was given; a shell leaves the ~ in --out=~/x to us."""
    try:
        return Path(at_home(str(given)))
    except NoHome as error:
        raise typer.BadParameter(str(error)) from None


def folder(given: object) -> Path:
    """The folder that was given, which may not exist yet."""
    path = place(given)
    if os.path.exists(path) and not os.path.isdir(path):  # of pathlib's own, a name too long would raise
        raise typer.BadParameter(f"{path} is a file; give a folder.")
    return path


def store(given: object) -> str:
    """The store that was given; an empty name, as of a variable that is not set, must not mean the default one."""
    if not str(given).strip():
        raise typer.BadParameter("an empty store was named; give a URL or a file, or leave the option out.")
    return str(given)


def plugin(given: object) -> Path:
    """The file of a plug-in, from now on used; the environment hands it on to all processes that are started."""
    file = place(given)
    use([file])
    return file


def at_least_one(option: str, value: int | None) -> None:
    """Raises UsageError for a number that is too small, or beyond any use; None is a number that was not given."""
    if value is not None and value < 1:
        raise UsageError(f"{option} was given {value}; it must be at least 1.")
    if value is not None and value > MOST:
        raise UsageError(f"{option} was given {value}; it can be at most {MOST:,}.")


def positive(option: str, value: float | None) -> None:
    """Raises UsageError for what is not finite and more than 0; None is a number that was not given."""
    if value is not None and not 0 < value < math.inf:
        raise UsageError(f"{option} was given {value:g}; it must be more than 0 and finite.")


def version(asked: bool) -> None:
    """Prints the version of the suite and ends the command."""
    if not asked:
        return
    from importlib import metadata

    typer.echo(f"spikebench {metadata.version('spikebench')}")
    raise typer.Exit


VERSION: dict[str, Any] = {"callback": version, "is_eager": True, "help": "Print the version and end."}
PLACE = {"parser": place}
FOLDER = {"parser": folder, "metavar": "FOLDER"}
WHOLE = {"parser": whole, "metavar": "N"}
AMOUNT = {"parser": amount, "metavar": "NUMBER"}
PLUGIN = {"parser": plugin, "metavar": "FILE", "help": "A Python file that brings neurons or more; may be repeated."}
DEVICE = {"metavar": "DEVICE", "help": "auto, cpu or cuda."}
STORE = {
    "parser": store,
    "metavar": "URL",
    "help": "Results store: URL or SQLite file; default: SPIKEBENCH_STORE, else sqlite:///results/spikebench.db. "
    "Others see a password given here in the list of processes, but not in SPIKEBENCH_STORE.",
}
