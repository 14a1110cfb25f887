"""Pages of the kernel measurements: a page per neuron with plots of speed, roofline and memory, and every figure.

Figures whose parity is not green in the store are marked unverified and take part in no ratio and no plot.
"""

from __future__ import annotations

import math
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
OPEN = 8  # groups of a section whose tables stand open
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
    "step": "Training step of the convolutional networks",
    "inference": "Inference of the convolutional networks",
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
class Warm:
    """A ratio with its interval; `kind` says who is faster, `share` is the strength of its colour in per cent."""

    text: str
    interval: str
    kind: str
    share: int


@dataclass(frozen=True)
class Heat:
    """How many times as long the `first` takes, by steps and neurons; None where it was not measured."""

    title: str
    setting: str
    first: str
    columns: tuple[int, ...]
    rows: tuple[tuple[int, tuple[Warm | None, ...]], ...]


@dataclass(frozen=True)
class Section:
    """All groups of one kind of measurement, and its plots with their legend."""

    what: str
    title: str
    groups: tuple[Group, ...]
    plots: tuple[Figure, ...]
    legend: tuple[tuple[str, int], ...]
    heats: tuple[Heat, ...] = ()

    @property
    def folded(self) -> bool:
        """Whether its tables are too many to stand open."""
        return len(self.groups) > OPEN


@dataclass(frozen=True)
class Entry:
    """A number of the overview in words, with its interval, and the value that it is sorted by."""

    text: str = wording.NONE
    interval: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Overview:
    """Our kernel of a neuron at the largest size that was timed in float32: its times, the loop's and SpikingJelly's
    time of a training step as multiples of its own, its memory, and what parity checks say of it."""

    size: str
    forward: Entry
    training: Entry
    loop: Entry
    jelly: Entry
    memory: Entry
    parity: str


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
        overviews = {neuron: _overview(found, parities) for neuron, found in by_neuron.items()}
        yield "kernels.html", render("kernels.html", neurons=sections, overviews=overviews)
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


def _overview(runs: Sequence[Run], parities: Sequence[Parity]) -> Overview | None:
    """None where no layer of the neuron was timed."""
    from . import measurements as show

    groups: dict[tuple[str, str, str], dict[str, Run]] = {}
    for run in runs:  # oldest first
        if run.experiment["what"] == "speed" and run.experiment["dtype"] == "float32" and run.outcome == "ok":
            groups.setdefault(_alike(run), {})[run.experiment["contender"]] = run
    timed = [group for group in groups.values() if next(iter(group.values())).experiment["base"] in group]
    if not timed:
        return None
    group = max(timed, key=lambda group: math.prod(_size(next(iter(group.values())))))
    base = group[next(iter(group.values())).experiment["base"]]
    sound = trust.trusted(group.values(), parities)

    def ratio(name: str) -> Entry:
        fair = name in group and {name, base_name} <= sound
        return _entry(group[name], "training_ratio", "ratio") if fair else Entry()

    base_name = base.experiment["contender"]
    memory = [run for run in runs if run.experiment["what"] == "memory" and run.experiment["contender"] == base_name]
    return Overview(
        show.size(base),
        _entry(base, "forward_seconds", "time"),
        _entry(base, "training_seconds", "time"),
        ratio("torch"),
        ratio("spikingjelly"),
        _entry(memory[-1], "live_bytes", "number") if memory else Entry(),
        trust.state(base, parities),
    )


