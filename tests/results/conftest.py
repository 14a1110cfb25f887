"""A real SQLite file and a real PostgreSQL database for every test that asks for `url`."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest

from results.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A PostgreSQL server that lives as long as the session."""
    if why := postgres_server.missing():
        pytest.skip(f"PostgreSQL: {why}")
    server = postgres_server.Server()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_port(postgres: postgres_server.Server) -> int:
    """The port on 127.0.0.1 of that server."""
    return postgres.port


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path):
    """A function that gives the URL of an empty place for a store of the given kind."""

    def new(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / f'store_{secrets.token_hex(6)}'}.db"
        return request.getfixturevalue("postgres").new()

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
