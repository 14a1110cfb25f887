"""The head split of accuracy-B."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks
from tasks import TaskError
from tasks.splits import head_split


def test_by_hand() -> None:
    # Class 0 at 0 2 5 6 (4 samples, ceil(4 * 0.5) = 2), class 1 at 1 3 4 (3 samples, ceil(1.5) = 2).
    train, val = head_split(np.array([0, 1, 0, 1, 1, 0, 0]), 0.5)
    assert train.tolist() == [0, 2, 1, 3]
    assert val.tolist() == [5, 6, 4]
    assert train.dtype == val.dtype == np.int64


@pytest.mark.parametrize(
    ("per_class", "train", "val"),
    [
        # The sizes the original runs printed: Fashion-MNIST, CIFAR-10, CIFAR10-DVS.
        ([6000] * 10, 51000, 9000),
        ([5000] * 10, 42500, 7500),
        ([900] * 10, 7650, 1350),
        # MNIST's class histogram.
        ([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 51005, 8995),
    ],
)
def test_the_published_sizes(per_class: list[int], train: int, val: int) -> None:
    heads, tails = head_split(np.repeat(np.arange(10), per_class), 0.15)
    assert (len(heads), len(tails)) == (train, val)


@given(st.lists(st.integers(0, 5), max_size=200), st.floats(0.01, 0.99))
def test_every_sample_is_in_one_part_and_each_head_is_before_its_tail(labels: list[int], ratio: float) -> None:
    array = np.array(labels, np.int64)
    train, val = head_split(array, ratio)
    assert sorted([*train, *val]) == list(range(len(labels)))
    for label in set(labels):
        head, tail = train[array[train] == label], val[array[val] == label]
        assert len(head) == math.ceil((len(head) + len(tail)) * (1 - ratio))
        assert [*head, *tail] == sorted([*head, *tail])


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, float("nan"), "0.15", None])
def test_a_ratio_that_is_no_part_is_refused(ratio: float) -> None:
    with pytest.raises(TaskError, match="between 0 and 1"):
        head_split(np.array([0, 1]), ratio)


def test_a_ratio_that_leaves_nothing_to_validate_is_refused() -> None:
    # The largest class of digits has 146 training images at most: ceil(146 * 0.999) = 146.
    with pytest.raises(TaskError, match="leaves no validation sample out of 1400"):
        tasks.load("digits", validation=0.001)
