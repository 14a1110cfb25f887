"""The HTML report: an index, a page per table and scale, a page per run, the published values. Plain files;
one small script of ours sorts and filters, and without it the pages say all the same.

The same store gives the same bytes: nothing of the building machine or moment is on the pages.
"""

from __future__ import annotations

import base64
import hashlib
import marshal
import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.plain import visible
from papers.layers import natural
from papers.read_once import ReadOnce

from . import folder, tables, wording
from .collection import paused
from .kept import Kept
from .naming import names_of, trainings
from .what_is_shown import shown_of

if TYPE_CHECKING:
    from papers.evaluate import TableResult
    from papers.experiment import Experiment
    from papers.table import Table
    from results import Published, Run, Store, StoredRun

    from .changed import Changed

TEMPLATES = Path(__file__).parent / "templates"
SCALES = {
    "quick": "Small embedded data and narrow networks: tests what a paper claims, not its numbers.",
    "short": "The paper's data and network for a few epochs, held against the same epochs of the authors' curves.",
    "paper": "As published.",
}


def build(
    store: Store,
    out: Path,
    scales: Collection[str] | None = None,
    table_names: Collection[str] | None = None,
) -> Path:
    """Write the site to `out`/report and return its index.html.

    Tables and scales: those given, else all that have runs or published values. Files of
    an earlier build that no longer belong are removed. Raises StoreError, ReportError if the folder cannot be written,
    UnknownName for a scale or table that does not exist, PluginError for a table in `table_names` that cannot be
    loaded.
    """
    place = Path(out) / "report"
    before = folder.earlier(place)
    kept = Kept(place, before)
    with paused():
        files = dict(sorted(_pages(ReadOnce(store), scales, table_names, kept)))
        folder.write(place, files, kept.keys, before)
    return place / "index.html"


def works(store: Store, scales: Collection[str] | None = None) -> list[str]:
    """The works whose tables the site of `store` shows, those of measurements among them. Raises as `build` does."""
    from papers.measured import TABLES
    from papers.measurement import is_measurement

    once = ReadOnce(store)
    shown, _ = _table_pages(once, scales, None, [])
    kinds = {run.experiment["what"] for run in once.runs() if is_measurement(run)} if scales is None else set()
    measured = {t.paper for t in TABLES.values() if t.paper and any(claim.about in kinds for claim in t.claims)}
    return sorted(measured | {page.result.table.paper for page in shown if page.result.table.paper})


@dataclass(frozen=True)
class TablePage:
    """A table at one scale, and the names of its files."""

    result: TableResult
    name: str  # without suffix
    changed: Sequence[Changed] = ()


@dataclass(frozen=True)
class Place:
    """Where a run counts: a cell of a table page."""

    href: str
    text: str


def _pages(
    store: ReadOnce, scales: Collection[str] | None, table_names: Collection[str] | None, kept: Kept
) -> Iterator[tuple[str, str | None]]:
    """Every file of the site: its path and text, None for one that stays as it is."""
    from papers.calibration.rates import is_calibration
    from papers.headline import headlines
    from papers.measurement import is_measurement
    from papers.operations import rows
    from papers.pairs import pairs
    from results.published import CURVES

    from . import axis, board, calibration, claims, commits, curves, kernels, operations, paired, parity
    from .head import head

    runs = [run for run in store.runs() if scales is None or run.experiment.get("scale") in scales]
    described = trainings(runs)
    names = names_of(runs, described)
    timed = _full(store, [run for run in runs if is_measurement(run) or is_calibration(run)])
    shown, unloaded = _table_pages(store, scales, table_names, list(described.values()))
    by_paper = store.all_published
    drawn = {page.result.table.paper for page in shown if _ids([page.result])}
    authors = {
        paper: curves.authors_curves(by_table.get(CURVES, ())) for paper, by_table in by_paper.items() if paper in drawn
    }
    checks = store.parity()
    stated = claims.rows(((page.name, page.result) for page in shown), timed, checks)
    claimed = {"Claims": "claims"} if stated else {}
    links = {
        **claimed,
        **kernels.links(runs),
        **parity.links(checks),
        **calibration.links(timed),
        **board.links([page.result for page in shown]),
        **commits.links(runs),
    }
    render = renderer(names, by_paper, links)
    yield (
        "index.html",
        render(
            "index.html",
            tables=_by_table(shown),
            head=head((page.result for page in shown), stated, runs),
            unloaded=unloaded,
            runs=runs,
        ),
    )
    if stated:
        yield "claims.html", render("claims.html", rows=stated, ORDER=claims.ORDER)
    yield "runs.html", render("runs.html", runs=runs[::-1], found=headlines(cast("Store", store), runs))
    yield from kernels.pages(timed, checks, render)
    yield from parity.pages(checks, render)
    yield from calibration.pages(timed, render)
    around = sorted(by_paper), links
    for page in shown:
        if page.result.table.ranked:
            yield from _board_pages(store, page.result, around, render, kept)
    yield from commits.pages(cast("Store", store), runs, render)
    theirs = {paper: _digest(found) for paper, found in authors.items()}
    for page in shown:
        values = store.by_run(_ids([page.result]))
        over = [found for found in (axis.plots(page.result), *axis.drawings(page.result)) if found and found.plots]
        counted = operations.shown(rows(cast("Store", store), [cell.cell for cell in page.result.cells]))
        held = pairs(cast("Store", store), page.result)
        beside = paired.shown(page.result, held)
        name, paper = f"{page.name}.html", page.result.table.paper
        shows = (shown_of(page.result), _digest(values), theirs.get(paper), over, counted, beside, around)
        if not page.changed and kept.stays(name, shows):
            yield name, None
        else:
            groups = curves.groups(page.result, values, authors.get(paper, {}))
            text = render(
                "table.html",
                page=page,
                result=page.result,
                groups=groups,
                over=over,
                operations=counted,
                paired=beside,
            )
            yield name, text if page.changed else kept.made(name, text)
        yield f"{page.name}.csv", tables.to_csv(page.result)
        yield f"{page.name}.tex", tables.to_latex(page.result)
        if held:
            yield f"{page.name}-pairs.csv", paired.to_csv(page.result, held)
            yield f"{page.name}-pairs.tex", paired.to_latex(page.result, held)
    yield from _run_pages(store, runs, names, _places(shown), around, render, kept)
    notes = store.published_notes()
    for paper, by_table in sorted(by_paper.items()):
        yield f"{_published_page(paper)}.html", render("published.html", paper=paper, tables=_printed(by_table, notes))


def _board_pages(
    store: ReadOnce, result: TableResult, around: object, render: Any, kept: Kept
) -> Iterator[tuple[str, str | None]]:
    """The files of a ranked table, made again where anything of it has changed: its statistics take seconds."""
    from . import board

    ids = _ids([result])
    costs = sorted({(run.id, run.peak_memory) for cell in result.cells for run in cell.runs})
    shows = shown_of(result), _digest(store.by_run(ids)), costs, around
    stay = {name: kept.stays(name, shows) for name in board.files(result)}
    if all(stay.values()):
        yield from ((name, None) for name in stay)
    else:
        yield from ((name, kept.made(name, text)) for name, text in board.pages(result, store.metrics(ids), render))


def _digest(values: Mapping[str, object]) -> str:
    """Of plain values by name; a repr of them takes several times as long."""
    return hashlib.sha256(marshal.dumps(sorted(values.items()), 2)).hexdigest()


def _run_pages(
    store: ReadOnce,
    runs: Sequence[StoredRun],
    names: Mapping[str, str],
    places: Mapping[str, Sequence[Place]],
    around: object,
    render: Any,
    kept: Kept,
) -> Iterator[tuple[str, str | None]]:
    """Pages of runs, whole ones read for those alone that do not stay; `around` is what stands on every page."""
    ids = [run.id for run in runs]
    values, stamps = store.by_run(ids), store.stamps(ids)
    new = []
    for run in runs:
        name, counts = f"runs/{run.id}.html", places.get(run.id, ())
        measured = hashlib.sha256(
            marshal.dumps(values[run.id], 2)
        ).digest()  # of the repr it takes several times as long
        if kept.stays(name, (run, measured, stamps[run.id], counts, names[run.experiment_key], around)):
            yield name, None
        else:
            new.append(run.id)
    for full in store.each_run(ids=new):  # one by one: there may be too many for the memory
        name = f"runs/{full.id}.html"
        yield name, kept.made(name, _run_page(render, full, places.get(full.id, ())))


