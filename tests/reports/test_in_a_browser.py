"""The site in a real browser, without a network, with its script and without; axe-core looks at it. Skipped where there
is no browser.

One browser, the site of invented runs and that of rare pages serve all tests.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rare_pages

api = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE = {"width": 390, "height": 844}
# The site of a session and the browser are costly, so that one process has all of these tests.
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return rare_pages.built(tmp_path_factory.mktemp("rare"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        )
        yield opened
        opened.close()


class Watched:
    """A page that notes what it complains of and what it asks another host for."""

    def __init__(self, browser: Any, folder: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.folder = folder
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, name: str) -> Any:
        self.page.goto(f"file://{self.folder / name}")
        return self.page

    def column(self, table: str, number: int) -> list[str]:
        """The texts of a column in the rows that are shown."""
        cells = f"table[data-live={table}] tbody tr:not([hidden]) > :nth-child({number})"
        return [text.strip() for text in self.page.locator(cells).all_inner_texts()]


@pytest.fixture
def watched(browser: Any, built: Path) -> Iterator[Watched]:
    one = Watched(browser, built)
    yield one
    one.context.close()
    assert one.complaints == []
    assert [url for url in one.asked if not url.startswith("file:")] == []


def test_every_kind_of_page_opens_without_a_complaint(watched: Watched) -> None:
    run = next((watched.folder / "runs").glob("*.html")).relative_to(watched.folder)
    for name in ("index.html", "claims.html", "runs.html", "plif_ablation-quick.html", "published-plif.html", str(run)):
        page = watched.open(name)
        assert page.locator("h1").count() == 1, name
    assert len(watched.asked) == 6  # the pages themselves: style and script are inside


def test_tables_sort_and_the_address_remembers_it(watched: Watched) -> None:
    page = watched.open("runs.html")
    page.get_by_role("button", name="Seed").click()
    seeds = watched.column("runs", 6)
    assert seeds == sorted(seeds)
    assert seeds[0] != seeds[-1]
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Seed")
    page.get_by_role("button", name="Seed").press("Enter")
    assert watched.column("runs", 6) == seeds[::-1]
    assert "#?runs.sort=5-" in page.url
    page.reload()
    assert watched.column("runs", 6) == seeds[::-1]


def test_results_sort_as_numbers_and_what_has_none_stands_last(watched: Watched) -> None:
    page = watched.open("runs.html")
    for _ in range(2):
        page.get_by_role("button", name="Result").click()
        *results, last = watched.column("runs", 2)
        assert last == "–"  # the run that failed
        values = [float(text.split()[0]) for text in results]
        down = page.locator("th[aria-sort=descending]").count() == 1
        assert values == sorted(values, reverse=down)


def test_filters_choose_rows_and_live_in_the_address(watched: Watched) -> None:
    page = watched.open("runs.html")
    whole = len(watched.column("runs", 1))
    page.get_by_label("Outcome").select_option("diverged")
    assert len(watched.column("runs", 1)) == 1 < whole
    assert page.get_by_role("status").inner_text() == f"1 of {whole} rows"
    watched.open("index.html")
    page.goto(f"file://{watched.folder / 'runs.html'}#?runs.outcome=diverged")
    assert len(watched.column("runs", 1)) == 1
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Words").fill("nmnist 16")
    assert 0 < len(watched.column("runs", 1)) < whole
    assert "runs.words=nmnist" in page.url


def test_ranks_and_costs_sort_and_the_front_stays_below(browser: Any, rare: dict[str, Path]) -> None:
    one = Watched(browser, rare["ranks"].parent)
    page = one.open(rare["ranks"].name)
    assert one.column("ranks-1", 1) == ["psn", "lif", "if"]
    page.locator("table[data-live=ranks-1]").get_by_role("button", name="at equal seconds").click()
    assert one.column("ranks-1", 1) == ["lif", "psn", "if"]  # who has no rank stands last
    costs = page.locator("table[data-live^=costs-1-]").first
    costs.get_by_role("button", name="latency").press("Enter")
    assert "costs-1-1.sort=" in page.url
    assert costs.locator("tr").last.inner_text().startswith("on the front")
    assert one.complaints == []
    one.context.close()


def test_claims_filter_by_scale(watched: Watched) -> None:
    page = watched.open("claims.html")
    assert set(watched.column("claims", 4)) == {"quick", "short"}
    page.get_by_label("Scale").select_option("short")
    assert set(watched.column("claims", 4)) == {"short"}


def test_links_lead_on(watched: Watched) -> None:
    page = watched.open("index.html")
    page.get_by_role("link", name="plif_ablation at scale quick").click()
    page.locator(".seeds a").first.click()
    assert "/runs/" in page.url
    page.get_by_role("link", name="spikebench").click()
    assert page.url.endswith("index.html")


def test_figures_enlarge_and_tell_their_values_by_keyboard(watched: Watched) -> None:
    page = watched.open("plif_table-quick.html")
    page.locator("figure button").first.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.locator("svg.plot").bounding_box()["width"] > 700
    page.keyboard.press("ArrowRight")
    assert dialog.locator("output").inner_text().startswith("at 0: ")
    box = dialog.locator("svg.plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.97, box["y"] + box["height"] / 2)
    assert "accuracy-A and accuracy-B 94" in dialog.locator("output").inner_text()  # the mean of three seeds at the end
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def faults(browser: Any, path: Path, scheme: str, **options: Any) -> list[str]:
    """What axe-core finds wrong with a page, but for what is minor, with the first element that it is about."""
    one = Watched(browser, path.parent, color_scheme=scheme, reduced_motion="reduce")
    found = looked_at(one.open(path.name), **options)
    one.context.close()
    return found


def looked_at(page: Any, **options: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra browser is not installed")
    response = axe.Axe().run(page, options={"resultTypes": ["violations"], **options}).response
    return [
        f"{found['id']}: {found['help']}, {len(found['nodes'])} times: {found['nodes'][0]['html']}"
        for found in response["violations"]
        if found["impact"] != "minor"
    ]


@pytest.mark.parametrize(
    "name", ["index.html", "claims.html", "runs.html", "plif_table-quick.html", "published-first_spike.html", "runs"]
)
def test_axe_finds_nothing_serious(browser: Any, built: Path, name: str) -> None:
    path = built / name if name != "runs" else min((built / "runs").iterdir())
    assert faults(browser, path, "light") == []


@pytest.mark.parametrize("name", ["index.html", "claims.html", "plif_table-quick.html"])
def test_axe_finds_contrast_in_the_dark(browser: Any, built: Path, name: str) -> None:
    assert faults(browser, built / name, "dark", runOnly=["color-contrast"]) == []


@pytest.mark.parametrize("shows", rare_pages.KINDS)
def test_axe_finds_nothing_serious_on_rare_pages(browser: Any, rare: dict[str, Path], shows: str) -> None:
    assert faults(browser, rare[shows], "light") == []


@pytest.mark.parametrize("shows", rare_pages.KINDS)
def test_rare_pages_in_the_dark_on_a_phone(browser: Any, rare: dict[str, Path], shows: str) -> None:
    one = Watched(browser, rare[shows].parent, viewport=PHONE, color_scheme="dark", reduced_motion="reduce")
    page = one.open(rare[shows].name)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert looked_at(page, runOnly=["color-contrast"]) == []
    one.context.close()
    assert one.complaints == []


@pytest.mark.parametrize("name", ["index.html", "claims.html", "runs.html", "plif_ablation-quick.html"])
def test_a_phone_does_not_scroll_the_page_sideways(browser: Any, built: Path, name: str) -> None:
    one = Watched(browser, built, viewport=PHONE, color_scheme="dark")
    page = one.open(name)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(20, 21, 23)"  # dark
    one.context.close()


def test_without_the_script_everything_is_there(browser: Any, built: Path) -> None:
    one = Watched(browser, built, java_script_enabled=False)
    page = one.open("runs.html")
    rows = page.locator("table.runs tbody tr")
    assert rows.count() == len(list((built / "runs").glob("*.html")))
    assert rows.last.is_visible()
    assert page.locator("button").count() == 0
    one.context.close()
