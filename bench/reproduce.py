"""python -m bench.reproduce TABLE: regenerates a table of a paper and says how it compares with what was published."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand

from core import machine_readable
from core.command import App
from core.errors import FAILED, OK, UsageError
from core.options import AMOUNT, DEVICE, FOLDER, PLACE, PLUGIN, STORE, VERSION, WHOLE
from core.registry import PluginError
from core.shell import exit_status, typed
from papers import ORIGINALS, registry
from papers.loaded import load
from papers.measured import TABLES, stored_findings

from . import measured
from .settings import EXECUTORS, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from results import Store

    from .cost import Cost, Timed
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
    names: Annotated[
        list[str] | None, typer.Argument(metavar="TABLE", help="Tables, which --list shows; all: every one.")
    ] = None,
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
    measure: Annotated[
        bool, typer.Option("--measure", help="With --plan: time a few batches of each setting that never ran here.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Begin without asking, however long it will take.")] = False,
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
        typer.Option(
            **PLACE,
            metavar="FILE",
            help="Settings: a configuration file of the work, or your own, in TOML, as for --set.",
        ),
    ] = None,
    altered: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Another setting, such as epochs=50 or model.channels=64; may be repeated.",
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="Train in float32, bf16 or fp16, docs/precision.md.")
    ] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NEURON",
            help="A row for this neuron, trained as the table's own: NAME or NAME:option=value,...; may be repeated.",
        ),
    ] = None,
    operations: Annotated[
        bool,
        typer.Option(
            "--operations",
            help="Count operations and energy of the cells' networks, too, which are trained once more for it.",
        ),
    ] = False,
    rasters: Annotated[
        bool,
        typer.Option(
            "--rasters",
            help="Keep the spikes of a test sample of each class of what is trained, for the page of its run; with "
            "--force of what is done, too.",
        ),
    ] = False,
    plugin: Annotated[list[Path] | None, typer.Option(**PLUGIN)] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(**FOLDER, help="Write the epochs of trainings here, for TensorBoard to show.")
    ] = None,
    mlflow: Annotated[
        str | None, typer.Option(metavar="URI", help="Tell the epochs of trainings to this MLflow server or database.")
    ] = None,
    list_tables: Annotated[bool, typer.Option("--list", help="List the tables.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="With --plan or --list: print JSON for programs, docs/json.md.")
    ] = False,
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
    version: Annotated[bool, typer.Option("--version", **VERSION)] = False,
) -> int:
    """Regenerate tables of papers.

    Each cell is shown with its published value, its measured value with an interval, and a verdict. After fs_table
    the arguments of the work's released code may be given, --path_to_yaml FILE among them.
    """
    from core.console import Console

    if json and not (plan or list_tables):
        raise UsageError("--json was given to a command that runs experiments. Add --plan or --list, or leave it out.")
    console = Console(highlight=False, markup=False, stderr=json)
    if list_tables:
        return _list(console, json)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UsageError(
            "This command was started by torchrun. Start it plainly; with --processes it starts them itself."
        )
    settings = Settings(
        tuple(names or ()), scale, device, seeds, jobs, processes, executor, store, data, out, force,
        tuple(only or ()), timeout, memory, threads, report, config, tuple(altered or ()), precision,
        tuple(own or ()), tuple(context.meta[ORIGINAL]), tensorboard, mlflow, ray, tuple(slurm or ()),
        operations, rasters,
    )  # fmt: skip
    for sentence in (*settings.corrected, *settings.unreached):
        console.print(sentence, soft_wrap=True)
    if measure and not plan:
        raise UsageError("--measure was given without --plan, which it belongs to. Give both, or leave it out.")
    if measure and (settings.executor != "local" or settings.processes > 1):
        raise UsageError(
            "--measure times batches in one process of this machine; leave it out with --processes or --executor."
        )
    if plan:
        return _plan(console, settings, measure, json)
    return max(_measure(console, settings), _train(console, settings, typed("bench.reproduce", context), yes))


def _list(console: Console, json: bool) -> int:
    records = []
    for name in registry.names():
        try:
            table = load(name)
        except PluginError as error:
            records.append({"table": name, "title": str(error), "work": None, "trained": True, "usable": False})
        else:
            records.append(
                {"table": name, "title": table.title, "work": table.paper or None, "trained": True, "usable": True}
            )
    records += [
        {"table": name, "title": table.title, "work": table.paper, "trained": False, "usable": True}
        for name, table in TABLES.items()
    ]
    if json:
        machine_readable.write("reproduce --list", records)
        return OK
    for record in records:
        console.print(f"{record['table']:16} {record['title']}", soft_wrap=True)
    return OK


def _plan(console: Console, settings: Settings, measure: bool, json: bool) -> int:
    """Says what would be run, and what it costs; makes and changes nothing. To `measure` batches, data are prepared."""
    commands = {name: measured.COMMANDS[name].module for name in settings.measured}
    if not json:
        for name, module in commands.items():
            console.print(f"{name}: measured anew each time, by python -m {module}")
    steps: list[Step] = []
    costs: dict[str, Cost] = {}
    if settings.tables:
        from . import timing
        from .present import Present

        present = Present(settings.root, settings.cache if settings.cache.is_dir() else None)
        with _read_only(settings.url) as store:
            steps = _steps(settings, store, present)
            costs = _costs(settings, steps, store)
            if measure:
                costs = _costs(settings, steps, store, timing.of(settings, steps, costs, console))
    if json or settings.tables:
        from reports import planned

        if json:
            summary = {**planned.summary(steps, costs), "measured": commands, "set": settings.changes}
            machine_readable.write("reproduce --plan", planned.records(steps, costs), **summary)
        else:
            if settings.changes:
                console.print(f"set: {', '.join(f'{name}={given}' for name, given in settings.changes.items())}")
            planned.show(console, steps, costs)
    return OK


def _costs(
    settings: Settings, steps: list[Step], store: Store | None, timed: Mapping[str, Timed] | None = None
) -> dict[str, Cost]:
    """What the steps that are to run will cost, as far as the store, `timed` batches and the authors' logs tell."""
    from . import cost

    authors = cost.of_authors(settings.tables, settings.scale)
    here = store if settings.executor == "local" else None  # a cluster computes on other machines than this one
    return cost.costs(steps, here, settings.device, settings.root, authors, timed or {}, settings.processes)


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


