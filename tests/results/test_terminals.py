"""Every command ends calmly, whatever its terminal can show and whoever stops to read.

Where an interpreter opens its output anew, or finds none, it is a real one.
"""

import os
import subprocess
import sys

import pytest
import stores
import warm
from samples import a_run

from results.run import Metric
from results.store import Store

# A group: they share a store, and an interpreter that writes ASCII.
pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("terminals")]
COMMANDS = {
    "show": ["-m", "results", "show"],
    "show one": ["-m", "results", "show", "RUN"],
    "export": ["-m", "results", "export"],
    "help": ["-m", "results", "--help"],
    "help of one": ["-m", "results", "show", "--help"],
    "help of reports": ["-m", "reports", "--help"],
    "help of reproduce": ["-m", "bench.reproduce", "--help"],
    "help of kernels": ["-m", "bench.kernels", "--help"],
    "help of parity": ["-m", "bench.parity", "--help"],
    "help of a verb": ["-m", "bench", "results", "--help"],
    "no words": ["-m", "results"],
    "wrong usage": ["-m", "results", "show", "ä", "\u0142"],
    "unknown": ["-m", "results", "show", "ä\u2028\u0142"],
    "plan": ["-m", "bench.reproduce", "plif_table", "--plan"],
    "list": ["-m", "bench.reproduce", "--list"],
    "not a table": ["-m", "bench.reproduce", "ä\u0142"],
    "not a neuron": ["-m", "bench.parity", "ä\u0142"],
    "kernels": ["-m", "bench.kernels", "ä\u0142"],
    "report": ["-m", "reports", "--out", "ä\u0142"],
    "script": ["-m", "bench", "results", "show"],
    "verbs": ["-m", "bench"],
    "no verb": ["-m", "bench", "ä\u0142"],
}

WRONG = ("no words", "wrong usage", "not a table", "not a neuron", "kernels", "no verb")
STATUS = {"unknown": 1} | dict.fromkeys(WRONG, 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, in a store with many, whose texts few terminals can show."""
    run = a_run(
        outcome="crashed",
        reason="spike \u2192 ä \u0142 \U0001f600",
        experiment={"task": "\u4e2d\u6587", "neuron": "ü"},
        metrics=(Metric("\u03c4", 1.0, "1"),),
    )
    folder = tmp_path_factory.mktemp("store")
    with Store(folder / "store.db") as store:
        store.record_all([run, *(a_run(experiment={"task": "\u4e2d", "number": n}) for n in range(300))])
    with Store(stores.with_published(folder / "alone.db")) as store:
        store.record(run)
    return run, folder


def surroundings(name, run):
    _, folder = run
    store = "alone.db" if name == "report" else "store.db"  # a page for each of many takes its time
    environment = {"SPIKEBENCH_STORE": str(folder / store), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return {"cwd": folder, "env": os.environ | environment}


def words(name, run):
    return [run[0].id if word == "RUN" else word for word in COMMANDS[name]]


def start(name, run, **variables):
    found = surroundings(name, run)
    return {"args": [sys.executable, *words(name, run)], "cwd": found["cwd"], "env": found["env"] | variables}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_ascii(name, run):
    """What a terminal has no letter for is replaced."""
    done = warm.run(words(name, run), **surroundings(name, run), start={"PYTHONIOENCODING": "ascii"})
    said = done.stdout + done.stderr
    assert said.isascii()
    assert "Traceback" not in said
    assert "Exception" not in said
    assert done.returncode == STATUS.get(name, 0)


def test_another_encoding(run):
    done = subprocess.run(**start("show", run, PYTHONIOENCODING="cp1252"), capture_output=True)
    said = (done.stdout + done.stderr).decode("cp1252")
    assert "Traceback" not in said
    assert "Exception" not in said
    assert done.returncode == 0


def test_a_plain_locale(run):
    done = subprocess.run(
        **start("show one", run, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"), capture_output=True
    )
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr == b""


HELPS = [name for name in COMMANDS if name.startswith("help")]


@pytest.mark.parametrize("name", ["show", "export", "list", "script", "verbs", *HELPS])
def test_a_reader_that_has_enough(name, run):
    read, write = os.pipe()
    os.close(read)
    done = warm.run(words(name, run), **surroundings(name, run), stdout=write)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("name", ["show", "export", "list", "script", "verbs", *HELPS])
def test_a_full_disk(name, run):
    with open("/dev/full", "wb") as full:
        done = warm.run(words(name, run), **surroundings(name, run), stdout=full.fileno())
    assert done.stderr.startswith("Error: The output cannot be written: No space left on device. Make room")
    assert done.returncode == 1


@pytest.mark.parametrize("name", STATUS)
def test_errors_that_cannot_be_written(name, run):
    with open("/dev/full", "wb") as full:
        done = warm.run(words(name, run), **surroundings(name, run), stderr=full.fileno())
    assert done.stdout == ""
    assert done.returncode == STATUS[name]


@pytest.mark.parametrize(
    "name", ["show", "export", "list", "verbs", "help", "help of a verb"]
)  # real interpreters, each
def test_no_output_at_all(name, run):
    done = subprocess.run(**start(name, run), preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
