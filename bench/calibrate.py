"""python -m bench.calibrate: how often the rules of judgement are wrong, by simulation through their own code."""

from __future__ import annotations

import core.early  # noqa: F401  # isort: skip

import importlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.command import App
from core.errors import INTERRUPTED, OK
from core.options import FOLDER, STORE, VERSION, WHOLE, at_least_one
from core.shell import exit_status, typed

if TYPE_CHECKING:
    from papers.calibration.rates import Rate
    from results import Run

PARTS = ("verdicts", "claims")  # modules of papers.calibration

app = App()


@app.command(
    epilog="""\b
    Examples:
    python -m bench.calibrate
    python -m bench.calibrate --simulations 500

    Exit status: 0 simulated, 2 wrong usage, 130 interrupted."""
)
@exit_status
def main(
    context: typer.Context,
    simulations: Annotated[int, typer.Option(**WHOLE, help="Of each rule in each setting.")] = 4000,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    out: Annotated[Path, typer.Option(**FOLDER, help="Folder for the report.")] = Path("out"),
    version: Annotated[bool, typer.Option("--version", **VERSION)] = False,
) -> int:
    """Simulate how often verdicts and claims are wrong.

    The truth is known, and the code that judges measured results judges. Takes some minutes; the rates are stored
    together at the end and get a page of the report.
    """
    from core.console import Console
    from reports import calibration, site
    from results import Store, default_url

    at_least_one("--simulations", simulations)
    console = Console(highlight=False, markup=False)
    with Store(store or default_url()) as opened:
        start, rates = time.monotonic(), list["Rate"]()
        try:
            with calibration.progress(Console(stderr=True), len(PARTS)) as tell:
                for number, part in enumerate(PARTS):
                    tell(number, f"{part}, {simulations} simulations of each setting")
                    rates += importlib.import_module(f"papers.calibration.{part}").simulate(simulations)
        except KeyboardInterrupt:
            console.print("Interrupted. Nothing is stored; the same command begins anew.")
            return INTERRUPTED
        opened.record(_run(rates, time.monotonic() - start, typed("bench.calibrate", context)))
        calibration.show(console, rates)
        console.print(f"Report: {site.build(opened, out)}", soft_wrap=True)
    return OK


def _run(rates: list[Rate], seconds: float, command: str) -> Run:
    from core.sources import digest, package
    from papers.calibration.rates import SHARE, document
    from results import Run, Sample, content_key, environment, new_id, timestamp

    what = document(rates)
    return Run(
        id=new_id(),
        experiment=what,
        experiment_key=content_key(what),
        implementation=digest(package("papers") | package("papers.calibration")),
        outcome="ok",
        reason="",
        started=timestamp(),
        seconds=seconds,
        seed=0,
        device="cpu",
        backend="",
        command=command,
        peak_memory=None,
        machine=environment.machine(),
        environment=environment.environment(),
        samples=tuple(Sample(SHARE, place, rate.measured, "fraction") for place, rate in enumerate(rates)),
    )


if __name__ == "__main__":
    app()
