"""Images in the order of a seed, and the augmentation that belongs to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import put_cifar, put_mnist
from PIL import Image

import tasks
from tasks import TaskError
from tasks.auto_augment import OPERATIONS, POLICY, SIGNED, TorchDraws, crop_flip_policy_cutout, cutout, operate, policy
from tasks.shuffled import drawn


def test_the_digits_are_mixed_and_all_there() -> None:
    task, source = tasks.load("shuffled_digits", normalised=False), tasks.load("plain_digits")
    assert (len(task.train), task.validation, len(task.test)) == (1437, None, 360)
    everything = torch.cat([task.train.labels, task.test.labels])
    whole = torch.cat([source.train.labels, source.test.labels])
    assert torch.equal(everything, whole[torch.from_numpy(drawn(0, 1797))])
    x, _ = task.test.batch(range(360))
    assert (x.min(), x.max()) == (0, 1)
    assert {int(v * 16) / 16 for v in x.unique()} == set(x.unique().tolist())
    assert Counter(task.test.labels.tolist()).keys() == set(range(10))


def test_the_seed_decides_the_order_and_is_part_of_the_digest() -> None:
    first, again, other = (tasks.load("shuffled_digits", order=order) for order in (0, 0, 1))
    assert torch.equal(first.train.labels, again.train.labels)
    assert not torch.equal(first.test.labels, other.test.labels)
    assert first.dataset.digest == again.dataset.digest == tasks.digest("shuffled_digits")
    assert other.dataset.digest == tasks.digest("shuffled_digits", order=1) != first.dataset.digest


def test_normalised_digits_have_mean_0_and_deviation_1_in_training() -> None:
    x, _ = tasks.load("shuffled_digits").train.batch(range(1437))
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_the_part_held_out_is_drawn_whatever_the_class() -> None:
    task = tasks.load("shuffled_digits", validation=0.1)
    assert task.validation is not None
    assert (len(task.train), len(task.validation), len(task.test)) == (1294, 143, 360)
    labels = task.train.labels.tolist()
    assert labels != sorted(labels), "not class by class"
    assert len(set(labels[:40])) == 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": -1}, "order -1 was asked for; give a seed"),
        ({"order": True}, "order True"),
        ({"validation": 1.5}, "must lie between 0 and 1"),
        ({"validation": 1e-9}, "leaves no validation sample"),
    ],
)
def test_what_cannot_be_drawn(options: dict[str, float], words: str) -> None:
    with pytest.raises(TaskError, match=words):
        tasks.load("shuffled_digits", **options)


def test_sets_of_files_have_the_numbers_of_the_release(tmp_path: Path) -> None:
    put_mnist(tmp_path)
    put_cifar(tmp_path)
    task = tasks.load("shuffled_mnist", root=tmp_path)
    assert torch.allclose(task.test.batch([0])[0], torch.tensor(-0.1307 / 0.3081))
    assert torch.equal(task.train.batch([0])[0], task.test.batch([0])[0]), "never warped"
    assert tasks.load("shuffled_mnist", root=tmp_path, normalised=False).test.batch([0])[0].max() == 0
    colours = tasks.load("shuffled_cifar10", root=tmp_path, validation=0.5)
    assert colours.validation is not None
    black = -torch.tensor([0.4914 / 0.2023, 0.4822 / 0.1994, 0.4465 / 0.2010]).view(3, 1, 1)
    for split in (colours.validation, colours.test):
        assert torch.allclose(split.batch([0])[0][0], black.expand(3, 32, 32)), "validation is not augmented"
    torch.manual_seed(0)
    assert any(not torch.allclose(colours.train.batch([0])[0][0], black.expand(3, 32, 32)) for _ in range(9))
    assert colours.dataset.digest == tasks.digest("cifar10", tmp_path)


class Chosen:
    """Draws that are given: a pair of the policy, chances, a sign."""

    def __init__(self, pair: int, *chances: float, sign: int = 1) -> None:
        self.pair, self.chances, self.signs, self.given = pair, list(chances), 0, sign

    def index(self, count: int) -> int:
        assert count == 25
        return self.pair

    def chance(self) -> float:
        return self.chances.pop(0)

    def sign(self) -> int:
        self.signs += 1
        return self.given


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def test_there_are_25_pairs_of_known_operations() -> None:
    assert len(POLICY) == 25
    steps = [step for pair in POLICY for step in pair]
    assert {step.operation for step in steps} <= OPERATIONS.keys()
    assert all(0 <= step.level <= 9 and 0 <= step.probability <= 1 for step in steps)
    assert set(SIGNED) < OPERATIONS.keys()
    assert {name for name, (_, magnitudes) in OPERATIONS.items() if len(magnitudes) != 10} == set()
    assert sum(step.probability for step in steps) == pytest.approx(26.5)  # of the published list, added up


@pytest.mark.parametrize("pair", range(25))
def test_a_pair_does_its_first_operation_then_its_second(pair: int, picture: Image.Image) -> None:
    first, second = POLICY[pair]
    for chances in ((0.0, 0.0), (0.0, 0.999), (0.999, 0.0), (0.999, 0.999)):
        draws = Chosen(pair, *chances, sign=-1)
        done = [step for step, chance in zip((first, second), chances, strict=True) if chance < step.probability]
        expected = picture
        for step in done:
            expected = operate(expected, step.operation, OPERATIONS[step.operation][1][step.level], -1)
        assert np.array_equal(policy(picture, draws), expected)
        assert draws.signs == sum(step.operation in SIGNED for step in done)
        assert not draws.chances


def test_operations_by_hand(picture: Image.Image) -> None:
    pixels = np.array(picture)
    assert np.array_equal(operate(picture, "invert", 0, 1), 255 - pixels)
    assert np.array_equal(operate(picture, "posterize", 4, 1), pixels & 0xF0)
    assert np.array_equal(operate(picture, "solarize", 100.0, 1), np.where(pixels >= 100, 255 - pixels, pixels))
    assert np.array_equal(operate(picture, "solarize", 256.0, 1), pixels)
    moved = np.array(operate(picture, "translateX", 0.25, 1))
    assert np.array_equal(moved[:, :24], pixels[:, 8:])
    assert (moved[:, 24:] == 128).all()
    moved = np.array(operate(picture, "translateY", 0.25, -1))
    assert np.array_equal(moved[8:], pixels[:24])
    assert (moved[:8] == 128).all()
    assert (np.array(operate(picture, "rotate", 30.0, 1))[0, 0] == 128).all()
    for name in ("shearX", "shearY", "rotate", "color", "contrast", "sharpness", "brightness"):
        assert np.array_equal(operate(picture, name, 0.0, 1), pixels), name
    assert np.array(operate(picture, "brightness", 0.9, -1)).mean() < 0.2 * pixels.mean()


def test_a_hole_is_cut_at_the_border() -> None:
    image = torch.ones(3, 32, 32)
    assert cutout(image, 16, 16, 16).sum() == 3 * (1024 - 256)
    assert cutout(image, 16, 0, 31).sum() == 3 * (1024 - 8 * 9)
    assert cutout(image, 16, 3, 16)[:, :11, 8:24].sum() == 0
    assert image.sum() == 3 * 1024, "the image itself stays"


def test_all_of_it_follows_torchs_generator() -> None:
    change = crop_flip_policy_cutout()
    image = torch.randint(1, 256, (3, 32, 32), dtype=torch.uint8)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(change(image))
    assert found[0].dtype == torch.uint8
    assert found[0].shape == image.shape
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    torch.manual_seed(3)
    draws = TorchDraws()
    assert {draws.sign() for _ in range(40)} == {-1, 1}
    assert {draws.index(3) for _ in range(60)} == {0, 1, 2}
