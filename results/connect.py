"""Opening a store's database: URLs and paths, SQLite's switches, migrations; every failure becomes a StoreError.

SQLite runs in WAL with foreign keys on. A write begins as BEGIN IMMEDIATE and waits its turn for up to 30 s, because a
transaction that starts reading and turns to writing is refused at once when another one writes. On PostgreSQL an
advisory lock makes writers queue likewise, so that "insert what is missing" is free of races on both.
"""

import codecs
import gzip
import os
import re
import sqlite3
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, false, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.util import asbool

from core.masking import hidden
from core.places import NoHome, at_home
from results import schema
from results.errors import Damaged, Foreign, NoStore, StoreError, damaged, explain
from results.spare import BESIDE, is_database
from results.units import UNITS

PATIENCE = 30.0  # seconds a writer waits for its turn
# Options after the ? of a URL: those of Python's driver, and those of SQLite's own URIs.
DRIVER_OPTIONS = {"uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
URI_OPTIONS = {"mode", "cache", "immutable", "nolock", "psow", "vfs"}
ADVISORY_LOCK = 0x5350494B  # PostgreSQL's name of the store's write lock: any number, always the same


_UNFINISHED = re.compile(r"(sqlite|file|postgres|postgresql|mysql|mariadb|oracle|mssql)(\+\w+)?:", re.IGNORECASE)
_ACCOUNT = re.compile(r"[^/\\]*:[^/\\]*@")


def _right_form(scheme: str) -> str:
    if scheme.startswith(("sqlite", "file")):
        form = "sqlite:///x.db for a file in this folder, sqlite:////folder/x.db for any other"
    else:
        form = f"{scheme}://USER:PASSWORD@HOST:PORT/DATABASE"
    return f"A store's URL was begun with {scheme}: but holds no ://; write {form}."


def parse(url: str | Path) -> URL:
    """The SQLAlchemy URL of a store given as URL or as path of an SQLite file."""
    given = str(url)
    if not given.strip():
        raise StoreError("An empty store was named; give a file such as results/spikebench.db or a database URL.")
    if "://" not in given:
        if unfinished := _UNFINISHED.match(given):
            raise StoreError(_right_form(unfinished[0].rstrip(":").lower()))
        if _ACCOUNT.match(given):  # not quoted: it holds a password
            raise StoreError(
                "A store was given by user and host, but without ://; write postgresql://USER:PASSWORD@..."
            )
        return URL.create("sqlite", database=_at_home(given))
    try:
        parsed = make_url(given)
    except (ArgumentError, ValueError):
        raise StoreError(
            "The store's URL cannot be read; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None
    if parsed.get_backend_name() != "sqlite" and "@" in f"{parsed.host}{parsed.database}":
        raise StoreError(
            "The store's URL holds more than one @; write those of a user, a password or a database as %40."
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.set(database=_at_home(parsed.database))
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername in ("postgresql", "postgres") else parsed


def _at_home(path: str) -> str:
    try:
        return at_home(path)
    except NoHome as error:
        raise StoreError(str(error)) from None


def readable(url: URL) -> str:
    """The URL as it may be shown: passwords are masked, and bytes of a file's name that are no text are replaced."""
    try:
        if is_memory(url) or url.get_backend_name() != "sqlite":
            return hidden(url.render_as_string())
        name = str(url.database).encode(errors="surrogateescape").decode(errors="replace")
        return hidden(url.set(database=name).render_as_string())
    except UnicodeEncodeError:
        raise StoreError("The store's URL holds bytes that are no text; write it anew, in UTF-8.") from None


def is_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def make_engine(url: URL, *, create: bool, read_only: bool) -> Engine:
    """An engine for `url`, its file looked at and its folder made beforehand. Connects to nothing yet."""
    shown = readable(url)
    if url.get_backend_name() == "sqlite":
        _require_known_options(url, shown)
    if url.get_backend_name() == "sqlite" and not is_memory(url):
        url = _sqlite_file(url, shown, create, read_only)
    options: dict[str, Any] = {"pool_pre_ping": True}  # a server may have ended connections that rested for days
    if url.get_backend_name() == "sqlite":
        # One connection per step: the last one to close folds the WAL back, so that a resting store is one file.
        options = {"poolclass": StaticPool if is_memory(url) else NullPool, "connect_args": {"timeout": PATIENCE}}
    try:
        engine = create_engine(url, **options)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"The store {shown} needs a database driver that is not here: {error}. For PostgreSQL: "
            "pip install 'psycopg[binary]'."
        ) from None
    except (ArgumentError, TypeError, ValueError) as error:
        found = str(error).splitlines()[0].rstrip(".")
        raise StoreError(f"The store {shown} cannot be opened: {found}. Correct the URL.") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _switch_on)
        if read_only:
            event.listen(engine, "do_connect", _connect_without_index)
            event.listen(engine, "connect", _forbid_writing)
        event.listen(engine, "begin", _begin)
    return engine


def _require_known_options(url: URL, shown: str) -> None:
    """StoreError for options after the ? that SQLite would not heed."""
    try:
        uri = asbool(url.query.get("uri", "false"))
    except ValueError:
        raise StoreError(f"The store {shown} cannot be opened: its option uri must be true or false.") from None
    known = DRIVER_OPTIONS | (URI_OPTIONS if uri else set())
    if unknown := sorted(set(url.query) - known):
        further = "" if uri else f"; with uri=true and file: before the name also {_list(URI_OPTIONS)}"
        raise StoreError(
            f"The store {shown} names the option {unknown[0]}, which SQLite does not know here. Known: "
            f"{_list(DRIVER_OPTIONS)}{further}."
        )


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _require_file(path: Path, shown: str) -> None:
    """StoreError where a file can neither be nor be made: SQLite would wait for a pipe for ever."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return  # what is missing is told by whoever needs it
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"The store {shown[:200]} cannot be opened: {why}. Name another file with --store.") from None
    if stat.S_ISDIR(mode):
        raise StoreError(f"The store {shown} is a folder; name a file in it, such as {path / 'spikebench.db'}.")
    if not stat.S_ISREG(mode):
        raise StoreError(f"The store {shown} is a pipe or a device, which cannot hold one; name a file with --store.")


def _sqlite_file(url: URL, shown: str, create: bool, read_only: bool) -> URL:
    if str(url.database).startswith("file:"):
        _require_no_log(Path(unquote(urlsplit(str(url.database)).path)), shown, read_only)
        return url  # SQLite's own URI says how to open it
    path = Path(str(url.database))
    _require_file(path, shown)
    _require_no_log(path, shown, read_only)
    if not os.path.exists(path):
        if read_only or not create:
            raise NoStore(f"There is no store {shown}; run something that writes to it, or name another with --store.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder of the store {shown} cannot be made: {error.strerror} ({error.filename}). "
                "Name a store elsewhere with --store."
            ) from None
    elif os.path.isfile(path) and _is_exported(path):
        raise StoreError(
            f"The store {shown} is exported text and no database. It was left as it is; to take it into a store, use "
            "python -m results import FILE."
        )
    elif _cut_off(path):
        raise damaged(shown, "the file ends within a page")
    if not read_only:
        return url
    query = {"mode": "rw", "uri": "true"}  # "ro" would leave the WAL's files behind; _forbid_writing is enough
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        query["immutable"] = "1"  # readers of a WAL store need its folder for the index, unless nobody can write
    return url.set(database=f"{path.absolute().as_uri()}", query=query)


def _require_no_log(path: Path, shown: str, read_only: bool) -> None:
    """StoreError where SQLite would take the store, or what lies beside it, for a log, and delete it some day.

    A store that was made in such a place can be read, to be merged into another one.
    """
    real = os.path.realpath(path)  # SQLite, too, names its files by where a link leads
    if real.endswith(BESIDE) and not (read_only and is_database(path)):
        raise StoreError(
            f"The store {shown} ends in -wal, -shm or -journal, as the files that SQLite keeps beside a database, "
            "and deletes. Name another file."
        )
    for beside in (Path(f"{real}{ending}") for ending in BESIDE):
        if is_database(beside) or _is_exported(beside):
            raise StoreError(
                f"The store {shown} was not opened, because {beside} would be deleted: it holds results, but has the "
                "name of a log of this store. Move it elsewhere."
            )


def _is_exported(path: Path) -> bool:
    """Whether the file holds what `results export` writes, packed or not."""
    if not path.is_file():
        return False
    with suppress(OSError, EOFError, zlib.error), path.open("rb") as file:  # a cut file shows its beginning
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        with gzip.open(file) if packed else nullcontext(file) as text:
            return bool(re.match(rb'\s*\{\s*"', text.read(256).removeprefix(codecs.BOM_UTF8)))
    return False


def _cut_off(path: Path) -> bool:
    """Whether the end of a database is missing from its last page, which SQLite would read as zeros.

    A log beside it may still hold that page, after a crash for instance.
    """
    log = Path(f"{path}-wal")
    with suppress(OSError), path.open("rb") as file:
        header = file.read(18)
        if len(header) == 18 and header.startswith(b"SQLite format 3\0") and not (log.exists() and log.stat().st_size):
            page = int.from_bytes(header[16:]) or 1
            return path.stat().st_size % (page if page > 1 else 65536) != 0
    return False


def _switch_on(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    connection.execute("PRAGMA foreign_keys = ON")


def _connect_without_index(
    dialect: Any, _record: object, arguments: Sequence[Any], options: dict[str, Any]
) -> sqlite3.Connection:
    """A connection for reading, also where the disk is full and the index of a log cannot be made.

    Whoever reads alone keeps the index in memory; others wait meanwhile.
    """
    connection: sqlite3.Connection = dialect.connect(*arguments, **options)
    try:
        connection.execute("PRAGMA schema_version").fetchall()
    except sqlite3.DatabaseError as error:  # any other one comes again where it is told
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
            connection.close()
            connection = dialect.connect(*arguments, **options)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


def _forbid_writing(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA temp_store = MEMORY")  # what is sorted fits, and the disk may be full
    connection.execute("PRAGMA query_only = ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextmanager
def reading(engine: Engine, shown: str) -> Iterator[Connection]:
    """A transaction that sees one state of the store throughout; records are to be made of its rows within."""
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with _explained(shown), engine.connect().execution_options(**options) as connection, connection.begin():
        try:
            yield connection
        except UnicodeError:  # of what was asked for
            raise
        except (Damaged, Foreign):
            raise
        except StoreError as error:  # records say what they are not made of
            raise damaged(shown, f"a row is not as it was written. {str(error).rstrip('.')}") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            found = f"rows are not as they were written ({type(error).__name__}: {error})"
            raise damaged(shown, hidden(found)) from error


@contextmanager
def writing(engine: Engine, shown: str) -> Iterator[Connection]:
    """A transaction that nobody else writes beside: all of it is kept, or nothing."""
    options: dict[str, Any] = {"writes": True}
    if engine.dialect.name == "postgresql":  # else what others wrote before our turn might stay unseen
        options["isolation_level"] = "READ COMMITTED"
    with _explained(shown), engine.connect().execution_options(**options) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        yield connection


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise explain(error, shown) from error
    except UnicodeError as error:  # such as a word of a command line that is in no encoding
        raise StoreError(
            f"The store {shown} was asked for what is no text: {error}. Write what you gave anew, in UTF-8."
        ) from error


def insert_plain(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows of numbers and text, alike in their two or more columns, as the driver takes them.

    Tens of thousands of rows cost a quarter of what they do when SQLAlchemy looks at each value.
    """
    if not rows:
        return
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = compiled.positiontup
    connection.exec_driver_sql(str(compiled), list(rows) if order is None else list(map(itemgetter(*order), rows)))


def prepare(engine: Engine, shown: str, *, create: bool, read_only: bool) -> None:
    """Bring the database to the current schema, or say why it cannot be used. Safe when several start at once."""
    with reading(engine, shown) as connection:
        found = revision(connection, shown)
        missing = set(UNITS) - set(connection.scalars(select(schema.unit.c.name))) if found == schema.REVISION else None
    if found not in (None, schema.REVISION):
        _require_older(found, shown)
    if read_only or (found is None and not create):
        if found == schema.REVISION:
            return
        state = "holds no tables" if found is None else f"has the older schema {found}"
        kind = NoStore if found is None else StoreError
        raise kind(
            f"The store {shown} {state}. What writes to it brings it up to date, such as python -m bench.reproduce or "
            "python -m results import; keep a copy if you need it as it is."
        )
    if engine.dialect.name == "sqlite":
        _write_ahead(engine, shown)
    elif missing == set():
        return
    with writing(engine, shown) as connection:
        if (found := revision(connection, shown)) is None:
            _make(connection)
        elif found != schema.REVISION:
            _migrate(connection)
        # Deletes nothing, but fails on a read-only file: now, and not when a long run is to be recorded.
        connection.execute(delete(schema.unit).where(false()))
        if missing != set():
            known = set(connection.scalars(select(schema.unit.c.name)))
            if new := sorted(set(UNITS) - known):
                connection.execute(insert(schema.unit), [{"name": name} for name in new])


def revision(connection: Connection, shown: str) -> str | None:
    """The schema revision found, None for an empty database."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found is None and len(tables) > 1:
            raise damaged(shown, "it does not say which schema it has")
        return found
    if tables:
        raise Foreign(
            f"The database {shown} is no spikebench store: it holds other tables ({', '.join(sorted(tables)[:3])}). "
            "It was left as it is; name an empty database or another file with --store."
        )
    return None


def _write_ahead(engine: Engine, shown: str) -> None:
    """Switch a file to WAL. SQLite does not wait for the lock this takes, so the waiting is done here."""
    deadline = time.monotonic() + PATIENCE
    with _explained(shown), closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        while True:
            try:
                if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    cursor.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _scripts() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _require_older(found: str, shown: str) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_scripts()).walk_revisions()}
    if found not in known:
        raise StoreError(
            f"The store {shown} was written by a newer spikebench (schema {found}, this one knows up to "
            f"{schema.REVISION}). It was left as it is; update spikebench or name another store with --store."
        )


def _make(connection: Connection) -> None:
    """What all migrations lead to, at once: an empty database has nothing that they could keep."""
    schema.METADATA.create_all(connection, checkfirst=False)
    version = "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS alembic_version ({version})"))  # as Alembic makes it
    connection.execute(text("INSERT INTO alembic_version VALUES (:found)"), {"found": schema.REVISION})


def _migrate(connection: Connection) -> None:
    from alembic import command

    config = _scripts()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
