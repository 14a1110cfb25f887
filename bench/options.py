"""Numbers on the command line: one that cannot be read is told with what was given and what is allowed."""

from __future__ import annotations

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


WHOLE = {"parser": whole, "metavar": "N"}
STORE = {
    "metavar": "URL",
    "help": "Results store: URL or SQLite file; default: SPIKEBENCH_STORE, else sqlite:///results/spikebench.db. "
    "Others see a password given here in the list of processes, but not in SPIKEBENCH_STORE.",
}
AMOUNT = {"parser": amount, "metavar": "NUMBER"}
