"""`python -m results`: look at a store, merge stores, write and read results as text."""

import core.early  # noqa: F401  # isort: skip

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.command import App
from core.errors import OK
from core.options import PLACE, STORE
from core.plain import plain
from core.shell import exit_status
from results.units import unit_of

if TYPE_CHECKING:
    from rich.console import Console

    from results.run import Metric, Run, StoredRun

app = App(
    name="results",
    help="Look at stored results, merge, write and read them.",
    epilog="Exit status: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
)

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
def show(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The id of a run, or its beginning.")] = None,
    store: StoreOption = None,
) -> None:
    """List the runs of a store or show one of them.

    The newest run comes last.

    Examples:

        python -m results show

        python -m results show 3f2a91c4

        python -m results show --store postgresql://me@db.example/spikebench
    """
    from results.store import Store, default_url

    with Store(store or default_url(), read_only=True) as opened:
        if run is None:
            _print_runs(opened.runs(), opened.url)
        else:
            _print_run(opened.run(run))


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


def _console() -> "Console":
    from core.console import Console

    # Where the output is no terminal a run takes one line, however long, and nothing is cut.
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 10_000)


HEADINGS = ("run", "started", "experiment", "seed", "outcome", "seconds", "reason")


def _print_runs(runs: "list[StoredRun]", store: str) -> None:
    from rich.cells import cell_len, set_cell_size

    if not runs:
        print(f"No runs in {store} yet.")
        return
    lines = [HEADINGS]
    for run in runs:
        when, took = run.started[:19], _figure(run.seconds, 1)
        lines.append((run.id[:8], when, plain(_title(run)), str(run.seed), run.outcome, took, plain(run.reason)))
    # rich's own table measures and wraps each cell several times: seven seconds for ten thousand runs.
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)]
        cells[5] = " " * (widths[5] - cell_len(line[5])) + line[5]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.write(f"{len(runs)} run{'s' * (len(runs) != 1)} in {store}\n")


def _print_run(run: "Run") -> None:
    from rich.table import Table

    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    memory = "not measured" if run.peak_memory is None else f"{run.peak_memory / 2**20:.1f} MiB"
    for name, value in (
        ("run", run.id),
        ("outcome", f"{run.outcome}: {run.reason}" if run.reason else run.outcome),
        ("started", run.started),
        ("seconds", _figure(run.seconds, 1)),
        ("peak memory", memory),
        ("experiment", run.experiment_key),
        *((f"  {name}", str(value)) for name, value in sorted(run.experiment.items())),
        ("device, backend", f"{run.device}, {run.backend}"),
        ("code", run.implementation),
        ("command", run.command),
        *(("data", f"{d.name}{'' if d.complete else ' (a subset)'}: {d.counts} {d.note}") for d in run.datasets),
        ("machine", ", ".join(str(value) for value in run.machine.values())),
        ("python", str(run.environment.get("python", "unknown"))),
        ("revision", str(run.environment.get("revision", "unknown"))),
    ):
        facts.add_row(plain(name), plain(value))
    console = _console()
    console.print(facts)
    if run.metrics:
        console.print()
        console.print(_metric_table(run.metrics))
    if run.samples:
        console.print(f"\n{len(run.samples)} raw samples: {plain(', '.join(sorted({s.name for s in run.samples})))}")


def _metric_table(metrics: "tuple[Metric, ...]") -> Any:
    """One line per metric: its value for the whole run, and how it went over the epochs."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    for heading in ("whole run", "epochs", "first", "last", "lowest", "highest"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for name in sorted({metric.name for metric in metrics}):
        own = [metric for metric in metrics if metric.name == name]
        whole = [metric.value for metric in own if metric.step is None]
        steps = [metric.value for metric in own if metric.step is not None]
        known = [value for value in steps if value is not None]
        cells = [_figure(whole[0]) if whole else "", str(len(steps) or "")]
        cells += [_figure(steps[0]), _figure(steps[-1])] if steps else ["", ""]
        cells += [_figure(min(known)), _figure(max(known))] if known else ["", ""]
        unit = unit_of(name, own[0].unit)
        table.add_row(plain(name), *cells, f"{unit}, the first is 0" if unit == "epoch" else unit)
    return table


def _title(run: "StoredRun") -> str:
    names = ("task", "model", "what", "neuron", "contender", "scheme", "scale", "benchmark")
    parts = [run.experiment.get(name) for name in names]
    if isinstance(parameters := run.experiment.get("parameters"), dict):  # of a benchmark of asv
        parts += parameters.values()
    return " ".join(part for part in parts if isinstance(part, str)) or run.experiment_key[:12]


def _figure(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if digits is None else f"{value:.{digits}f}"


def main() -> None:
    app(prog_name="python -m results")


if __name__ == "__main__":
    main()
