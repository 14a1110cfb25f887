"""A measurement in words and digits: its heading, its figures, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from papers import trust
from papers.measurement import HOST
from papers.sides import around, is_end

from .wording import NONE, interval, three

if TYPE_CHECKING:
    from results import Parity, Run, StoredRun

COLUMNS: dict[str, tuple[tuple[str, str, str], ...]] = {  # by kind of measurement: heading, metric, form
    "speed": (
        ("forward", "forward_seconds", "time"),
        ("× base", "forward_ratio", "ratio"),
        ("× copy", "forward_copies", "number"),
        ("call on host", f"forward{HOST}_seconds", "time"),
        ("training", "training_seconds", "time"),
        ("× base", "training_ratio", "ratio"),
        ("× copy", "training_copies", "number"),
        ("call on host", f"training{HOST}_seconds", "time"),
    ),
    "first-use": (
        ("empty cache", "first_use_seconds", "time"),
        ("filled cache", "cached_seconds", "time"),
        ("new size", "new_size_seconds", "time"),
    ),
    "memory": (
        ("saved B/element", "saved_bytes", "number"),
        ("live B/element", "live_bytes", "number"),
        ("live peak", "live_peak", "size"),
        ("process peak", "process_peak", "size"),
    ),
    "frontier": (
        ("largest T", "largest_T", "count"),
        ("largest batch", "largest_batch", "count"),
        ("largest width", "largest_width", "count"),
    ),
}
COLUMNS["roofline"] = tuple(column for column in COLUMNS["speed"] if column[0] != "× base")
COLUMNS["linear"] = (
    ("forward", "forward_seconds", "time"),
    ("× base", "forward_ratio", "ratio"),
    ("neuron forward", "neuron_forward_seconds", "time"),
    ("training", "training_seconds", "time"),
    ("× base", "training_ratio", "ratio"),
    ("neuron training", "neuron_training_seconds", "time"),
)
COLUMNS["psn"] = tuple(column for column in COLUMNS["speed"] if column[0] != "× copy")
COLUMNS["adding"] = COLUMNS["s-mnist"] = (
    ("batch", "training_seconds", "time"),
    ("updates/s", "updates_per_second", "number"),
    ("× base", "training_ratio", "ratio"),
    ("× faster than the plain loop", "training_gain", "ratio"),
)
COLUMNS["first-spike"] = COLUMNS["speed"]
COLUMNS["first-spike-network"] = COLUMNS["network"] = (
    ("training step", "training_seconds", "time"),
    ("× base", "training_ratio", "ratio"),
)
COLUMNS["inference"] = (
    ("forward", "forward_seconds", "time"),
    ("× base", "forward_ratio", "ratio"),
    ("samples/s", "samples_per_second", "count"),
)
COLUMNS["step"] = (*COLUMNS["network"], ("live peak", "live_peak", "size"))
COLUMNS["ttfs"] = (
    ("forward", "forward_seconds", "time"),
    ("× base", "forward_ratio", "ratio"),
    ("training step", "training_seconds", "time"),
    ("× base", "training_ratio", "ratio"),
    ("samples/s", "samples_per_second", "count"),
    ("live peak", "live_peak", "size"),
)


def heading(run: StoredRun) -> str:
    """What a group of measurements has in common: "speed · lif · T=16 N=4096 · float32 · 2 threads · pooled"."""
    what = run.experiment
    threads = f"{what['threads']} thread{'s' * (what['threads'] > 1)}" if run.device == "cpu" else run.device
    limit = what.get("limit")
    parts = (
        what["what"],
        what["neuron"],
        reset(run),
        size(run),
        what["dtype"],
        threads,
        what["allocator"],
        f"in {form('size', limit)}" if limit else "",
    )
    return " · ".join(part for part in parts if part)


def reset(run: StoredRun) -> str:
    """ "reset not detached", or nothing where it is detached or there is none; with the neuron's form or network."""
    options = run.experiment["options"]
    form = f"{options['variant']} form" if options.get("variant") else options.get("network", "")
    return ", ".join(filter(None, (form, "reset not detached" if options.get("detach_reset") is False else "")))


