"""python -m results show: the runs of a store, or everything about one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core import machine_readable, options
from core.command import App
from core.errors import OK, UsageError
from core.options import STORE, WHOLE
from core.registry import unknown
from core.shell import exit_status

if TYPE_CHECKING:
    from papers.headline import Headline
    from results import Store, StoredRun

app = App()
SORTS = ("started", "experiment", "seed", "outcome", "seconds", "result")
Wanted = Callable[["StoredRun"], bool]


def since(given: object) -> str:
    """The moment that was given, in UTC, as it stands in a store."""
    from results import timestamp

    try:
        moment = datetime.fromisoformat(str(given))
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):  # of a date that is none, and of one that is beyond the calendar in UTC
        raise typer.BadParameter(
            f"{str(given)!r} was given; it must be a date such as 2026-01-31, or one with a time in UTC."
        ) from None


@app.command(
    epilog="""\b
    Examples:
    python -m results show
    python -m results show 3f2a91c4
    python -m results show --table plif_table --sort result --limit 5
    python -m results show --outcome oom --since 2026-01-31 | cut -f 1,3
    python -m results show --store postgresql://me@db.example/spikebench

    Exit status: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted."""
)
@exit_status
def show(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The id of a run, or its beginning.")] = None,
    store: Annotated[str | None, typer.Option(**STORE)] = None,
    table: Annotated[str | None, typer.Option(metavar="TABLE", help="Only runs of this table, at any scale.")] = None,
    neuron: Annotated[str | None, typer.Option(metavar="NEURON", help="Only runs of this neuron.")] = None,
    outcome: Annotated[str | None, typer.Option(metavar="OUTCOME", help="Only runs that ended so.")] = None,
    machine: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only runs on machines with this in the name.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(parser=since, metavar="DATE", help="Only runs that began then or later.")
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="COLUMN", help=f"{', '.join(SORTS)}; the largest comes last.")
    ] = "started",
    limit: Annotated[int | None, typer.Option(**WHOLE, help="Only so many, the last ones in their order.")] = None,
    json: Annotated[bool, typer.Option("--json", **machine_readable.JSON)] = False,
) -> int:
    """List the runs of a store or show one of them.

    Each run has a line with its result: of a training the first of its measures, at the last epoch on the test set;
    of a measurement its time. The newest run comes last. What is no terminal gets columns separated by tabs, under
    their names, with numbers as they are stored.
    """
    from papers.headline import headlines
    from reports import listing
    from results import Store, default_url

    options.at_least_one("--limit", limit)
    wanted = [*_filters(table, neuron, outcome, machine, since)]
    if sort not in SORTS:
        raise unknown("column to sort by", sort, SORTS)
    if run is not None and (wanted or limit):
        raise UsageError("One run was named, and others are filtered; leave the id or the filters out.")
    with Store(store or default_url(), read_only=True) as opened:
        if run is not None:
            one = opened.run(run)
            if json:
                headline = headlines(opened, [one]).get(one.id)
                machine_readable.write("results show", [listing.whole(one, headline)], store=opened.url)
            else:
                listing.show_one(one)
            return OK
        runs = [one for one in opened.runs() if all(is_wanted(one) for is_wanted in wanted)]
        chosen, found = _chosen(opened, runs, sort, limit)
        if json:
            machine_readable.write(
                "results show", listing.records(chosen, found), store=opened.url, runs=len(runs), shown=len(chosen)
            )
            return OK
        terminal = sys.stdout.isatty()
        if not terminal:
            listing.write(chosen, found)
        elif chosen:
            listing.show(chosen, found)
        print(_told(len(runs), len(chosen), opened.url, bool(wanted)), file=sys.stdout if terminal else sys.stderr)
    return OK


def _told(runs: int, shown: int, store: str, filtered: bool) -> str:
    if not runs:
        return f"No such runs in {store}." if filtered else f"No runs in {store} yet."
    last = f"the last {shown} of " if shown < runs else ""
    return f"{last}{runs} {'such ' * filtered}run{'s' * (runs != 1)} in {store}"


def _filters(
    table: str | None, neuron: str | None, outcome: str | None, machine: str | None, since: str | None
) -> list[Wanted]:
    """What a run has to be, one function for each option that was given."""
    from papers.machines import machine as name_of
    from results import OUTCOMES

    wanted: list[Wanted] = []
    if table is not None:
        wanted.append(_of_table(table))
    if neuron is not None:
        wanted.append(lambda run: run.experiment.get("neuron") == neuron)
    if outcome is not None:
        if outcome not in OUTCOMES:
            raise unknown("outcome", outcome, OUTCOMES)
        wanted.append(lambda run: run.outcome == outcome)
    if machine is not None:
        wanted.append(lambda run: machine.casefold() in name_of(run).casefold())
    if since is not None:
        wanted.append(lambda run: run.started >= since)
    return wanted


def _of_table(name: str) -> Wanted:
    from papers import registry
    from papers.experiment import SCALES
    from papers.loaded import load
    from papers.measured import TABLES
    from papers.measurement import is_measurement
    from papers.seeds import template_of

    from .measured import COMMANDS

    if name not in (*registry.names(), *TABLES):
        raise unknown("table", name, (*registry.names(), *TABLES))
    if name == "parity":
        raise UsageError("The table parity has checks and no runs; python -m reports makes a page of them.")
    if name in TABLES:
        whats = {word for word in COMMANDS[name].options if word != "--what"}
        return lambda run: is_measurement(run) and (not whats or run.experiment["what"] in whats)
    cells = (cell for scale in SCALES for cell in load(name).cells(scale))
    templates = {cell.experiment.key for cell in cells}
    return lambda run: template_of(run) in templates


def _chosen(
    store: Store, runs: Sequence[StoredRun], sort: str, limit: int | None
) -> tuple[list[StoredRun], dict[str, Headline]]:
    """The runs that are shown, in order, and their results; only what is needed is read."""
    from papers.headline import headlines
    from reports.listing import title

    found = headlines(store, runs) if sort == "result" else {}
    keys: dict[str, Callable[[StoredRun], Any]] = {
        "started": lambda run: run.started,
        "experiment": title,
        "seed": lambda run: run.seed,
        "outcome": lambda run: run.outcome,
        "seconds": lambda run: (run.seconds is not None, run.seconds or 0.0),
        "result": lambda run: (found[run.id].measure.name, found[run.id].value) if run.id in found else ("", 0.0),
    }
    ordered = sorted(runs, key=keys[sort])[-(limit or len(runs)) :]
    return ordered, found if sort == "result" else headlines(store, ordered)


if __name__ == "__main__":
    app(prog_name="python -m results show")
