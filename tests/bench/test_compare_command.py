"""`python -m results compare`: what it is given, what it shows, how it ends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import stores
from commands import within
from finished_runs import measured

from papers import registry
from papers.machines import machine
from results import Store, lines
from results.__main__ import app

EXPERIMENTS = registry.get("plif_ablation").experiments("quick", [0])[:2]


def compare(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = within(app, "compare", *map(str, arguments))
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stores before and after, the first also as text, and one with the runs of both."""
    folder = tmp_path_factory.mktemp("compared")
    surroundings = {"before": ("abc1", "AMD EPYC", "2026-01-02T00:00:00Z"), "after": ("abd2", "Xeon", "2026-02-03")}
    with Store(stores.with_published(folder / "both.db")) as both:
        for name, lost in (("before", 0.0), ("after", 0.2)):
            revision, cpu, started = surroundings[name]
            found = [
                measured(
                    experiment.with_seed(seed),
                    0.9 - (lost if place == 0 else 0.0) + seed / 1000,
                    started=started[:10] + f"T00:00:{seed:02d}Z",
                    environment={"revision": revision},
                    machine={"cpu": cpu, "cores": 2},
                )
                for place, experiment in enumerate(EXPERIMENTS)
                for seed in range(3)
            ]
            both.record_all(found)
            with Store(folder / f"{name}.db") as store:
                store.record_all(found)
                lines.write(store, folder / f"{name}.jsonl")
    return folder


def test_two_stores_side_by_side(folder: Path) -> None:
    out = compare(folder / "before.db", folder / "after.db").stdout
    assert f"A: {folder / 'before.db'}" in out
    row = next(line for line in out.splitlines() if line.startswith("worse"))
    assert row.split()[:7] == ["worse", "accuracy", "90.10", "%", "70.10", "%", "-20.00"]
    assert "4 figures on both sides: 1 worse, 1 within, 2 equal." in out
    assert "by chance alone" in out


@pytest.mark.parametrize(
    ("first", "second", "options"),
    [
        ("before.jsonl", "after.db", []),
        ("abc", "abd", ["--by", "revision"]),
        ("epyc", "xeon", ["--by", "machine"]),
        ("2026-01", "2026-02-03", ["--by", "date"]),
    ],
)
def test_all_ways_to_name_two_sides_find_the_same(folder: Path, first: str, second: str, options: list[str]) -> None:
    sides = [folder / first, folder / second] if not options else [first, second, "--store", folder / "both.db"]
    done = compare(*sides, *options, "--json")
    assert done.stderr == ""
    found = json.loads(done.stdout)
    expected = json.loads(compare(folder / "before.db", folder / "after.db", "--json").stdout)
    for record in (*found["records"], *expected["records"]):
        del record["notes"]
    assert found["records"] == expected["records"]
    assert found["summary"]["counts"]["worse"] == 1


def test_the_status_tells_what_is_worse_than_allowed(folder: Path) -> None:
    before, after = folder / "before.db", folder / "after.db"
    assert "Worse: 1 figure worse by more than 5 %" in compare(before, after, "--fail-if-worse", "5%", status=4).stdout
    told = compare(before, after, "--fail-if-worse", "30%").stdout
    assert "Nothing is worse by more than 30 % beyond its interval." in told
    assert compare(after, before, "--fail-if-worse", "0%").returncode == 0


def test_what_failed_in_the_second_alone_is_worse(folder: Path, tmp_path: Path) -> None:
    broken = measured(EXPERIMENTS[0], 0.9, outcome="crashed", reason="it broke", metrics=())
    with Store(tmp_path / "broken.db") as store:
        store.record(broken)
    out = compare(folder / "before.db", tmp_path / "broken.db", "--fail-if-worse", "5%", status=4).stdout
    assert "crashed in B: " in out
    assert "1 experiment failed in B alone" in out
    assert "Only in A: 2 experiments (2 training)." in out


def test_the_page_has_every_difference_and_is_always_the_same(folder: Path, tmp_path: Path) -> None:
    sides = folder / "before.db", folder / "after.db"
    out = compare(*sides, "--limit", 1, "--out", tmp_path).stdout
    assert "smaller differences are not shown" in out
    page = tmp_path / "comparison" / "index.html"
    assert f"Page: {page}" in out
    first = page.read_text()
    assert first.count("<tr>") == 1 + len(json.loads(compare(*sides, "--json").stdout)["records"])
    assert 'class="whisker w-worse"' in first
    compare(*sides, "--out", tmp_path)
    assert page.read_text() == first


def test_wrong_usage_is_one_sentence(folder: Path) -> None:
    both = ["--store", folder / "both.db"]
    for arguments, sentence in (
        (("a.db", "a.db"), "'a.db' was given twice"),
        (("abc", "abd", *both), "--store was given with two stores"),
        (("abc", "abd", "--by", "moon", *both), "Unknown --by 'moon'. Known: revision, machine, date."),
        (("abc", "nosuch", "--by", "revision", *both), "No run of revision 'nosuch'"),
        (("ab", "abd", "--by", "revision", *both), "'ab' means more than one revision: abc1, abd2"),
        (("2026", "2026-02", "--by", "date", *both), "are meant by '2026' and by '2026-02'"),
        (("a", "b", "--fail-if-worse", "5"), "'5' was given; it must be a share from 0%, such as 5%"),
        (("a", "b", "--limit", "0"), "--limit was given 0"),
        (("a",), "Missing argument 'B'"),
    ):
        done = compare(*arguments, status=2)
        assert sentence in done.stderr
    assert "There is no store" in compare(folder / "nosuch.db", folder / "after.db", status=1).stderr


def test_a_machine_in_words() -> None:
    run = measured(EXPERIMENTS[0], 0.9, machine={"cpu": "AMD EPYC", "num_cpu": "2", "gpus": ["H100"]})
    assert machine(run) == "AMD EPYC, 2 cores, H100"


def test_sides_without_anything_in_common_are_no_success(folder: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "other.db") as other:
        other.record_all([measured(registry.get("plif_ablation").experiments("quick", [0])[2], 0.5)])
    assert "Nothing was measured on both sides" in compare(folder / "before.db", tmp_path / "other.db").stdout
    failed = compare(folder / "before.db", tmp_path / "other.db", "--fail-if-worse", "5%", status=1)
    assert "is not known: both sides have nothing in common" in failed.stdout
    (tmp_path / "same.db").write_bytes((folder / "before.db").read_bytes())
    compare(folder / "before.db", tmp_path / "same.db", "--fail-if-worse", "5%")
