"""The records of a store as plain dataclasses, checked and normalised when they are made.

Two rules hold everywhere. A value that could not be computed is None (NULL), never 0. What is identified by its
content has the SHA-256 of its canonical JSON as id, so that two machines give equal things equal ids.
"""

import base64
import difflib
import hashlib
import json
import math
import operator
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from core.masking import hidden, hidden_in_command
from results.errors import StoreError
from results.outcomes import OK, OUTCOMES
from results.units import UNITS

PROVENANCES = {
    "reported": "printed in the work",
    "derived": "recomputed from the authors' logs or code",
    "log": "computed from released logs",
    "repo": "printed in the release",
    "code": "counted by running the released code",
    "abstract": "read in the work's abstract",
    "quoted": "printed in another work",
    "measured": "measured on the released code",
    "from_memory": "recalled, not verified",
    "pilot": "our own small measurement",
}


SHORTEST_KEY = 20  # digits of an experiment's key
CAPTURED = ("reason", "command")  # texts that come from outside, whatever they hold


def canonical_json(document: Any) -> str:
    """The one spelling of a JSON document: sorted keys, no spaces, ASCII. StoreError for NaN, infinities, objects."""
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"A record holds something JSON cannot: {error}. Use finite numbers, strings, lists and dicts."
        ) from None


def content_key(document: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def new_id() -> str:
    return str(uuid.uuid4())


def timestamp(moment: datetime | None = None) -> str:
    """ISO-8601 in UTC with microseconds and a final Z (now if no moment is given); such strings sort as times do."""
    utc = (moment or datetime.now(UTC)).astimezone(UTC)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


_NAMES: set[str] = set()  # of metrics, found fit: there are millions of metrics


@dataclass(frozen=True)
class Metric:
    """A measured value; step None means the whole run, otherwise the epoch from 0. NaN and infinities become None."""

    name: str
    value: float | None
    unit: str
    step: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _number(self.value))
        if self.name not in _NAMES:
            _filled("metric name", self.name)
            _NAMES.add(self.name)
        _known("unit", self.unit, UNITS)
        if self.step is not None and not (type(self.step) is int and 0 <= self.step < 2**31):
            object.__setattr__(self, "step", _natural("step", self.step))


@dataclass(frozen=True)
class Sample:
    """One raw reading of a repeated measurement, such as the time of the index-th repetition."""

    name: str
    index: int
    value: float | None
    unit: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _number(self.value))
        object.__setattr__(self, "index", _natural("index", self.index))
        _filled("sample name", self.name)
        _known("unit", self.unit, UNITS)


Edges = tuple[float, float, float, float]  # left, top, right and lower pixel of a box


@dataclass(frozen=True)
class Picture:
    """The `index`-th picture of a test set, as JPEG in base64, its size in pixels, and its boxes: class, edges and,
    of those that the run `found`, the score; `there` are the true ones."""

    index: int
    width: int
    height: int
    jpeg: str
    found: tuple[tuple[str, Edges, float], ...]
    there: tuple[tuple[str, Edges], ...]

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("index", "width", "height"):
            put(self, name, _natural(f"{name} of a picture", getattr(self, name)))
        _filled("picture", self.jpeg)
        try:
            base64.b64decode(self.jpeg, validate=True)
        except ValueError as error:
            raise StoreError(f"The picture {self.index} is not in base64: {error}.") from None
        put(self, "found", tuple((_text(kind), _edges(edges), float(score)) for kind, edges, score in self.found))
        put(self, "there", tuple((_text(kind), _edges(edges)) for kind, edges in self.there))

    def document(self) -> dict[str, Any]:
        """All but the index, as a JSON document."""
        return {name: value for name, value in vars(self).items() if name != "index"}


Layer = tuple[str, int, int, str]  # its name, its neurons, how many of them are kept, their spikes


@dataclass(frozen=True)
class Raster:
    """The spikes of the `index`-th sample of a test set over `steps`, layer by layer.

    Of each layer the first neurons are kept: [steps, kept] as bits (numpy.packbits) in base64. `there` is the true
    class, `found` the one that was decided for. `output`: the last layer answers, a neuron for each class.
    """

    index: int
    steps: int
    layers: tuple[Layer, ...]
    there: int
    found: int
    output: bool = True

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "output", bool(self.output))
        for name in ("index", "steps", "there", "found"):
            put(self, name, _natural(f"{name} of a raster", getattr(self, name)))
        put(self, "layers", tuple(_layer(self.steps, *layer) for layer in self.layers))

    def document(self) -> dict[str, Any]:
        """All but the index, as a JSON document; `output` only where it is not so."""
        left_out = {"index", "output"} if self.output else {"index"}
        return {name: value for name, value in vars(self).items() if name not in left_out}


def pictured(index: int, document: dict[str, Any]) -> Picture | Raster:
    """The picture or the raster that `document` describes."""
    return Picture(index=index, **document) if "jpeg" in document else Raster(index=index, **document)


