"""Pages of the kernel measurements: a page per neuron with plots of speed, roofline and memory, and every figure.

Figures whose parity is not green in the store are marked unverified and take part in no ratio and no plot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers import trust
from papers.measurement import is_measurement

from . import figures, folder, wording

if TYPE_CHECKING:
    from papers.claims import Finding
    from papers.table import Claim
    from results import Parity, Run, StoredRun

Render = Callable[..., str]
NANO, PER_NS = 1e9, "ns per element"
TITLES = {
    "psn": "PSN against LIF",
    "first-spike": "Neurons of first-spike coding",
    "first-spike-network": "Training step of networks of first-spike coding",
    "speed": "Speed of a layer",
    "roofline": "The kernel alone",
    "memory": "Memory of forward and backward",
    "frontier": "Largest sizes under a memory limit",
    "linear": "Linear + neuron",
    "network": "Training step of a network",
    "adding": "Updates of FPTT, adding network",
    "s-mnist": "Updates of FPTT, network of sequential MNIST",
    "ttfs": "Training step of single spikes in closed form",
    "first-use": "First use",
}


@dataclass(frozen=True)
class Figure:
    """A plot and what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Row:
    """One contender of a group: its cells as (text, interval), its state (empty: sound) and the sentence behind it."""

    run: Run
    cells: tuple[tuple[str, str], ...]
    state: str
    remark: str


@dataclass(frozen=True)
class Group:
    """Measurements that can be compared: what they have in common, columns and rows."""

    heading: str
    machine: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Section:
    """All groups of one kind of measurement, and its plots with their legend."""

    what: str
    title: str
    groups: tuple[Group, ...]
    plots: tuple[Figure, ...]
    legend: tuple[tuple[str, int], ...]


def label(run: StoredRun) -> str:
    """A short name for lists of runs."""
    from . import measurements as show

    return f"{show.heading(run)} · {run.experiment['contender']}"


def links(runs: Sequence[StoredRun]) -> dict[str, str]:
    """The page to link from every page, if there is one."""
    return {"Kernels": "kernels"} if any(map(is_measurement, runs)) else {}


def page_of(neuron: str) -> str:
    """The name of a neuron's page, without suffix."""
    return f"kernels-{folder.named(neuron)}"


def pages(runs: Sequence[Run], parities: Sequence[Parity], render: Render) -> Iterator[tuple[str, str]]:
    """The overview and a page per neuron: file name and HTML; none without kernel runs."""
    by_neuron: dict[str, list[Run]] = {}
    for run in filter(is_measurement, runs):
        by_neuron.setdefault(run.experiment["neuron"], []).append(run)
    sections = {neuron: _sections(found, parities) for neuron, found in sorted(by_neuron.items())}
    if sections:
        yield "kernels.html", render("kernels.html", neurons=sections)
    for neuron, found in sections.items():
        rows = (row for section in found for group in section.groups for row in group.rows)
        remarks = list(dict.fromkeys(row.remark for row in rows if row.remark))
        claims = _claims(by_neuron[neuron], parities)
        yield (
            f"{page_of(neuron)}.html",
            render("kernels_of.html", neuron=neuron, sections=found, remarks=remarks, claims=claims),
        )


def _claims(runs: Sequence[Run], parities: Sequence[Parity]) -> dict[str, list[tuple[Claim, Finding]]]:
    """The claims about each kind of measurement there is, with their findings."""
    from papers import measured

    found: dict[str, list[tuple[Claim, Finding]]] = {}
    kinds = {run.experiment["what"] for run in runs}
    claims = [claim for table in measured.TABLES.values() for claim in table.claims if claim.about in kinds]
    for claim, finding in measured.findings(claims, runs, parities):
        found.setdefault(claim.about, []).append((claim, finding))
    return found


