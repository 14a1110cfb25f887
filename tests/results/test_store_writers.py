"""Several processes at one store: nothing is lost, nothing is doubled, no one fails."""

import subprocess
import sys
from pathlib import Path

import pytest
from samples import LAPTOP, PYTHON

from results.store import Store

pytestmark = pytest.mark.faults
WRITERS, RUNS_EACH = 3, 6
WRITER = """
import sys
sys.path[:0] = [{folder!r}]
from samples import a_run
from results.store import Store
number, url = int(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for i in range({runs}):
    with Store(url) as store:
        store.record(a_run(seed=number * 1000 + i, experiment={{"shared": i}}))
"""


@pytest.mark.slow
def test_writers_at_once_lose_nothing(url):
    """They start together at an empty place, so that creating the tables is contended, too."""
    script = WRITER.format(folder=str(Path(__file__).parent), runs=RUNS_EACH)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(number), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(WRITERS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    with Store(url, read_only=True) as store:
        runs = store.full_runs()
    assert sorted(run.seed for run in runs) == [n * 1000 + i for n in range(WRITERS) for i in range(RUNS_EACH)]
    assert len({run.experiment_key for run in runs}) == RUNS_EACH
    assert all(len(run.metrics) == 3 and (run.machine, run.environment) == (LAPTOP, PYTHON) for run in runs)


def test_a_writer_killed_in_the_middle_leaves_whole_runs(tmp_path):
    path = tmp_path / "store.db"
    script = WRITER.format(folder=str(Path(__file__).parent), runs=10**6)
    process = subprocess.Popen(
        [sys.executable, "-c", script, "0", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    with Store(path) as store:
        while len(store.runs()) < 5:
            assert process.poll() is None
        process.kill()
        process.communicate()
        runs = store.full_runs()
        assert len(runs) >= 5
        assert all(len(run.metrics) == 3 and len(run.samples) == 2 for run in runs)
