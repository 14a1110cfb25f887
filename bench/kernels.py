"""python -m bench.kernels NEURON: speed and memory of its kernels, against other libraries and a copy of the bytes."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import App
from .errors import FAILED, INTERRUPTED, OK, PARITY_RED, UsageError, exit_status
from .options import AMOUNT, FOLDER, STORE, WHOLE
from .registry import unknown
from .speed.contenders import SAVING
from .speed.job import ALLOCATORS, Job
from .speed.plan import BY_NAME, DEFAULT, LIMIT, PEERS, QUICK_LIMIT, WHATS, Asked, installed, jobs, refusals

if TYPE_CHECKING:
    from rich.console import Console

    from results import Run, Store

FAILURES = ("oom", "timeout", "crashed")
DTYPES = ("float32", "bfloat16", "float16")
DEVICES = ("auto", "cpu", "cuda")

app = App()


@app.command(
    epilog="Examples: 'python -m bench.kernels lif --quick'; 'python -m bench.kernels lif plif --shape 16x262144 "
    "--threads 2'; 'python -m bench.kernels lif --what linear --what frontier --peers spikingjelly'."
)
@exit_status
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="NEURON...", help="Neurons; default: lif plif.")] = None,
    what: Annotated[list[str] | None, typer.Option(help=f"{', '.join(WHATS)}; may be repeated.")] = None,
    shape: Annotated[list[str] | None, typer.Option(help="TxN: steps x neurons; may be repeated.")] = None,
    peers: Annotated[str, typer.Option(help=f"all, none or some of {','.join(PEERS)}; {BY_NAME} by name.")] = "all",
    base: Annotated[
        str | None, typer.Option(help="The contender that ratios refer to; default: fused, else torch.")
    ] = None,
    allocator: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(ALLOCATORS)}; default: all, on a GPU one.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option(help=f"{', '.join(DTYPES)}.")] = "float32",
    detach: Annotated[bool, typer.Option("--detach/--no-detach", help="Keep the gradient out of the reset.")] = True,
    threads: Annotated[int | None, typer.Option(**WHOLE, help="CPU threads; default: one a core.")] = None,
    repeats: Annotated[int | None, typer.Option(**WHOLE, help="Rounds of timing; default 15, quick 7.")] = None,
    budget: Annotated[float, typer.Option(**AMOUNT, help="Seconds a contender is timed at a size, at most.")] = 20.0,
    limit: Annotated[float | None, typer.Option(**AMOUNT, help="Memory limit of the frontier in MiB.")] = None,
    timeout: Annotated[float, typer.Option(**AMOUNT, help="Seconds a process may take.")] = 1800.0,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    out: Annotated[Path, typer.Option(**FOLDER, help="Folder for the report.")] = Path("out"),
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: shows that it works, not how fast.")] = False,
) -> int:
    """Measure speed and memory of neurons: every backend and library in turn, checked for equal results first."""
    import neurons
    from results.console import Console

    from .reproduce import _device

    for name in names or ():
        neurons.registry.module(name)  # raises for an unknown one
    for value, kind, known in ((device, "device", DEVICES), (dtype, "dtype", DTYPES)):
        if value not in known:
            raise unknown(kind, value, known)
    for option, number in (("--threads", threads), ("--repeats", repeats)):
        if number is not None and number < 1:
            raise UsageError(f"{option} was given {number}; it must be at least 1.")
    for option, amount in (("--budget", budget), ("--limit", limit), ("--timeout", timeout)):
        if amount is not None and not 0 < amount < math.inf:
            raise UsageError(f"{option} was given {amount:g}; it must be more than 0 and finite.")
    console = Console()
    asked = Asked(
        neurons=tuple(dict.fromkeys(names or ("lif", "plif"))),
        whats=_chosen("measurement", what or DEFAULT, WHATS),
        peers=_peers(console, peers),
        shapes=tuple(_shape(text) for text in shape or ()),
        allocators=_chosen("allocator", allocator or (["pooled"] if quick else ALLOCATORS), ALLOCATORS),
        base=_base(base),
        options={"detach_reset": detach},
        dtype=dtype,
        device=_device(device),
        threads=threads or len(os.sched_getaffinity(0)),
        repeats=repeats or (7 if quick else 15),
        budget=budget,
        limit=int(limit * 2**20) if limit else QUICK_LIMIT if quick else LIMIT,
        quick=quick,
        timeout=timeout,
    )

    work = jobs(asked)

    from reports import site
    from results import Store, default_url

    from .speed import tables

    for (backend, reason), of in refusals(asked).items():
        console.print(
            f"Not timed: backend {backend} of {', '.join(of)}: {reason}.", highlight=False, markup=False, soft_wrap=True
        )
    runs: list[Run] = []
    status = OK
    with Store(store or default_url()) as opened:
        try:
            _measure(console, opened, work, runs)
        except KeyboardInterrupt:
            console.print("Interrupted. What was measured is stored.")
            status = INTERRUPTED
        tables.show_all(console, runs, opened.parity())
        console.print(f"Report: {site.build(opened, out)}", highlight=False, soft_wrap=True)
    outcomes = {run.outcome for run in runs}
    if status == OK and "parity_failed" in outcomes:
        return PARITY_RED
    if status == OK and not outcomes.isdisjoint(FAILURES):
        return FAILED
    return status


def _chosen(kind: str, given: object, known: dict[str, str]) -> tuple[str, ...]:
    chosen = list(given)  # type: ignore[call-overload]
    for name in chosen:
        if name not in known:
            raise unknown(kind, name, known)
    return tuple(dict.fromkeys(chosen))


def _peers(console: Console, text: str) -> tuple[str, ...]:
    """The peers to time: those that were named, or all that are installed."""
    if text == "none":
        return ()
    if text == "all":
        missing = [peer for peer in PEERS if not installed(peer)]
        if missing:
            console.print(
                f"Not installed, so not timed: {', '.join(missing)}. To install: pip install {' '.join(missing)}."
            )
        return tuple(peer for peer in PEERS if peer not in missing)
    chosen = _chosen("peer", [part.strip() for part in text.split(",")], dict.fromkeys((*PEERS, BY_NAME), ""))
    for peer in chosen:
        if not installed(peer):
            raise UsageError(f"The peer {peer!r} was asked for, but is not installed. Install it: pip install {peer}.")
    return chosen


def _base(name: str | None) -> str | None:
    import neurons

    known = [*dict.fromkeys((*neurons.backends.MODULES, SAVING, *PEERS))]
    if name is not None and name not in known:
        raise unknown("contender", name, known)
    return name


def _shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if match is None:
        raise UsageError(f"The shape {text!r} is not of the form TxN with whole numbers from 1, such as 16x262144.")
    return int(match[1]), int(match[2])


def _measure(console: Console, store: Store, work: list[tuple[Job, ...]], runs: list[Run]) -> None:
    """Carries out the jobs; each result is stored and appended to `runs` as it comes."""
    from rich.markup import escape

    from .speed import parent, show
    from .speed.record import Recorder

    recorder = Recorder()
    with console.status("starting") as status:
        for number, stages in enumerate(work, start=1):
            place = f"[{number}/{len(work)}]"

            def note(text: str, place: str = place) -> None:
                status.update(escape(f"{place} {text}"))

            for measured in parent.carry_out(stages, note):
                run = recorder.run(stages[0], measured)
                store.record(run)
                runs.append(run)
                console.print(f"{place} {show.line(run)}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    app()