def _train(console: Console, settings: Settings, command: str, yes: bool) -> int:
    """Runs the trainings that are left to do and shows the tables; the exit status."""
    if not settings.tables:
        return OK
    from papers.read_once import ReadOnce
    from reports.progress import Progress
    from results import Store, published

    from . import own_neuron, planned, trackers
    from .present import Present
    from .runner import Runner

    told = trackers.trackers(settings)
    for one in settings.added:
        own_neuron.tried(one)
    present = Present(settings.root, settings.cache)
    executor = EXECUTORS.get(settings.executor)(settings)
    device = executor.device()
    with Store(settings.url) as store:
        published.sync(store, others=_beside_plugins(settings.names))
        steps = _steps(settings, store, present)
        if not (yes or _agreed(console, settings, steps, store, executor.share(device, len(steps)).jobs or 1)):
            console.print("Nothing was run.")
            return OK
        standing = {step.experiment.template: replace(step.now, data=present.known(step.experiment)) for step in steps}
        store.record_standing(standing)
        before = cast("Store", ReadOnce(store))  # a large store is read once where nothing is to be run
        if beyond := planned.record(before, steps):
            console.print(
                f"{beyond} of the seeds asked for {'are' if beyond > 1 else 'is'} beyond the plan that this store "
                "recorded before the first run: shown, but no claim is decided by them.",
                soft_wrap=True,
            )
        if settings.rasters and (done := sum(step.status == "done" for step in steps)):
            console.print(
                f"--rasters keeps spikes of what is trained now; {done} of {len(steps)} experiments are done. --force "
                "trains them again.",
                soft_wrap=True,
            )
        runner = Runner(settings, steps, store, executor, device, command)
        with Progress(console, runner.names, len(runner.pending)) as progress:
            tally = runner.carry_out(trackers.Tracked(progress, runner.names, told) if told else progress)
        if tally.elsewhere:
            console.print(
                f"Not run: {tally.elsewhere} of {len(runner.pending)} experiments, which another process is running "
                "now; run the command again when it is done.",
                soft_wrap=True,
            )
        _show(console, settings, before if all(step.status == "done" for step in runner.steps) else store)
    return FAILED if tally.failed or tally.elsewhere else OK


def _beside_plugins(tables: Iterable[str]) -> list[Path]:
    """The files of published values that lie beside the modules of tables of plug-ins, and are called like them."""
    points = filter(None, (registry.plugin(name) for name in tables if name not in TABLES))
    specs = map(find_spec, sorted({point.value.partition(":")[0] for point in points}))
    files = [Path(spec.origin).with_suffix(".toml") for spec in specs if spec is not None and spec.origin]
    return [file for file in files if file.is_file()]


def _agreed(console: Console, settings: Settings, steps: list[Step], store: Store, jobs: int) -> bool:
    """Says how long it will take, and asks where that is very long and somebody is there to answer."""
    from reports import planned

    from . import cost

    costs = _costs(settings, steps, store)
    to_run, seconds = list(costs.values()), planned.summary(steps, costs)["seconds"]
    if not seconds:
        return True
    beside = f", {jobs} at a time" if jobs > 1 and len(to_run) > 1 else ""
    console.print(
        f"To run: {planned.counted(len(to_run), 'experiment')}, {planned.summed(to_run)}{beside}.", soft_wrap=True
    )
    if seconds / jobs < cost.LONG or not (console.is_terminal and sys.stdin.isatty()):
        return True
    return typer.confirm("Begin?")


def _show(console: Console, settings: Settings, store: Store) -> None:
    """Shows the wanted cells of each table; the report, where one is wanted, has all."""
    from papers.board import board
    from papers.evaluate import evaluate
    from papers.operations import NAME, rows
    from papers.pairs import pairs
    from reports import board_terminal, operations, paired, site, terminal

    for table in settings.tables:
        result = evaluate(store, table, settings.scale).of(settings.wanted)
        if table.ranked:
            ids = sorted({run.id for cell in result.cells for run in cell.runs})
            board_terminal.show(result, board(result, store.metrics(ids)), console)
        elif held := pairs(store, result):
            paired.show(result, held, console)
        elif result.cells:
            terminal.show(result, console)
        cells = [cell.cell for cell in result.cells]
        named = not table.ranked  # whose board sums up what was counted
        counted = [cell for cell in cells if settings.operations or (named and NAME in cell.experiment.measures)]
        operations.show(rows(store, counted), console)
    if settings.report:
        console.print(f"Report: {site.build(store, settings.out)}", soft_wrap=True)


if __name__ == "__main__":
    app()
