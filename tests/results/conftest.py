"""A real SQLite file and a real PostgreSQL database for every test that asks for `url`."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from results.store import Store


def _server_folder() -> Path | None:
    """Where initdb and pg_ctl are: on the PATH, or where Debian puts them."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    """The port on 127.0.0.1 of a PostgreSQL cluster that lives as long as the session."""
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL tests need psycopg 3")
    programs = _server_folder()
    if programs is None:
        pytest.skip("PostgreSQL tests need its server programs (Debian package postgresql)")
    as_root = os.geteuid() == 0  # which PostgreSQL refuses to run as
    if as_root and (shutil.which("runuser") is None or not _user_exists("postgres")):
        pytest.skip("PostgreSQL tests run as root need runuser and a user named postgres")
    user = ["runuser", "-u", "postgres", "--"] if as_root else []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="spikebench-pg-"))
    if as_root:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def call(program: str, *arguments: str) -> None:
        subprocess.run([*user, programs / program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")

    try:
        call("initdb", "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        call("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=tester dbname=postgres").close()
            yield port
        finally:
            call("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user_exists(name: str) -> bool:
    import pwd

    return any(entry.pw_name == name for entry in pwd.getpwall())


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path):
    """A function that gives the URL of an empty place for a store of the given kind."""

    def new(kind: str) -> str:
        name = f"store_{secrets.token_hex(6)}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        import psycopg

        server = f"127.0.0.1:{request.getfixturevalue('postgres_port')}"
        with psycopg.connect(f"postgresql://tester@{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://tester@{server}/{name}"

    return new


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(kind: str, new_url) -> str:
    return new_url(kind)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened
