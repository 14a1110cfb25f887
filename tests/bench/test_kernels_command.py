"""`python -m bench.kernels` from end to end: real processes, tiny sizes, a real store."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import warm
from commands import within
from rich.console import Console

from bench import kernels
from bench.speed import asked, parent
from bench.speed.job import Job, Measured
from bench.speed.parent import carry_out
from bench.speed.plan import Asked
from results import Store

Kernels = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> Kernels:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        places = ["--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out"), "--threads", "1"]
        return warm.run(["-m", "bench.kernels", *places, *arguments], env=environment)

    return run


def test_help_needs_no_pytorch() -> None:
    probe = (
        "import sys, runpy; sys.argv = ['kernels', '--help']\n"
        "try: runpy.run_module('bench.kernels', run_name='__main__')\n"
        "finally: assert not {'torch', 'pandas', 'matplotlib', 'sqlalchemy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lfi"], "Unknown neuron 'lfi'. Did you mean 'lif'"),
        (["--what", "sped"], "Unknown measurement 'sped'. Did you mean 'speed'"),
        (["--shape", "16"], "The shape '16' is not of the form TxN"),
        (["--shape", "0x4"], "The shape '0x4' is not of the form TxN"),
        (["--peers", "nrose"], "Unknown peer 'nrose'. Did you mean 'norse'"),
        (["--base", "fsued"], "Did you mean 'fused'"),
        (["lif", "--base", "norse", "--peers", "none"], "'norse' was asked for, but takes no part in speed of lif"),
        (["lif", "--base", "norse", "--peers", "none"], "Taking part: torch, "),
        (["--allocator", "jemalloc"], "Unknown allocator 'jemalloc'"),
        (["--dtype", "float8"], "Unknown dtype 'float8'"),
        (["--device", "tpu"], "Unknown device 'tpu'"),
        (["--threads", "0"], "--threads was given 0; it must be at least 1"),
        (["--repeats", "-1"], "--repeats was given -1; it must be at least 1"),
        (["--budget", "0"], "--budget was given 0; it must be more than 0"),
        (["--limit", "inf"], "--limit was given inf; it must be more than 0 and finite"),
        (["--timeout", "nan"], "--timeout was given nan; it must be more than 0 and finite"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = within(kernels.app, "--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out"), *arguments)
    assert not (tmp_path / "store.db").exists()
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_peers_are_named_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(asked, "installed", lambda peer: peer.startswith("spikingjelly"))
    monkeypatch.setattr(kernels, "refusals", lambda asked: {})
    found, missing = asked.peers("all")
    assert found == ("spikingjelly", "spikingjelly-compiled")
    kernels._say_what_is_left_out(Console(file=said, width=200), mock.Mock(spec=Asked), missing)
    assert "Not installed, so not timed: snntorch, norse, sinabs. " in said.getvalue()
    assert said.getvalue().endswith("To install: pip install snntorch norse sinabs.\n")


@pytest.mark.slow
def test_speed_memory_and_report_of_one_neuron(command: Kernels, tmp_path: Path) -> None:
    whats = ("speed", "memory", "roofline", "linear")
    asked = [option for what in whats for option in ("--what", what)]
    done = command("lif", "--quick", "--peers", "none", "--repeats", "6", *asked)
    assert done.returncode == 0, done.stderr
    with Store(tmp_path / "store.db") as store:
        runs = store.full_runs()
    by_what = {
        what: {
            (run.experiment["contender"], run.experiment["size"]["T"]): run
            for run in runs
            if what == run.experiment["what"]
        }
        for what in whats
    }
    assert all(run.outcome == "ok" for run in runs), [run.reason for run in runs if run.outcome != "ok"]

    timed = by_what["speed"]["torch", 4]
    metrics = {metric.name: metric.value for metric in timed.metrics}
    readings = {name: [s.value for s in timed.samples if s.name == name] for name in ("forward", "training")}
    assert {len(values) for values in readings.values()} == {6}
    ordered = sorted(readings["training"])  # type: ignore[type-var]
    assert metrics["training_seconds"] == pytest.approx((ordered[2] + ordered[3]) / 2)  # type: ignore[operator]
    assert metrics["training_seconds_low"] == ordered[0]
    assert timed.experiment["base"] == "fused"
    assert timed.environment["scheduling"] in ("real-time", "nice", "ordinary")
    assert "load_before" in timed.environment
    base = {s.index: s.value for s in by_what["speed"]["fused", 4].samples if s.name == "training"}
    ratios = sorted(s.value / base[s.index] for s in timed.samples if s.name == "training")  # type: ignore[operator]
    assert metrics["training_ratio"] == pytest.approx((ratios[2] + ratios[3]) / 2)
    copied = {metric.name: metric.value for metric in by_what["speed"]["copy", 4].metrics}
    assert copied["forward_bytes"] == 8 * 4 * 4096
    assert copied["training_bytes"] == 22 * 4 * 4096  # x twice, s, g, gx; of four states one, out and in

    saved = {
        name: next(m.value for m in by_what["memory"][name, 8].metrics if m.name == "saved_bytes")
        for name in ("fused", "fused-saving")
    }
    assert saved == {"fused": 0.5, "fused-saving": 4}  # of 8 steps one state
    assert ("fused-kernel", 16) in by_what["roofline"]
    assert {name for name, _ in by_what["linear"]} == {"linear", "torch", "fused", "fused-saving"}

    assert "unverified" in done.stdout  # no parity in this store, so nothing is compared with the fused backend
    page = (tmp_path / "out" / "report" / "kernels-lif.html").read_text(encoding="utf-8")
    assert "Linear + neuron" in page
    assert "unverified" in page


@pytest.mark.slow
def test_a_first_use_is_timed_with_an_empty_cache_and_from_a_filled_one() -> None:
    job = Job("first-use", "lif", ("fused",), ((16, 1024), (16, 777)), repeats=2, stage="fresh")
    found = list(carry_out((job, replace(job, stage="cached")), lambda text: None))
    assert [result.outcome for result in found] == ["ok"] * len(found), found
    assert {"first_use_seconds", "cached_seconds", "new_size_seconds"} <= {name for name, *_ in found[0].metrics}


@pytest.mark.slow
def test_networks_agree_and_are_timed(command: Kernels, tmp_path: Path) -> None:
    done = command("--quick", "--what", "network", "--peers", "spikingjelly", "--repeats", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        runs = {run.experiment["contender"]: run for run in store.full_runs()}
    assert set(runs) >= {"torch", "fused", "spikingjelly", "spikingjelly-layers", "spikingjelly-stepwise"}
    differences = {
        name: next(m.value for m in run.metrics if m.name == "largest_difference") for name, run in runs.items()
    }
    assert differences["spikingjelly-stepwise"] < 1e-3  # type: ignore[operator]
    assert differences["spikingjelly-layers"] > 1e-3  # type: ignore[operator]
    assert "batch norm" in runs["spikingjelly-layers"].experiment["differs"]


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured(environment: dict[str, str], tmp_path: Path) -> None:
    arguments = ["lif", "--quick", "--peers", "none", "--repeats", "2", "--threads", "1", "--what", "speed"]
    shapes = ["--shape", "2x64", "--shape", "2000x20000"]
    places = ["--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out")]
    process = warm.Process(["-m", "bench.kernels", *arguments, *shapes, *places], environment)
    process.until(lambda: "T=2 N=64 fused-saving" in process.said()[0])  # the last contender of the small size
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert "Interrupted" in out
    with Store(tmp_path / "store.db") as store:
        assert {run.experiment["size"]["T"] for run in store.runs()} == {2}


@pytest.mark.slow
def test_a_process_that_dies_or_hangs_becomes_an_outcome(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'bench.speed.child' in sys.orig_argv: os.kill(os.getpid(), 11)\n"
    )
    job = Job("speed", "lif", ("torch", "fused"), ((2, 8), (3, 8)), base="torch")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = list(carry_out((job,), lambda text: None))
    assert {result.outcome for result in found} == {"crashed"}
    assert {result.reason for result in found} == {"died of SIGSEGV"}
    assert len(found) == 4
    monkeypatch.setenv("PYTHONPATH", "")
    slow = Job("speed", "lif", ("torch",), ((2000, 20000),), base="torch", timeout=1.0)
    (result,) = carry_out((slow,), lambda text: None)
    assert (result.outcome, result.reason) == ("timeout", "took longer than 1 s")


RED = """
import bench.kernels
from bench.speed.job import Job, Measured
from bench.speed.record import Recorder

