"""What every command line of the suite is built on."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, cast

import typer

from . import early
from .errors import INTERRUPTED, OK
from .shell import exit_status, presentable

_WrongUsage = cast(type[Exception], typer.BadParameter.__base__)  # has no public name in typer


class App(typer.Typer):
    """A command, or a group of commands, that ends as `exit_status` says also while its words are read.

    Help and wrong usage are written before a command is begun: neither shows the password of a store's URL, and
    neither ends in a traceback where it cannot be written.
    """

    def __init__(self, **options: Any) -> None:
        usual = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
        super().__init__(**{**usual, **options})

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Carries out the command line and ends the process with its status."""

        @exit_status
        def carry_out() -> int:
            try:
                early.over()
                status = super(App, self).__call__(*args, standalone_mode=False, **options) or OK
                if status == INTERRUPTED:  # typer's answer, while it reads the words
                    raise KeyboardInterrupt
                return status
            except _WrongUsage as error:
                usage = cast(Any, error)
                usage.message = presentable(usage.message)
                with suppress(OSError):  # the status tells it where the sentence cannot be written
                    usage.show(file=sys.stderr)  # else it is written in UTF-8 to a terminal that cannot show it
                return usage.exit_code

        carry_out()
