"""Reads results that were written as text (results.lines), however many there are.

A file is gone through twice: first every line is checked and what runs share is kept; then run by run is handed over,
so that memory does not grow with the number of runs.
"""

import codecs
import gzip
import io
import json
import shutil
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, NoReturn

from results.errors import StoreError
from results.lines import SHARED
from results.run import Dataset, Metric, Parity, Planned, Run, Sample, StoredRun, content_key, pictured, require_key
from results.spare import DATABASE

GZIP = b"\x1f\x8b"  # how a packed file begins
LONGEST = 2**28  # bytes of a line; a packed file of megabytes may unpack to one of terabytes


@dataclass(frozen=True)
class Source:
    """Lines that can be read again; `name` is what errors call them."""

    name: str
    lines: Callable[[], Iterable[bytes]]


class Runs(Iterable[Run]):
    """The runs that stand in some lines, read anew each time."""

    def __init__(self, sources: Sequence[Source], known: "_Known") -> None:
        self._sources, self._known = sources, known

    def __iter__(self) -> Iterator[Run]:
        for source in self._sources:
            for number, kind, record in _records(source):
                if kind == "run":
                    with _located(source.name, number):
                        yield _run(record, self._known)


def read(paths: Sequence[Path]) -> tuple[Runs, list[Parity], list[Planned]]:
    """The runs, parities and plans of these files, for Store.record_all.

    What gzip has packed is unpacked. StoreError names file, line and reason of a line that is damaged.
    """
    return parse([Source(str(path), _Lines(path)) for path in paths])


def parse(sources: Sequence[Source]) -> tuple[Runs, list[Parity], list[Planned]]:
    """The same of lines from anywhere; those of one source are whole in themselves."""
    parities: list[Parity] = []
    planned: list[Planned] = []
    everything = _Known()
    for source in sources:
        own, missing = _Known(), _Missing()
        waiting: list[tuple[int, dict[str, Any]]] = []
        for number, kind, record in _records(source):
            with _located(source.name, number):
                if kind == "run":
                    _run(record, missing.at(number))
                elif kind == "planned":
                    _require_fields(record, [field.name for field in fields(Planned)])
                    planned.append(Planned(**record))
                elif kind == "parity":
                    waiting.append((number, record))
                else:
                    own.add(kind, record)
        missing.require(source.name, own)
        for number, record in waiting:
            with _located(source.name, number):
                for shared in SHARED:
                    record[shared] = own.look_up(shared, record[shared])
                _require_fields(record, [field.name for field in fields(Parity)])
                parities.append(Parity(**record))
        everything.update(own)
    return Runs(sources, everything), parities, planned


class _Known:
    """What records refer to, by kind and key."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any]] = defaultdict(dict)

    def add(self, kind: Any, record: dict[str, Any]) -> None:
        key, content = _shared(kind, record)
        self._found[kind][key] = content

    def update(self, other: "_Known") -> None:
        for kind, found in other._found.items():
            self._found[kind].update(found)

    def look_up(self, kind: str, key: str) -> Any:
        if key not in self._found[kind]:
            raise ValueError(f"its {kind} {key!r} is not in the file")
        return self._found[kind][key]


class _Missing(_Known):
    """Stands for what may come in a later line; remembers who asked for it first."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], int] = {}
        self._number = 0

    def at(self, number: int) -> "_Missing":
        self._number = number
        return self

    def look_up(self, kind: str, key: str) -> Any:
        self._asked.setdefault((kind, key), self._number)
        return None if kind == "dataset" else {}

    def require(self, name: str, known: _Known) -> None:
        for (kind, key), number in self._asked.items():
            with _located(name, number):
                known.look_up(kind, key)


def _records(source: Source) -> Iterator[tuple[int, Any, dict[str, Any]]]:
    """Number, kind and content of each line that is not empty."""
    for number, line in enumerate(source.lines(), 1):
        if not line.strip():
            continue
        with _located(source.name, number):
            record = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
            if not isinstance(record, dict):
                raise ValueError(f"a record is an object, this is {type(record).__name__}")
            kind = record.pop("record", None)
        yield number, kind, record


