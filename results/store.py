"""The results store: every outcome is a row, written once, in one short transaction."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, delete, func, insert, select

from core.masking import hidden, hidden_in_command
from results import connect, schema
from results.errors import StoreError, damaged
from results.run import (
    Dataset,
    Metric,
    Parity,
    Picture,
    Planned,
    Published,
    Raster,
    Run,
    Sample,
    StoredRun,
    canonical_json,
    content_key,
    metric_key,
    picture_key,
    pictured,
    sample_key,
    set_of,
)
from results.standing import Standing

DEFAULT_URL = "sqlite:///results/spikebench.db"
AT_ONCE = 500  # ids per query: databases limit the number of bound values
ROWS = 500  # read together: one by one costs more, and of many at once the garbage collector makes more work


def default_url() -> str:
    """The store to use when none is named: SPIKEBENCH_STORE if set, else `results/spikebench.db` under the cwd."""
    return os.environ.get("SPIKEBENCH_STORE") or DEFAULT_URL


class Store:
    """An open store.

    `url` is a database URL or the path of an SQLite file; SQLite and PostgreSQL are tested. `create` makes a missing
    one (file, folder, tables); `read_only` promises to write nothing, not even a newer schema. A store holds no open
    connection between two calls on SQLite, a small pool elsewhere; close() or a with block gives that back.
    Every method raises StoreError, and only that, when the database cannot do what was asked.
    """

    def __init__(self, url: str | Path = DEFAULT_URL, create: bool = True, read_only: bool = False) -> None:
        parsed = connect.parse(url)
        self.url = connect.readable(parsed)  # passwords are masked
        self.read_only = read_only
        self.engine = connect.make_engine(parsed, create=create, read_only=read_only)
        try:
            connect.prepare(self.engine, self.url, create=create, read_only=read_only)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing

    def record(self, run: Run) -> None:
        """Store a run and all that belongs to it. Recording the same run again changes nothing."""
        self.record_all([run])

    def record_all(
        self, runs: Iterable[Run] = (), parities: Iterable[Parity] = (), planned: Iterable[Planned] = ()
    ) -> int:
        """Store all of these or, on an error, none; return how many runs and parities were new.

        StoreError if an id or an experiment key is already taken by something else: nothing is ever overwritten.
        """
        self._require_writable()
        with connect.writing(self.engine, self.url) as connection:
            add, new, waiting = _Adder(connection), 0, iter(runs)
            while some := list(itertools.islice(waiting, AT_ONCE)):
                new += self._add_runs(add, set_of(some, "id", lambda run: run.id))
            add(schema.planned, [_planned_row(plan) for plan in planned])
            return new + self._add_parities(add, set_of(parities, "id", lambda parity: parity.id))

    def _add_runs(self, add: "_Adder", runs: list[Run]) -> int:
        """Adds those that are not there yet; how many they were."""
        _add_shared(add, runs)
        add(
            schema.experiment,
            [{"key": run.experiment_key, "document": canonical_json(run.experiment)} for run in runs],
        )
        add(schema.dataset, [_dataset_row(dataset) for run in runs for dataset in run.datasets])
        new = set(add(schema.run, [_row(schema.run, run) for run in runs]))
        _require_same([run for run in runs if run.id not in new], add.connection, self.url)
        fresh = [run for run in runs if run.id in new]
        add.fresh(schema.run_dataset, [{"run_id": r.id, "dataset_id": d.id} for r in fresh for d in r.datasets])
        add.fresh(schema.metric, [_metric_row(run.id, metric) for run in fresh for metric in run.metrics])
        add.fresh(schema.sample, [{"run_id": run.id, **vars(sample)} for run in fresh for sample in run.samples])
        add.fresh(schema.picture, [_picture_row(run.id, picture) for run in fresh for picture in run.pictures])
        return len(new)

    def _add_parities(self, add: "_Adder", parities: list[Parity]) -> int:
        _add_shared(add, parities)
        return len(add(schema.parity, [_row(schema.parity, parity) for parity in parities]))

    def record_standing(self, standing: Mapping[str, Standing]) -> None:
        """Keep, by key of the experiment with seed 0, what its results must rest on to be current."""
        self._require_writable()
        rows = [
            {"experiment_key": key, **vars(now), "kernels": canonical_json(now.kernels)}
            for key, now in sorted(standing.items())
        ]
        with connect.writing(self.engine, self.url) as connection:
            for row in rows:
                key = schema.standing.c.experiment_key
                connection.execute(delete(schema.standing).where(key == row["experiment_key"]))
            if rows:
                connection.execute(insert(schema.standing), rows)

    def replace_published(
        self, paper: str, digest: str, tables: Sequence[Mapping[str, str]], values: Sequence[Published]
    ) -> None:
        """Replace what is known of a paper; `tables` give table, caption, source, provenance and note of each."""
        self._require_writable()
        rows = [
            {
                "paper": value.paper,
                "table": value.table,
                "row": value.row,
                "column": value.column,
                "protocol": value.protocol,
                "step": schema.WHOLE_RUN if value.step is None else value.step,
                "position": position,
                "value": value.value,
                "unit": value.unit,
                "decimals": value.decimals,
            }
            for position, value in enumerate(values)
        ]
        with connect.writing(self.engine, self.url) as connection:
            for table in (schema.published, schema.published_table):
                connection.execute(delete(table).where(table.c.paper == paper))
            add = _Adder(connection)
            add.fresh(schema.published_table, [{"paper": paper, "digest": digest, **table} for table in tables])
            connect.insert_plain(connection, schema.published, rows)

    # ---- reading

    def runs(self, keys: Iterable[str] | None = None, outcome: str | None = None) -> list[StoredRun]:
        """The runs of these experiments (of all, if None) without metrics and samples, the newest last."""
        with connect.reading(self.engine, self.url) as connection:
            return self._runs(connection, schema.run.c.experiment_key, keys, outcome)

    def run(self, run_id: str) -> Run:
        """One run in full; the beginning of its id is enough where it is unique. StoreError if there is none."""
        with connect.reading(self.engine, self.url) as connection:
            column = schema.run.c.id
            query = select(column).where(column.startswith(run_id, autoescape=True)).limit(4)
            found = sorted(connection.scalars(query)) if run_id else []
            if len(found) == 1:
                return self._full(connection, column, found)[0]
        if not found:
            raise StoreError(
                f"No run {hidden(run_id)!r} in {self.url}; python -m results show lists those that are there."
            )
        raise StoreError(f"{run_id!r} begins more than one run ({', '.join(found)} ...); give more of its id.")

    def full_runs(self, keys: Iterable[str] | None = None) -> list[Run]:
        """As runs(), with metrics, samples and data sets: everything, for copying."""
        return sorted(self.each_run(keys), key=lambda run: (run.started, run.id))

    def each_run(self, keys: Iterable[str] | None = None, ids: Iterable[str] | None = None) -> Iterator[Run]:
        """The same one by one, in no order, so that memory does not grow with the number of runs; or those with these
        `ids`."""
        column = schema.run.c.id
        with connect.reading(self.engine, self.url) as connection:
            wanted = sorted(
                ids
                if ids is not None
                else (
                    run_id
                    for where in _chunks(schema.run.c.experiment_key, keys)
                    for run_id in connection.scalars(select(column).where(*where))
                )
            )
            for start in range(0, len(wanted), AT_ONCE):
                yield from self._full(connection, column, wanted[start : start + AT_ONCE])

    def stamps(self, run_ids: Iterable[str]) -> dict[str, str]:
        """By run id, a digest of all that is stored of the run and that neither `runs` nor `values` tell."""
        found = {run_id: hashlib.sha256() for run_id in run_ids}
        with connect.reading(self.engine, self.url) as connection:
            for table in (schema.sample, schema.picture, schema.run_dataset):
                for where in _chunks(table.c.run_id, found):
                    result = connection.execute(select(table).where(*where).order_by(*table.primary_key.columns))
                    rows = itertools.chain.from_iterable(result.partitions(ROWS))
                    for run_id, of_run in itertools.groupby(rows, key=itemgetter(0)):
                        found[run_id].update(f"{table.name} {[*of_run]}".encode())
        return {run_id: digest.hexdigest() for run_id, digest in found.items()}

    def metrics(self, run_ids: Iterable[str], names: Iterable[str] | None = None) -> dict[str, list[Metric]]:
        """Metrics by run id, sorted by name and step, all names if None. A run without any has an empty list."""
        with connect.reading(self.engine, self.url) as connection:
            return _metrics(connection, run_ids, names)

    def values(self, run_ids: Iterable[str]) -> Iterator[tuple[str, str, int | None, float | None]]:
        """Run id, name, step and value of each metric, in no order: for a million of them, `metrics` takes longer."""
        table = schema.metric
        with connect.reading(self.engine, self.url) as connection:
            for where in _chunks(table.c.run_id, run_ids):
                query = select(table.c.run_id, table.c.name, table.c.step, table.c.value).where(*where)
                for rows in connection.execute(query).partitions(ROWS):
                    for run_id, name, step, value in rows:
                        yield run_id, name, _step(step), value

    def last(self, run_ids: Iterable[str], names: Iterable[str]) -> dict[str, dict[str, tuple[float, str]]]:
        """The last value of each of these metrics and its unit, by run id and name; those without a value are left out.

        It is that of the last step that has one, or of the whole run. Curves are not read for it.
        """
        metric, wanted = schema.metric, sorted(set(names))
        found: dict[str, dict[str, tuple[float, str]]] = {}
        with connect.reading(self.engine, self.url) as connection:
            for where in _chunks(metric.c.run_id, run_ids):
                last = (
                    select(metric.c.run_id, metric.c.name, func.max(metric.c.step).label("step"))
                    .where(*where, metric.c.name.in_(wanted), metric.c.value.is_not(None))
                    .group_by(metric.c.run_id, metric.c.name)
                    .subquery()
                )
                same = [metric.c[name] == last.c[name] for name in ("run_id", "name", "step")]
                query = select(metric.c.run_id, metric.c.name, metric.c.value, metric.c.unit).join(last, and_(*same))
                for run_id, name, value, unit in connection.execute(query):
                    found.setdefault(run_id, {})[name] = value, unit
        return found

    def samples(self, run_ids: Iterable[str]) -> dict[str, list[Sample]]:
        """Raw samples by run id, sorted by name and index. A run without any has an empty list."""
        with connect.reading(self.engine, self.url) as connection:
            return _samples(connection, run_ids)

    def datasets(self, run_ids: Iterable[str]) -> dict[str, tuple[Dataset, ...]]:
        """The data sets that runs saw, by run id."""
        with connect.reading(self.engine, self.url) as connection:
            return _datasets(connection, run_ids, self.url)

    def parity(self) -> list[Parity]:
        """All parity checks, the newest last."""
        with connect.reading(self.engine, self.url) as connection:
            rows = connection.execute(_joined(schema.parity)).mappings()
            found = [Parity(**_fields(Parity, row, self.url)) for row in rows]
            return sorted(found, key=lambda parity: (parity.started, parity.id))

    def standing(self) -> dict[str, Standing]:
        """What the last commands found current, by key of the experiment with seed 0."""
        with connect.reading(self.engine, self.url) as connection:
            rows = connection.execute(select(schema.standing)).mappings()
            return {
                row["experiment_key"]: Standing(row["implementation"], row["data"], _document(row["kernels"], self.url))
                for row in rows
            }

    def planned(self, keys: Iterable[str] | None = None) -> list[Planned]:
        """The recorded plans of these experiments (seed 0; of all, if None), the oldest first."""
        table, found = schema.planned, []
        with connect.reading(self.engine, self.url) as connection:
            for where in _chunks(table.c.experiment_key, keys):
                for row in connection.execute(select(table).where(*where)):
                    seeds = tuple(_document(row.seeds, self.url))
                    found.append(Planned(row.experiment_key, row.implementation, seeds, row.created))
            return sorted(found, key=lambda plan: (plan.created, plan.id))

    def published(self, paper: str | None = None, tables: Iterable[str] | None = None) -> list[Published]:
        """Published values by paper and table, within a table in reading order. published.sync() puts them here."""
        value, table = schema.published, schema.published_table
        columns: dict[str, ColumnElement[Any]] = {**value.c, "source": table.c.source, "provenance": table.c.provenance}
        columns["step"] = func.nullif(value.c.step, schema.WHOLE_RUN)
        query = (
            select(*[columns[name] for name in Published._fields])
            .join(table, (table.c.paper == value.c.paper) & (table.c.table == value.c.table))
            .order_by(value.c.position)
        )
        if paper is not None:
            query = query.where(value.c.paper == paper)
        if tables is not None:
            query = query.where(value.c.table.in_(list(tables)))
        with connect.reading(self.engine, self.url) as connection:
            found = list(map(Published._make, connection.execute(query)))
            return sorted(found, key=lambda one: (one.paper, one.table))

    def published_notes(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Caption and note of each published table, by paper and table; a note is "" where there is none."""
        table = schema.published_table
        with connect.reading(self.engine, self.url) as connection:
            rows = connection.execute(select(table.c.paper, table.c.table, table.c.caption, table.c.note))
            return {(row.paper, row.table): (row.caption, row.note) for row in rows}

    def published_digests(self) -> dict[str, str]:
        """The digest of the data files from which each paper's values were loaded."""
        table = schema.published_table
        with connect.reading(self.engine, self.url) as connection:
            rows = connection.execute(select(table.c.paper, table.c.digest).distinct())
            return {row.paper: row.digest for row in rows}

    # ---- inside

    def _require_writable(self) -> None:
        if self.read_only:
            raise StoreError(f"The store {self.url} was opened for reading only; open it without read_only to write.")

    def _runs(
        self, connection: Connection, column: Any, wanted: Iterable[str] | None, outcome: str | None
    ) -> list[StoredRun]:
        found: list[StoredRun] = []
        decode = lru_cache(maxsize=None)(lambda text: _document(text, self.url))
        for where in _chunks(column, wanted):
            query = _joined(schema.run).where(*where)
            if outcome is not None:
                query = query.where(schema.run.c.outcome == outcome)
            for rows in connection.execute(query).mappings().partitions(ROWS):
                found += [StoredRun(**_fields(StoredRun, row, self.url, decode)) for row in rows]
        return sorted(found, key=lambda run: (run.started, run.id))

    def _full(self, connection: Connection, column: Any, wanted: Iterable[str] | None) -> list[Run]:
        runs = self._runs(connection, column, wanted, None)
        ids = [run.id for run in runs]
        metrics, samples = _metrics(connection, ids, None), _samples(connection, ids)
        datasets, pictures = _datasets(connection, ids, self.url), _pictures(connection, ids, self.url)
        return [
            Run(
                **vars(run),
                datasets=datasets[run.id],
                metrics=tuple(metrics[run.id]),
                samples=tuple(samples[run.id]),
                pictures=tuple(pictures[run.id]),
            )
            for run in runs
        ]


