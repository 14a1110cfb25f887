"""Generated gestures as events: what moves where, and what one frame does not tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tasks
from tasks import TaskError, motion_events
from tasks.motion_events import CLASSES, MOMENTS, SIDE


def paths(kind: int, many: int = 20) -> list[np.ndarray]:
    """How far the thing has come by each moment: a bar in pixels, a dot in radians."""
    found = []
    generator = np.random.default_rng(kind)
    for _ in range(many):
        seen = motion_events.places(generator, kind)
        assert seen.shape == (MOMENTS + 1, SIDE, SIDE)
        assert seen.any((1, 2)).all()
        y, x = (np.array([axis[place].mean() for place in seen]) for axis in np.mgrid[:SIDE, :SIDE])
        if kind < 2:
            edge = np.array([np.unwrap(np.flatnonzero(place.any(0)), period=SIDE)[0] for place in seen])
            found.append(np.unwrap(edge, period=SIDE))
        else:
            found.append(np.unwrap(np.arctan2(y - y.mean(), x - x.mean())))
    return found


@pytest.mark.parametrize("kind", range(4))
def test_things_move_as_their_class_says(kind: int) -> None:
    """A bar crosses the field 0.75 to 1.5 times, a dot goes round as often."""
    turn = SIDE if kind < 2 else 2 * np.pi
    ends = [(path[-1] - path[0]) / turn * (-1 if kind % 2 else 1) for path in paths(kind)]
    assert min(ends) > 0.5
    assert max(ends) < 1.6
    assert CLASSES[kind].endswith(("right", "left", " clockwise", "counterclockwise")[kind])


def test_recordings_hold_changes_and_a_few_by_chance() -> None:
    for number, recording in enumerate(motion_events.recordings(8, 3)):
        assert (np.diff(recording.t) >= 0).all()
        assert recording.origin == f"motion {number}"
        assert 100 < len(recording.t) < 1000
        on = recording.p.mean()
        assert 0.35 < on < 0.65  # what enters a pixel leaves it again


def test_classes_come_alike_often_and_frames_keep_every_event() -> None:
    task = tasks.load("motion_events")
    assert (len(task.train), len(task.test), task.target) == (640, 320, tasks.Classes(4))
    assert task.train.labels.bincount().tolist() == [160] * 4
    assert task.test.labels.bincount().tolist() == [80] * 4
    x, _ = task.train.batch(range(4))
    assert x.shape == (4, 10, 2, 16, 16)
    assert x.sum((1, 2, 3, 4)).tolist() == [len(r.t) for r in motion_events.recordings(4, 0)]


def test_the_same_seed_gives_the_same_and_another_gives_other_recordings() -> None:
    first, same, other = (tasks.load("motion_events", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.test.batch([5])[0], same.test.batch([5])[0])
    assert not torch.equal(first.test.batch([5])[0], other.test.batch([5])[0])
    assert first.dataset.digest == tasks.digest("motion_events") == same.dataset.digest
    assert tasks.digest("motion_events", seed=1) == other.dataset.digest != first.dataset.digest
    held = tasks.load("motion_events", T=5, validation=0.25)
    assert held.validation is not None
    assert (len(held.train), len(held.validation)) == (480, 160)
    for wrong in (-1, 0.5, True):
        with pytest.raises(TaskError, match="was asked for; give a whole number of at least 0"):
            tasks.load("motion_events", seed=wrong)


def test_what_happened_without_when_tells_the_thing_and_never_the_direction() -> None:
    """The nearest mean of the events of each pixel: bars from dots, but neither from its like."""
    task = tasks.load("motion_events")
    x, labels = task.train.batch(range(640))
    y, truth = task.test.batch(range(320))
    means = torch.stack([x[labels == kind].sum(1).mean(0) for kind in range(4)]).flatten(1)
    told = torch.cdist(y.sum(1).flatten(1), means).argmin(1)
    assert (told // 2 == truth // 2).float().mean() > 0.8
    assert 0.35 < (told == truth)[told // 2 == truth // 2].float().mean() < 0.65