def _sections(runs: Sequence[Run], parities: Sequence[Parity]) -> list[Section]:

    latest: dict[tuple[str, str, str, str], Run] = {}
    for run in runs:  # oldest first
        latest[*_alike(run), run.experiment["contender"]] = run
    contenders = list(dict.fromkeys(run.experiment["contender"] for run in runs))
    grouped: dict[str, dict[tuple[str, str, str], list[Run]]] = {}
    for run in sorted(latest.values(), key=lambda run: (_order(run), contenders.index(run.experiment["contender"]))):
        grouped.setdefault(run.experiment["what"], {}).setdefault(_alike(run), []).append(run)
    found = []
    for what in TITLES:
        groups = grouped.get(what, {})
        if groups:
            trusted = {key: trust.trusted(group, parities) for key, group in groups.items()}
            plots, legend = _plots(what, groups, trusted)
            tables = tuple(_group(*key, group, trusted[key], parities) for key, group in groups.items())
            found.append(Section(what, TITLES[what], tables, plots, legend))
    return found


def _alike(run: Run) -> tuple[str, str, str]:
    """Heading, machine and base: what runs in one table have in common."""
    from . import measurements as show

    return show.heading(run), _machine(run), run.experiment["base"]


def _order(run: Run) -> tuple[object, ...]:
    what = run.experiment
    return what["dtype"], run.device, what["threads"], what["allocator"], sorted(what["size"].items(), reverse=True)


def _machine(run: Run) -> str:
    return f"{run.machine.get('cpu', wording.NONE)}, {run.machine.get('cores', wording.NONE)} cores"


def _group(
    heading: str, machine: str, base: str, runs: Sequence[Run], trusted: set[str], parities: Sequence[Parity]
) -> Group:
    from . import measurements as show

    rows = []
    for run in runs:
        parts = [text.partition(" [") for _, text in show.shown(run, trusted)]
        cells = tuple((number, f"[{interval}" if interval else "") for number, _, interval in parts)
        rows.append(Row(run, cells, show.status(run, parities), show.reservation(run)))
    columns = tuple(name.replace("base", base) for name, _ in show.cells(runs[0]))
    what = runs[0].experiment
    own = heading.removeprefix(f"{what['what']} · {what['neuron']} · ")  # the page and the section say the rest
    return Group(own, machine, columns, tuple(rows))


Groups = Mapping[tuple[str, str, str], Sequence["Run"]]  # by heading, machine and base


def _plots(
    what: str, groups: Groups, trusted: Mapping[tuple[str, str, str], set[str]]
) -> tuple[tuple[Figure, ...], tuple[tuple[str, int], ...]]:
    """Plots over T and over N, one set for each setting that was measured at more than one size."""
    if what == "psn":
        return _over_neurons(groups, trusted)
    if what not in ("speed", "first-spike", "memory"):
        return (), ()
    runs = [
        (run, key[1])
        for key, group in groups.items()
        for run in group
        if run.experiment["contender"] in trusted[key] and run.experiment["contender"] != "copy"
    ]
    names = list(dict.fromkeys(run.experiment["contender"] for run, _ in runs))
    styles = {name: number for number, name in enumerate(names)}
    settings: dict[tuple[str, str], list[Run]] = {}
    for run, machine in runs:
        settings.setdefault((_setting(run), machine), []).append(run)
    several = len({machine for _, machine in settings}) > 1
    found: list[Figure] = []
    for (setting, machine), own in settings.items():
        where = f"{setting}; {machine}" if several else setting
        found += _speed(own, where, styles) if what != "memory" else _memory(own, where, styles)
    return tuple(found), tuple(styles.items()) if found else ()


