"""`python -m bench.reproduce` from end to end: real processes, real training, a real store."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stores
import warm
from commands import Command, plain_environment, within

from bench.fingerprint import kernels
from bench.reproduce import app
from papers.measures import ACCURACY
from papers.protocols import LAST, Selected
from papers.psn.claims import CLOSED
from results import Store
from tests.campaign.judge import OF_TIME


@pytest.mark.parametrize(
    ("arguments", "needless"),
    [
        (["--help"], ["torch", "pandas", "matplotlib", "sqlalchemy"]),
        (["--list"], ["torch", "pandas", "matplotlib", "sqlalchemy"]),
        (["plif_table", "--plan"], ["torch", "pandas", "matplotlib"]),
        (
            ["plif_table", "psn_order", "--scale", "paper", "--device", "cuda", "--plan"],
            ["torch", "pandas", "matplotlib"],
        ),
    ],
    ids=" ".join,
)
def test_looking_needs_no_pytorch_and_writes_nothing(tmp_path: Path, arguments: list[str], needless: list[str]) -> None:
    probe = (
        f"import sys, runpy; sys.argv = ['reproduce', *{arguments}]\n"
        "try: runpy.run_module('bench.reproduce', run_name='__main__')\n"
        f"finally: assert not set({needless}) & set(sys.modules)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPIKEBENCH_")}
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=kept
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "plif" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "nothing", "no tables", "results"])
def test_a_plan_leaves_a_store_as_it_is(reproduce: Command, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "folder" / "store.db" if kind == "folder" else tmp_path / "store.db"
    if kind == "no tables":
        path.touch()
    elif kind == "results":
        Store(path).close()
    before = path.read_bytes() if path.exists() else None
    planned = reproduce("tiny", "--plan", "--store", str(path))
    assert planned.returncode == 0, planned.stderr
    assert "2 of 2 experiments to run: how long they take is not known" in planned.stdout
    assert (path.read_bytes() if path.exists() else None) == before
    assert [p.name for p in tmp_path.iterdir()] == ([] if before is None else ["store.db"])


@pytest.mark.slow
def test_a_table_is_measured_once_and_then_answered_from_the_store(reproduce: Command, tmp_path: Path) -> None:
    first = reproduce("tiny", "--seeds", "2", "--report")
    assert first.returncode == 0, first.stderr
    assert re.search(r"^\[4/4\] .*: A \d+\.\d % B \d+\.\d % in \d+ s$", first.stdout, re.M)
    with Store(tmp_path / "store.db") as store:
        runs = store.runs()
        assert [run.outcome for run in runs] == ["ok"] * 4
        assert {run.seed for run in runs} == {2020, 2021}
        full = store.run(runs[0].id)
    metrics = {(metric.name, metric.step): metric.value for metric in full.metrics}
    best = 100 * max(metrics["test_accuracy", 0], metrics["test_accuracy", 1])
    assert re.search(rf"^\[\d/4\] .*: A {best:.1f} % B ", first.stdout, re.M)
    assert metrics["tau_fc.6", 1] is not None
    assert full.datasets[0].counts["test"] == 397
    assert full.command.startswith("python -m bench.reproduce tiny --seeds 2")
    assert full.peak_memory is not None
    assert full.peak_memory > 50e6
    assert full.backend in ("fused", "torch")  # the second without a compiler
    assert not list((tmp_path / "out" / "checkpoints").glob("*.pt"))
    report = tmp_path / "out" / "report" / "index.html"
    assert "tiny" in report.read_text(encoding="utf-8")

    again = reproduce("tiny", "--seeds", "2")
    assert again.returncode == 0
    assert "[1/" not in again.stdout  # nothing was run
    with Store(tmp_path / "store.db") as store:
        assert len(store.runs()) == 4

    names = [line[6:].partition(" · seed")[0] for line in first.stdout.splitlines() if line.endswith(": started")]
    assert sorted(names.count(name) for name in set(names)) == [2, 2]  # two experiments with two seeds each

    planned = reproduce("tiny", "--seeds", "3", "--plan")
    assert planned.stdout.count("done") == 4
    assert (
        len(
            re.findall(
                r"^to run .*: 2 epochs of 1,190 samples in 9 batches, about \d+ s \(as before on this "
                r"machine\), 0\.\d GiB$",
                planned.stdout,
                re.M,
            )
        )
        == 2
    )
    assert "2 of 6 experiments to run: about" in planned.stdout

    forced = reproduce("tiny", "--force")
    assert "[2/2]" in forced.stdout
    with Store(tmp_path / "store.db") as store:
        repeated = store.run(store.runs()[-1].id)
        original = next(store.run(run.id) for run in runs if run.experiment_key == repeated.experiment_key)
    assert [m for m in repeated.metrics if m.name not in OF_TIME] == [
        m for m in original.metrics if m.name not in OF_TIME
    ]


@pytest.mark.slow
def test_the_exact_claims_of_parallel_neurons_hold_on_trained_networks(reproduce: Command, tmp_path: Path) -> None:
    done = reproduce("parallel")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+) +(C\d+)", done.stdout, re.M) == [("holds", f"C{n}") for n in (1, 2, 2, 3, 4, 14)]
    assert "sum of absolute differences 0 (1 run)" in done.stdout
    with Store(tmp_path / "store.db") as store:
        runs = {run.experiment["neuron"]: store.run(run.id) for run in store.runs()}
        plans = store.planned()
    assert {plan.seeds for plan in plans} == {(2020,)}
    for neuron, run in runs.items():
        assert run.kernels == {run.backend: kernels(neuron)[run.backend]}
    metrics = {(m.name, m.step): m.value for m in runs["masked_psn"].metrics}
    # Two epochs: the mask is open in the first (lambda 0) and closed in the second.
    assert [metrics["lambda_conv.2", epoch] for epoch in (0, 1)] == [0, 1]
    curves = {name: {epoch: metrics[name, epoch] for epoch in (0, 1)} for name in ("test_accuracy", "lambda_conv.2")}
    assert CLOSED.select(curves, ACCURACY) == LAST.select(curves, ACCURACY) == Selected(metrics["test_accuracy", 1], 1)
    assert metrics["neuron_parameters", None] == 2 * (9 * 9 + 9)
    assert "lambda_conv.2" not in {m.name for m in runs["psn"].metrics}


@pytest.mark.slow
def test_a_failure_costs_its_own_cell_only(reproduce: Command, tmp_path: Path) -> None:
    done = reproduce("broken", "--timeout", "10", "--memory", "4", "--jobs", "2")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        outcomes = {
            run.experiment["model"] if run.experiment["task"] == "digits" else "no data": (run.outcome, run.reason)
            for run in store.runs()
        }
    assert outcomes["plif_mnist"] == ("ok", "")
    assert outcomes["segfault"] == ("crashed", "died of SIGSEGV")
    assert outcomes["hang"][0] == "timeout"
    assert "10 s" in outcomes["hang"][1]
    assert outcomes["hog"][0] == "oom"
    assert "4.0 GiB" in outcomes["hog"][1]
    assert outcomes["bug"][0] == "crashed"
    assert outcomes["bug"][1].startswith("RuntimeError: first line; the traceback is in logs/")
    assert any("second line" in log.read_text() for log in (tmp_path / "out" / "logs").glob("*.log"))
    assert outcomes["nan"][0] == "diverged"
    assert "nan in epoch 0" in outcomes["nan"][1]
    assert outcomes["no data"][0] == "unavailable"


Losses = dict[str, list[tuple[str, int | None, float | None]]]


def _losses(store_path: Path) -> Losses:
    with Store(store_path) as store:
        return {
            run.experiment_key: [
                (metric.name, metric.step, metric.value)
                for metric in store.run(run.id).metrics
                if metric.name not in OF_TIME
            ]
            for run in store.runs(outcome="ok")
        }


@pytest.fixture(scope="module")
def uninterrupted(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Losses:
    """What the experiments of `long` measure when nothing stops them."""
    folder = tmp_path_factory.mktemp("whole")
    stores.with_published(folder / "store.db")
    command = ["-m", "bench.reproduce", "long", f"--store={folder}/store.db", f"--out={folder}/out", "--no-report"]
    warm.run(command, env=plain_environment(plugin)).check_returncode()
    return _losses(folder / "store.db")


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [signal.SIGINT, *(pytest.param(how, marks=pytest.mark.faults) for how in (signal.SIGTERM, signal.SIGKILL))],
    ids=lambda how: how.name,
)
def test_a_stopped_run_goes_on_and_ends_as_if_uninterrupted(
    reproduce: Command,
    environment: dict[str, str],
    tmp_path: Path,
    uninterrupted: Losses,
    how: signal.Signals,
) -> None:
    store, out = stores.with_published(tmp_path / "store.db"), tmp_path / "out"
    command = ["-m", "bench.reproduce", "long", "--store", str(store), "--out", str(out)]
    running = warm.Process(command, environment)
    running.until(lambda: len(list(out.glob("checkpoints/*.pt"))) == 2)
    running.send_signal(how)
    _, errors = running.communicate(60)
    if how == signal.SIGKILL:
        time.sleep(1.5)  # the orphans end at their next epoch, for want of a listener
    else:
        assert running.returncode == 130
        assert "Traceback" not in errors
        assert "the same command goes on" in errors
        with Store(store) as opened:
            assert [run.outcome for run in opened.runs()] == ["interrupted"] * 2
            # The file of an epoch may be there a moment before the word that it is over.
            paused = r"paused(?: at epoch \d+/20|; it goes on from the epochs that are kept)"
            assert all(re.fullmatch(paused, run.reason) for run in opened.runs())
        planned = reproduce("long", "--plan").stdout
        assert len(re.findall(rf"^paused .* \({paused}\): 20 epochs of", planned, re.M)) == 2
    assert list(out.glob("checkpoints/*.pt"))
    assert reproduce("long").returncode == 0
    resumed = _losses(store)
    assert len(resumed) == 2
    assert resumed == uninterrupted


def test_an_interrupt_before_the_first_epoch_keeps_nothing_and_says_so(
    environment: dict[str, str], tmp_path: Path
) -> None:
    place = ["--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out")]
    running = warm.Process(["-m", "bench.reproduce", "broken", "--only", "hang", *place], environment)
    started = "[0/1] digits · hang · plif init_tau=2 · seed 2020: started\n"
    running.until(lambda: running.said()[0] == started)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(60)
    assert running.returncode == 130
    assert "seed 2020: paused before its first epoch was over, so it starts anew\n" in output
    assert errors == "Interrupted. What was finished is stored; the same command goes on from there.\n"
    with Store(tmp_path / "store.db") as store:
        (run,) = store.runs()
    assert (run.outcome, run.reason) == ("interrupted", "paused before its first epoch was over, so it starts anew")


@pytest.mark.faults
@pytest.mark.slow
def test_ctrl_c_at_a_terminal_pauses(environment: dict[str, str], tmp_path: Path) -> None:
    place = ["--store", str(tmp_path / "store.db"), "--out", str(tmp_path / "out")]
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may ignore it
        os.execve(sys.executable, [sys.executable, "-m", "bench.reproduce", "endless", *place], environment)
    shown, asked = "", False
    while True:
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            break
        if not asked and re.search(r"[2-9]/4000", re.sub(r"\x1b\[[\d;?]*\w", "", shown)):
            asked = os.write(terminal, b"\x03") == 1
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    assert "training" in shown
    assert re.search(r"seed 2020: paused at epoch \d+/4000", shown)
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "Name a table to reproduce. Known: plif_table"),
        (["plif_tabel"], 2, "Unknown table 'plif_tabel'. Did you mean 'plif_table'"),
        (["plif_table", "--scale", "quik"], 2, "Unknown scale 'quik'. Did you mean 'quick'"),
        (["plif_table", "--device", "gpu"], 2, "Unknown device 'gpu'"),
        (["plif_table", "--executor", "slrm"], 2, "Unknown executor 'slrm'"),
        (["plif_table", "--only", "N-MNST"], 2, "Unknown row or column 'N-MNST'. Did you mean 'N-MNIST'"),
        (
            ["parity", "plif_table", "--only", "nowhere"],
            2,
            "Unknown row or column 'nowhere'",
        ),  # before anything is measured
        (["plif_table", "--seeds", "0"], 2, "--seeds was given 0; it must be at least 1"),
        (["plif_table", "--jobs", "-1"], 2, "--jobs was given -1; it must be at least 1"),
        (["plif_table", "--processes", "0"], 2, "--processes was given 0; it must be at least 1"),
        (["plif_table", "--processes", "3"], 2, "--processes 3 does not divide the batch of 64 samples of digits"),
        (["plif_table", "--timeout", "0"], 2, "--timeout was given 0"),
        (["plif_table", "--timeout", "inf"], 2, "--timeout was given inf; it must be more than 0 and finite"),
        (["plif_table", "--memory", "nan"], 2, "--memory was given nan; it must be more than 0 and finite"),
        (["plif_table", "--seeds", "many"], 2, "'--seeds': 'many' was given; it must be a whole number, at least 1."),
        (["plif_table", "--jobs", "2.5"], 2, "'--jobs': '2.5' was given; it must be a whole number, at least 1."),
        (["plif_table", "--processes", ""], 2, "'--processes': '' was given; it must be a whole number, at least 1."),
        (["plif_table", "--timeout", "soon"], 2, "'--timeout': 'soon' was given; it must be a number, more than 0."),
        (["plif_table", "--memory", "4GiB"], 2, "'--memory': '4GiB' was given; it must be a number, more than 0."),
        (["plif_table", "--nonsense"], 2, "--nonsense"),
        (["plif_table", "--data", "/does/not/exist"], 2, "The data root /does/not/exist is not a folder"),
        (["plif_table", "--store", "/proc/nowhere/store.db"], 1, "/proc/nowhere"),
    ],
)
def test_wrong_use_is_one_sentence(arguments: list[str], status: int, sentence: str, tmp_path: Path) -> None:
    places = [] if "--store" in arguments else ["--store", str(tmp_path / "store.db")]
    done = within(app, *arguments, *places, "--out", str(tmp_path / "out"))
    assert done.returncode == status, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_torchrun_is_started_and_does_not_start(reproduce: Command) -> None:
    done = reproduce("tiny", TORCHELASTIC_RUN_ID="1")
    assert done.returncode == 2
    assert "Start it plainly" in done.stderr


def test_help_of_a_verb_names_it() -> None:
    command = [sys.executable, "-m", "bench", "reproduce", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "Usage: spikebench reproduce [OPTIONS]" in done.stdout


def test_a_missing_gpu_is_one_sentence(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    done = within(app, "plif_table", "--device", "cuda", "--store", str(tmp_path / "store.db"))
    assert done.returncode == 2
    assert "no CUDA device was found" in done.stderr


def test_a_damaged_store_is_left_alone(reproduce: Command, tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"these are not the bytes of a database" * 100)
    before = (tmp_path / "store.db").read_bytes()
    done = reproduce("tiny", "--plan")
    assert done.returncode == 1
    assert "damaged or no database" in done.stderr
    assert (tmp_path / "store.db").read_bytes() == before


def test_brackets_in_a_reason_are_no_markup(reproduce: Command, tmp_path: Path) -> None:
    from bench.fingerprint import implementation
    from papers import registry
    from results import Run, new_id, timestamp

    experiment = registry.get("plif_table").experiments("quick", [2020])[0]
    run = Run(
        new_id(), experiment.document(), experiment.key, implementation(experiment), "crashed", "KeyError: [/b]",
        timestamp(), 1.0, 2020, "cpu", "", "made up", None, {}, {},
    )  # fmt: skip
    with Store(tmp_path / "store.db") as store:
        store.record(run)
    planned = reproduce("plif_table", "--plan", COLUMNS="40")
    assert planned.returncode == 0, planned.stderr
    assert "seed 2020 (crashed: KeyError: [/b]): 24 epochs of" in planned.stdout  # and on one line


def test_a_broken_plug_in_is_one_sentence(reproduce: Command, tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spikebench.tables]\nmine = broken_plugin:TABLE\n")
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('half written')")
    listed = reproduce("--list", PYTHONPATH=str(tmp_path))
    assert listed.returncode == 0
    assert "psn_order" in listed.stdout
    asked = reproduce("mine", PYTHONPATH=str(tmp_path))
    assert asked.returncode == 1
    for shown in (listed.stdout, asked.stderr):
        assert "broken_plugin:TABLE, that cannot be loaded: RuntimeError: half written. Mend the plug-in" in shown
    assert "Traceback" not in asked.stderr


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_told_by_the_run(reproduce: Command, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoints").write_text("a file, where a folder is needed")
    done = reproduce("tiny")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    with Store(tmp_path / "store.db") as store:
        reasons = {run.reason.partition(":")[0] for run in store.runs(outcome="crashed")}
    assert reasons <= {"NotADirectoryError", "FileExistsError"}
    assert reasons


@pytest.mark.faults
@pytest.mark.slow
def test_what_another_command_did_meanwhile_is_not_run_again(
    reproduce: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    store, out = stores.with_published(tmp_path / "store.db"), tmp_path / "out"
    command = ["-m", "bench.reproduce", "long", "tiny", "--only", "one", "--jobs", "1"]
    first = warm.Process([*command, "--store", str(store), "--out", str(out)], environment)
    first.until(lambda: list(out.glob("checkpoints/*.pt")))
    first.send_signal(signal.SIGSTOP)  # however fast this machine is, the second command overtakes the first
    second = reproduce("tiny", "--only", "one")
    assert second.returncode == 0
    assert re.search(r"^ *one\b", second.stdout, re.M)
    assert not re.search(r"^ *other\b", second.stdout, re.M)  # what was not chosen is not shown
    first.send_signal(signal.SIGCONT)
    output, _ = first.communicate(120)
    assert first.returncode == 0
    assert (
        "[2/2] digits · plif_mnist · plif init_tau=2 · 2 epochs · seed 2020: done meanwhile by another command"
        in output
    )
    with Store(store) as opened:
        assert [run.outcome for run in opened.runs()] == ["ok", "ok"]


def test_missing_data_is_a_sentence_in_the_plan(reproduce: Command) -> None:
    done = reproduce("plif_table", "--scale", "short", "--plan")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("unavailable") == 12
    assert "0 of 12 experiments to run" in done.stdout
