"""`python -m results`: what it prints, its exit status, and that no bad input shows a traceback."""

import io
import os
import signal
import subprocess
import sys
from unittest import mock

import pytest
from samples import DIGITS, a_run
from typer.testing import CliRunner

from reports import listing
from results import lines
from results.__main__ import app
from results.run import Dataset
from results.store import Store

runner = CliRunner()
INTERRUPTED = "Interrupted. What was finished is stored; the same command goes on from there.\n"


def call(*arguments, status=0):
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def run(path):
    run = a_run(
        outcome="oom", reason="no room at T = 128 \x1b[31m[bold]", datasets=(DIGITS, Dataset("x", "MNIST", False, {}))
    )
    with Store(path) as store:
        store.record_all([run, a_run(experiment={"task": "mnist", "scale": "short"})])
    return run


def test_show_lists_runs(path, run):
    output = call("show", "--store", path)
    assert [line.split("\t")[0][:8] for line in output.splitlines()] == ["run", *sorted_ids(path), "2 runs i"]
    assert "digits plif" in output
    assert "mnist short" in output
    assert "no room at T = 128 \ufffd[31m[bold]" in output  # steers nothing, loses nothing


def test_measurements_are_named_by_what_was_measured(path):
    kernel = {"kind": "kernel", "what": "speed", "neuron": "lif", "contender": "fused", "size": {"T": 4}}
    asv = {"kind": "asv", "benchmark": "neurons.Speed.time_forward", "parameters": {"layer": "lif", "shape": "4x64"}}
    with Store(path) as store:
        store.record_all([a_run(experiment=kernel), a_run(experiment=asv)])
    output = call("show", "--store", path)
    assert "speed lif fused" in output
    assert "neurons.Speed.time_forward lif 4x64" in output


def sorted_ids(path):
    with Store(path, read_only=True) as store:
        return [run.id[:8] for run in store.runs()]


def test_a_narrow_terminal_shows_ids_whole(path, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with mock.patch.object(sys, "stdout", io.StringIO()) as terminal, Store(path, read_only=True) as store:
        listing.show(store.runs(), {})
    begins = {line[:8] for line in terminal.getvalue().splitlines()}
    assert begins.issuperset(sorted_ids(path))


def test_show_one_run(path, run):
    output = call("show", run.id[:8], "--store", path)
    for part in (run.id, run.experiment_key, run.command, "1048576.0 MiB", "MNIST (a subset)", "2 raw samples: step"):
        assert part in output
    row = next(line for line in output.splitlines() if line.startswith("test_accuracy"))
    assert row.split() == ["test_accuracy", "2", "0.25", "-", "0.25", "0.25", "fraction"]  # the last one is missing


def test_an_empty_store_says_so(path):
    Store(path).close()
    assert call("show", "--store", path).splitlines() == [
        "\t".join(listing.COLUMNS),
        f"No runs in sqlite:///{path} yet.",
    ]


def test_export_import_merge(path, run, tmp_path):
    text, copy, third = tmp_path / "r.jsonl", tmp_path / "copy.db", tmp_path / "third.db"
    assert call("export", text, "--store", path).startswith("8 lines")  # 2 data sets, 2 experiments, 2 runs, 2 shared
    assert call("export", "--store", path) == text.read_text()
    assert call("import", text, text, "--store", copy).startswith("2 new")
    assert call("import", text, "--store", copy).startswith("0 new")
    with Store(copy) as opened:  # what ships with the program is there, too, so that reports are complete
        assert opened.published("plif", ["readme_accuracy_ab"])
    assert call("merge", path, copy, "--store", third).splitlines() == [
        f"sqlite:///{path}: 2 new, now in sqlite:///{third}",
        f"sqlite:///{copy}: 0 new, now in sqlite:///{third}",
    ]
    with Store(third) as store, Store(path) as first:
        assert lines.dump(store) == lines.dump(first)
    assert len(call("export", "-", "--keys", run.experiment_key, "--store", path).splitlines()) == 6


def test_the_store_of_the_environment(path, run, monkeypatch):
    monkeypatch.setenv("SPIKEBENCH_STORE", f"sqlite:///{path}")
    assert run.id in call("show", run.id)


def test_bad_input_is_one_sentence(path, run, tmp_path):
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text('{"record":"machine"}\n')
    new = tmp_path / "new.db"
    for arguments, sentence in (
        (("show", "--store", new), "There is no store"),
        (("show", "nosuch", "--store", path), "No run 'nosuch'"),
        (("export", "--keys", "nosuch", "--store", path), "No run of experiment nosuch"),
        (("import", damaged, "--store", new), f"{damaged}, line 1: 'document' is missing. Nothing was imported"),
        (("merge", tmp_path / "nosuch.db", "--store", path), "There is no store"),
        (("merge", tmp_path / "nosuch.db", "--store", new), "There is no store"),
        (("merge", path, tmp_path / "nosuch.db", "--store", new), "There is no store"),
        (("merge", damaged, "--store", path), "is exported text and no database"),
        (("merge", path, "--store", "sqlite://host/b"), "cannot be opened: Invalid SQLite URL"),
    ):
        output = call(*arguments, status=1)
        assert sentence in output
        assert output.count("\n") == 1
    assert not new.exists()
    assert sorted_ids(path)


def test_wrong_usage():
    assert "show" in call("shwo", status=2)
    call("merge", status=2)
    call("import", status=2)
    call("show", "--nosuch", status=2)
    assert "an empty store was named" in call("show", "--store", "", status=2)


def test_help_loads_nothing_heavy_and_shows_examples():
    probe = (
        "import sys, runpy; sys.argv = ['results', '--help']\n"
        "try: runpy.run_module('results', run_name='__main__')\n"
        "finally: assert not {'torch', 'sqlalchemy', 'alembic'} & set(sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    for command in ("show", "merge", "export", "import"):
        assert command in answer.stdout
        assert f"python -m results {command}" in call(command, "--help")
    assert ".asv/results/*/*.json" in call("import-asv", "--help")


def test_interruption_is_calm(tmp_path, hears_ctrl_c):
    pipe = tmp_path / "lines.jsonl"
    os.mkfifo(pipe)  # import waits for somebody to write to it
    process = subprocess.Popen(
        [sys.executable, "-m", "results", "import", str(pipe), "--store", str(tmp_path / "s.db")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_ctrl_c,
    )
    with pipe.open("wb"):  # returns once the command has opened the other end
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, INTERRUPTED)