@dataclass(frozen=True)
class Dataset:
    """The data a run saw: digest of the source files, number of samples per split, complete False for a subset."""

    digest: str
    name: str
    complete: bool
    counts: dict[str, int]
    note: str = ""

    def __post_init__(self) -> None:
        _filled("dataset digest", self.digest)
        _filled("dataset name", self.name)
        object.__setattr__(self, "complete", bool(self.complete))
        counts = {str(split): _natural("count", count) for split, count in self.counts.items()}
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "note", _text(self.note))

    @property
    def id(self) -> str:
        """Content key of the whole record, so that one digest described in two ways is two records, none lost."""
        return content_key([self.digest, self.name, self.complete, self.counts, self.note])


@dataclass(frozen=True)
class StoredRun:
    """A run as listed: all but its metrics, samples and data sets. Treat the dicts as read-only, they are shared."""

    id: str
    experiment: dict[str, Any]
    experiment_key: str
    implementation: str  # fingerprint of the code that computed it; another one makes the result stale
    outcome: str
    reason: str
    started: str  # as from timestamp()
    seconds: float | None  # with those that earlier executions spent up to the checkpoint it went on from
    seed: int
    device: str
    backend: str
    command: str
    peak_memory: int | None  # bytes
    machine: dict[str, Any]
    environment: dict[str, Any]
    kernels: dict[str, Any] = field(default_factory=dict)  # by backend that computed it, as in results.standing

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", hidden(self.reason))  # an older version may have stored a password
        object.__setattr__(self, "command", hidden_in_command(self.command))


@dataclass(frozen=True)
class Run(StoredRun):
    """One execution of an experiment with everything it yielded. StoreError if a field is not as described."""

    datasets: tuple[Dataset, ...] = ()
    metrics: tuple[Metric, ...] = ()
    samples: tuple[Sample, ...] = ()
    pictures: tuple[Picture | Raster, ...] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__
        _check_kinds(self)
        put(self, "id", _uuid(self.id))
        _filled("experiment key", self.experiment_key)
        _known("outcome", self.outcome, OUTCOMES)
        put(self, "reason", _text(self.reason))
        if self.outcome != OK:
            _filled(f"reason of a run that is {self.outcome}", self.reason)
        put(self, "started", _moment(self.started))
        put(self, "seconds", _number(self.seconds))
        if self.seconds is not None and self.seconds < 0:
            raise StoreError(f"A run cannot take {self.seconds} s; give a duration from 0 or None.")
        put(self, "seed", _integer("seed", self.seed, -(2**63), 2**63))
        put(self, "command", _text(self.command))
        super().__post_init__()
        if self.peak_memory is not None:
            put(self, "peak_memory", _integer("peak memory", self.peak_memory, 0, 2**63))
        for document in ("experiment", "machine", "environment", "kernels"):
            put(self, document, json.loads(canonical_json(getattr(self, document))))
        put(self, "datasets", tuple(sorted(set_of(self.datasets, "data set", lambda d: d.id), key=lambda d: d.id)))
        put(self, "metrics", tuple(sorted(set_of(self.metrics, "metric", metric_key), key=metric_key)))
        put(self, "samples", tuple(sorted(set_of(self.samples, "sample", sample_key), key=sample_key)))
        put(self, "pictures", tuple(sorted(set_of(self.pictures, "picture", picture_key), key=picture_key)))


@dataclass(frozen=True)
class Parity:
    """One comparison of a backend with the eager reference in float64.

    `state_error` is absolute, `grad_error` relative to the gradient's size.
    """

    id: str
    started: str
    neuron: str
    backend: str
    step_mode: str
    dtype: str
    device: str
    detach_reset: bool
    case: str
    flips: int | None  # spikes that differ
    first_step: int | None  # None also when no spike differs
    threshold_distance: float | None  # |H - v_threshold| of the reference at the first flip
    state_error: float | None
    grad_error: float | None
    kernel: str  # what really ran
    green: bool
    reason: str  # non-empty unless green
    implementation: str
    machine: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        _check_kinds(self)
        put(self, "id", _uuid(self.id))
        put(self, "started", _moment(self.started))
        for flag in ("detach_reset", "green"):
            put(self, flag, bool(getattr(self, flag)))
        for count in ("flips", "first_step"):
            if getattr(self, count) is not None:
                put(self, count, _natural(count, getattr(self, count)))
        for error in ("threshold_distance", "state_error", "grad_error"):
            put(self, error, _number(getattr(self, error)))
        put(self, "reason", _text(self.reason))
        if not self.green:
            _filled("reason of a parity check that is not green", self.reason)
        for document in ("machine", "environment"):
            put(self, document, json.loads(canonical_json(getattr(self, document))))


@dataclass(frozen=True)
class Planned:
    """The seeds that an experiment was to be run with, written down before the first run.

    `experiment_key` is that of the experiment with seed 0.
    """

    experiment_key: str
    implementation: str
    seeds: tuple[int, ...]
    created: str

    def __post_init__(self) -> None:
        _check_kinds(self)
        _filled("experiment key", self.experiment_key)
        object.__setattr__(self, "created", _moment(self.created))
        seeds = sorted({_integer("seed", seed, -(2**63), 2**63) for seed in self.seeds})
        object.__setattr__(self, "seeds", tuple(seeds))

    @property
    def id(self) -> str:
        """Content key of the whole record."""
        return content_key([self.experiment_key, self.implementation, self.seeds, self.created])


class Published(NamedTuple):  # there are tens of thousands
    """One published number. Protocol is "A", "B" or "" where none applies; step is an epoch or None.

    `decimals` are the digits printed behind the point, None for a number that was computed.
    """

    paper: str
    table: str
    row: str
    column: str
    protocol: str
    step: int | None
    value: float
    unit: str
    source: str
    provenance: str
    decimals: int | None = None


def metric_key(metric: Metric) -> tuple[str, int]:
    return metric.name, -1 if metric.step is None else metric.step


def sample_key(sample: Sample) -> tuple[str, int]:
    return sample.name, sample.index


def picture_key(picture: Picture | Raster) -> int:
    return picture.index


def set_of(items: Iterable[Any], what: str, key: Any) -> list[Any]:
    """The items with exact repetitions dropped; StoreError when two of them differ under one key."""
    found: dict[Any, Any] = {}
    for item in items:
        known = found.setdefault(key(item), item)
        if known is not item and known != item:  # to compare an item with itself takes long
            raise StoreError(f"The {what} {key(item)} is given twice, with different content; keep one.")
    return list(found.values())


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) is float and math.isfinite(value):  # nearly always, and there may be millions
        return value + 0.0
    if isinstance(value, str):
        raise StoreError(f"The value {value!r} is a text; give a number, or None where there is none.")
    number = float(value)
    # Adding 0.0 turns -0.0 into 0.0, which SQLite would do on some rows only.
    return number + 0.0 if math.isfinite(number) else None


def _natural(what: str, value: Any) -> int:
    return _integer(what, value, 0, 2**31)


def _edges(edges: Iterable[Any]) -> Edges:
    left, top, right, lower = (float(edge) for edge in edges)
    return left, top, right, lower


def _layer(steps: int, name: str, neurons: int, kept: int, spikes: str) -> Layer:
    what = f"layer {name!r} of a raster"
    neurons, kept = _natural(f"number of neurons of {what}", neurons), _natural(f"kept neurons of {what}", kept)
    try:
        bits = base64.b64decode(spikes, validate=True)
    except ValueError as error:
        raise StoreError(f"The spikes of {what} are not in base64: {error}.") from None
    if kept > neurons or len(bits) != -(-steps * kept // 8):
        raise StoreError(
            f"The {what} has {len(bits)} bytes of spikes for {steps} steps of {kept} of {neurons} neurons; give one "
            "bit for each step and kept neuron."
        )
    return _text(name), neurons, kept, spikes


def _integer(what: str, value: Any, low: int, end: int) -> int:
    try:
        whole = operator.index(value)
    except TypeError:
        raise StoreError(f"The {what} {value!r} is no whole number; give one.") from None
    if not low <= whole < end:
        raise StoreError(f"The {what} {whole} is out of range; give a whole number from {low} to {end - 1}.")
    return whole


def _check_kinds(record: Any) -> None:
    """StoreError where a text or a document of the record is something else."""
    for entry in fields(record):
        value = getattr(record, entry.name)
        if entry.type is str:
            if not isinstance(value, str):
                raise StoreError(f"The {entry.name} {value!r} is no text; give a str.")
            if entry.name not in CAPTURED:
                _storable(entry.name, value)
        if entry.type == dict[str, Any] and not isinstance(value, dict):
            raise StoreError(f"The {entry.name} {value!r} is no JSON object; give a dict.")


def _filled(what: str, text: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise StoreError(f"The {what} is {text!r}; give a non-empty text.")
    _storable(what, text)


def _storable(what: str, text: str) -> None:
    if not text.isprintable() and text != _text(text):
        raise StoreError(f"The {what} {text!r} holds a NUL or half a character, which databases refuse; leave it out.")


def require_key(key: str, experiment: dict[str, Any]) -> None:
    """StoreError unless `key` is the key of the experiment: the digits, 20 or more, with which its hash begins."""
    computed = content_key(experiment)
    if len(key) < SHORTEST_KEY or not computed.startswith(key):
        raise StoreError(
            f"The experiment key {key!r} does not belong to the experiment, whose key is {computed[:SHORTEST_KEY]}."
        )


def _known(what: str, name: str, known: Mapping[str, str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(str(name), known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise StoreError(f"Unknown {what} {name!r}.{hint} Known: {', '.join(known)}.")


def _text(text: str) -> str:
    """Captured output may hold NUL and lone surrogates, which databases refuse: they become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise StoreError(f"The id {text!r} is no UUID; make one with results.new_id().") from None


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise StoreError(f"The time {text!r} is not ISO-8601; make one with results.timestamp().") from None
    if moment.utcoffset() != timedelta(0):
        raise StoreError(f"The time {text!r} is not marked as UTC; make one with results.timestamp().")
    return timestamp(moment)