def _over_neurons(
    groups: Groups, trusted: Mapping[tuple[str, str, str], set[str]]
) -> tuple[tuple[Figure, ...], tuple[tuple[str, int], ...]]:
    """How many times the time of PSN the LIF of the claim took, over N, a line for each T; a plot a setting."""
    from papers.psn.speed import LIF, PSN

    found: dict[tuple[str, str], dict[int, dict[int, Run]]] = {}
    for key, group in groups.items():
        for run in group:
            if run.experiment["contender"] == LIF and {LIF, PSN} <= trusted[key]:
                steps, neurons = _size(run)
                found.setdefault((_setting(run), key[1]), {}).setdefault(steps, {})[neurons] = run
    styles = {steps: style for style, steps in enumerate(sorted({t for by_steps in found.values() for t in by_steps}))}
    plots: list[Figure] = []
    for (setting, machine), by_steps in found.items():
        for phase in ("forward", "training"):
            lines = [
                figures.Line(
                    f"T={steps}", tuple(sorted(runs)), tuple(_ratio(runs[n], phase) for n in sorted(runs)), style
                )
                for steps, style in styles.items()
                if (runs := by_steps.get(steps))
            ]
            title = f"Time of {LIF} over that of {PSN}, {phase}"
            svg = figures.panel(title, lines, "× as long", x_label="N", log=True, x_log=True)
            plots += [Figure(svg, f"{title}. {setting}; {machine}")] if svg else []
    legend = tuple((f"T={steps}", style) for steps, style in styles.items())
    return tuple(plots), legend if plots else ()


def _ratio(run: Run, phase: str) -> float | None:
    return next((metric.value for metric in run.metrics if metric.name == f"{phase}_ratio"), None)


def _setting(run: Run) -> str:
    from . import measurements as show

    what = run.experiment
    threads = f"{what['threads']} thread{'s' * (what['threads'] > 1)}"
    return ", ".join(filter(None, (show.reset(run), what["dtype"], run.device, threads, what["allocator"])))


def _speed(runs: Sequence[Run], setting: str, styles: Mapping[str, int]) -> Iterator[Figure]:
    widest = {t: max(_size(run)[1] for run in runs if _size(run)[0] == t) for t, _ in map(_size, runs)}
    over_t = [run for run in runs if _size(run)[1] == widest[_size(run)[0]]]
    usual = max(widest, key=lambda t: (len({_size(run)[1] for run in runs if _size(run)[0] == t}), t))
    over_n = [run for run in runs if _size(run)[0] == usual]
    yield from _plot("Training time per element over T", over_t, 0, "training_seconds", NANO, PER_NS, setting, styles)
    yield from _plot(
        f"Training time per element over N, T = {usual}",
        over_n,
        1,
        "training_seconds",
        NANO,
        PER_NS,
        setting,
        styles,
    )
    yield from _plot("Roofline: × a copy, training", over_t, 0, "training_copies", None, "× copy", setting, styles)
    yield from _plot("Roofline: × a copy, forward", over_t, 0, "forward_copies", None, "× copy", setting, styles)


def _memory(runs: Sequence[Run], setting: str, styles: Mapping[str, int]) -> Iterator[Figure]:
    for title, metric in (
        ("Live bytes per element over T", "live_bytes"),
        ("Saved bytes per element over T", "saved_bytes"),
    ):
        yield from _plot(title, runs, 0, metric, None, "B per element", setting, styles)


def _size(run: Run) -> tuple[int, int]:
    return run.experiment["size"]["T"], run.experiment["size"]["N"]


def _plot(
    title: str,
    runs: Sequence[Run],
    axis: int,
    metric: str,
    per_element: float | None,
    unit: str,
    setting: str,
    styles: Mapping[str, int],
) -> Iterator[Figure]:
    """The metric over T (axis 0) or N (1), a line a contender; nothing with less than two sizes.

    `per_element`: the factor to `unit` by which the value is given per element (T x N), None for the value as it is.
    """
    points: dict[str, dict[int, float]] = {}
    for run in runs:
        value = next((m.value for m in run.metrics if m.name == metric), None)
        if value is not None:
            size = _size(run)
            shown = value if per_element is None else value * per_element / (size[0] * size[1])
            points.setdefault(run.experiment["contender"], {})[size[axis]] = shown
    if len({x for found in points.values() for x in found}) < 2:
        return
    lines = [
        figures.Line(name, tuple(sorted(found)), tuple(y for _, y in sorted(found.items())), styles[name])
        for name, found in points.items()
    ]
    svg = figures.panel(title, lines, unit, x_label="TN"[axis], log=True, x_log=True)
    if svg:
        yield Figure(svg, f"{title}. {setting}")
