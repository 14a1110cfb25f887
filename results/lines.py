"""Results as text: one JSON record a line, keys and lines sorted, the same bytes for the same results.

Records are machine, environment, experiment, dataset (each under its id), run (with its metrics as [name, step, value,
unit], its samples as [name, index, value, unit] and its pictures as [index, document]), parity and planned. Floats are
written so that they read back exactly; a value that could not be computed is null. Published values are not written:
they are part of the program.
"""

import codecs
import gzip
import json
import os
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from results.errors import StoreError
from results.run import Dataset, Metric, Parity, Planned, Run, Sample, StoredRun, canonical_json, content_key, pictured
from results.spare import DATABASE, require_no_store
from results.store import Store

GZIP = b"\x1f\x8b"  # how a packed file begins
_SHARED = ("machine", "environment")  # documents that a run or parity record names by id


def dump(store: Store, keys: Iterable[str] | None = None) -> list[str]:
    """The lines, without line ends, of all results or of the runs of these experiments.

    StoreError if one of `keys` has no run. Parity checks and plans belong to no run and come only with everything.
    """
    wanted = None if keys is None else set(keys)
    runs = store.full_runs(wanted)
    if wanted is not None and (missing := sorted(wanted - {run.experiment_key for run in runs})):
        raise StoreError(
            f"No run of experiment {missing[0]} in {store.url}; 'python -m results show RUN' tells the key of a run."
        )
    parities = store.parity() if wanted is None else []
    lines = set()
    for record in (*runs, *parities):
        for kind in _SHARED:
            document = getattr(record, kind)
            lines.add(_line(kind, id=content_key(document), document=document))
    for run in runs:
        lines.add(_line("experiment", key=run.experiment_key, document=run.experiment))
        lines |= {_line("dataset", id=dataset.id, **vars(dataset)) for dataset in run.datasets}
        lines.add(_run_line(run))
    lines |= {_line("parity", **_named(parity)) for parity in parities}
    lines |= {_line("planned", **vars(plan)) for plan in (store.planned() if wanted is None else ())}
    return sorted(lines)


def write(store: Store, path: Path, keys: Iterable[str] | None = None) -> int:
    """Write the lines to a file, which is replaced only when all of them are on disk; return their number.

    StoreError if the file is a store or belongs to one. Where a link leads is replaced, and the link stays; a device or
    a pipe is written to as it is.
    """
    require_no_store(path)
    lines = dump(store, keys)
    text = "".join(f"{line}\n" for line in lines)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="ascii", newline="\n")
        else:
            _replace(Path(os.path.realpath(path)), text)
    except OSError as error:
        raise StoreError(f"The lines cannot be written to {path}: {error.strerror}. Name another file.") from error
    return len(lines)


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="ascii", newline="\n", dir=path.parent, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~_umask())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


Records = tuple[list[Run], list[Parity], list[Planned]]


def read(paths: Sequence[Path]) -> Records:
    """The runs, parities and plans of these files, for Store.record_all.

    What gzip has packed is unpacked. StoreError names file, line and reason of a line that is damaged.
    """
    runs: list[Run] = []
    parities: list[Parity] = []
    planned: list[Planned] = []
    for path in paths:
        more = parse(str(path), _content(path).splitlines())
        runs += more[0]
        parities += more[1]
        planned += more[2]
    return runs, parities, planned


