"""What a quick look tells of the training samples that are here, against what loading them finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import data_files
import pytest

import tasks
from tasks.amount import COUNTS, Amount, amount


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("digits", {}),
        ("digits_recall", {"T": 12}),
        ("plain_digits", {"permutation": 1}),
        ("shuffled_digits", {}),
        ("shapes", {"train": 7, "test": 3}),
        ("shapes", {}),
        ("randman", {}),
        ("randman", {"train": 16}),
        ("noisy_current", {"samples": 3, "T": 5}),
        ("adding", {"T": 8}),
        ("adding", {"T": 8, "train": 5}),
    ],
)
def test_embedded_and_generated_ones(name: str, options: dict[str, int]) -> None:
    found = len(tasks.load(name, **options).train)
    assert amount(name, None, options) == Amount(found, found)
    assert Amount(found, found).subset == ""


def test_every_name_is_that_of_a_task() -> None:
    assert set(COUNTS) <= set(tasks.names())


def test_what_is_not_there_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIKEBENCH_DATA", raising=False)
    for name in ("mnist", "cifar100", "nmnist", "fsdd", "voc2007", "no such task"):
        assert amount(name, None, {}) is None
        assert amount(name, tmp_path, {}) is None


@pytest.mark.parametrize(
    ("name", "put", "published"),
    [
        ("mnist", data_files.put_mnist, 60_000),
        ("cifar10", data_files.put_cifar, 50_000),
        ("nmnist", data_files.put_nmnist, 60_000),
        ("cifar10dvs", data_files.put_cifar10dvs, 9_000),
        ("fsdd", data_files.put_fsdd, 2_700),
    ],
)
def test_subsets_are_named(name: str, put: Callable[[Path], None], published: int, tmp_path: Path) -> None:
    put(tmp_path)
    task = tasks.load(name, root=tmp_path, cache=tmp_path / "cache")
    found = amount(name, tmp_path, {})
    assert found == Amount(task.dataset.counts["train"], published)
    assert found.subset == f"{found.here} of {published:,} training samples"


def test_whole_sets_of_pickled_batches(tmp_path: Path) -> None:
    """The published batches have a hundredth more bytes than pixels."""
    for number in range(1, 6):
        batch = tmp_path / "CIFAR10/cifar-10-batches-py" / f"data_batch_{number}"
        batch.parent.mkdir(parents=True, exist_ok=True)
        with batch.open("wb") as file:
            file.truncate(31_035_704)
    batch.with_name("test_batch").touch()
    assert amount("cifar10", tmp_path, {}) == Amount(50_000, 50_000)
    batch.unlink()
    assert amount("cifar10", tmp_path, {}) == Amount(40_000, 50_000)
