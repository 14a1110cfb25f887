"""What commands print for programs: one JSON object with the fields that docs/json.md describes, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import within
from finished_runs import measured

from bench import kernels, reproduce
from bench.parity import __main__ as parity
from bench.parity import record
from bench.parity.checks import Refusal
from core import machine_readable
from core.errors import FAILED, PARITY_RED
from papers import registry
from results import Metric, Parity, Run, Store, content_key, environment, new_id
from results.__main__ import app as results

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
EXPERIMENT = registry.get("plif_table").experiments("quick", [2020])[0]


def described(command: str) -> tuple[set[str], set[str]]:
    """The fields of the summary and of a record that the page has for a command."""
    found: dict[str, set[str]] = {"summary": set(), "record": set()}
    part = ""
    section = PAGE.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    for first, fields in re.findall(r"^\| (\w*) ?\| (`.*?) \|", section, re.M):
        part = first or part
        found[part] |= set(re.findall(r"`(\w+)`", fields))
    return found["summary"], found["record"]


def checked(command: str, printed: str) -> dict[str, Any]:
    """The object that was printed, whose fields are all described and all there."""
    document = json.loads(printed)
    assert list(document) == ["schema", "command", "summary", "records"]
    assert (document["schema"], document["command"]) == (machine_readable.SCHEMA, command)
    summary, fields = described(command)
    assert set(document["summary"]) == summary
    assert document["records"]
    assert all(set(one) == fields for one in document["records"])
    return document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store(tmp_path / "store.db") as store:
        store.record(
            measured(EXPERIMENT, 0.9, seconds=12.0, implementation="other code", machine=environment.machine())
        )
    return tmp_path / "store.db"


def test_lists_of_tables() -> None:
    done = within(reproduce.app, "--list", "--json")
    found = checked("reproduce --list", done.stdout)["records"]
    assert {"table": "plif_table", "work": "plif", "trained": True}.items() <= found[0].items()
    assert [one["table"] for one in found if not one["trained"]][:2] == ["parity", "kernels"]


def test_plans(path: Path) -> None:
    done = within(reproduce.app, "plif_table", "kernels", "--plan", "--json", "--device", "cpu", "--store", str(path))
    found = checked("reproduce --plan", done.stdout)
    assert done.stderr == ""
    assert found["summary"]["measured"] == {"kernels": "bench.kernels"}
    assert (found["summary"]["timed"], found["summary"]["seconds"]) == (1, 12.0)
    (old,) = (one for one in found["records"] if one["run"])
    assert (old["status"], old["experiment_key"], old["seconds"]) == ("stale", EXPERIMENT.key, 12.0)
    assert old["epochs"] == EXPERIMENT.epochs
    assert found["summary"]["set"] == {}
    words = ("plif_table", "--plan", "--set", "epochs=2", "--set", "lr=0.5", "--store", str(path))
    assert within(reproduce.app, *words).stdout.startswith("set: epochs=2, lr=0.5\n")
    altered = json.loads(within(reproduce.app, *words, "--json").stdout)
    assert altered["summary"]["set"] == {"epochs": 2, "lr": 0.5}
    alone = json.loads(within(reproduce.app, "kernels", "--plan", "--json", "--store", str(path)).stdout)
    assert (alone["summary"]["experiments"], alone["records"]) == (0, [])


def test_runs(path: Path) -> None:
    found = checked("results show", within(results, "show", "--store", str(path), "--json").stdout)
    one = within(results, "show", found["records"][0]["run"], "--store", str(path), "--json").stdout
    (whole,) = json.loads(one)["records"]
    told = PAGE.partition("`results show RUN`")[2].partition("## ")[0]
    assert set(whole) - set(found["records"][0]) == set(re.findall(r"`(\w+)`", told)) - {"store"}


def test_comparisons(path: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "other.db") as store:
        store.record(measured(EXPERIMENT, 0.8))
    sides = [str(path), str(tmp_path / "other.db")]
    done = within(results, "compare", *sides, "--json", "--out", str(tmp_path), "--fail-if-worse", "5%")
    found = checked("results compare", done.stdout)
    assert Path(found["summary"]["page"]).is_file()


def check(**changes: Any) -> Parity:
    values: dict[str, Any] = {
        "id": new_id(), "started": "2026-01-02T03:04:05Z", "neuron": "lif", "backend": "fused", "step_mode": "m",
        "dtype": "float32", "device": "cpu", "detach_reset": True, "case": "a case", "flips": 0, "first_step": None,
        "threshold_distance": None, "state_error": float("inf"), "grad_error": 1e-8, "kernel": "c++", "green": True,
        "reason": "", "implementation": "f00d",
    }  # fmt: skip
    return Parity(**(values | changes))


@pytest.mark.parametrize(("green", "status"), [(True, 0), (False, PARITY_RED)])
def test_parity(path: Path, monkeypatch: pytest.MonkeyPatch, green: bool, status: int) -> None:
    made = check(green=green, reason="" if green else "a spike differs")
    refused = Refusal(neuron="lif", backend="cupy", reason="CuPy is not installed")
    found = record.Found([made], {made.id: float("inf")}, [refused], [])
    monkeypatch.setattr(record, "carry_out", lambda *arguments: found)
    done = within(parity.app, "lif", "--quick", "--json", "--store", str(path))
    assert done.returncode == status
    document = checked("parity", done.stdout)
    assert document["records"][0]["used"] is None  # JSON has no infinity
    assert document["summary"]["red"] == (not green)
    assert {"neuron": "lif", "backend": "cupy", "reason": "CuPy is not installed"} in document["summary"]["not_checked"]


@pytest.mark.parametrize(("outcome", "status"), [("ok", 0), ("oom", FAILED)])
def test_kernels(path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str, status: int, tmp_path: Path) -> None:
    job = {
        "kind": "kernel", "what": "speed", "neuron": "lif", "options": {}, "contender": "torch", "differs": "",
        "base": "torch", "size": {"T": 4, "N": 64}, "dtype": "float32", "threads": 1, "allocator": "pooled",
    }  # fmt: skip
    metrics = tuple(Metric(f"training_seconds{end}", 0.5, "s") for end in ("", "_low", "_high"))
    made = measured(EXPERIMENT, 0.9, outcome=outcome, reason="" if outcome == "ok" else "no room", metrics=metrics)
    made = replace(made, experiment=job, experiment_key=content_key(job)[:20], datasets=())

    def measure(console: Any, store: Store, work: Any, runs: list[Run], command: str) -> None:
        store.record(made)
        runs.append(made)
        console.print("on the way")

    monkeypatch.setattr(kernels, "_measure", measure)
    places = ["--store", str(path), "--out", str(tmp_path)]
    done = within(kernels.app, "lif", "--quick", "--peers", "none", "--json", *places)
    assert done.returncode == status
    assert "on the way" in done.stderr
    (one,) = checked("kernels", done.stdout)["records"]
    assert one["figures"] == {"training_seconds": {"value": 0.5, "low": 0.5, "high": 0.5, "unit": "s"}}
    assert one["verified"] == (outcome == "ok")


def test_a_command_that_runs_experiments_prints_none() -> None:
    done = within(reproduce.app, "plif_table", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Add --plan or --list" in done.stderr


def test_the_rule_of_parity_is_text() -> None:
    done = within(parity.app, "--rule", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Give one of the two." in done.stderr
