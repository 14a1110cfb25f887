"""Random changes of training images."""

from __future__ import annotations

import sys

import pytest
import torch

from tasks import TaskError, augment
from tasks.augment import affine, crop_and_flip, crop_and_flip_frames, erase, flip_and_trivial, mixup_or_cutmix
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


def test_an_erased_rectangle_is_zero_in_all_channels() -> None:
    image, change = torch.ones(3, 32, 32), erase()
    erased = [holes for holes in (1 - change(image) for _ in range(2000)) if holes.any()]
    # One in ten of 2,000: 200, with a standard deviation of 13.4.
    assert 150 < len(erased) < 250
    for holes in erased:
        rows, columns = holes[0].any(1).nonzero()[:, 0], holes[0].any(0).nonzero()[:, 0]
        box = holes[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (box == 1).all()
        assert holes.sum() == box.numel()
        # 2 % to 33 % of 1,024 pixels, sides rounded.
        assert 16 <= box[0].numel() <= 360


def test_trivial_augmentation_flips_and_takes_one_of_many_operations() -> None:
    # A grey ramp. Of the 14 operations the identity and the change of colour leave it alone, one in seven, and so do
    # small strengths of others; half of what is left alone is mirrored.
    ramp = torch.arange(0, 256, 8, dtype=torch.uint8).expand(3, 32, 32)
    change = flip_and_trivial()
    results = [change(ramp) for _ in range(700)]
    assert all(result.shape == ramp.shape and result.dtype == torch.uint8 for result in results)
    same, mirrored = (sum(torch.equal(result, image) for result in results) for image in (ramp, ramp.flip(-1)))
    assert 700 / 7 * 0.8 < same + mirrored < 700 / 2
    assert 1 / 2 < same / mirrored < 2
    assert len({result.numpy().tobytes() for result in results}) > 150


def test_mixing_by_hand() -> None:
    # Image i has the value i everywhere and class i: mixed with its predecessor p by a share s of its own, mixup gives
    # s i + (1 - s) p everywhere; cutmix gives i, and p in a rectangle that holds 1 - s of the pixels.
    mix, n = mixup_or_cutmix(classes=5), 4
    x = torch.arange(float(n)).view(n, 1, 1, 1).expand(n, 2, 8, 8).clone()
    before = x.clone()
    cut, even = [], []
    for _ in range(300):
        mixed, labels = mix(x, torch.arange(n))
        assert torch.equal(x, before)
        assert (labels.shape, labels.dtype) == ((n, 5), torch.float32)
        share = labels[0, 0].item()
        assert torch.allclose(labels, share * torch.eye(n, 5) + (1 - share) * torch.eye(n, 5).roll(1, 0), atol=1e-6)
        assert mixed.mean((1, 2, 3)).tolist() == pytest.approx(
            [share * i + (1 - share) * ((i - 1) % n) for i in range(n)], abs=1e-5
        )
        if len(mixed[2].unique()) == 1:
            even.append(share)
            continue
        cut.append(share)
        hole = (mixed[2, 0] == 1).nonzero()
        assert len(hole) == (hole.amax(0) - hole.amin(0) + 1).prod()
        assert torch.equal(mixed[2, 0], mixed[2, 1])
    # Beta(0.2, 0.2) lies outside 0.1 to 0.9 for the most part, and Beta(1, 1) is uniform. A hole may be empty.
    assert 100 < len(cut) < 180
    assert sum(not 0.1 < share < 0.9 for share in even) > len(even) / 2
    assert sum(0.1 < share < 0.9 for share in cut) > len(cut) / 2


def test_all_frames_of_a_sample_are_cropped_and_flipped_alike() -> None:
    frame = torch.arange(1.0, 1 + 2 * 16 * 16).view(2, 16, 16)
    change, seen = crop_and_flip_frames(16), set()
    padded = torch.nn.functional.pad(frame, (4, 4, 4, 4))
    possible = {}
    for dy in range(9):
        for dx in range(9):
            crop = padded[:, dy : dy + 16, dx : dx + 16]
            possible[crop.numpy().tobytes()] = False
            possible[crop.flip(-2).numpy().tobytes()] = True
    for _ in range(100):
        frames = change(frame.expand(5, 2, 16, 16))
        assert (frames == frames[0]).all()
        seen.add(possible[frames[0].contiguous().numpy().tobytes()])
    assert seen == {True, False}


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
