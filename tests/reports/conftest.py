"""A store of invented runs, and the site built from it once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from synthetic_runs import all_runs, filled

from reports import site
from results import Store


@pytest.fixture(scope="session")
def store_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("store") / "filled.db", all_runs())


@pytest.fixture
def store(store_file: Path) -> Iterator[Store]:
    with Store(store_file, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def built(store_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished site. Not to be changed."""
    with Store(store_file, read_only=True) as opened:
        return site.build(opened, tmp_path_factory.mktemp("out")).parent


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "empty.db") as opened:
        yield opened
