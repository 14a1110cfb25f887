"""The console script `spikebench`: the commands of the suite under one name."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from core.command import App
from core.options import VERSION
from core.registry import unknown

COMMANDS = {
    "reproduce": "bench.reproduce",
    "parity": "bench.parity.__main__",
    "kernels": "bench.kernels",
    "calibrate": "bench.calibrate",
    "convert": "bench.convert",
    "data": "bench.data",
    "results": "results.__main__",
    "report": "reports.__main__",
}


class Verbs(TyperGroup):
    """Loads a command when it is named; each is the one that `python -m` starts."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            raise unknown("verb", cmd_name, COMMANDS)
        return typer.main.get_command(importlib.import_module(COMMANDS[cmd_name]).app)


app = App(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    epilog="spikebench VERB --help tells more.",
    add_completion=True,
)


@app.callback()
def verbs(context: typer.Context, version: Annotated[bool, typer.Option("--version", **VERSION)] = False) -> None:
    """Benchmark and reproducibility suite for spiking neural networks."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """`spikebench VERB ...` does what `python -m` does with the verb's module."""
    app(prog_name="spikebench")


if __name__ == "__main__":
    main()