class _Adder:
    """Inserts rows that are not there yet; sound because the store has one writer at a time."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __call__(self, table: Table, rows: Iterable[dict[str, Any]]) -> list[str]:
        """Add what is missing by primary key, in one order everywhere; return the keys added."""
        (key,) = table.primary_key.columns
        wanted: dict[str, dict[str, Any]] = {}
        for row in rows:
            _require_equal(table, row, wanted.setdefault(row[key.name], row))
        stored: set[str] = set()
        for where in _chunks(key, wanted):
            for found in self.connection.execute(select(table).where(*where)).mappings():
                stored.add(found[key.name])
                _require_equal(table, wanted[found[key.name]], dict(found))
        new = sorted(set(wanted) - stored)
        self.fresh(table, [wanted[name] for name in new])
        return new

    def fresh(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        connect.insert_plain(self.connection, table, rows)


def _add_shared(add: _Adder, records: Sequence[Run | Parity]) -> None:
    add(schema.machine, [_document_row(record.machine) for record in records])
    add(schema.environment, [_document_row(record.environment) for record in records])


def _require_equal(table: Table, given: dict[str, Any], stored: dict[str, Any]) -> None:
    if differing := [name for name in given if _shown(name, given[name]) != _shown(name, stored[name])]:
        (key,) = table.primary_key.columns
        raise StoreError(
            f"The {table.name} {given[key.name]} is already recorded with another {differing[0]}; records are never "
            "overwritten, so nothing of this step was kept. Record it under an id of its own."
        )


def _shown(name: str, value: Any) -> Any:
    """A value of a row as a record has it: an older version may have stored a password, which no export holds."""
    if name == "command":
        return hidden_in_command(value)
    return hidden(value) if name == "reason" else value


def _require_same(runs: Sequence[Run], connection: Connection, store: str) -> None:
    """StoreError if a run that was there already has other metrics, samples, pictures or data sets."""
    ids = [run.id for run in runs]
    metrics, samples = _metrics(connection, ids, None), _samples(connection, ids)
    pictures = _pictures(connection, ids, store)
    datasets: dict[str, set[str]] = {run_id: set() for run_id in ids}
    for where in _chunks(schema.run_dataset.c.run_id, ids):
        for row in connection.execute(select(schema.run_dataset).where(*where)):
            datasets[row.run_id].add(row.dataset_id)
    for run in runs:
        for what, given, stored in (
            ("metrics", list(run.metrics), metrics[run.id]),
            ("samples", list(run.samples), samples[run.id]),
            ("pictures", list(run.pictures), pictures[run.id]),
            ("data sets", {dataset.id for dataset in run.datasets}, datasets[run.id]),
        ):
            if given != stored:
                raise StoreError(
                    f"The run {run.id} is already recorded with other {what}; records are never overwritten, so "
                    "nothing of this step was kept. Record it under an id of its own."
                )


def _row(table: Table, record: Run | Parity) -> dict[str, Any]:
    """The record's fields as columns of `table`; machine and environment become their ids."""
    ids = {"machine_id": content_key(record.machine), "environment_id": content_key(record.environment)}
    row = {name: ids[name] if name in ids else getattr(record, name) for name in table.c.keys()}  # noqa: SIM118
    return row | {"kernels": canonical_json(row["kernels"])} if "kernels" in row else row


