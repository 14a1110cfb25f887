"""python -m results compare A B: two stores, or two revisions, machines or dates of one, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import machine_readable, options
from core.command import App
from core.errors import FAILED, OK, WORSE, UsageError
from core.options import FOLDER, STORE, WHOLE
from core.registry import unknown
from core.shell import exit_status
from papers.machines import machine

if TYPE_CHECKING:
    from papers.sides import Side
    from results import Store, StoredRun

app = App()
MOST = 40  # differences in a terminal
SHORT = {"revision": 12, "date": 10}  # letters that are shown of what is looked for by


def share(given: object) -> float:
    """The share that was given, as part of 1."""
    from papers.measures import SHOWN

    text = str(given).strip()
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        found = -1.0
    if not text.endswith("%") or not 0 <= found < float("inf"):
        raise typer.BadParameter(f"{str(given)!r} was given; it must be a share from 0%, such as 5%.")
    return found / SHOWN["fraction"][1]


@app.command(
    epilog="""\b
    Examples:
    python -m results compare laptop.db cluster.db
    python -m results compare results/archive/plif-quick-cpu.jsonl results/spikebench.db --out out
    python -m results compare 3f2a91c 77be02d --by revision --fail-if-worse 5%
    python -m results compare EPYC Xeon --by machine
    python -m results compare 2026-01 2026-02 --by date

    Exit status: 0 compared, 1 it could not be done, or --fail-if-worse was given and the sides have nothing in common,
    2 wrong usage, 4 something is worse by more than --fail-if-worse allows, 130 interrupted."""
)
@exit_status
def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="A store or a file of export; with --by what is looked for.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="What is held against it.")],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Compare within one store: revision (its beginning), machine (a part of its name) or date (its "
            "beginning).",
        ),
    ] = None,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    fail_if_worse: Annotated[
        float | None,
        typer.Option(
            parser=share,
            metavar="SHARE",
            help="End with status 4 where B is worse by more than this share of A, such as 5%, even at the better end "
            "of the interval, or failed where A did not.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(**WHOLE, help=f"Differences to show, the largest first; default: {MOST}.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(**FOLDER, help="Write a page, too: OUT/comparison/index.html, with all differences.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", **machine_readable.JSON)] = False,
) -> int:
    """Hold two sets of results against each other.

    Every measure, time, memory and speed that both have is shown with the interval of its difference, sorted by the
    size of the difference in its interval. Trainings are matched by their experiment without the seed, measurements by
    their job.
    """
    from core.console import Console
    from papers import differences
    from reports import differences as show

    options.at_least_one("--limit", limit)
    if by is None and store is not None:
        raise UsageError("--store was given with two stores. Name these alone, or add --by revision, machine or date.")
    with ExitStack() as opened:
        found = differences.compare(*_sides(first, second, by, store, opened))
    worse = None if fail_if_worse is None else [*found.worse_than(fail_if_worse), *found.failed]
    page = show.write(found, out) if out else None
    if json:
        machine_readable.write("results compare", show.records(found), **show.summary(found, fail_if_worse, page))
    else:
        show.show(Console(highlight=False, markup=False), found, limit or MOST, fail_if_worse)
        if page:
            print(f"Page: {page}")
    if worse:
        return WORSE
    return OK if worse is None or found.shared else FAILED


def _sides(first: str, second: str, by: str | None, store: str | None, opened: ExitStack) -> tuple[Side, Side]:
    from papers.sides import side
    from results import Store, default_url

    if first == second:
        raise UsageError(f"{first!r} was given twice; name two that differ.")
    if by is None:
        a, b = (opened.enter_context(_read(name)) for name in (first, second))
        known = {run.id for run in a.runs()}
        return side(a, _name(first)), side(b, _name(second), without=known)
    if by not in BY:
        raise unknown("--by", by, BY)
    one = opened.enter_context(Store(store or default_url(), read_only=True))
    runs = one.runs()
    old, new = (_chosen(by, given, runs, one.url) for given in (first, second))
    if both := {run.id for run in runs if old(run) and new(run)}:
        raise UsageError(f"{len(both)} runs are meant by {first!r} and by {second!r}; name two {by}s that differ.")
    return side(one, f"{by} {first}", old), side(one, f"{by} {second}", new)


@contextmanager
def _read(name: str) -> Iterator[Store]:
    """A store as it is, or a new one in memory with what a file of export holds."""
    from results import Store, reading
    from results.spare import is_database

    path = Path(options.place(options.store(name)))
    if "://" in name or not path.is_file() or is_database(path):
        with Store(name, read_only=True) as store:
            yield store
    else:
        records = reading.read([path])
        with Store("sqlite://") as store:
            store.record_all(*records)
            yield store


def _name(given: str) -> str:
    from core.masking import hidden

    return hidden(given)


def _revision(run: StoredRun) -> str:
    return str(run.environment.get("revision") or "")


BY: dict[str, tuple[Callable[[StoredRun], str], Callable[[str, str], bool]]] = {
    "revision": (_revision, lambda known, given: known.startswith(given)),
    "machine": (machine, lambda known, given: given.casefold() in known.casefold()),
    "date": (lambda run: run.started, lambda known, given: known.startswith(given)),
}


def _chosen(by: str, given: str, runs: list[StoredRun], store: str) -> Callable[[StoredRun], bool]:
    """Whether a run is meant; UsageError where none is, or where several revisions or machines are."""
    of, meant = BY[by]
    known = sorted({of(run) for run in runs} - {""})
    found = [one for one in known if given and meant(one, given)]
    if not found:
        there = sorted({one[: SHORT.get(by)] for one in known})
        shown = f"{', '.join(there[:8])}{' ...' if len(there) > 8 else ''}" if there else "none"
        raise UsageError(f"No run of {by} {given!r} is in {store}. There are: {shown}.")
    if len(found) > 1 and by != "date":
        raise UsageError(f"{given!r} means more than one {by}: {', '.join(found[:8])}. Give more of it.")
    return lambda run: of(run) in found


if __name__ == "__main__":
    app(prog_name="python -m results compare")
