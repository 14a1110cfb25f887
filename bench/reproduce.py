"""python -m bench.reproduce TABLE: regenerates a table of a paper and says how it compares with what was published."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from core.command import App
from core.errors import FAILED, OK, UsageError
from core.options import AMOUNT, DEVICE, FOLDER, PLACE, STORE, WHOLE
from core.registry import PluginError
from core.shell import exit_status, typed
from papers import ORIGINALS, registry
from papers.measured import TABLES, stored_findings

from . import measured
from .settings import EXECUTORS, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from results import Store

    from .plan import Step
    from .present import Present

app = App()
ORIGINAL = "spikebench.original"


class WithOriginals(TyperCommand):
    """A command to which arguments of a work's released code may be given, `--FS 0.2 16 200`, with a table that takes
    them; they are kept in `context.meta[ORIGINAL]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {name for parameter in self.params for name in (*parameter.opts, *parameter.secondary_opts)}
        ctx.meta[ORIGINAL] = []
        if not set(args).isdisjoint(ORIGINALS.names()):
            args, ctx.meta[ORIGINAL] = apart(args, own)
        return super().parse_args(ctx, args)


def apart(args: Sequence[str], own: Collection[str]) -> tuple[list[str], list[str]]:
    """The words of `args` that are ours, and arguments that are not in `own` with the values after them."""
    found: tuple[list[str], list[str]] = [], []
    foreign = False
    for word in args:
        if word.startswith("-") and not _is_number(word):
            foreign = word.startswith("--") and word.partition("=")[0] not in own
        found[foreign].append(word)
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


@app.command(
    cls=WithOriginals,
    epilog="""\b
    Examples:
    python -m bench.reproduce plif_table
    python -m bench.reproduce plif_ablation --seeds 3
    python -m bench.reproduce plif_table --scale short --device cuda --data ~/data --plan
    python -m bench.reproduce fs_table --scale paper --FS 0.2 16 200 --neuron1 5. 5. 0.5

    Exit status: 0 every cell has an outcome, 1 a run failed or another process is still at it, 2 wrong usage,
    3 a parity check is red, 130 interrupted.""",
)
@exit_status
def main(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="TABLE", help="Tables; --list shows them.")] = None,
    scale: Annotated[str, typer.Option(metavar="SCALE", help="quick, short or paper.")] = "quick",
    device: Annotated[str, typer.Option(**DEVICE)] = "auto",
    seeds: Annotated[int, typer.Option(**WHOLE, help="Runs of each experiment, with different seeds.")] = 1,
    jobs: Annotated[
        int | None, typer.Option(**WHOLE, help="Experiments at a time; default: a core each, or 1 on a GPU.")
    ] = None,
    processes: Annotated[
        int, typer.Option(**WHOLE, help="Processes of one experiment that share its batches; a GPU each.")
    ] = 1,
    executor: Annotated[
        str, typer.Option(metavar="NAME", help="Where experiments run: local, ray or slurm; docs/clusters.md.")
    ] = "local",
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Ray cluster; default: RAY_ADDRESS, else one of this machine's own."),
    ] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of sbatch, such as partition=gpu; may be repeated."),
    ] = None,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    data: Annotated[
        Path | None, typer.Option(**PLACE, metavar="FOLDER", help="Folder of the data sets; default: SPIKEBENCH_DATA.")
    ] = None,
    out: Annotated[Path, typer.Option(**FOLDER, help="Folder for the report, checkpoints, caches and logs.")] = Path(
        "out"
    ),
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write the report's pages; python -m reports does so, too.")
    ] = True,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be run; run and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run again what is stored already.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run this row or column alone; may be repeated; rows and columns: the cells where they meet.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(**PLACE, metavar="FILE", help="A configuration file of the work: its settings fill the table."),
    ] = None,
    list_tables: Annotated[bool, typer.Option("--list", help="List the tables.")] = False,
    timeout: Annotated[
        float | None, typer.Option(**AMOUNT, help="Seconds an experiment may take; default by scale.")
    ] = None,
    memory: Annotated[float | None, typer.Option(**AMOUNT, help="GiB of host memory an experiment may take.")] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            **WHOLE,
            help="CPU threads of each process; default: 1, on a GPU the cores, shared out; at scale quick always 1.",
        ),
    ] = None,
) -> int:
    """Regenerate tables of papers.

    Each cell is shown with its published value, its measured value with an interval, and a verdict. After fs_table
    the arguments of the work's released code may be given, --path_to_yaml FILE among them.
    """
    from core.console import Console

    console = Console(highlight=False, markup=False)
    if list_tables:
        return _list(console)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UsageError(
            "This command was started by torchrun. Start it plainly; with --processes it starts them itself."
        )
    settings = Settings(
        tuple(names or ()), scale, device, seeds, jobs, processes, executor, store, data, out, force,
        tuple(only or ()), timeout, memory, threads, report, config, tuple(context.meta[ORIGINAL]),
        ray, tuple(slurm or ()),
    )  # fmt: skip
    for sentence in settings.corrected:
        console.print(sentence, soft_wrap=True)
    if plan:
        return _plan(console, settings)
    return max(_measure(console, settings), _train(console, settings, typed("bench.reproduce", context)))


def _list(console: Console) -> int:
    for name in registry.names():
        try:
            title = registry.get(name).title
        except PluginError as error:
            title = str(error)
        console.print(f"{name:16} {title}", soft_wrap=True)
    for name, table in TABLES.items():
        console.print(f"{name:16} {table.title}", soft_wrap=True)
    return OK


def _plan(console: Console, settings: Settings) -> int:
    """Says what would be run; makes and changes nothing."""
    for name in settings.measured:
        console.print(f"{name}: measured anew each time, by python -m {measured.COMMANDS[name].module}")
    if settings.tables:
        from reports import planned

        from .present import Present

        present = Present(settings.root, settings.cache if settings.cache.is_dir() else None)
        with _read_only(settings.url) as store:
            planned.show(console, _steps(settings, store, present))
    return OK


@contextmanager
def _read_only(url: str) -> Iterator[Store | None]:
    """The store as it is, with nothing made or changed; None where there is none yet."""
    from results import Store
    from results.errors import NoStore

    try:
        opened = Store(url, read_only=True)
    except NoStore:
        yield None
    else:
        with opened:
            yield opened


def _steps(settings: Settings, store: Store | None, present: Present) -> list[Step]:
    from .plan import plan

    return plan(store, settings.experiments(), settings.root, settings.force, present)


def _measure(console: Console, settings: Settings) -> int:
    """Runs the commands behind measured tables and shows what their claims have come to; the worst exit status."""
    status = OK
    if settings.measured and settings.executor != "local":
        from . import errand

        status = errand.run(settings, EXECUTORS.get(settings.executor)(settings), console)
    for name in settings.measured:
        command, table = measured.COMMANDS[name], TABLES[name]
        if settings.executor == "local":
            status = max(status, command.run(settings.scale, settings.device, settings.store, settings.out))
        if table.claims:
            from reports import terminal
            from results import Store

            with Store(settings.url) as store:
                terminal.show_claims(stored_findings(table, store), console)
    return status


def _train(console: Console, settings: Settings, command: str) -> int:
    """Runs the trainings that are left to do and shows the tables; the exit status."""
    if not settings.tables:
        return OK
    from reports.progress import Progress
    from results import Store, published

    from . import planned
    from .present import Present
    from .runner import Runner

    present = Present(settings.root, settings.cache)
    executor = EXECUTORS.get(settings.executor)(settings)
    device = executor.device()
    with Store(settings.url) as store:
        published.sync(store)
        steps = _steps(settings, store, present)
        standing = {step.experiment.template: replace(step.now, data=present.known(step.experiment)) for step in steps}
        store.record_standing(standing)
        if beyond := planned.record(store, steps):
            console.print(
                f"{beyond} of the seeds asked for {'are' if beyond > 1 else 'is'} beyond the plan that this store "
                "recorded before the first run: shown, but no claim is decided by them.",
                soft_wrap=True,
            )
        runner = Runner(settings, steps, store, executor, device, command)
        with Progress(console, runner.names, len(runner.pending)) as progress:
            tally = runner.carry_out(progress)
        if tally.elsewhere:
            console.print(
                f"Not run: {tally.elsewhere} of {len(runner.pending)} experiments, which another process is running "
                "now; run the command again when it is done.",
                soft_wrap=True,
            )
        _show(console, settings, store)
    return FAILED if tally.failed or tally.elsewhere else OK


def _show(console: Console, settings: Settings, store: Store) -> None:
    """Shows the wanted cells of each table; the report, where one is wanted, has all."""
    from papers.evaluate import evaluate
    from reports import site, terminal

    for table in settings.tables:
        result = evaluate(store, table, settings.scale).of(settings.wanted)
        if result.cells:
            terminal.show(result, console)
    if settings.report:
        console.print(f"Report: {site.build(store, settings.out)}", soft_wrap=True)


if __name__ == "__main__":
    app()
