"""Everything that can be wrong with a store ends in one sentence, and what was stored stays."""

import builtins
import os
import resource
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from samples import a_run
from sqlalchemy import event, text

from results import schema
from results.errors import StoreError
from results.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def filled(path: Path) -> bytes:
    """The bytes of a store at `path` that holds enough runs for many pages."""
    with Store(path) as store:
        store.record_all([a_run(experiment={"number": number}) for number in range(200)])
    return path.read_bytes()


def use(url, **options):
    with Store(url, **options) as store:
        store.full_runs()
        store.record(a_run())


def refused(url, match, **options):
    """Opening and then reading and writing fails somewhere, each time as a StoreError that names the store."""
    with pytest.raises(StoreError, match=match) as caught:
        use(url, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    run = a_run()
    with Store(path) as store:
        store.record(run)
        assert store.full_runs() == [run]


@pytest.mark.parametrize(
    "content",
    [bytes(8192), bytes(100), os.urandom(8192), b"run,epoch\n1,2\n", b"SQLite format 3\0"],
    ids=["zeros", "few zeros", "random", "a table", "a head"],
)
def test_a_file_that_is_no_database_is_left_alone(path, content):
    path.write_bytes(content)
    message = refused(path, "is damaged or no database")
    assert "store.db" in message
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.99])
def test_a_truncated_file(path, filled, share):
    path.write_bytes(filled[: int(len(filled) * share)])
    kept = path.read_bytes()
    refused(path, "is damaged or no database", read_only=True)
    refused(path, "is damaged or no database")
    assert path.read_bytes() == kept


@pytest.mark.parametrize("missing", [1, 100, 4000])
def test_a_file_that_ends_within_a_page(path, filled, missing):
    """SQLite fills the page with zeros, which may be part of a table that nobody reads for long."""
    path.write_bytes(filled[:-missing])
    refused(path, "is damaged or no database: the file ends within a page", read_only=True)
    refused(path, "is damaged or no database: the file ends within a page")


def test_a_file_whose_end_is_still_in_its_log(path, filled):
    """As a crash may leave it while the log is being taken over."""
    run = a_run(experiment={"number": "last"})
    with Store(path) as writer, Store(path) as reader, reader.engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT 1 FROM machine")).all()  # holds the log where it is
        writer.record(run)
        logged = Path(f"{path}-wal").read_bytes()
    assert logged
    path.write_bytes(filled + bytes(100))
    Path(f"{path}-wal").write_bytes(logged)
    with Store(path) as store:
        assert len(store.full_runs()) == 201


def test_damage_that_shows_only_when_it_is_read(path, filled):
    pages = bytearray(filled)
    half = len(pages) // 2  # header and schema come first and stay intact
    pages[half:] = os.urandom(len(pages) - half)
    path.write_bytes(pages)
    with Store(path, read_only=True) as store, pytest.raises(StoreError, match="damaged"):
        store.full_runs()


def test_a_document_that_is_no_json(path, filled):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE machine SET document = '{'")
    with Store(path) as store, pytest.raises(StoreError, match=r"damaged .* a document in it is not JSON"):
        store.runs()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM dataset",
        "UPDATE dataset SET counts = 7",
        "UPDATE picture SET document = '{}'",
        "UPDATE picture SET document = '[]'",
        "UPDATE run SET kernels = x'00'",
        "UPDATE run SET started = 5",
        "UPDATE metric SET unit = 3",
        "UPDATE sample SET value = 'fast'",
        "DROP TABLE metric",
        "DROP TABLE unit",
        "ALTER TABLE run DROP COLUMN backend",
        "DELETE FROM alembic_version",
    ],
)
def test_rows_that_are_not_as_they_were_written(path, change):
    """As after a flipped bit, or by other hands."""
    with Store(path) as store:
        store.record(a_run())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')")
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute(change)
    refused(path, "store.db (is damaged|is no spikebench|failed)", read_only=True)


def test_a_store_of_a_newer_version(url):
    run = a_run()
    with Store(url) as store:
        store.record(run)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    for options in ({}, {"read_only": True}):
        refused(url, f"newer spikebench .schema r9999, this one knows up to {schema.REVISION}", **options)
    with Store.__new__(Store) as store:
        store.engine = _engine(url)
        with store.engine.begin() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{schema.REVISION}'"))
    with Store(url) as store:
        assert store.full_runs() == [run]


def _engine(url):
    from results import connect

    return connect.make_engine(connect.parse(url), create=False, read_only=False)


def test_a_database_of_somebody_else(url):
    engine = _engine(url) if url.startswith("postgres") else None
    if engine is None:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute("CREATE TABLE recipes (name TEXT)")
    else:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE recipes (name TEXT)"))
        engine.dispose()
    said = refused(url, "no spikebench store: it holds other tables .recipes.")
    assert "damaged" not in said


def test_an_empty_database_cannot_be_read(path):
    path.touch()
    refused(path, "holds no tables. What writes to it brings it up to date", read_only=True)
    refused(path, "holds no tables", create=False)
    assert path.read_bytes() == b""


