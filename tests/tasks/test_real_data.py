"""The data sets of the data root, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from spikingjelly.datasets.utils import load_ATIS_bin

import tasks
from tasks import atis

ROOT = os.environ.get("SPIKEBENCH_DATA")
pytestmark = pytest.mark.skipif(not ROOT, reason="SPIKEBENCH_DATA names no data root")


def load(name: str, cache: Path, **options: object) -> tasks.Task:
    sentence = tasks.available(name)
    if sentence:
        pytest.skip(sentence)
    return tasks.load(name, cache=cache, **options)


@pytest.mark.parametrize(("name", "train", "val"), [("mnist", 51005, 8995), ("fashion_mnist", 51000, 9000)])
def test_a_complete_mnist(tmp_path: Path, name: str, train: int, val: int) -> None:
    task = load(name, tmp_path, validation=0.15)
    if not task.dataset.complete:
        pytest.skip(task.dataset.note)
    assert task.validation is not None
    # The sizes that the original runs printed (spec section 3.3).
    assert (len(task.train), len(task.validation), len(task.test)) == (train, val, 10_000)
    # The constants of the paper are those of the training images; the test images are close.
    x, _ = task.test.batch(range(10_000))
    assert abs(x.mean().item()) < 0.04
    assert abs(x.std().item() - 1) < 0.05


def test_cifar10(tmp_path: Path) -> None:
    task = load("cifar10", tmp_path)
    found = task.dataset.counts
    assert task.dataset.complete == (found == {"train": 50_000, "test": 10_000})
    assert found["train"] % 10_000 == 0
    assert torch.bincount(task.test.labels).tolist() == [1000] * 10
    x, _ = task.test.batch(range(10_000))
    assert (x.mean((0, 2, 3)).abs() < 0.1).all()


def test_cifar100(tmp_path: Path) -> None:
    task = load("cifar100", tmp_path, augment="trivial", mix=True)
    found = task.dataset.counts
    assert task.dataset.complete == (found == {"train": 50_000, "test": 10_000})
    assert (torch.bincount(task.test.labels) == found["test"] // 100).all()
    x, _ = task.test.batch(range(found["test"]))
    assert (x.mean((0, 2, 3)).abs() < 0.1).all()
    assert ((x.std((0, 2, 3)) - 1).abs() < 0.1).all()
    x, y = task.train.batch(range(128))
    assert x.isfinite().all()
    assert torch.allclose(y.sum(1), torch.ones(128))


def test_nmnist_equals_spikingjellys_reading(tmp_path: Path) -> None:
    task = load("nmnist", tmp_path)
    assert ROOT is not None
    paths = sorted((Path(ROOT) / "NMNIST" / "Test").glob("*/*.bin"))[:20]
    x, y = task.test.batch(range(len(paths)))
    for i, path in enumerate(paths):
        theirs = load_ATIS_bin(path)
        for name, mine in zip("txyp", atis.read(path, 34), strict=True):
            assert np.array_equal(mine, theirs[name])
        assert y[i] == int(path.parent.name)
        assert x[i].sum() == len(theirs["t"])
        on = np.bincount(theirs["y"][theirs["p"] == 1] * 34 + theirs["x"][theirs["p"] == 1], minlength=34 * 34)
        assert np.array_equal(x[i, :, 1].sum(0).numpy().ravel(), on)


def test_nmnist_frames_by_time_conserve_the_events(tmp_path: Path) -> None:
    by_number, by_time = (load("nmnist", tmp_path, split_by=split_by).test for split_by in ("number", "time"))
    rows = range(min(50, len(by_time)))
    assert torch.equal(by_number.batch(rows)[0].sum(1), by_time.batch(rows)[0].sum(1))
    assert not torch.equal(by_number.batch(rows)[0], by_time.batch(rows)[0])
