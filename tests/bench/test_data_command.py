"""python -m bench.data: what is here, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import data_files
import pytest
from commands import within

import tasks
from bench.data import app


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data_files.put_cifar(tmp_path)
    data_files.put_nmnist(tmp_path)
    return tmp_path


def test_the_list_says_what_is_here(root: Path) -> None:
    done = within(app, "list", "--data", str(root))
    lines = {line.split()[0]: line.partition(" ")[2].strip() for line in done.stdout.splitlines()}
    assert done.returncode == 0
    assert lines["digits"] == "needs no files"
    assert lines["cifar10"] == "a subset: 2 of 50,000 training samples"
    assert lines["nmnist"] == "a subset: 2 of 60,000 training samples"
    assert lines["mnist"].startswith("MNIST is missing: nothing usable at")
    assert lines["mnist"].endswith("python -m bench.data get mnist does it, too.")
    assert "bench.data get" not in lines["fsdd"]


def test_a_check_reads_and_compares(root: Path) -> None:
    done = within(app, "check", "--data", str(root))
    assert done.returncode == 1
    cifar = next(line for line in done.stdout.splitlines() if line.startswith("cifar10 "))
    assert "2 train, 1 test samples can be read. Not as published: CIFAR10/cifar-10-batches-py/data_batch_1" in cifar
    assert within(app, "check", "nmnist", "--data", str(root)).returncode == 0
    (root / "NMNIST/Train/1/00002.bin").write_bytes(b"x")
    damaged = within(app, "check", "nmnist", "--data", str(root))
    assert damaged.returncode == 1
    assert "00002.bin" in damaged.stdout


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["get", "fsdd"], 1, "No address of fsdd is known here. Known: mnist"),
        (["get", "mnst"], 2, "Unknown data set 'mnst'. Did you mean 'mnist'"),
        (["check", "mnst"], 2, "Unknown data set 'mnst'. Did you mean 'mnist'"),
        (["check", "mnist"], 1, ""),
        (["check", "digits", "mnst"], 2, "Unknown data set 'mnst'"),
        (["get", "mnist", "fsdd"], 1, "No address of fsdd is known here"),
    ],
)
def test_wrong_names(words: list[str], status: int, says: str, tmp_path: Path) -> None:
    done = within(app, *words, "--data", str(tmp_path))
    assert done.returncode == status
    assert says in done.stderr


@pytest.mark.parametrize("verb", ["list", "check"])
def test_a_root_that_is_no_folder_is_told(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = within(app, verb, "--data", str(tmp_path / "absent"))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"The data root {tmp_path / 'absent'} is not a folder." in done.stderr
    monkeypatch.setenv("SPIKEBENCH_DATA", "~nobody-here/data")
    done = within(app, verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "SPIKEBENCH_DATA: ~nobody-here/data begins with ~nobody-here, but there is no user nobody-here" in done.stderr
    )


def test_a_check_of_nothing_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = within(app, "check", "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, f"No data set is in {tmp_path}.\n")
    monkeypatch.delenv("SPIKEBENCH_DATA", raising=False)
    done = within(app, "check")
    assert done.returncode == 1
    assert "since no data root is named" in done.stdout


def test_a_root_is_needed_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIKEBENCH_DATA", raising=False)
    done = within(app, "get", "mnist")
    assert done.returncode == 2
    assert "No data root is named" in done.stderr


def test_what_a_library_says_of_a_file_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, root: Path | None) -> None:
        raise RuntimeError("chunks of -4 bytes")

    monkeypatch.setattr(tasks, "load", load)
    done = within(app, "check", "nmnist", "--data", str(root))
    assert done.returncode == 1
    assert "it cannot be read: RuntimeError: chunks of -4 bytes" in done.stdout