class _Lines:
    """The lines of a file, unpacked, in UTF-8 and without the mark that some editors put before them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._copy: IO[bytes] | None = None  # of what can be read once only

    def __call__(self) -> Iterator[bytes]:
        with self._explained(), self._opened() as file:
            packed = file.peek(2).startswith(GZIP)
            unpacked = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
            self._require_lines(unpacked.peek(16), packed)
            if unpacked.peek(3).startswith(codecs.BOM_UTF8):
                unpacked.read(3)
            while line := unpacked.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise StoreError(
                        f"{self.path} has a line of more than {LONGEST >> 20} MiB. Nothing was imported; give a file "
                        "that python -m results export wrote."
                    )
                yield line

    def _opened(self) -> io.BufferedReader:
        if self.path.is_file():
            return self.path.open("rb")
        if self._copy is None:
            with self.path.open("rb") as pipe:
                self._copy = tempfile.TemporaryFile()  # noqa: SIM115
                shutil.copyfileobj(pipe, self._copy)
        self._copy.seek(0)
        return io.BufferedReader(io.FileIO(self._copy.fileno(), closefd=False))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise StoreError(
                f"{self.path} cannot be unpacked: {error}. Nothing was imported; give a whole file, or unpack it "
                "yourself."
            ) from None
        except OSError as error:
            raise StoreError(
                f"The lines in {self.path} cannot be read: {error.strerror}. Check the file's name."
            ) from error

    def _require_lines(self, beginning: bytes, packed: bool) -> None:
        if beginning.startswith(DATABASE):
            raise StoreError(
                f"{self.path} is a {'packed ' * packed}database, no exported lines. Nothing was imported; to add a "
                f"store to another one, {'unpack it and ' * packed}use python -m results merge FILE."
            )
        if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in beginning[:4]:
            raise StoreError(
                f"{self.path} is written in UTF-16, as some shells do behind >; exported lines are UTF-8. Nothing was "
                "imported; let python -m results export FILE write the file, or merge the store itself with "
                "python -m results merge."
            )


def _shared(kind: Any, record: dict[str, Any]) -> tuple[str, Any]:
    """Key and content of a record that others refer to, checked against its key where that is made of the content."""
    if kind in SHARED:
        _require_fields(record, ["id", "document"])
        _require_key(record["id"], content_key(record["document"]))
        return record["id"], record["document"]
    if kind == "experiment":
        _require_fields(record, ["key", "document"])
        require_key(record["key"], record["document"])
        return record["key"], record["document"]
    if kind == "dataset":
        _require_fields(record, ["id", *(field.name for field in fields(Dataset))])
        key = record.pop("id")
        dataset = Dataset(**record)
        _require_key(key, dataset.id)
        return key, dataset
    raise ValueError(f"unknown record {kind!r}; perhaps a newer spikebench wrote it")


def _run(record: dict[str, Any], known: _Known) -> Run:
    names = [field.name for field in fields(StoredRun) if field.name != "experiment_key"]
    record.setdefault("kernels", {})
    record.setdefault("pictures", [])
    _require_fields(record, [*names, "datasets", "metrics", "samples", "pictures"])
    key = record["experiment"]
    datasets = (known.look_up("dataset", dataset) for dataset in record["datasets"])
    return Run(
        **record
        | {shared: known.look_up(shared, record[shared]) for shared in SHARED}
        | {
            "experiment": known.look_up("experiment", key),
            "experiment_key": key,
            "datasets": tuple(dataset for dataset in datasets if dataset),
            "metrics": tuple(Metric(name, value, unit, step) for name, step, value, unit in record["metrics"]),
            "samples": tuple(Sample(name, index, value, unit) for name, index, value, unit in record["samples"]),
            "pictures": tuple(pictured(index, document) for index, document in record["pictures"]),
        }
    )


def _require_fields(record: dict[str, Any], names: Iterable[str]) -> None:
    expected = set(names)
    if missing := sorted(expected - set(record)):
        raise ValueError(f"{missing[0]!r} is missing")
    if unknown := sorted(set(record) - expected):
        raise ValueError(f"{unknown[0]!r} is unknown; perhaps a newer spikebench wrote it")


def _require_key(given: str, computed: str) -> None:
    if given != computed:
        raise ValueError(f"the id {given!r} does not belong to the content, whose id is {computed!r}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value; write null")


@contextmanager
def _located(name: str, number: int) -> Iterator[None]:
    """Turns whatever goes wrong with a line into a StoreError that names file and line."""
    try:
        yield
    except (StoreError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        found = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise StoreError(f"{name}, line {number}: {found}. Nothing was imported; mend or drop the line.") from error