def size(run: StoredRun) -> str:
    """Steps first: "T=16 N=4096"."""
    return " ".join(f"{name}={value}" for name, value in sorted(run.experiment["size"].items(), key=_steps_first))


def _steps_first(named: tuple[str, int]) -> tuple[bool, str]:
    return named[0] != "T", named[0]


def line(run: Run) -> str:
    """One measurement on one line; ratios are left to the table."""
    what = f"{run.experiment['what']} {run.experiment['neuron']} {size(run)} {run.experiment['contender']}"
    if run.outcome != "ok":
        return f"{what}: {run.outcome}: {run.reason}"
    shown = [f"{name} {text}" for name, text in cells(run) if text != NONE and "×" not in name]
    return f"{what}: {', '.join(shown)}"


def cells(run: Run) -> list[tuple[str, str]]:
    """Heading and text of each column of the measurement's kind; on a CPU the host's time is the time itself."""
    values = {metric.name: metric.value for metric in run.metrics}
    return [
        (name, form(kind, values.get(metric), values.get(f"{metric}_low"), values.get(f"{metric}_high")))
        for name, metric, kind in COLUMNS[run.experiment["what"]]
        if run.device != "cpu" or HOST not in metric
    ]


def shown(run: Run, trusted: set[str]) -> list[tuple[str, str]]:
    """The cells without those that compare what may not be compared: an unverified contender, or with such a base."""
    own, base = run.experiment["contender"] in trusted, run.experiment["base"] in trusted
    return [
        (name, NONE if ("×" in name and not own) or ("base" in name and not base) else text)
        for name, text in cells(run)
    ]


def form(kind: str, value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A number in words a reader can compare: times in ms, ratios with their interval, sizes in MiB."""
    if value is None:
        return NONE
    if kind == "time":
        return f"{three(value * 1e3)} ms" if value < 1 else f"{three(value)} s"
    if kind == "ratio":
        return f"{three(value)} {interval(low, high, None)}".rstrip()
    if kind == "size":
        return f"{value / 2**20:,.1f} MiB"
    return f"{value:,.0f}" if kind == "count" else three(value)


def status(run: Run, parities: Iterable[Parity]) -> str:
    """What a reader must know before trusting the figures, in a word or two; `reservation` says more."""
    if run.outcome != "ok":
        return run.outcome
    known = trust.state(run, parities)
    if not trust.counts(known):
        return "unverified, red" if known == trust.RED else "unverified"
    if not run.experiment["differs"]:
        return ""
    equal = any(metric.name == "equal" and metric.value for metric in run.metrics)
    return "same spikes" if equal else "differs"


def reservation(run: Run) -> str:
    """The sentence behind the status: why there are no figures, or how the contender is known to differ."""
    return run.reason if run.outcome != "ok" else str(run.experiment["differs"])


def records(runs: Sequence[Run], parities: Sequence[Parity]) -> list[dict[str, Any]]:
    """Each measurement for programs, docs/json.md."""
    return [_record(run, parities) for run in runs]


def _record(run: Run, parities: Sequence[Parity]) -> dict[str, Any]:
    values = {metric.name: metric.value for metric in run.metrics}
    figures = {}
    for metric in run.metrics:
        if not is_end(metric.name):
            low, high = around(metric.name, values) or (None, None)
            figures[metric.name] = {"value": metric.value, "low": low, "high": high, "unit": metric.unit}
    job = ("what", "neuron", "options", "contender", "differs", "base", "size", "dtype", "threads", "allocator")
    return {
        "run": run.id,
        **{name: run.experiment[name] for name in job},
        "device": run.device,
        "backend": run.backend,
        "outcome": run.outcome,
        "reason": run.reason,
        "verified": run.outcome == "ok" and trust.counts(trust.state(run, parities)),
        "figures": figures,
    }