def _document_row(document: dict[str, Any]) -> dict[str, Any]:
    return {"id": content_key(document), "document": canonical_json(document)}


def _dataset_row(dataset: Dataset) -> dict[str, Any]:
    return {**vars(dataset), "id": dataset.id, "counts": canonical_json(dataset.counts)}


def _planned_row(plan: Planned) -> dict[str, Any]:
    return {**vars(plan), "id": plan.id, "seeds": canonical_json(plan.seeds)}


def _metric_row(run_id: str, metric: Metric) -> dict[str, Any]:
    return {"run_id": run_id, **vars(metric), "step": metric_key(metric)[1]}


def _picture_row(run_id: str, picture: Picture | Raster) -> dict[str, Any]:
    return {"run_id": run_id, "index": picture.index, "document": canonical_json(picture.document())}


def _joined(table: Table) -> Any:
    """The table's rows with the documents of their machine, environment and, for runs, experiment."""
    columns: list[Any] = [
        table,
        schema.machine.c.document.label("machine"),
        schema.environment.c.document.label("environment"),
    ]
    query = table.join(schema.machine).join(schema.environment)
    if table is schema.run:
        columns.append(schema.experiment.c.document.label("experiment"))
        query = query.join(schema.experiment)
    return select(*columns).select_from(query)


