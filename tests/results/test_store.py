"""The same expectations of both databases: what is recorded is found again, once, in one order."""

import dataclasses
import sqlite3

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from samples import DIGITS, a_parity, a_run
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from results import connect, schema
from results.errors import StoreError
from results.leases import Leases
from results.run import Dataset, Metric
from results.standing import Standing
from results.store import AT_ONCE, DEFAULT_URL, Store, default_url
from results.units import UNITS


def test_a_run_is_found_again_as_it_was(store):
    run = a_run()
    store.record(run)
    assert store.run(run.id) == run
    assert store.run(run.id[:8]) == run
    assert store.datasets([run.id])[run.id] == (DIGITS,)
    assert store.metrics([run.id], ["accuracy_a"]) == {run.id: [Metric("accuracy_a", 0.30000000000000004, "fraction")]}
    assert [sample.value for sample in store.samples([run.id])[run.id]] == [1e-3, None]


def test_recording_twice_is_recording_once(store):
    run = a_run()
    store.record(run)
    store.record(run)
    assert len(store.runs()) == 1
    assert store.record_all([run, run]) == 0
    assert store.run(run.id) == run


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"metrics": ()}, {"samples": ()}, {"datasets": ()}, {"metrics": (Metric("accuracy_a", 0.3, "%"),)}],
    ids=["seed", "no metrics", "no samples", "no data", "other metric"],
)
def test_nothing_recorded_is_ever_changed(store, change):
    run = a_run()
    store.record(run)
    with pytest.raises(StoreError, match="already recorded with"):
        store.record_all([a_run(), a_run(id=run.id, **change)])
    assert store.full_runs() == [run]  # nor is the other, new run of that step kept


def test_an_experiment_key_has_one_meaning(store):
    store.record(a_run(experiment_key="k", experiment={"lr": 1}))
    with pytest.raises(StoreError, match="experiment k is already recorded with another document"):
        store.record(a_run(experiment_key="k", experiment={"lr": 2}))


def test_two_descriptions_of_one_digest_are_both_kept(store):
    subset = dataclasses.replace(DIGITS, complete=False, note="10 of 1797")
    run = a_run(datasets=(DIGITS, subset))
    store.record(run)
    assert len(store.datasets([run.id])[run.id]) == 2
    assert subset in store.datasets([run.id])[run.id]
    assert DIGITS in store.datasets([run.id])[run.id]


def test_runs_come_oldest_first_and_can_be_chosen(store):
    late = a_run(started="2026-03-01T00:00:00Z", experiment={"a": 1})
    early = a_run(
        started="2025-03-01T00:00:00.000001Z", experiment={"a": 2}, outcome="oom", reason="T = 128 is too long"
    )
    middle = a_run(started="2025-03-01T00:00:00.1Z", experiment={"a": 1})
    store.record_all([late, early, middle])
    assert [run.id for run in store.runs()] == [early.id, middle.id, late.id]
    assert [run.id for run in store.runs([late.experiment_key, "unknown"])] == [middle.id, late.id]
    assert [run.id for run in store.runs(outcome="oom")] == [early.id]
    assert store.runs([]) == []
    assert store.runs()[0].experiment == {"a": 2}


def test_more_ids_than_a_query_can_name(store):
    runs = [a_run(metrics=(Metric("loss", i, "1"),)) for i in range(AT_ONCE + 1)]
    store.record_all(runs)
    found = store.metrics([run.id for run in runs])
    assert sorted(metrics[0].value for metrics in found.values()) == list(range(len(runs)))


def test_a_value_that_is_not_a_number_is_null(store):
    run = a_run(metrics=(Metric("loss", float("nan"), "1"), Metric("loss", float("-inf"), "1", 3)))
    store.record(run)
    with store.engine.connect() as connection:
        values = connection.scalars(text("SELECT value FROM metric")).all()
    assert values == [None, None]


def test_text_that_databases_refuse_does_not_lose_a_run(store):
    run = a_run(outcome="crashed", reason="signal 11: \0 \ud800 ü", command="x\0y")
    store.record(run)
    assert store.run(run.id).reason == "signal 11: \ufffd \ufffd ü"