def _run_page(render: Any, run: Run, places: Sequence[Place]) -> str:
    from papers.operations import PREFIX
    from results import Picture, Raster
    from results.units import unit_of

    from . import curves, operations, pictures, rasters

    rastered = sorted((one for one in run.pictures if isinstance(one, Raster)), key=lambda raster: raster.there)
    return render(
        "run.html",
        root="../",
        run=run,
        plots=[*curves.of_run(run, run.metrics), *rasters.over_time(run.samples)],
        places=places,
        whole=[
            (m.name, wording.quantity(m.value, unit_of(m.name, m.unit)))
            for m in run.metrics
            if m.step is None and not m.name.startswith(PREFIX)
        ],
        operations=operations.of_run(run),
        samples=_samples(run),
        pictures=[pictures.drawn(picture) for picture in run.pictures if isinstance(picture, Picture)],
        rasters=[rasters.drawn(raster) for raster in rastered],
        spikes=rasters.bars(run.metrics),
        epochs=_epochs(run),
    )


def _full(store: ReadOnce, runs: Sequence[StoredRun]) -> list[Run]:
    wanted = {run.id for run in runs}
    found = store.full_runs({run.experiment_key for run in runs}) if runs else []
    return [run for run in found if run.id in wanted]


def _ids(results: Iterable[TableResult]) -> set[str]:
    """The runs that count in tables."""
    return {run.id for result in results for cell in result.cells for run in cell.runs}


def _table_pages(
    store: ReadOnce,
    scales: Collection[str] | None,
    table_names: Collection[str] | None,
    described: Sequence[Experiment],
) -> tuple[list[TablePage], list[str]]:
    """A page per table and scale, and what is wrong with plug-ins whose tables were not asked for by name.

    Those of `described` that are no table's, but have the recipe of one with another neuron, make rows of their own;
    those that have other settings stand beside the cell that they come from.
    """
    from core.registry import PluginError, unknown
    from papers import own_rows, registry
    from papers.evaluate import evaluate
    from papers.loaded import load

    from .changed import changed

    for scale in scales or ():
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
    tables_found: list[Table] = []
    unloaded = []
    for name in registry.names():
        try:
            tables_found.append(load(name))
        except PluginError as error:
            if name in (table_names or ()):
                raise
            unloaded.append(str(error))
    # What a paired table trains otherwise than another table is a changed setting of that one, too.
    single = [table for table in tables_found if table.paired is None]
    known = {c.experiment.template for table in single for scale in SCALES for c in table.cells(scale)}
    others = [experiment for experiment in described if experiment.template not in known]
    results = []
    for name in table_names or [table.name for table in tables_found]:
        table = registry.get(name)
        for scale in SCALES if scales is None else [s for s in SCALES if s in scales]:
            extended = own_rows.with_rows(table, own_rows.found(table, scale, others))
            results.append(evaluate(cast("Store", store), extended, scale))
    known |= {
        cell.cell.experiment.template for result in results if result.table.paired is None for cell in result.cells
    }  # own rows, too
    others = [experiment for experiment in others if experiment.template not in known]
    pages = []
    for result in results:
        changes = changed(cast("Store", store), result, others)
        if table_names or changes or any(cell.published or cell.attempts for cell in result.cells):
            pages.append(TablePage(result, f"{result.table.name}-{result.scale}", changes))
    return pages, unloaded


def _by_table(pages: Sequence[TablePage]) -> dict[str, dict[str, TablePage]]:
    """Pages by table and scale."""
    found: dict[str, dict[str, TablePage]] = defaultdict(dict)
    for page in pages:
        found[page.result.table.name][page.result.scale] = page
    return dict(found)


