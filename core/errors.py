"""The errors that a command shows as one sentence, and the exit status of each."""

from __future__ import annotations

OK, FAILED, WRONG_USAGE, PARITY_RED, WORSE, INTERRUPTED = 0, 1, 2, 3, 4, 130


class SpikebenchError(Exception):
    """Something cannot be done; the message says what was asked, what was found and what can be done.

    `exit_status` is that of a command which ends with it.
    """

    exit_status = FAILED


class UsageError(SpikebenchError):
    """A command was used wrongly."""

    exit_status = WRONG_USAGE


class Unsupported(SpikebenchError):
    """What was asked for cannot be, here or anywhere: a result of an experiment, and no failure of it."""
