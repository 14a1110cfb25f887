"""Options of several commands; a value that cannot be used is told with what was given and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import typer


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
    from results import StoreError
    from results.places import at_home

    try:
        return Path(at_home(str(given)))
    except StoreError as error:
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


PLACE = {"parser": place}
FOLDER = {"parser": folder, "metavar": "FOLDER"}
WHOLE = {"parser": whole, "metavar": "N"}


STORE = {
    "parser": store,
    "metavar": "URL",
    "help": "Results store: URL or SQLite file; default: SPIKEBENCH_STORE, else sqlite:///results/spikebench.db. "
    "Others see a password given here in the list of processes, but not in SPIKEBENCH_STORE.",
}
AMOUNT = {"parser": amount, "metavar": "NUMBER"}