def _content(path: Path) -> bytes:
    """The text in the file, unpacked, in UTF-8 and without the mark that some editors put before it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The lines in {path} cannot be read: {error.strerror}. Check the file's name.") from error
    packed = content.startswith(GZIP)
    if packed:
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise StoreError(
                f"{path} cannot be unpacked: {error}. Nothing was imported; give a whole file, or unpack it yourself."
            ) from None
    if content.startswith(DATABASE):
        raise StoreError(
            f"{path} is a {'packed ' * packed}database, no exported lines. Nothing was imported; to add a store to "
            f"another one, {'unpack it and ' * packed}use python -m results merge FILE."
        )
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise StoreError(
            f"{path} is written in UTF-16, as some shells do behind >; exported lines are UTF-8. Nothing was imported; "
            "let python -m results export FILE write the file, or merge the store itself with python -m results merge."
        )
    return content.removeprefix(codecs.BOM_UTF8)


def merge(store: Store, source: Store) -> int:
    """Add to the store all results of another one; return how many runs and parities were new."""
    return store.record_all(source.full_runs(), source.parity(), source.planned())


def parse(name: str, lines: Iterable[bytes]) -> Records:
    """The runs, parities and plans written in these lines; `name` is what errors call the file."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    waiting: list[tuple[int, str, dict[str, Any]]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        with _located(name, number):
            record = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
            if not isinstance(record, dict):
                raise ValueError(f"a record is an object, this is {type(record).__name__}")
            kind = record.pop("record", None)
            if kind in ("run", "parity", "planned"):
                waiting.append((number, kind, record))
            else:
                key, content = _shared(kind, record)
                found[kind][key] = content
    runs: list[Run] = []
    parities: list[Parity] = []
    planned: list[Planned] = []
    for number, kind, record in waiting:
        with _located(name, number):
            if kind == "planned":
                _require_fields(record, [field.name for field in fields(Planned)])
                planned.append(Planned(**record))
                continue
            for shared in _SHARED:
                record[shared] = _look_up(found, shared, record[shared])
            if kind == "run":
                runs.append(_run(record, found))
            else:
                _require_fields(record, [field.name for field in fields(Parity)])
                parities.append(Parity(**record))
    return runs, parities, planned


def _line(record: str, **content: Any) -> str:
    return canonical_json({"record": record, **content})


def _run_line(run: Run) -> str:
    content = _named(run) | {
        "experiment": run.experiment_key,
        "datasets": [dataset.id for dataset in run.datasets],
        "metrics": [[metric.name, metric.step, metric.value, metric.unit] for metric in run.metrics],
        "samples": [[sample.name, sample.index, sample.value, sample.unit] for sample in run.samples],
        "pictures": [[picture.index, picture.document()] for picture in run.pictures],
    }
    del content["experiment_key"]
    for later in ("kernels", "pictures"):  # as in lines that were written before there was such a field
        if not content[later]:
            del content[later]
    return _line("run", **content)


def _named(record: Run | Parity) -> dict[str, Any]:
    return vars(record) | {kind: content_key(getattr(record, kind)) for kind in _SHARED}


def _shared(kind: Any, record: dict[str, Any]) -> tuple[str, Any]:
    """Key and content of a record that others refer to, checked against its key where that is made of the content."""
    if kind in _SHARED:
        _require_fields(record, ["id", "document"])
        _require_key(record["id"], content_key(record["document"]))
        return record["id"], record["document"]
    if kind == "experiment":
        _require_fields(record, ["key", "document"])
        return record["key"], record["document"]
    if kind == "dataset":
        _require_fields(record, ["id", *(field.name for field in fields(Dataset))])
        key = record.pop("id")
        dataset = Dataset(**record)
        _require_key(key, dataset.id)
        return key, dataset
    raise ValueError(f"unknown record {kind!r}; perhaps a newer spikebench wrote it")


def _run(record: dict[str, Any], found: dict[str, dict[str, Any]]) -> Run:
    names = [field.name for field in fields(StoredRun) if field.name != "experiment_key"]
    record.setdefault("kernels", {})
    record.setdefault("pictures", [])
    _require_fields(record, [*names, "datasets", "metrics", "samples", "pictures"])
    key = record["experiment"]
    return Run(
        **record
        | {
            "experiment": _look_up(found, "experiment", key),
            "experiment_key": key,
            "datasets": tuple(_look_up(found, "dataset", dataset) for dataset in record["datasets"]),
            "metrics": tuple(Metric(name, value, unit, step) for name, step, value, unit in record["metrics"]),
            "samples": tuple(Sample(name, index, value, unit) for name, index, value, unit in record["samples"]),
            "pictures": tuple(pictured(index, document) for index, document in record["pictures"]),
        }
    )


def _look_up(found: dict[str, dict[str, Any]], kind: str, key: str) -> Any:
    if key not in found[kind]:
        raise ValueError(f"its {kind} {key!r} is not in the file")
    return found[kind][key]


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _located(name: str, number: int) -> Iterator[None]:
    """Turns whatever goes wrong with a line into a StoreError that names file and line."""
    try:
        yield
    except (StoreError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        found = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise StoreError(f"{name}, line {number}: {found}. Nothing was imported; mend or drop the line.") from error