def _entry(run: Run, name: str, kind: str) -> Entry:
    from . import measurements as show

    values = {metric.name: metric.value for metric in run.metrics}
    text, _, interval = show.form(kind, *(values.get(name + end) for end in ("", "_low", "_high"))).partition(" [")
    return Entry(text, f"[{interval}" if interval else "", values.get(name))


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
            found.append(Section(what, TITLES[what], tables, plots, legend, tuple(_heats(what, groups, trusted))))
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
                    f"T={steps}",
                    tuple(sorted(runs)),
                    tuple(_ratio(runs[n], phase) for n in sorted(runs)),
                    style,
                    ends=tuple(_ends(runs[n], phase) for n in sorted(runs)),
                )
                for steps, style in styles.items()
                if (runs := by_steps.get(steps))
            ]
            title = f"Time of {LIF} over that of {PSN}, {phase}"
            svg = figures.panel(title, lines, "× as long", x_label="N", log=True, x_log=True)
            plots += [Figure(svg, f"{title}. {setting}; {machine}")] if svg else []
    legend = tuple((f"T={steps}", style) for steps, style in styles.items())
    return tuple(plots), legend if plots else ()


def _heats(what: str, groups: Groups, trusted: Mapping[tuple[str, str, str], set[str]]) -> Iterator[Heat]:
    """A map a setting and phase, where a kind was measured over steps and neurons against one contender."""
    from papers.psn.speed import LIF

    first = {"psn": LIF, "first-spike": "torch"}.get(what)
    found: dict[tuple[str, str, str], dict[tuple[int, int], Run]] = {}
    for key, group in groups.items():
        for run in group:
            if run.experiment["contender"] == first and {first, key[2]} <= trusted[key]:
                found.setdefault((_setting(run), *key[1:]), {})[_size(run)] = run
    for (setting, machine, base), runs in found.items():
        columns = sorted({neurons for _, neurons in runs})
        for phase in ("forward", "training"):
            ratios = [abs(math.log(ratio)) for run in runs.values() if (ratio := _ratio(run, phase))]
            strongest = max(ratios, default=0.0) or 1.0
            rows = tuple(
                (steps, tuple(_warm(runs.get((steps, neurons)), phase, strongest) for neurons in columns))
                for steps in sorted({steps for steps, _ in runs})
            )
            yield Heat(
                f"Time of {first} over that of {base}, {phase}",
                f"{setting}; {machine}",
                str(first),
                tuple(columns),
                rows,
            )


def _warm(run: Run | None, phase: str, strongest: float) -> Warm | None:
    values = {metric.name: metric.value for metric in run.metrics} if run else {}
    ratio, low, high = (values.get(f"{phase}_ratio{end}") for end in ("", "_low", "_high"))
    if not ratio or low is None or high is None:
        return None
    kind = "even" if low <= 1 <= high else "slower" if ratio > 1 else "faster"
    share = 8 + round(52 * abs(math.log(ratio)) / strongest)
    return Warm(wording.three(ratio), wording.interval(low, high, None), kind, share)


def _ratio(run: Run, phase: str) -> float | None:
    return next((metric.value for metric in run.metrics if metric.name == f"{phase}_ratio"), None)


def _ends(run: Run, phase: str) -> tuple[float, float] | None:
    values = {metric.name: metric.value for metric in run.metrics}
    low, high = (values.get(f"{phase}_ratio_{end}") for end in ("low", "high"))
    return None if low is None or high is None else (low, high)


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
    points: dict[str, dict[int, tuple[float, ...]]] = {}  # the value, and the ends of its interval where it has one
    for run in runs:
        values = {m.name: m.value for m in run.metrics}
        known = [value for end in ("", "_low", "_high") if (value := values.get(metric + end)) is not None]
        if values.get(metric) is not None:
            size = _size(run)
            factor = 1.0 if per_element is None else per_element / (size[0] * size[1])
            points.setdefault(run.experiment["contender"], {})[size[axis]] = tuple(value * factor for value in known)
    if len({x for found in points.values() for x in found}) < 2:
        return
    lines = [
        figures.Line(
            name,
            tuple(sorted(found)),
            tuple(of[0] for _, of in sorted(found.items())),
            styles[name],
            ends=tuple((of[1], of[2]) if len(of) == 3 else None for _, of in sorted(found.items())),
        )
        for name, found in points.items()
    ]
    svg = figures.panel(title, lines, unit, x_label="TN"[axis], log=True, x_log=True)
    if svg:
        yield Figure(svg, f"{title}. {setting}")