def measure(console, store, work, runs, command):
    for name, outcome in (("torch", "ok"), ("norse", "crashed"), ("fused", "parity_failed")):
        measured = Measured(name, name, {"T": 2, "N": 8}, outcome=outcome, reason="wrong" if outcome != "ok" else "")
        runs.append(Recorder(command).run(Job("speed", "lif", (name,), ((2, 8),), base="torch"), measured))

bench.kernels._measure = measure
bench.kernels.app()
"""


def test_a_kernel_with_wrong_results_has_status_3(environment: dict[str, str], tmp_path: Path) -> None:
    places = ["--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out")]
    done = warm.run(["-c", RED, "lif", *places], env=environment)
    assert done.returncode == 3, done.stderr
    assert "parity_failed" in done.stdout


def test_a_process_that_ends_early_fails_only_what_it_had_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("linear", "lif", ("torch",), ((500, 512), (500, 1024)), base="linear")

    def run(job: Job, *_: object) -> Iterator[Measured]:
        yield Measured("torch", "torch", job.size(job.shapes[0]))
        raise parent.ProcessFailed("timeout", "took longer than 1 s")

    monkeypatch.setattr(parent, "run", run)
    found = [(result.outcome, result.size) for result in carry_out((job,), lambda text: None)]
    assert found == [
        ("ok", {"T": 500, "width": 512, "batch": 16}),
        ("timeout", {"T": 500, "width": 1024, "batch": 16}),
    ]


@pytest.mark.slow
def test_a_size_beyond_all_memory_is_out_of_memory() -> None:
    job = Job("speed", "lif", ("torch",), ((1, 10**14),), base="torch")
    (result,) = carry_out((job,), lambda text: None)
    assert result.outcome == "oom", result.reason
