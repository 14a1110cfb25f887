"""The embedded digits and the synthetic events made of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import tasks
from tasks import Classes, TaskError, digits

pytestmark = pytest.mark.xdist_group("digits")  # one process films them


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 180 digits alone, of which 120 train: a camera in front of all takes a second."""
    images, labels, digest = digits.arrays()
    monkeypatch.setattr(digits, "arrays", lambda: (images[:180], labels[:180], digest))
    monkeypatch.setattr(digits, "TRAIN", 120)
    monkeypatch.setattr(digits, "TEST", 60)


def test_digits_are_the_first_1400_and_the_last_397() -> None:
    task = tasks.load("digits")
    assert task.target == Classes(10)
    assert (len(task.train), task.validation, len(task.test)) == (1400, None, 397)
    assert task.dataset.complete
    assert task.dataset.counts == {"train": 1400, "test": 397}
    target = load_digits().target
    assert np.array_equal(torch.cat([task.train.labels, task.test.labels]).numpy(), target)


def test_digits_are_normalised_by_the_training_images() -> None:
    task = tasks.load("digits")
    x, y = task.train.batch(torch.arange(1400))
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert abs(x.mean().item()) < 1e-6
    assert abs(x.std(correction=0).item() - 1) < 1e-6
    images = load_digits().images / 16
    known = images[:1400]
    expected = (images[1400:] - known.mean()) / known.std()
    assert np.allclose(task.test.batch(range(397))[0].numpy()[:, 0], expected, atol=1e-6)


def test_a_batch_follows_the_order_and_the_repeats_of_its_indices() -> None:
    split = tasks.load("digits").test
    x, y = split.batch([5, 0, 5])
    for row, index in enumerate([5, 0, 5]):
        assert torch.equal(x[row : row + 1], split.batch([index])[0])
        assert y[row] == split.labels[index]
    assert torch.equal(x, split.batch(np.array([5, 0, 5]))[0])
    assert split.batch([])[0].shape == (0, 1, 8, 8)


def test_writing_into_a_batch_leaves_the_data_alone() -> None:
    split = tasks.load("digits").train
    before = split.batch([0])[0].clone()
    split.batch([0])[0].zero_()
    assert torch.equal(split.batch([0])[0], before)


@pytest.mark.parametrize("name", ["digits", "digits_events"])
def test_the_validation_split_is_the_tail_of_each_training_class(name: str, few: None) -> None:
    whole, task = tasks.load(name), tasks.load(name, validation=0.15)
    assert task.validation is not None
    assert len(task.train) + len(task.validation) == 120
    # Class by class: the labels of both parts rise.
    assert torch.equal(task.train.labels, task.train.labels.sort().values)
    last = torch.nonzero(whole.train.labels == 9).max()
    assert torch.equal(task.validation.batch([-1])[0], whole.train.batch([last])[0])


@pytest.fixture(scope="module")
def events() -> tasks.Task:
    return tasks.load("digits_events")


def test_event_task(events: tasks.Task) -> None:
    assert events.target == Classes(10)
    assert "ynthetic" in events.dataset.note
    x, y = events.train.batch([3, 1])
    assert x.shape == (2, 10, 2, 16, 16)
    assert x.dtype == torch.float32
    assert y.tolist() == [3, 1]
    assert torch.equal(x, x.round())


def test_frames_by_number_hold_equally_many_events_but_for_the_remainder(events: tasks.Task) -> None:
    x, _ = events.test.batch(range(len(events.test)))
    in_frame = x.sum((2, 3, 4))
    assert (in_frame[:, :-1] == in_frame[:, :1]).all()
    assert (in_frame[:, -1] - in_frame[:, 0] < 10).all()
    assert in_frame.sum(1).min() > 500
    assert in_frame.sum(1).max() < 3000


def test_a_linear_classifier_tells_the_digits_apart(events: tasks.Task) -> None:
    summed = [part.batch(range(len(part)))[0].sum(1).flatten(1).numpy() / 4 for part in (events.train, events.test)]
    classifier = LogisticRegression(max_iter=300).fit(summed[0], events.train.labels.numpy())
    assert classifier.score(summed[1], events.test.labels.numpy()) > 0.85


def test_the_options_of_integration_reach_the_frames(few: None) -> None:
    raw = tasks.load("digits_events", T=4, split_by="time")
    x, _ = raw.train.batch(range(20))
    assert x.shape[1] == 4
    for normalization, of in (("max", lambda f: f.amax((-2, -1))), ("sum", lambda f: f.sum((-2, -1)))):
        task = tasks.load("digits_events", T=4, split_by="time", normalization=normalization)
        got, _ = task.train.batch(range(20))
        assert torch.allclose(of(got), torch.ones(20, 4, 2), atol=1e-6)
        assert torch.equal(got > 0, x > 0)
    task = tasks.load("digits_events", T=4, split_by="time", normalization="frequency")
    assert torch.allclose(task.train.batch(range(20))[0] * 75_000, x, rtol=0.2)


def test_a_larger_field(few: None) -> None:
    assert tasks.load("digits_events", side=32, T=2).test.batch([0])[0].shape == (1, 2, 2, 32, 32)
    with pytest.raises(TaskError, match="side 20 was asked for; choose one of 16, 32"):
        tasks.load("digits_events", side=20)


@pytest.mark.parametrize(
    "options", [{"T": 0}, {"T": "4"}, {"split_by": "x"}, {"normalization": "x"}, {"validation": 1.0}]
)
def test_options_that_make_no_sense(options: dict) -> None:
    with pytest.raises(TaskError):
        tasks.load("digits_events", **options)


def test_progress_counts_every_recording(few: None) -> None:
    calls: list[tuple[int, int]] = []
    tasks.load("digits_events", T=1, progress=lambda done, of: calls.append((done, of)))
    assert calls == [(i + 1, 180) for i in range(180)]
