"""Generated pictures with boxes, and the random changes of pictures with boxes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import tasks
from tasks import TaskError, box_augment, boxes


def test_the_boxes_are_around_the_things() -> None:
    task = tasks.load("shapes")
    assert (len(task.train), len(task.test), task.target) == (300, 100, tasks.Boxes(3))
    x, labels = task.train.batch(range(300))
    many = (labels[:, :, 4] >= 0).sum(1)
    assert sorted(set(many.tolist())) == [1, 2, 3]
    assert set(labels[:, :, 4].unique().tolist()) == {-1, 0, 1, 2}
    for image, rows in zip(x, labels, strict=True):
        bright = (image * 255).amax(0) >= 90
        covered = torch.zeros_like(bright)
        for left, top, right, lower, _, difficult in boxes.of_sample(rows).int().tolist():
            assert bright[top : lower + 1, left : right + 1].any(0).all()  # to the very edges
            covered[top : lower + 1, left : right + 1] = True
            assert not difficult
        assert not (bright & ~covered).any()


def test_seeds_and_sizes_make_other_data() -> None:
    first, same, other = (tasks.load("shapes", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.train.batch([5])[0], same.train.batch([5])[0])
    assert not torch.equal(first.train.batch([5])[0], other.train.batch([5])[0])
    assert first.dataset.digest == tasks.digest("shapes") == same.dataset.digest != other.dataset.digest
    small = tasks.load("shapes", train=4, test=2, validation=0.5)
    assert small.validation is not None
    assert (len(small.train), len(small.validation), len(small.test)) == (2, 2, 2)
    for wrong in ({"train": 0}, {"seed": -1}, {"test": 1.5}):
        with pytest.raises(TaskError, match="was asked for; give a whole number of at least"):
            tasks.load("shapes", **wrong)


def sample(side: int = 48, colour: int = 250) -> tuple[Tensor, Tensor]:
    """A dark picture with one bright box."""
    image = torch.full((3, side, side), 10, dtype=torch.uint8)
    image[:, 12:36, 8:40] = colour
    return image, torch.tensor([[8.0, 12.0, 39.0, 35.0, 2.0, 1.0]])


@pytest.mark.parametrize("seed", range(30))
def test_a_jittered_box_stays_around_its_thing(seed: int) -> None:
    torch.manual_seed(seed)
    image, found = box_augment.jittered(sample())
    assert image.shape == (3, 48, 48)
    bright = image.amax(0) > 200
    rows, columns = bright.any(1).nonzero(), bright.any(0).nonzero()
    if not len(found):
        assert len(rows) <= 3 or len(columns) <= 3  # next to nothing of it is left
        return
    (left, top, right, lower, kind, difficult) = found[0].tolist()
    assert (kind, difficult) == (2, 1)
    expected = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert torch.tensor([left, top, right, lower]).sub(torch.tensor(expected)).abs().max() <= 1.5


@pytest.mark.parametrize("mosaic", [True, False])
def test_boxes_stay_inside_and_a_picture_without_boxes_works(mosaic: bool) -> None:
    change = box_augment.BoxAugment(mosaic=mosaic)
    empty = (sample()[0], torch.zeros(0, 6))
    for seed in range(40):
        torch.manual_seed(seed)
        image, found = change(sample(), sample)
        assert image.dtype == torch.uint8
        assert image.shape == (3, 48, 48)
        assert len(found) <= (4 if mosaic else 1)
        assert (found[:, :4] >= 0).all()
        assert (found[:, :4] <= 47).all()
        assert (found[:, 2:4] >= found[:, :2]).all()
        assert len(change(empty, lambda: empty)[1]) == 0
        torch.manual_seed(seed)
        assert torch.equal(image, change(sample(), sample)[0])


def test_a_mosaic_is_made_of_four_pictures() -> None:
    torch.manual_seed(0)
    image, found = box_augment.four([sample(colour=colour) for colour in (100, 150, 200, 250)])
    assert image[0].unique().tolist() == [10, 100, 150, 200, 250]
    assert len(found) == 4
    for (left, top, right, lower, *_), colour in zip(found.int().tolist(), (100, 150, 200, 250), strict=True):
        assert (image[:, top : lower + 1, left : right + 1] == colour).all()


def test_of_a_box_outside_nothing_is_kept() -> None:
    found = torch.tensor([[-9.0, 0, 0, 9, 0, 0], [-9, 0, 1, 9, 1, 0], [20, 20, 90, 90, 2, 0]])
    kept = box_augment.clipped(found, 0, 0, 48, 48)
    assert kept.tolist() == [[0, 0, 1, 9, 1, 0], [20, 20, 47, 47, 2, 0]]


def test_samples_have_as_many_rows_as_the_largest_needs() -> None:
    row = [1.0, 2.0, 3.0, 4.0, 5.0, 0.0]
    table = boxes.table([[], [row, row]])
    assert table.shape == (2, 2, 6)
    assert [len(boxes.of_sample(rows)) for rows in table] == [0, 2]
    assert boxes.table([]).shape == (0, 0, 6)
