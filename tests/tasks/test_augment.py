"""Random changes of training images."""

from __future__ import annotations

import sys

import pytest
import torch

from tasks import TaskError, augment
from tasks.augment import affine, crop_and_flip
from tasks.images import ImageSplit


def test_a_crop_is_the_image_moved_by_at_most_four_pixels_and_perhaps_mirrored() -> None:
    # Every pixel has its own value, so that a crop tells where it was taken; 0 is the padding.
    image = torch.arange(1, 32 * 32 + 1).view(1, 32, 32)
    padded = torch.nn.functional.pad(image, (4, 4, 4, 4))
    possible = {}
    for dy in range(9):
        for dx in range(9):
            crop = padded[:, dy : dy + 32, dx : dx + 32]
            possible[crop.numpy().tobytes()] = (dy, dx, False)
            possible[crop.flip(-1).numpy().tobytes()] = (dy, dx, True)
    augment = crop_and_flip()
    seen = {possible[augment(image).contiguous().numpy().tobytes()] for _ in range(300)}
    assert {flipped for _, _, flipped in seen} == {True, False}
    assert {dy for dy, _, _ in seen} == {dx for _, dx, _ in seen} == set(range(9))


def test_a_warped_disc_stays_within_the_bounds() -> None:
    # A disc of radius 5 in the middle: its area scales by 0.85^2 to 1.11^2, its centre moves up to 15 % of 28 = 4.2.
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    disc = (((x - 13.5) ** 2 + (y - 13.5) ** 2) < 25).to(torch.uint8)[None]
    augment = affine()
    moved, areas = [], []
    for _ in range(200):
        warped = augment(disc)[0].double()
        areas.append((warped.sum() / disc.sum()).item())
        moved.append([((warped * axis).sum() / warped.sum() - 13.5).item() for axis in (x, y)])
    assert 0.85**2 - 0.1 < min(areas) < 0.85
    assert 1.1 < max(areas) < 1.11**2 + 0.1
    extent = torch.tensor(moved).abs().amax(0)
    assert (extent > 3).all()
    assert (extent < 4.2 + 0.6).all()


@pytest.mark.parametrize("make", [affine, crop_and_flip])
def test_each_sample_is_drawn_by_itself_from_torchs_generator(make) -> None:
    image = torch.randint(0, 256, (1, 32, 32), dtype=torch.uint8).expand(4, 3, 32, 32)
    split = ImageSplit(image, torch.zeros(4, dtype=torch.int64), mean=[0] * 3, std=[1] * 3, augment=make())
    torch.manual_seed(3)
    first = split.batch(range(4))[0]
    torch.manual_seed(3)
    assert torch.equal(split.batch(range(4))[0], first)
    assert not torch.equal(split.batch(range(4))[0], first)
    assert not torch.equal(first[0], first[1])
    assert split.batch([])[0].shape == (0, 3, 32, 32)


def test_without_torchvision_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.transforms", None)
    with pytest.raises(TaskError, match="needs torchvision, which does not import here"):
        augment.affine()
