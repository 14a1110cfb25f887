"""The page of what asv measured: time and memory of benchmarks, by commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers.headline import headlines
from papers.machines import machine

from . import wording

if TYPE_CHECKING:
    from results import Store, StoredRun

KINDS = {"time": "time", "timeraw": "time of a process", "peakmem": "peak memory", "mem": "memory", "track": "number"}


@dataclass(frozen=True)
class Row:
    """A benchmark with its parameters, what it measured in words and as a number, and of which code and where."""

    run: StoredRun
    name: str
    parameters: str
    value: float | None
    text: str
    revision: str
    machine: str


def is_benchmark(run: StoredRun) -> bool:
    return run.experiment.get("kind") == "asv" and "benchmark" in run.experiment


def links(runs: Sequence[StoredRun]) -> dict[str, str]:
    """The page to link from every page, if there is one."""
    return {"Commits": "commits"} if any(map(is_benchmark, runs)) else {}


def pages(store: Store, runs: Sequence[StoredRun], render: Callable[..., str]) -> Iterator[tuple[str, str]]:
    """The page, if asv measured anything; the newest first."""
    measured = [run for run in reversed(runs) if is_benchmark(run)]
    if not measured:
        return
    found = headlines(store, measured)
    rows = []
    for run in measured:
        one = found.get(run.id)
        given = run.experiment.get("parameters")
        parameters = ", ".join(f"{k}={v}" for k, v in given.items()) if isinstance(given, dict) else ""
        text = wording.quantity(one.value, one.measure.unit) if one else wording.NONE
        revision = str(run.environment.get("revision") or wording.NONE)[:12]
        name = named(str(run.experiment["benchmark"]))
        rows.append(Row(run, name, parameters, one.value if one else None, text, revision, machine(run)))
    yield "commits.html", render("commits.html", rows=rows)


def named(benchmark: str) -> str:
    """ "forward, time (neurons, Speed)" of "neurons.Speed.time_forward"."""
    *place, last = benchmark.split(".")
    kind, _, rest = last.partition("_")
    what = f"{rest.replace('_', ' ')}, {KINDS[kind]}" if kind in KINDS and rest else last
    return f"{what} ({', '.join(place)})" if place else what
