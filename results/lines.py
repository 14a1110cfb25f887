"""Results as text: one JSON record a line, keys and lines sorted, the same bytes for the same results.

Records are machine, environment, experiment, dataset (each under its id), run (with its metrics as [name, step, value,
unit], its samples as [name, index, value, unit] and its pictures as [index, document]), parity and planned. Floats are
written so that they read back exactly; a value that could not be computed is null. Published values are not written:
they are part of the program. `results/reading.py` reads the lines.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from results.errors import StoreError
from results.run import Parity, Run, canonical_json, content_key, require_key
from results.spare import require_no_store
from results.store import Store

SHARED = ("machine", "environment")  # documents that a run or parity record names by id


def dump(store: Store, keys: Iterable[str] | None = None) -> list[str]:
    """The lines, without line ends, of all results or of the runs of these experiments.

    StoreError if one of `keys` has no run. Parity checks and plans belong to no run and come only with everything.
    """
    wanted = None if keys is None else set(keys)
    lines: set[str] = set()
    seen: set[str] = set()
    for run in store.each_run(wanted):
        seen.add(run.experiment_key)
        _add_shared(lines, run)
        lines.add(_line("experiment", key=run.experiment_key, document=run.experiment))
        lines |= {_line("dataset", id=dataset.id, **vars(dataset)) for dataset in run.datasets}
        lines.add(_run_line(run))
    if wanted is not None and (missing := sorted(wanted - seen)):
        raise StoreError(
            f"No run of experiment {missing[0]} in {store.url}; 'python -m results show RUN' tells the key of a run."
        )
    if wanted is None:
        for parity in store.parity():
            _add_shared(lines, parity)
            lines.add(_line("parity", **_named(parity)))
        lines |= {_line("planned", **vars(plan)) for plan in store.planned()}
    return sorted(lines)


def _add_shared(lines: set[str], record: Run | Parity) -> None:
    for kind in SHARED:
        document = getattr(record, kind)
        lines.add(_line(kind, id=content_key(document), document=document))


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


def merge(store: Store, source: Store) -> int:
    """Add to the store all results of another one; return how many runs and parities were new."""
    return store.record_all(_with_their_keys(source), source.parity(), source.planned())


def _with_their_keys(source: Store) -> Iterator[Run]:
    """The runs of a store; a wrong key would stand in the way of the experiment that it belongs to."""
    for run in source.each_run():
        require_key(run.experiment_key, run.experiment)
        yield run


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
    return vars(record) | {kind: content_key(getattr(record, kind)) for kind in SHARED}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