def test_parity_checks(store):
    parity = a_parity()
    green = a_parity(started="2026-01-01T00:00:00Z", green=True, reason="", flips=0, first_step=None)
    assert store.record_all(parities=[parity, green]) == 2
    assert store.parity() == [green, parity]


@pytest.mark.parametrize("wanted", ["", "zzzz", "%", "_"])
def test_a_run_that_is_not_there(store, wanted):
    store.record(a_run())
    with pytest.raises(StoreError, match="No run"):
        store.run(wanted)


def test_a_beginning_of_two_runs(store):
    for last in "12":
        store.record(a_run(id=f"00000000-0000-0000-0000-00000000000{last}"))
    with pytest.raises(StoreError, match="more than one run"):
        store.run("0000")


def test_the_database_itself_refuses_what_we_do_not_believe(store):
    run = a_run()
    store.record(run)
    for statement in (
        "UPDATE run SET outcome = 'fine'",
        "UPDATE run SET outcome = 'oom'",  # without a reason
        "UPDATE run SET seconds = -1",
        "UPDATE metric SET unit = 'furlong'",
        "UPDATE metric SET step = -2",
        "UPDATE run SET machine_id = 'nobody'",
        "DELETE FROM dataset",
    ):
        with pytest.raises(IntegrityError), store.engine.begin() as connection:
            connection.execute(text(statement))
    assert store.run(run.id) == run


def described(connection):
    """All that SQL says of each table, whatever the order of its columns, less comments of SQLAlchemy's own."""
    found = inspect(connection)
    plain = str.maketrans("", "", " ()")  # PostgreSQL writes conditions anew
    return {
        table: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)},
            "key": found.get_pk_constraint(table),
            "foreign": sorted(found.get_foreign_keys(table), key=repr),
            "checks": {c["name"]: c["sqltext"].translate(plain) for c in found.get_check_constraints(table)},
            "indexes": sorted(found.get_indexes(table), key=repr),
            "options": found.get_table_options(table),
        }
        for table in found.get_table_names()
    }


