"""`python -m results`: look at a store, merge stores, write and read results as text."""

import core.early  # noqa: F401  # isort: skip

import functools
import importlib
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from core.command import App
from core.errors import OK
from core.options import PLACE, STORE, VERSION
from core.shell import exit_status

# They ask tables, measures and reports, which this room does not know, and are loaded when they are named.
ELSEWHERE = {"show": "bench.show", "compare": "bench.compare"}


class Verbs(TyperGroup):
    """The commands of this module, and those ELSEWHERE."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: dict[str, Any] = {**dict.fromkeys(ELSEWHERE), **self.commands}  # named first, loaded later

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        return typer.main.get_command(importlib.import_module(ELSEWHERE[cmd_name]).app)


app = App(
    name="results",
    cls=Verbs,
    epilog="Exit status: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
)


@app.callback()
def verbs(version: Annotated[bool, typer.Option("--version", **VERSION)] = False) -> None:
    """Look at stored results, compare, merge, write and read them."""


StoreOption = Annotated[
    str | None,
    typer.Option("--store", show_default=False, **STORE),
]


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a sub-command whose failures are one sentence and an exit status."""

    @functools.wraps(function)
    def done(*args: Any, **kwargs: Any) -> int:
        function(*args, **kwargs)
        return OK

    return app.command(name=function.__name__.rstrip("_").replace("_", "-"))(exit_status(done))


@_command
def merge(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="Stores to read: files or URLs.")],
    store: StoreOption = None,
) -> None:
    """Add the results of other stores to one.

    Repeating it changes nothing, and nothing is ever overwritten.

    Examples:

        python -m results merge laptop.db cluster.db

        python -m results merge laptop.db --store postgresql://me@db.example/spikebench
    """
    from results import lines, published
    from results.store import Store, default_url

    with ExitStack() as opened:
        # Before the target: a source that cannot be read must not even make an empty one.
        from_ = [opened.enter_context(Store(name, read_only=True)) for name in sources]
        target = opened.enter_context(Store(store or default_url()))
        published.sync(target)  # values that ship with the program are in no export
        for source in from_:
            print(f"{source.url}: {lines.merge(target, source)} new, now in {target.url}")


@_command
def export(
    file: Annotated[Path, typer.Argument(**PLACE, metavar="FILE", help="The file to write; - is the terminal.")] = Path(
        "-"
    ),
    keys: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Only the runs of this experiment; may be repeated."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write results as text.

    One record a line, sorted: the same results give the same bytes.

    Examples:

        python -m results export results/archive/plif-quick-cpu.jsonl

        python -m results export - --keys 0f3c5a... | gzip > one.jsonl.gz
    """
    from results import lines
    from results.store import Store, default_url

    with Store(store or default_url(), read_only=True) as opened:
        if str(file) == "-":
            for line in lines.dump(opened, keys or None):
                print(line)
        else:
            print(f"{lines.write(opened, file, keys or None)} lines from {opened.url} in {file}")


@_command
def import_(
    files: Annotated[
        list[Path], typer.Argument(**PLACE, metavar="FILE", help="Files written by export, also packed by gzip.")
    ],
    store: StoreOption = None,
) -> None:
    """Take exported results into a store.

    It takes all of the files or, if a line is damaged, none.

    Examples:

        python -m results import results/archive/plif-quick-cpu.jsonl

        python -m results import one.jsonl two.jsonl --store sqlite:///both.db
    """
    from results import published, reading
    from results.store import Store, default_url

    records = reading.read(files)  # before the store is opened: a damaged file must not even make an empty one
    with Store(store or default_url()) as opened:
        published.sync(opened)
        print(f"{opened.record_all(*records)} new, now in {opened.url}")


@_command
def import_asv(
    files: Annotated[list[Path], typer.Argument(**PLACE, metavar="FILE", help="Result files of asv run.")],
    store: StoreOption = None,
) -> None:
    """Take results of asv into a store.

    Each benchmark with its parameters becomes a run. Repeating it changes nothing. What a benchmark measured that is no
    longer there, or has other parameters now, is left out, with a line about it.

    Example:

        python -m results import-asv .asv/results/*/*.json
    """
    from results import asv_results
    from results.store import Store, default_url

    runs = asv_results.read(files, lambda sentence: print(sentence, file=sys.stderr))
    with Store(store or default_url()) as opened:
        print(f"{opened.record_all(runs)} new, now in {opened.url}")


def main() -> None:
    app(prog_name="python -m results")


if __name__ == "__main__":
    main()
