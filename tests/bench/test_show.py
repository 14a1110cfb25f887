"""`python -m results show`: results of runs, filters, order, and what other programs get."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from commands import within
from finished_runs import measured

from papers import registry
from reports import listing
from results import Metric, Run, Store, content_key, new_id
from results.__main__ import app

EXPERIMENTS = registry.get("plif_table").experiments("quick", [0])
OTHER = dataclasses.replace(EXPERIMENTS[0], neuron="klif")
JOB: dict[str, Any] = {
    "kind": "kernel", "what": "psn", "neuron": "psn", "options": {}, "contender": "psn fused", "differs": "",
    "base": "psn fused", "size": {"T": 4, "N": 64}, "dtype": "float32", "threads": 1, "allocator": "pooled",
}  # fmt: skip


def job(document: dict[str, Any], seconds: float, **changes: Any) -> Run:
    name = document.get("benchmark", "training_seconds").rpartition(".")[2]
    key = content_key(document)[:20]
    metrics = (Metric(name, seconds, "s"), Metric("training_bytes", 64, "B"))
    found = measured(EXPERIMENTS[0], 0.5, datasets=(), metrics=metrics)
    return dataclasses.replace(found, experiment=document, experiment_key=key, **changes)


ASV = {"kind": "asv", "benchmark": "neurons.Speed.time_forward", "parameters": {"layer": "lif"}}
RUNS = [
    measured(EXPERIMENTS[0], 0.9, started="2026-01-01T00:00:00Z", machine={"cpu": "AMD EPYC", "cores": 2}, seconds=3.0),
    measured(EXPERIMENTS[1], 0.7, started="2026-01-02T00:00:00Z", machine={"cpu": "Xeon", "cores": 2}, seconds=1.0),
    measured(
        OTHER, 0.8, started="2026-01-03T00:00:00Z", outcome="oom", reason="no\troom\nat all", metrics=(), seconds=None
    ),
    job(JOB, 0.0125, started="2026-01-04T00:00:00Z"),
    job(ASV, 0.25, started="2026-01-05T00:00:00Z"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shown") / "store.db"
    with Store(path) as store:
        store.record_all(RUNS)
    return path


def show(path: Path, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = within(app, "show", "--store", str(path), *map(str, arguments))
    assert done.returncode == status, done.stdout + done.stderr
    return done


def rows(path: Path, *arguments: object) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(show(path, *arguments).stdout), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_a_pipe_gets_a_record_a_line(path: Path) -> None:
    found = rows(path)
    assert [row["run"] for row in found] == [run.id for run in RUNS]
    assert [(row["measure"], row["result"], row["unit"]) for row in found] == [
        ("accuracy", "0.9", "fraction"),
        ("accuracy", "0.7", "fraction"),
        ("", "", ""),
        ("training_seconds", "0.0125", "s"),
        ("time_forward", "0.25", "s"),
    ]
    assert (found[2]["reason"], found[2]["seconds"]) == ("no room at all", "")
    assert show(path).stderr == f"5 runs in sqlite:///{path}\n"  # no record, so not among them


def test_a_terminal_gets_results_in_words(path: Path) -> None:
    with mock.patch.object(sys, "stdout", io.StringIO()) as terminal, Store(path, read_only=True) as store:
        from papers.headline import headlines

        listing.show(store.runs(), headlines(store, store.runs()))
    lines = terminal.getvalue().splitlines()
    assert lines[0].split() == list(listing.HEADINGS)
    assert "90.00 % accuracy" in lines[1]
    assert "0.0125 s training seconds" in lines[4]
    assert len({line.index(word) for line, word in zip(lines[1:3], ("90.00", "70.00"), strict=True)}) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--table", "plif_table"], [0, 1]),
        (["--table", "psn_speed"], [3]),
        (["--table", "kernels"], [3]),
        (["--neuron", "klif"], [2]),
        (["--outcome", "oom"], [2]),
        (["--machine", "epyc, 2"], [0]),
        (["--since", "2026-01-03"], [2, 3, 4]),
        (["--since", "2026-01-03T01:00:00+02:00", "--outcome", "oom"], [2]),
        (["--limit", "2"], [3, 4]),
        (["--sort", "seconds", "--limit", "1", "--table", "plif_table"], [0]),
        (["--sort", "result", "--table", "plif_table"], [1, 0]),
        (["--sort", "outcome", "--limit", "1"], [2]),
        (["--neuron", "nosuch"], []),
    ],
)
def test_filters_order_and_limit(path: Path, options: list[str], expected: list[int]) -> None:
    assert [row["run"] for row in rows(path, *options)] == [RUNS[place].id for place in expected]


def test_names_in_a_store_steer_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "store.db") as store:
        store.record(job({**ASV, "benchmark": "a.b\x1b[31m\tc\nd"}, 1.0))
    (row,) = rows(tmp_path / "store.db")
    assert (row["measure"], row["result"], row["experiment"]) == ("b\ufffd[31m c d", "1.0", "a.b\ufffd[31m c d lif")


def test_what_is_left_out_is_told(path: Path) -> None:
    assert show(path, "--limit", 2).stderr.startswith("the last 2 of 5 runs in ")
    assert show(path, "--outcome", "ok", "--limit", 2).stderr.startswith("the last 2 of 4 such runs in ")
    assert show(path, "--neuron", "nosuch").stderr.startswith("No such runs in ")


def test_json_holds_the_same(path: Path) -> None:
    done = show(path, "--json", "--table", "plif_table")
    found = json.loads(done.stdout)
    assert (done.stderr, found["schema"], found["command"]) == ("", 1, "results show")
    assert found["summary"] == {"store": f"sqlite:///{path}", "runs": 2, "shown": 2}
    assert [(one["run"], one["result"], one["machine"]) for one in found["records"]] == [
        (RUNS[0].id, 0.9, "AMD EPYC, 2 cores"),
        (RUNS[1].id, 0.7, "Xeon, 2 cores"),
    ]
    (whole,) = json.loads(show(path, RUNS[0].id[:8], "--json").stdout)["records"]
    assert whole["document"] == EXPERIMENTS[0].document()
    assert ["test_accuracy", 0, 0.9, "fraction"] in whole["metrics"]


def test_a_result_is_that_of_the_last_epoch_with_one(tmp_path: Path) -> None:
    curve = [Metric("test_accuracy", value, "fraction", step) for step, value in enumerate((0.9, 0.8, None))]
    with Store(tmp_path / "store.db") as store:
        store.record(measured(EXPERIMENTS[0], 0.5, id=new_id(), metrics=tuple(curve)))
    assert [row["result"] for row in rows(tmp_path / "store.db")] == ["0.8"]


def test_wrong_usage_is_one_sentence(path: Path) -> None:
    for arguments, sentence in (
        (("--table", "plif_tabel"), "Unknown table 'plif_tabel'. Did you mean 'plif_table'"),
        (("--table", "parity"), "The table parity has checks and no runs"),
        (("--outcome", "omm"), "Unknown outcome 'omm'. Did you mean 'oom'"),
        (("--sort", "speed"), "Unknown column to sort by 'speed'"),
        (("--since", "yesterday"), "'yesterday' was given; it must be a date such as 2026-01-31"),
        (("--since", "0001-01-01T00:00+12:00"), "it must be a date such as 2026-01-31"),
        (("--limit", "0"), "--limit was given 0; it must be at least 1"),
        ((RUNS[0].id, "--limit", "2"), "One run was named, and others are filtered"),
    ):
        assert sentence in show(path, *arguments, status=2).stderr