def test_a_store_that_is_not_there(path):
    refused(path, "There is no store", read_only=True)
    refused(path, "There is no store", create=False)
    assert not path.exists()


def test_a_folder(tmp_path):
    refused(tmp_path, "is a folder; name a file in it")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    refused(tmp_path / "file" / "below" / "store.db", "folder of the store .* cannot be made: Not a directory")


@contextmanager
def nobody():
    """Run as a user without rights: root ignores file permissions."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shelf():
    """A folder that an unprivileged user can reach; pytest's own is private to its owner."""
    folder = Path(tempfile.mkdtemp(prefix="spikebench-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def test_a_read_only_file(shelf):
    path = shelf / "store.db"
    run = a_run()
    with Store(path) as store:
        store.record(run)
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    with nobody():
        with pytest.raises(StoreError, match=r"cannot be written: attempt to write a readonly database. Make the file"):
            Store(path)  # says so at once, and not when a long run is to be recorded
        with Store(path, read_only=True) as store:
            assert store.full_runs() == [run]


def test_a_read_only_folder(shelf, monkeypatch):
    path = shelf / "store.db"
    run = a_run()
    with Store(path) as store:
        store.record(run)
    path.chmod(0o444)
    shelf.chmod(0o555)
    if os.geteuid() == 0:  # os.access asks about the real user, who is root here
        monkeypatch.setattr(os, "access", lambda *_: False)
    with nobody():
        with pytest.raises(StoreError, match=r"cannot be (opened|written)"):
            Store(path)
        refused(shelf / "other.db", "cannot be opened")
        refused(shelf / "new" / "store.db", "cannot be made: Permission denied")
        with Store(path, read_only=True) as store:
            assert store.full_runs() == [run]
    assert [file.name for file in shelf.iterdir()] == ["store.db"]


def test_a_full_disk(path, filled):
    with Store(path) as store:
        before = store.full_runs()

        @event.listens_for(store.engine, "connect")
        def _limit(connection, _record):  # SQLite then answers as it does when the disk is full
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(StoreError, match=r"cannot grow: database or disk is full.*stored before is intact"):
            store.record_all([a_run(experiment={"more": number}) for number in range(200)])
    with Store(path) as store:
        assert store.full_runs() == before


@contextmanager
def no_room():
    """Nothing that this process writes is kept, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_can_be_read(path, filled):
    with no_room():
        with Store(path, read_only=True) as store, Store(path, read_only=True) as other:
            assert (len(store.full_runs()), len(other.runs())) == (200, 200)
        with pytest.raises(StoreError, match=r"(failed|cannot grow): "), Store(path) as store:
            store.record(a_run())
    with Store(path) as store:
        assert len(store.runs()) == 200


def test_a_full_disk_can_be_read_with_the_log_of_a_command_that_died(path, filled):
    with Store(path) as writer, writer.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM machine")).all()  # as long as somebody reads, the log stays
        writer.record(a_run(experiment={"number": "last"}))
        kept = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}
    for name, content in kept.items():
        Path(f"{path}{name}").write_bytes(content)
    assert kept["-wal"]
    with no_room(), Store(path, read_only=True) as store:
        assert len(store.full_runs()) == 201
    with Store(path) as store:
        assert len(store.full_runs()) == 201


def test_somebody_holds_the_store(path, filled, monkeypatch):
    from results import connect

    monkeypatch.setattr(connect, "PATIENCE", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        refused(path, "held by another process: database is locked")
        with Store(path, read_only=True) as reader:
            assert len(reader.runs()) == 200  # readers do not wait


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("", "empty store"),
        ("://", "URL cannot be read"),
        ("sqlite:/store.db://", "URL cannot be read|needs a database driver"),
        ("nosuch://me@host/db", "needs a database driver that is not here"),
        ("postgresql://me:secret@127.0.0.1:1/db", "refused: .*Nothing of this step was kept"),
        ("postgresql://me@host:port/db", "URL cannot be read"),
    ],
)
def test_urls_that_lead_nowhere(url, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "secret" not in refused(url, match)


def test_a_missing_postgresql_driver(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    refused(
        "postgresql://me@127.0.0.1:1/db", r"No module named 'psycopg'. For PostgreSQL: pip install 'psycopg\[binary\]'"
    )


@pytest.mark.slow
def test_a_postgresql_database_that_is_not_there(postgres_port):
    refused(f"postgresql://tester@127.0.0.1:{postgres_port}/nosuch", 'database "nosuch" does not exist')


@pytest.mark.slow
def test_connections_that_the_server_has_ended(new_url):
    with Store(new_url("postgresql")) as store:
        store.record(run := a_run())
        other = _engine(store.url)
        with other.connect() as connection:
            ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.execute(text(f"{ends} AND datname = current_database()"))
        other.dispose()
        assert store.run(run.id) == run
        store.record(a_run())
