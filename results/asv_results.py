"""Results of asv (airspeed velocity) as runs: one for each benchmark and set of its parameters."""

import itertools
import json
import math
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results.errors import StoreError
from results.run import Metric, Run, Sample, content_key, timestamp

UNITS = {"seconds": "s", "bytes": "B", "unit": "1"}
MACHINE = ("arch", "cpu", "num_cpu", "ram")  # asv's record less what names the host


def read(files: Iterable[Path], left_out: Callable[[str], None] = lambda sentence: None) -> list[Run]:
    """The runs in asv's result files (`.asv/results/MACHINE/COMMIT-ENVIRONMENT.json`), equal for equal files.

    What asv skipped is left out; what failed is a run with the outcome `crashed`. Files of asv's own that hold no
    results (machine.json, benchmarks.json) are passed over. An entry that cannot be told, such as one of a benchmark
    that has another name or other parameters now, costs itself only; `left_out` is told a sentence about each.
    StoreError for any other file.
    """
    runs: list[Run] = []
    for file in files:
        if file.name in ("machine.json", "benchmarks.json"):
            continue
        found = _results(file)
        benchmarks = _json(file.parent.parent / "benchmarks.json")  # asv keeps names of parameters and units there
        for name, values in found["results"].items():
            try:
                row = dict(zip(found["result_columns"], values, strict=False))
                runs += list(_of_benchmark(name, row, _about(name, row, benchmarks), found))
            except (_Unknown, StoreError, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                why = str(error) if isinstance(error, _Unknown) else f"{type(error).__name__}: {error}"
                left_out(f"{file}: {name} is left out: {why.rstrip('.')}.")
    return runs


class _Unknown(Exception):
    """An entry whose meaning is no longer known; the message says why."""


def _results(file: Path) -> dict[str, Any]:
    """The content of a result file, with all that holds for each of its entries."""
    found = _json(file)
    kinds = {
        "results": dict,
        "result_columns": list,
        "commit_hash": str,
        "env_name": str,
        "params": dict,
        "requirements": dict,
    }
    for key, kind in kinds.items():
        if not isinstance(found, dict) or not isinstance(found.get(key), kind):
            why = f"it has no {key!r} of the right kind"
            raise StoreError(f"{file} is no result file of asv ({why}). Give files that asv run wrote.")
    return found


def _about(name: str, row: dict[str, Any], benchmarks: dict[str, Any]) -> dict[str, Any]:
    """What benchmarks.json says of the benchmark that gave the row, if it fits the parameters of the row.

    The version, a hash of the benchmark's code, does not matter: any edit changes it, but neither the names nor the
    values of parameters, nor the unit, are part of it. Which code was measured is told by the commit.
    """
    if name not in benchmarks:
        raise _Unknown("benchmarks.json does not know it, so that its unit and parameters are unknown; was it renamed?")
    about = benchmarks[name]
    names, axes = about.get("param_names") or [], row.get("params") or []
    if len(names) != len(axes):
        raise _Unknown(f"it was measured over {len(axes)} parameters, benchmarks.json knows {len(names)}; they changed")
    for axis, measured, known in zip(names, axes, about.get("params") or axes, strict=True):
        for value in measured:
            if value not in known:  # the names may have changed, or their order
                raise _Unknown(f"it was measured with {value}, which is no value of {axis!r} in benchmarks.json")
    if row.get("started_at") is None:
        raise _Unknown("it does not say when it was measured")
    return about


def _of_benchmark(name: str, row: dict[str, Any], about: dict[str, Any], found: dict[str, Any]) -> Iterator[Run]:
    names = about.get("param_names") or []
    combinations = list(itertools.product(*row.get("params") or []))
    results = row["result"] if row["result"] is not None else [None] * len(combinations)
    started = timestamp(datetime.fromtimestamp(row["started_at"] / 1000, UTC))
    unit = UNITS.get(about.get("unit", "unit"), "1")
    for number, (values, result) in enumerate(zip(combinations, results, strict=True)):
        if result is not None and math.isnan(result):
            continue
        parameters = {key: value.strip("'") for key, value in zip(names, values, strict=True)}
        experiment = {"kind": "asv", "benchmark": name, "parameters": parameters}
        identity = (found["commit_hash"], found["env_name"], found["params"], experiment, row["started_at"])
        yield Run(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, content_key(identity))),
            experiment=experiment,
            experiment_key=content_key(experiment),
            implementation=found["commit_hash"],
            outcome="crashed" if result is None else "ok",
            reason="asv reports that the benchmark failed" if result is None else "",
            started=started,
            seconds=None,
            seed=0,
            device="cpu",
            backend=parameters.get("layer", "").rpartition(" ")[2],
            command=f"asv run -b {name}",
            peak_memory=None,
            machine={key: found["params"][key] for key in MACHINE if key in found["params"]},
            environment={"requirements": found["requirements"], "revision": found["commit_hash"]},
            metrics=() if result is None else tuple(_metrics(name.rpartition(".")[2], row, number, result, unit)),
            samples=tuple(_samples(name.rpartition(".")[2], row, number, unit)),
        )


def _metrics(name: str, row: dict[str, Any], number: int, result: float, unit: str) -> Iterator[Metric]:
    """The median that asv reports, and its interval where it was sampled more than once."""
    yield Metric(name, result, unit)
    for column, bound in (("stats_ci_99_a", "low"), ("stats_ci_99_b", "high")):
        values = row.get(column)
        if values and values[number] is not None and math.isfinite(values[number]):
            yield Metric(f"{name}_ci99_{bound}", values[number], unit)


def _samples(name: str, row: dict[str, Any], number: int, unit: str) -> Iterator[Sample]:
    samples = row.get("samples")
    for index, value in enumerate((samples and samples[number]) or []):
        yield Sample(name, index, value, unit)


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{file} cannot be read: {error}. Give the files that asv run left in .asv/results.") from None
