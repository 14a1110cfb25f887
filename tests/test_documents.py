"""The documents say what is true: places exist, and the page of a work has the numbers of the store and the archive."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import stores

from papers import registry
from papers.evaluate import TableResult, evaluate
from papers.measures import shown
from results import Store, reading

pytestmark = pytest.mark.xdist_group("documents")  # one process reads the archive and evaluates the tables
ROOT = Path(__file__).parents[1]
WORKS = sorted(path.parent.name for path in ROOT.glob("papers/*/tables.py"))
WITH_PAGE = sorted(path.parent.name for path in ROOT.glob("papers/*/departures.py"))
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
ROOMS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
MADE = re.compile(r"\.db$|^out/")  # by using the suite
Rows = dict[str, dict[str, str]]


def section(page: str, *titles: str) -> str:
    """The text of the sections with these titles."""
    parts = re.split(r"^## (.*)\n", page, flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return "\n".join(found[title] for title in titles)


def grids(text: str) -> Iterator[tuple[str, Rows]]:
    """The Markdown tables of a text: the first heading, and the cells by row and column."""
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        heading, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        yield heading[0], {row[0]: dict(zip(heading[1:], row[1:], strict=True)) for row in rows}


def words(text: str) -> str:
    return " ".join(text.split())


def page_of(work: str) -> str:
    return (ROOT / "docs" / f"{work}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_places_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for place in re.findall(rf"`((?:{'|'.join(ROOMS)})/[^`\s]*|[A-Z]+\.md|\w+\.toml)`", text):
        for work in WORKS if "<work>" in place else [""]:
            assert MADE.search(place) or list(ROOT.glob(place.replace("<work>", work).rstrip("/"))), place


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The published values and the archived trainings."""
    with Store(stores.with_published(tmp_path_factory.mktemp("store") / "store.db")) as opened:
        for archive in sorted((ROOT / "results" / "archive").glob("*-quick-cpu.jsonl")):
            runs, _, _ = reading.read([archive])
            opened.record_all(runs)
        yield opened


@pytest.fixture(scope="module")
def quick(store: Store) -> dict[str, TableResult]:
    return {name: evaluate(store, registry.get(name), "quick") for name in registry.names()}


@pytest.mark.parametrize("work", WITH_PAGE)
def test_departures_are_numbered_and_all_on_the_page(work: str) -> None:
    departures = importlib.import_module(f"papers.{work}.departures").ALL
    assert [departure.number for departure in departures] == list(range(1, len(departures) + 1))
    listed = [words(item) for item in re.split(r"^- ", section(page_of(work), "What differs"), flags=re.M)[1:]]
    for departure, item in zip(departures, listed, strict=True):
        assert item.startswith(f"{departure.mark}: {departure.text}")
    tables = [registry.get(name) for name in registry.names()]
    shown = {departure for table in tables if table.paper == work for departure in table.departures}
    assert shown == set(departures)


@pytest.mark.parametrize("work", WITH_PAGE)
def test_published_numbers_are_those_of_the_store(work: str, store: Store) -> None:
    known = {(v.table, v.row, v.column): shown(v.value, v.unit)[0] for v in store.published(work)}
    for name, rows in grids(section(page_of(work), "Published")):
        for row, cells in rows.items():
            for column, text in cells.items():
                value = known.get((name.strip("`"), row, column))
                assert text == ("" if value is None else f"{value:g}"), (name, row, column)


@pytest.mark.parametrize("work", WORKS)
def test_measured_numbers_are_those_of_the_archive(work: str, quick: dict[str, TableResult]) -> None:
    tables = {name: rows for name, rows in grids(section(page_of(work), "Measured: scale `quick`")) if "`" in name}
    assert tables
    for heading, rows in tables.items():
        name, _, protocol = heading.replace("`", "").partition(", ")
        for row, cells in rows.items():
            for column, text in cells.items():
                found = [
                    result.measured
                    for result in quick[name].cells
                    if (result.cell.row, result.cell.data) == (row, column)
                    and result.cell.protocol.says.startswith(protocol)
                ]
                assert [f"{value:.1f}" for value in found if value is not None] == [text], (name, row, column)


@pytest.mark.parametrize("work", WORKS)
def test_findings_are_those_of_the_archive(work: str, quick: dict[str, TableResult]) -> None:
    results = [result for result in quick.values() if result.table.paper == work]
    found = {(claim.id, claim.statement): set() for result in results for claim, _ in result.claims}
    for result in results:
        for claim, finding in result.claims:
            found[claim.id, claim.statement].add(finding.status)
    (told,) = (rows for name, rows in grids(section(page_of(work), "Measured: scale `quick`")) if name == "claim")
    assert {(name, cells[""]): {cells["finding at quick scale"]} for name, cells in told.items()} == found
    unsupported = {claim.id for result in results for claim, _ in result.claims if claim.authors}
    assert {name for name, cells in told.items() if cells["the authors' own numbers"]} == unsupported


def test_a_work_measured_at_quick_scale_alone_says_so() -> None:
    for work in WORKS:
        assert "Nothing is in `results/archive/` yet." in section(page_of(work), "Measured: scale `paper` and `short`")
