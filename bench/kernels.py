"""python -m bench.kernels NEURON: speed and memory of its kernels, against other libraries and a copy of the bytes."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import device as devices
from core import machine_readable, options
from core.command import App
from core.errors import FAILED, INTERRUPTED, OK, PARITY_RED
from core.options import AMOUNT, DEVICE, FOLDER, PLUGIN, STORE, VERSION, WHOLE
from core.shell import exit_status, typed

from .speed import asked as choices
from .speed.job import ALLOCATORS, Job
from .speed.plan import BY_NAME, DEFAULT, LIMIT, PEERS, QUICK_LIMIT, WHATS, Asked, jobs, refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from results import Run, Store

FAILURES = ("oom", "timeout", "crashed")
DTYPES = ("float32", "bfloat16", "float16")

app = App()


@app.command(
    epilog="""\b
    Examples:
    python -m bench.kernels lif --quick
    python -m bench.kernels lif plif --shape 16x262144 --threads 2
    python -m bench.kernels lif --what linear --what frontier --peers spikingjelly

    Exit status: 0 measured, 1 a measurement failed, 2 wrong usage, 3 a kernel computed something else,
    130 interrupted."""
)
@exit_status
def main(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NEURON", help="Neurons; default: lif plif.")] = None,
    what: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"{', '.join(WHATS)}; may be repeated.")
    ] = None,
    shape: Annotated[list[str] | None, typer.Option(metavar="TxN", help="Steps x neurons; may be repeated.")] = None,
    peers: Annotated[
        str,
        typer.Option(metavar="NAMES", help=f"all, none or some of {', '.join(PEERS)}, by commas; {BY_NAME} by name."),
    ] = "all",
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The contender that ratios refer to; default: fused, else torch."),
    ] = None,
    allocator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Of memory: {', '.join(ALLOCATORS)}; may be repeated; default: pooled."),
    ] = None,
    device: Annotated[str, typer.Option(**DEVICE)] = "auto",
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help=f"{', '.join(DTYPES)}.")] = "float32",
    detach: Annotated[bool, typer.Option("--detach/--no-detach", help="Keep the gradient out of the reset.")] = True,
    threads: Annotated[int | None, typer.Option(**WHOLE, help="CPU threads; default: one a core.")] = None,
    repeats: Annotated[int | None, typer.Option(**WHOLE, help="Rounds of timing; default 15, quick 7.")] = None,
    budget: Annotated[float, typer.Option(**AMOUNT, help="Seconds a contender is timed at a size, at most.")] = 20.0,
    limit: Annotated[
        float | None, typer.Option(**AMOUNT, help="Memory limit of the frontier in MiB; default 1024, quick 64.")
    ] = None,
    timeout: Annotated[float, typer.Option(**AMOUNT, help="Seconds a process may take.")] = 1800.0,
    plugin: Annotated[list[Path] | None, typer.Option(**PLUGIN)] = None,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    out: Annotated[Path, typer.Option(**FOLDER, help="Folder for the report.")] = Path("out"),
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: shows that it works, not how fast.")] = False,
    json: Annotated[bool, typer.Option("--json", **machine_readable.JSON)] = False,
    version: Annotated[bool, typer.Option("--version", **VERSION)] = False,
) -> int:
    """Measure speed and memory of neurons against other libraries.

    Every backend and library takes its turn; equal results are checked first.
    """
    import neurons
    from core.console import Console

    for name in names or ():
        neurons.registry.module(name)  # raises for an unknown one
    for option, number in (("--threads", threads), ("--repeats", repeats)):
        options.at_least_one(option, number)
    for option, amount in (("--budget", budget), ("--limit", limit), ("--timeout", timeout)):
        options.positive(option, amount)
    devices.known(device)
    taking_part, missing = choices.peers(peers)
    asked = Asked(
        neurons=tuple(dict.fromkeys(names or ("lif", "plif"))),
        whats=choices.chosen("measurement", what or DEFAULT, WHATS),
        peers=taking_part,
        shapes=tuple(choices.shape(text) for text in shape or ()),
        allocators=choices.chosen("allocator", allocator or ["pooled"], ALLOCATORS),
        base=choices.base(base),
        options={"detach_reset": detach},
        dtype=choices.chosen("dtype", [dtype], DTYPES)[0],
        device=devices.find(device),
        threads=threads or len(os.sched_getaffinity(0)),
        repeats=repeats or (7 if quick else 15),
        budget=budget,
        limit=int(limit * 2**20) if limit else QUICK_LIMIT if quick else LIMIT,
        quick=quick,
        timeout=timeout,
    )
    work = jobs(asked)
    console = Console(highlight=False, stderr=json)
    _say_what_is_left_out(console, asked, missing)
    return _carry_out(console, work, store, out, typed("bench.kernels", context), json)


def _say_what_is_left_out(console: Console, asked: Asked, missing: Sequence[str]) -> None:
    if missing:
        console.print(
            f"Not installed, so not timed: {', '.join(missing)}. To install: pip install {' '.join(missing)}.",
            markup=False,
        )
    for (backend, reason), of in refusals(asked).items():
        console.print(f"Not timed: backend {backend} of {', '.join(of)}: {reason}.", markup=False, soft_wrap=True)


def _carry_out(
    console: Console, work: list[tuple[Job, ...]], url: str | None, out: Path, command: str, json: bool
) -> int:
    """Measures, stores and shows; the exit status."""
    from reports import measurement_tables, measurements, site
    from results import Store, default_url

    runs: list[Run] = []
    interrupted = False
    with Store(url or default_url()) as store:
        try:
            _measure(console, store, work, runs, command)
        except KeyboardInterrupt:
            console.print("Interrupted. What was measured is stored.")
            interrupted = True
        page = site.build(store, out)
        if json:
            records = measurements.records(runs, store.parity())
            machine_readable.write("kernels", records, store=store.url, page=str(page), interrupted=interrupted)
        else:
            measurement_tables.show_all(console, runs, store.parity())
            for allocator in dict.fromkeys(job.allocator for jobs in work for job in jobs):
                console.print(f"{allocator}: {ALLOCATORS[allocator]}.", soft_wrap=True)
            console.print(f"Report: {page}", markup=False, soft_wrap=True)
    outcomes = {run.outcome for run in runs}
    if interrupted:
        return INTERRUPTED
    if "parity_failed" in outcomes:
        return PARITY_RED
    return OK if outcomes.isdisjoint(FAILURES) else FAILED


def _measure(console: Console, store: Store, work: list[tuple[Job, ...]], runs: list[Run], command: str) -> None:
    """Carries out the jobs; each result is stored and appended to `runs` as it comes."""
    from rich.markup import escape

    from reports import measurements

    from .speed import parent
    from .speed.record import Recorder

    recorder = Recorder(command)
    with console.status("starting") as status:
        for number, stages in enumerate(work, start=1):
            place = f"[{number}/{len(work)}]"

            def note(text: str, place: str = place) -> None:
                status.update(escape(f"{place} {text}"))

            for measured in parent.carry_out(stages, note):
                run = recorder.run(stages[0], measured)
                store.record(run)
                runs.append(run)
                console.print(f"{place} {measurements.line(run)}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
