"""The page of a ranked table, its files of numbers, and the board in the terminal."""

from __future__ import annotations

import csv
import io
import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from board_runs import SMALL, filled
from sqlalchemy import text

from core.console import Console
from papers import registry
from papers.board import League, board
from papers.evaluate import TableResult, evaluate
from reports import board as board_page
from reports import board_terminal, site
from reports.board import pairs_to_csv, to_csv
from reports.figures import LEFT, WIDTH
from reports.scatter import LETTER, LINE, scatter
from results import Metric, Store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("board") / "store.db", without=("if", "adding"))


@pytest.fixture(scope="module")
def found(path: Path) -> tuple[TableResult, tuple[League, ...]]:
    with Store(path) as store:
        result = evaluate(store, SMALL, "quick")
        return result, board(result, store.metrics([run.id for cell in result.cells for run in cell.runs]))


def test_the_page(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "get", lambda name: SMALL)
    monkeypatch.setattr(registry, "names", lambda: ["leaderboard"])
    with Store(path, read_only=True) as store:
        folder = site.build(store, tmp_path, ["quick"]).parent
    page = (folder / "leaderboard-quick-board.html").read_text(encoding="utf-8")
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for told in ("Neurons", "Schemes that train lif", "if is incomplete: adding: nothing measured", "a: psn"):
        assert told in words
    assert "score against latency (ms)" in page
    assert 'href="leaderboard-quick-board.html"' in (folder / "index.html").read_text(encoding="utf-8")
    assert "across works" in (folder / "leaderboard-quick.html").read_text(encoding="utf-8")
    assert (folder / "leaderboard-quick-board-pairs.csv").is_file()


def test_the_page_is_made_again_only_where_something_changed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "get", lambda name: SMALL)
    monkeypatch.setattr(registry, "names", lambda: ["leaderboard"])
    made: list[str] = []
    leagues = board_page.board

    def noted(result: TableResult, metrics: Mapping[str, Sequence[Metric]]) -> tuple[League, ...]:
        made.append(result.scale)
        return leagues(result, metrics)

    monkeypatch.setattr(board_page, "board", noted)
    copied = tmp_path / "store.db"
    shutil.copy(path, copied)
    with Store(copied) as store:
        page = site.build(store, tmp_path, ["quick"]).parent / "leaderboard-quick-board.html"
        before = page.read_text(encoding="utf-8")
        site.build(store, tmp_path, ["quick"])
        assert (made, page.read_text(encoding="utf-8")) == (["quick"], before)
        for change in ("metric SET value = 3 * value WHERE name = 'latency'", "run SET peak_memory = 2 * peak_memory"):
            made.clear()
            with store.engine.begin() as connection:
                connection.execute(text(f"UPDATE {change}"))
            site.build(store, tmp_path, ["quick"])
            assert made == ["quick"], change
            assert page.read_text(encoding="utf-8") != before
            before = page.read_text(encoding="utf-8")


def test_files_of_numbers(found: tuple[TableResult, tuple[League, ...]], path: Path) -> None:
    with Store(path) as store:
        ids = [run.id for cell in found[0].cells for run in cell.runs]
        assert to_csv(board(evaluate(store, SMALL, "quick"), store.metrics(ids))) == to_csv(found[1])
    lines = list(csv.DictReader(io.StringIO(to_csv(found[1]))))
    best = next(line for line in lines if line["row"] == "psn" and line["measure"] == "mse")
    assert (best["league"], best["rank"], best["groups"], best["seeds"]) == ("Neurons", "1", "a", "4")
    lacking = [line for line in lines if line["row"] == "if"]
    assert {line["rank"] for line in lacking} == {""}
    assert {line["missing"] for line in lacking if line["task"] == "adding"} == {"nothing measured"}
    pairs = list(csv.DictReader(io.StringIO(pairs_to_csv(found[1]))))
    assert [(p["row"], p["other"], p["probability"], p["told_apart"]) for p in pairs][:2] == [
        ("psn", "lif", "1", "yes"),
        ("lif", "psn", "0", "yes"),
    ]


def test_the_terminal(found: tuple[TableResult, tuple[League, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    board_terminal.show(*found, Console(highlight=False, markup=False, width=80))
    said = " ".join(capsys.readouterr().out.split())
    for told in (
        "psn 1.0 [1.0, 1.0] a 2.0 [2.0, 2.0] 0.90",
        "if incomplete",
        "! if is incomplete: adding: nothing measured",
    ):
        assert told in said


def test_points_and_their_front() -> None:
    svg = scatter("score against cost", {"a": (1.0, 0.5), "b": (10.0, 0.9), "<c>": (5.0, 0.1)}, ["a", "b"], "y", "x")
    assert "On the front: a, b" in svg
    assert "&lt;c&gt;: 0.1 at 5" in svg
    assert "<c>" not in svg
    assert scatter("nothing", {"a": (0.0, 1.0)}, ["a"], "y", "x") == ""  # no place on a logarithmic axis


def test_names_lie_apart_and_inside() -> None:
    points = {name: (1.0 + place / 100, 0.5 + place / 1000) for place, name in enumerate(("alpha", "beta", "gamma"))}
    points |= {
        "last one": (9.0, 0.9),
        "a name that no plot has the room for, however it may be turned": (3, 0.7),
    }
    svg = scatter("crowded", points, list(points), "y", "x")
    found = re.findall(r'<text (class="end" )?x="([-\d.]+)" y="([-\d.]+)">([a-z ]+one|alpha|beta|gamma)<', svg)
    boxes = []
    for end, x, y, name in found:
        left = float(x) - LETTER * len(name) * bool(end)
        boxes.append((left, float(y) - LINE, left + LETTER * len(name), float(y)))
    assert len(boxes) == 4
    assert all(left >= LEFT and right <= WIDTH for left, _, right, _ in boxes)
    apart = [
        a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6 or a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6
        for a, b in itertools.combinations(boxes, 2)
    ]
    assert all(apart)
