"""python -m bench.reproduce TABLE: regenerates a table of a paper and says how it compares with what was published."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import measured
from .choice import choose
from .command import App
from .errors import FAILED, OK, UsageError, exit_status
from .experiment import SCALES
from .labels import labels
from .options import AMOUNT, FOLDER, PLACE, STORE, WHOLE
from .papers import registry
from .registry import PluginError, unknown

if TYPE_CHECKING:
    from rich.console import Console

    from results import Store

    from .job import Request, Result
    from .plan import Step
    from .present import Present
    from .table import Cell, Table

FIRST_SEED = 2020  # the seed of every published PLIF run; further seeds count up from it
TIMEOUTS = {"quick": 1800.0, "short": 86400.0, "paper": None}  # seconds an experiment
FAILURES = ("oom", "timeout", "crashed", "diverged")
EXECUTORS = ("local",)
DEVICES = ("auto", "cpu", "cuda")

app = App()


@app.command(
    epilog="Examples: 'python -m bench.reproduce plif_table'; 'python -m bench.reproduce plif_ablation --seeds 3'; "
    "'python -m bench.reproduce plif_table --scale short --device cuda --data ~/data --plan'."
)
@exit_status
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="TABLE...", help="Tables; --list shows them.")] = None,
    scale: Annotated[str, typer.Option(help="quick, short or paper.")] = "quick",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seeds: Annotated[int, typer.Option(**WHOLE, help="Runs of each experiment, with different seeds.")] = 1,
    jobs: Annotated[
        int | None, typer.Option(**WHOLE, help="Experiments at a time; default: a core each, or 1 on a GPU.")
    ] = None,
    processes: Annotated[
        int, typer.Option(**WHOLE, help="Processes of one experiment, by torchrun, that share its batches; a GPU each.")
    ] = 1,
    executor: Annotated[str, typer.Option(help="Where experiments run: local.")] = "local",
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    data: Annotated[
        Path | None, typer.Option(**PLACE, metavar="FOLDER", help="Folder of the data sets (default: SPIKEBENCH_DATA).")
    ] = None,
    out: Annotated[Path, typer.Option(**FOLDER, help="Folder for the report, checkpoints, caches and logs.")] = Path(
        "out"
    ),
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be run; run and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run again what is stored already.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Run this row or column alone; may be repeated; rows and columns: the cells where they meet."
        ),
    ] = None,
    list_tables: Annotated[bool, typer.Option("--list", help="List the tables.")] = False,
    timeout: Annotated[
        float | None, typer.Option(**AMOUNT, help="Seconds an experiment may take; default by scale.")
    ] = None,
    memory: Annotated[float | None, typer.Option(**AMOUNT, help="GiB of host memory an experiment may take.")] = None,
) -> int:
    """Regenerate tables of papers: published value, measured value with its interval, verdict."""
    from results.console import Console

    console = Console(highlight=False, markup=False)
    if list_tables:
        return _list(console)
    if not names:
        raise UsageError(f"Name a table to reproduce. Known: {', '.join(_names())}.")
    for value, kind, known in (
        (scale, "scale", SCALES),
        (device, "device", DEVICES),
        (executor, "executor", EXECUTORS),
    ):
        if value not in known:
            raise unknown(kind, value, known)
    _at_least(1, "--seeds", seeds)
    _at_least(1, "--jobs", jobs)
    _at_least(1, "--processes", processes)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UsageError("This command was started by torchrun. Start it plainly; with --processes it calls torchrun.")
    _at_least(0, "--timeout", timeout)
    _at_least(0, "--memory", memory)
    if data is not None and not data.is_dir():
        raise UsageError(f"The data root {data} is not a folder. Give the folder that holds the data sets with --data.")
    if data is not None:  # for what a network loads by itself, and for worker processes
        os.environ["SPIKEBENCH_DATA"] = str(data.resolve())
    for name in names:
        if name not in _names():
            raise unknown("table", name, _names())
    tables: list[Table] = [registry.get(name) for name in dict.fromkeys(names) if name not in measured.TABLES]
    wanted = choose((cell for table in tables for cell in table.cells(scale)), only or ())
    statuses = [OK]
    for name in dict.fromkeys(names):
        if name in measured.TABLES and plan:
            console.print(f"{name}: measured anew each time, by python -m {measured.TABLES[name].module}")
        elif name in measured.TABLES:
            statuses.append(_measure(console, measured.TABLES[name], scale, device, store, out))
    if not tables:
        return max(statuses)
    chosen_seeds = range(FIRST_SEED, FIRST_SEED + seeds)
    experiments = {e.key: e for table in tables for e in table.experiments(scale, chosen_seeds, wanted)}
    root = str(data) if data else None

    from results import Store, default_url, published

    from .plan import plan as make_plan
    from .present import Present

    cache = out / "cache"  # where a plan alone makes none
    present = Present(root, None if plan and not cache.is_dir() else cache)
    if plan:
        with _read_only(store or default_url()) as there:
            _show_plan(console, make_plan(there, experiments.values(), root, force, present))
        return max(statuses)
    device = _device(device)
    with Store(store or default_url()) as opened:
        published.sync(opened)
        steps = make_plan(opened, experiments.values(), root, force, present)
        failed = _carry_out(console, opened, steps, scale, device, jobs, processes, timeout, memory, data, out)
        _show_results(console, opened, tables, wanted, scale, chosen_seeds, out, present)
    return max([FAILED if failed else OK, *statuses])


def _measure(console: Console, table: measured.Measured, scale: str, device: str, store: str | None, out: Path) -> int:
    """Runs the command behind a measured table and says what its claims have come to; its exit status."""
    status = table.run(scale, device, store, out)
    if table.claims:
        from reports import terminal
        from results import Store, default_url

        with Store(store or default_url()) as opened:
            terminal.show_claims(table.findings(opened), console)
    return status


def _names() -> list[str]:
    return [*registry.names(), *measured.TABLES]


def _at_least(least: int, option: str, value: float | None) -> None:
    if value is not None and not (least <= value < math.inf and value):
        what = "at least 1" if least else "more than 0 and finite"
        raise UsageError(f"{option} was given {value}; it must be {what}.")


def _list(console: Console) -> int:
    for name in registry.names():
        try:
            title = registry.get(name).title
        except PluginError as error:
            title = str(error)
        console.print(f"{name:16} {title}", soft_wrap=True)
    for name, table in measured.TABLES.items():
        console.print(f"{name:16} {table.title}", soft_wrap=True)
    return OK


def _device(asked: str) -> str:
    """The device to use; PyTorch is only asked when there is a sign of a GPU, because loading it takes seconds."""
    found = False
    if asked != "cpu" and (Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()):
        import torch

        found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise UsageError("Device 'cuda' was asked for, but no CUDA device was found. Use --device cpu or auto.")
    return "cuda" if found else "cpu"


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


def _show_plan(console: Console, steps: list[Step]) -> None:
    names = labels(step.experiment for step in steps)
    for step in steps:
        console.print(
            f"{step.status:12} {names[step.experiment.key]} · seed {step.experiment.seed}"
            + (f" ({step.reason})" if step.reason else ""),
            soft_wrap=True,
        )
    seconds = [s.run.seconds for s in steps if s.to_run and s.run and s.run.seconds and s.run.outcome == "ok"]
    to_run = sum(step.to_run for step in steps)
    known = f"; {len(seconds)} of them took {sum(seconds):.0f} s last time" if seconds else ""
    console.print(f"{to_run} of {len(steps)} experiments to run{known}.")


def _carry_out(
    console: Console,
    store: Store,
    steps: list[Step],
    scale: str,
    device: str,
    jobs: int | None,
    processes: int,
    timeout: float | None,
    memory: float | None,
    data: Path | None,
    out: Path,
) -> int:
    """Runs what the plan leaves to do and stores every outcome; returns how many runs failed or were left to others."""
    import psutil

    from results import Run, environment, new_id, timestamp
    from results.spare import require_no_store

    from .job import Request, Result
    from .local import execute
    from .plan import done
    from .progress import Progress

    by_key = {step.experiment.key: step for step in steps}
    names = labels(step.experiment for step in steps)
    pending = [step for step in steps if step.to_run]
    cores = len(os.sched_getaffinity(0))
    for step in pending:
        if step.experiment.batch_size % processes:
            raise UsageError(
                f"--processes {processes} does not divide the batch of {step.experiment.batch_size} samples of "
                f"{names[step.experiment.key]}."
            )
    jobs = min(jobs or (1 if device == "cuda" else max(1, cores // processes)), max(1, len(pending)))
    # Small tensors gain nothing from threads, and with one the result does not depend on how many jobs ran.
    threads = 1 if scale == "quick" else max(1, cores // (jobs * processes))
    limit = int((memory * 2**30 if memory else 0.8 * psutil.virtual_memory().total / jobs) / processes)
    timeout = timeout or TIMEOUTS[scale]
    command = f"python -m bench.reproduce {shlex.join(sys.argv[1:])}"
    machine, surroundings = environment.machine(), environment.environment()
    failed = 0
    skipped: list[Step] = []

    def store_result(step: Step, result: Result) -> None:
        store.record(
            Run(
                id=new_id(),
                experiment=step.experiment.document(),
                experiment_key=step.experiment.key,
                implementation=step.implementation,
                outcome=result.outcome,
                reason=result.reason,
                started=result.started or timestamp(),
                seconds=result.seconds,
                seed=step.experiment.seed,
                device=device,
                backend=result.backend,
                command=command,
                peak_memory=result.peak_memory,
                machine=machine,
                environment=surroundings,
                datasets=result.datasets,
                metrics=result.metrics,
                samples=result.samples,
            )
        )

    for step in steps:
        known = step.run is not None and (step.run.outcome, step.run.reason) == ("unavailable", step.reason)
        if step.status == "unavailable" and not known:
            store_result(step, Result("unavailable", step.reason))

    def request(step: Step) -> Request:
        name = f"{step.experiment.key}-{step.implementation}"
        checkpoint, log = out / "checkpoints" / f"{name}.pt", out / "logs" / f"{name}.log"
        for place in (checkpoint, checkpoint.with_suffix(".part"), log):
            require_no_store(place)
        if step.forced:
            checkpoint.unlink(missing_ok=True)
        return Request(
            step.experiment,
            device,
            str(data) if data else None,
            out / "cache",
            checkpoint,
            log,
            threads,
            limit,
            processes,
        )

    def requests() -> Iterator[Request]:
        """Asked for one by one as there is room, for another command on this store may have done some meanwhile."""
        for step in pending:
            if not step.forced and done(store, step):
                progress.known(step.experiment)
            else:
                yield request(step)

    with Progress(console, names, len(pending)) as progress:

        def on_result(request: Request, result: Result) -> None:
            nonlocal failed
            store_result(by_key[request.experiment.key], result)
            failed += result.outcome in FAILURES
            if result.outcome == "skipped":
                skipped.append(by_key[request.experiment.key])
            if result.outcome in ("ok", "diverged"):  # the others may go on from it
                request.checkpoint.unlink(missing_ok=True)
            progress.finished(request, result)

        execute(
            requests(),
            jobs=jobs,
            timeout=timeout,
            listener=progress,
            on_result=on_result,
        )
    skipped = [step for step in skipped if step.forced or not done(store, step)]
    if skipped:
        console.print(
            f"Not run: {len(skipped)} of {len(pending)} experiments, which another process is running now; "
            "run the command again when it is done.",
            soft_wrap=True,
        )
    return failed + len(skipped)


def _show_results(
    console: Console,
    store: Store,
    tables: list[Table],
    wanted: Callable[[Cell], bool],
    scale: str,
    seeds: range,
    out: Path,
    present: Present,
) -> None:
    """Shows the wanted cells of each table; the report has all."""
    from reports import site, terminal

    from .evaluate import evaluate

    for table in tables:
        result = evaluate(store, table, scale, seeds, present).of(wanted)
        if result.cells:
            terminal.show(result, console)
    console.print(f"Report: {site.build(store, out, present=present)}", soft_wrap=True)


if __name__ == "__main__":
    app()
