"""python -m bench.reference: the reference of all commands, docs/commands.md, as the program itself describes them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from .__main__ import app

PROLOGUE = """\
# Commands

Made from the program by `python -m bench.reference > docs/commands.md`. `spikebench reproduce` is also
`python -m bench.reproduce`; likewise `bench.parity`, `bench.kernels`, `results` and `reports`.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Each command with the words that lead to it, groups before their members."""
    yield from _below("spikebench", typer.main.get_command(app), None)


def _below(words: str, command: Any, parent: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    if hasattr(command, "list_commands"):
        context = typer.Context(command, info_name=words, parent=parent)
        for name in command.list_commands(context):
            yield from _below(f"{words} {name}", command.get_command(context, name), context)


def text() -> str:
    """The whole reference, as Markdown."""
    return "\n".join([PROLOGUE, *(_section(words, command) for words, command in commands())])


def _section(words: str, command: Any) -> str:
    parts = [f"## {words}", f"    {words} {_usage(command)}".rstrip(), *_paragraphs(command.help)]
    if rows := [_row(parameter) for parameter in command.params]:
        parts.append("\n".join(["| | what | default |", "|---|---|---|", *rows]))
    return "\n\n".join([*parts, *_paragraphs(command.epilog)]) + "\n"


def _usage(command: Any) -> str:
    if hasattr(command, "list_commands"):
        return command.subcommand_metavar
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = ["[OPTIONS]"] if len(arguments) < len(command.params) else []
    for argument in arguments:
        word = argument.metavar + ("..." if argument.nargs == -1 else "")
        words.append(word if argument.required else f"[{word}]")
    return " ".join(words)


def _row(parameter: Any) -> str:
    """A line of the table."""
    flag = getattr(parameter, "is_flag", False)
    if parameter.param_type_name == "argument":
        name = parameter.metavar
    else:
        name = " / ".join([*parameter.opts, *parameter.secondary_opts])
        name += "" if flag else f" {parameter.metavar}"
    default = "" if parameter.default is None or flag else str(parameter.default)
    if parameter.secondary_opts:
        default = (parameter.opts if parameter.default else parameter.secondary_opts)[0]
    cells = (f"`{name}`", (parameter.help or "").replace("|", "\\|"), f"`{default}`" if default else "")
    return f"| {' | '.join(cells)} |"


def _paragraphs(described: str | None) -> Iterator[str]:
    """A help text in Markdown: what keeps its lines on the terminal keeps them here."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(described or "")):
        kept = "\b" in paragraph
        lines = [line for line in inspect.cleandoc(paragraph).splitlines() if line.strip() != "\b"]
        if kept and lines:
            heading, *lines = lines
            yield heading
        if lines and (kept or paragraph.startswith(" ")):
            yield "\n".join(f"    {line.strip()}" for line in lines)
        elif lines:
            yield "\n".join(lines)


if __name__ == "__main__":
    print(text(), end="")