def test_the_migrations_lead_to_the_schema(url):
    config = connect._scripts()
    with Store(url) as store, store.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.METADATA) == []
        made = described(connection)
        drop_all(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        migrated = described(connection)
    assert made == migrated
    assert len(made) == len(schema.METADATA.tables) + 1
    assert ScriptDirectory.from_config(config).get_current_head() == schema.REVISION


def drop_all(connection):
    for table in reversed(schema.METADATA.sorted_tables):
        connection.execute(text(f'DROP TABLE "{table.name}"'))
    connection.execute(text("DROP TABLE alembic_version"))


def test_a_store_of_the_first_schema_loses_nothing(url):
    config = connect._scripts()
    with Store(url) as store, store.engine.begin() as connection:
        drop_all(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "r0001")
        connection.execute(text("INSERT INTO unit VALUES ('%')"))
        connection.execute(text("INSERT INTO published_table VALUES ('p', 't', 'c', 's', 'pilot', '', 'old')"))
        connection.execute(text("INSERT INTO published VALUES ('p', 't', 'r', 'c', 'A', -1, 0, 93.5, '%')"))
    with Store(url) as store:
        assert [(v.value, v.decimals, v.provenance) for v in store.published()] == [(93.5, None, "pilot")]
        assert store.published_digests() == {"p": ""}  # so that it is loaded again
        store.record(a_run())


def test_a_store_of_the_second_schema_keeps_its_runs(url):
    """Which kernels computed them is not known, and no seeds were planned."""
    run = a_run(pictures=())
    config = connect._scripts()
    with Store(url) as store:
        store.record(run)
        store.record_standing({"a": Standing("code", "data")})
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            for table in ("planned", "picture", "lease"):
                connection.execute(text(f"DROP TABLE {table}"))
            for table in ("run", "standing"):
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN kernels"))
            command.stamp(config, "r0002")
    with Store(url) as store:
        assert store.full_runs() == [run]
        assert store.runs()[0].kernels == {}
        assert store.standing() == {"a": Standing("code", "data")}
        assert store.planned() == []
        store.record(a_run(kernels={"fused": {"code": "1"}}))


def test_a_store_of_the_third_schema_keeps_its_runs(url):
    """No pictures were kept."""
    run = a_run(pictures=(), kernels={"fused": {"code": "1"}})
    config = connect._scripts()
    with Store(url) as store:
        store.record(run)
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            for table in ("picture", "lease"):
                connection.execute(text(f"DROP TABLE {table}"))
            command.stamp(config, "r0003")
    with Store(url) as store:
        assert store.full_runs() == [run]
        store.record(shown := a_run())
        assert store.run(shown.id).pictures == shown.pictures


def test_a_store_of_the_fourth_schema_keeps_its_runs(url):
    """Nobody said who was at work."""
    run = a_run()
    config = connect._scripts()
    with Store(url) as store:
        store.record(run)
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            connection.execute(text("DROP TABLE lease"))
            command.stamp(config, "r0004")
    with Store(url) as store, Leases(store) as leases:
        assert store.full_runs() == [run]
        assert leases.take("work") is None


def test_what_is_current_is_replaced(store):
    store.record_standing({"a": Standing("code", "data"), "b": Standing("code")})
    store.record_standing({"a": Standing("newer", "data")})
    assert store.standing() == {"a": Standing("newer", "data"), "b": Standing("code")}


@pytest.mark.parametrize(
    ("implementation", "digests", "reason"),
    [
        ("code", ["data"], ""),
        ("code", [], ""),
        ("code", ["DATA"], "other data: measured on DATA, here is data"),
        ("code", ["by another rule"], ""),
        ("older", ["data"], "the code behind it has changed since it was measured"),
    ],
)
def test_what_makes_a_result_stale(implementation, digests, reason):
    datasets = [Dataset(digest, "digits", True, {"test": 1}) for digest in digests]
    assert Standing("code", "data").reason_against(implementation, datasets) == reason
    assert Standing("code").reason_against("code", datasets) == ""  # the data is not here to compare with


def test_opening_again_changes_nothing(store, url):
    run = a_run()
    store.record(run)
    with Store(url, create=False) as again:
        assert again.full_runs() == [run]
    with Store(url, read_only=True) as reader:
        assert reader.full_runs() == [run]
        with pytest.raises(StoreError, match="opened for reading only"):
            reader.record(run)


def test_a_new_unit_reaches_an_old_store(store, url, monkeypatch):
    monkeypatch.setitem(UNITS, "furlong", "an eighth of a mile")
    with Store(url) as again:
        run = a_run(metrics=(Metric("distance", 1, "furlong"),))
        again.record(run)
        assert again.run(run.id) == run


def test_a_step_that_fails_half_way_leaves_nothing(store, monkeypatch):
    first = a_run()
    store.record(first)
    monkeypatch.setitem(UNITS, "furlong", "unknown to the open store")
    with pytest.raises(StoreError):
        store.record(a_run(experiment={"a": 3}, metrics=(Metric("distance", 1, "furlong"),)))
    assert store.full_runs() == [first]
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM experiment")) == 1


def test_sqlite_rests_as_one_file_in_wal(tmp_path):
    path = tmp_path / "new" / "folder" / "store.db"
    with Store(path) as store:
        store.record(a_run())
        Store(path, read_only=True).runs()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_store_in_memory():
    with Store("sqlite://") as store:
        run = a_run()
        store.record(run)
        assert store.run(run.id) == run


def test_the_default_store(monkeypatch):
    monkeypatch.delenv("SPIKEBENCH_STORE", raising=False)
    assert default_url() == DEFAULT_URL == "sqlite:///results/spikebench.db"
    monkeypatch.setenv("SPIKEBENCH_STORE", "elsewhere.db")
    assert default_url() == "elsewhere.db"


def test_the_last_value_of_a_metric_is_that_of_its_last_step_with_one(url):
    curve = [Metric("loss", value, "1", step) for step, value in enumerate((3.0, 2.0, None))]
    first = a_run(metrics=(*curve, Metric("parameters", 7, "count"), Metric("broken", None, "1")))
    second = a_run(metrics=(Metric("loss", 5.0, "1", 9),))
    with Store(url) as store:
        store.record_all([first, second])
        found = store.last([first.id, second.id, "nosuch"], ["loss", "parameters", "broken"])
    assert found == {first.id: {"loss": (2.0, "1"), "parameters": (7.0, "count")}, second.id: {"loss": (5.0, "1")}}