def _fields(kind: type, row: RowMapping, store: str, decode: Callable[[str], Any] | None = None) -> dict[str, Any]:
    decode = decode or (lambda text: _document(text, store))
    documents = ("experiment", "machine", "environment", "kernels")
    return {f.name: decode(row[f.name]) if f.name in documents else row[f.name] for f in fields(kind)}


def _document(text: str, store: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise damaged(store, f"a document in it is not JSON ({error})") from None


def _metrics(connection: Connection, run_ids: Iterable[str], names: Iterable[str] | None) -> dict[str, list[Metric]]:
    found: dict[str, list[Metric]] = {run_id: [] for run_id in run_ids}
    table = schema.metric
    for where in _chunks(table.c.run_id, found):
        query = select(table).where(*where)
        if names is not None:
            query = query.where(table.c.name.in_(list(names)))
        for rows in connection.execute(query).partitions(ROWS):
            for run_id, name, step, value, unit in rows:
                found[run_id].append(Metric(name, value, unit, _step(step)))
    return {run_id: sorted(metrics, key=metric_key) for run_id, metrics in found.items()}


def _samples(connection: Connection, run_ids: Iterable[str]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {run_id: [] for run_id in run_ids}
    for where in _chunks(schema.sample.c.run_id, found):
        for run_id, name, index, value, unit in connection.execute(select(schema.sample).where(*where)):
            found[run_id].append(Sample(name, index, value, unit))
    return {run_id: sorted(samples, key=sample_key) for run_id, samples in found.items()}


def _pictures(connection: Connection, run_ids: Iterable[str], store: str) -> dict[str, list[Picture | Raster]]:
    found: dict[str, list[Picture | Raster]] = {run_id: [] for run_id in run_ids}
    for where in _chunks(schema.picture.c.run_id, found):
        for run_id, index, document in connection.execute(select(schema.picture).where(*where)):
            found[run_id].append(pictured(index, _document(document, store)))
    return {run_id: sorted(pictures, key=picture_key) for run_id, pictures in found.items()}


def _datasets(connection: Connection, run_ids: Iterable[str], store: str) -> dict[str, tuple[Dataset, ...]]:
    link, table = schema.run_dataset, schema.dataset
    ids: dict[str, list[str]] = {run_id: [] for run_id in run_ids}
    for where in _chunks(link.c.run_id, ids):
        for run_id, dataset_id in connection.execute(select(link.c.run_id, link.c.dataset_id).where(*where)):
            ids[run_id].append(dataset_id)
    known: dict[str, Dataset] = {}  # thousands of runs saw the same few
    for where in _chunks(table.c.id, {dataset_id for found in ids.values() for dataset_id in found}):
        for row in connection.execute(select(table).where(*where)):
            known[row.id] = Dataset(row.digest, row.name, row.complete, _document(row.counts, store), row.note)
    return {run_id: tuple(known[dataset_id] for dataset_id in sorted(found)) for run_id, found in ids.items()}


def _step(stored: int) -> int | None:
    return None if stored == schema.WHOLE_RUN else stored


def _chunks(column: Any, wanted: Iterable[str] | None) -> Iterator[list[Any]]:
    """Conditions that together select the rows with these values, or one that selects all if None."""
    if wanted is None:
        yield []
        return
    values = sorted(set(wanted))
    for start in range(0, len(values), AT_ONCE):
        yield [column.in_(values[start : start + AT_ONCE])]