def _places(pages: Sequence[TablePage]) -> dict[str, list[Place]]:
    """The cells in which each run counts or would count."""
    found: dict[str, list[Place]] = defaultdict(list)
    for page in pages:
        for number, cell in enumerate(page.result.cells, start=1):
            text = f"{page.result.table.name}, {page.result.scale}: {cell.cell.row}, {cell.cell.heading}"
            for run_id in dict.fromkeys(run.id for run in (*cell.runs, *cell.attempts)):
                found[run_id].append(Place(f"{page.name}.html#cell-{number}", text))
        for one in page.changed:
            text = f"{page.result.table.name}, {page.result.scale}: changed settings"
            for run_id in dict.fromkeys(run.id for run in (*one.result.runs, *one.result.attempts)):
                found[run_id].append(Place(f"{page.name}.html#changed", text))
    return found


def _samples(run: Run) -> list[tuple[str, str, int, str, str, str]]:
    """Name, unit, number, least, median and greatest of each repeated measurement."""
    from .rasters import BY_STEP

    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for sample in run.samples:
        if sample.value is not None and sample.name not in BY_STEP:
            found[sample.name, sample.unit].append(sample.value)
    return [
        (name, unit, len(v), f"{min(v):.6g}", f"{statistics.median(v):.6g}", f"{max(v):.6g}")
        for (name, unit), v in sorted(found.items())
    ]


def _epochs(run: Run) -> tuple[list[str], list[tuple[int, list[float | None]]]]:
    """Metrics by epoch: their names, and per epoch their values in that order."""
    values: dict[int, dict[str, float | None]] = defaultdict(dict)
    for metric in run.metrics:
        if metric.step is not None:
            values[metric.step][metric.name] = metric.value
    names = sorted({name for found in values.values() for name in found}, key=natural)
    return names, [(step, [found.get(name) for name in names]) for step, found in sorted(values.items())]


@dataclass(frozen=True)
class Printed:
    """A published table as a grid; curves only by their extent."""

    name: str
    caption: str
    note: str
    source: str
    provenance: str
    columns: list[str]
    rows: dict[str, dict[str, list[Published]]]
    epochs: int  # points of a training curve; then there are no columns


def _printed(
    by_table: Mapping[str, Sequence[Published]], notes: Mapping[tuple[str, str], tuple[str, str]]
) -> list[Printed]:
    found = []
    for name, entries in by_table.items():
        curve = any(value.step is not None for value in entries)
        rows: dict[str, dict[str, list[Published]]] = {}
        for value in entries:
            rows.setdefault(value.row, {}).setdefault(value.column, []).append(value)
        columns = [] if curve else list(dict.fromkeys(value.column for value in entries))
        epochs = len({(value.row, value.step) for value in entries}) if curve else 0
        caption, note = notes[entries[0].paper, name]
        found.append(Printed(name, caption, note, entries[0].source, entries[0].provenance, columns, rows, epochs))
    return found


def _published_page(paper: str) -> str:
    return f"published-{folder.named(paper)}"


def _flat(document: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a JSON document with their dotted names, sorted."""
    for key, value in sorted(document.items()):
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _leaf(value)


def _leaf(value: Any) -> str:
    if value is None or value in ({}, []):
        return wording.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _shown(value: Any) -> Any:
    """What a page prints for a value; markup is made of templates and of values that came this way."""
    from markupsafe import Markup

    return value if isinstance(value, Markup) else visible(str(value))


def renderer(names: Mapping[str, str], papers: Collection[str], links: Mapping[str, str]) -> Any:
    """render(template, **values) -> HTML, with everything escaped that does not come from a template or a figure.

    `names` of experiments by their key.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from papers import verdict

    from . import kernels
    from .figures import swatch
    from .forest import forest

    script = (TEMPLATES / "site.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        svg=Markup,
        flat=lambda document: list(_flat(document)),
        label=lambda run: names[run.experiment_key],
        slug=lambda word: re.sub(r"[^a-z]", "-", word),
        first_word=lambda text: text.partition(" ")[0],
        further_words=lambda text: text.partition(" ")[2],
        sentence=lambda text: text[:1].upper() + text[1:],
        moment=lambda text: text[:16].replace("T", " ") + " UTC",
    )
    environment.globals.update(
        w=wording,
        forest=forest,
        verdict=verdict,
        SCALES=SCALES,
        css=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        swatch=lambda style: Markup(swatch(style)),
        published_page=_published_page,
        kernels_page=kernels.page_of,
        paper_names=sorted(papers),
        links=links,
        root="",
    )
    return lambda template, **values: environment.get_template(template).render(**values)
