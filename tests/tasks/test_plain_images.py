"""Images with grey levels in [0, 1], in order or with their pixels rearranged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import put_mnist
from sklearn.datasets import load_digits

import tasks
from tasks import TaskError, plain_images


def test_digits_are_as_they_were_scanned() -> None:
    task = tasks.load("plain_digits")
    x, labels = task.test.batch(range(397))
    assert np.allclose(x[:, 0].numpy() * 16, load_digits().images[1400:])
    assert torch.equal(labels, tasks.load("digits").test.labels)
    assert task.dataset.digest == tasks.load("digits").dataset.digest


def test_a_permutation_is_one_for_all_images_and_a_part_of_the_data() -> None:
    plain = tasks.load("plain_digits").train.batch(range(20))[0].flatten(1)
    found = {}
    for seed in (1, 2):
        task = tasks.load("plain_digits", permutation=seed, validation=0.1)
        assert task.validation is not None
        places = plain_images.order(seed, 64)
        assert sorted(places) == list(range(64))
        assert torch.equal(
            task.test.batch([7])[0].flatten(), tasks.load("plain_digits").test.batch([7])[0].flatten()[places]
        )
        found[task.dataset.digest] = places.tolist()
        assert task.dataset.digest == tasks.digest("plain_digits", permutation=seed)
        assert f"seed {seed}" in task.dataset.note
    assert len({*found, tasks.digest("plain_digits")}) == 3
    assert len({tuple(places) for places in found.values()}) == 2
    assert plain.max() == 1
    assert plain.min() == 0


def test_mnist_is_neither_normalised_nor_warped(tmp_path: Path) -> None:
    put_mnist(tmp_path)
    task = tasks.load("plain_mnist", root=tmp_path)
    assert not task.train.batch([0])[0].any()  # the background stays 0
    assert task.train.batch([0])[0].shape == (1, 1, 28, 28)
    assert not task.dataset.complete
    assert tasks.digest("plain_mnist", tmp_path) == task.dataset.digest == tasks.digest("mnist", tmp_path)
    assert tasks.digest("plain_mnist", tmp_path, permutation=4) not in (None, task.dataset.digest)
    assert "MNIST is missing" in (tasks.available("plain_mnist", tmp_path / "none") or "")


@pytest.mark.parametrize("seed", [-1, 1.5, True, "a"])
def test_a_permutation_is_named_by_a_seed(seed: object) -> None:
    with pytest.raises(TaskError, match=r"give a seed, a whole number from 0 to 2\*\*32 - 1"):
        tasks.load("plain_digits", permutation=seed)
