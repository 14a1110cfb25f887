"""Images whose order, and part held out, a seed has drawn once and for all (T2FSNN, spec section 7).

The released code draws both together and then trains in this order in every epoch. `order` is the seed. Images are
normalised by `mean` and `std` of their set, or stay in [0, 1] with `normalised=False`, where a pixel is a spike in the
window. The digits, whose first and last ones are by different hands, are mixed before 1,437 train and 360 test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import cifar, digits, mnist
from tasks.errors import TaskError
from tasks.hashes import Progress
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.augment import Augment
    from tasks.images import ImageSplit
    from tasks.task import Task

TRAIN, TEST = 1437, 360  # of the digits
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)  # of both sets, as the release has it


def drawn(order: int, count: int) -> np.ndarray:
    """The places `[count]` of the samples in the order of this seed. TaskError for what is no seed."""
    import numpy as np

    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order < 2**32:
        raise TaskError(f"The order {order!r} was asked for; give a seed, a whole number from 0 to 2**32 - 1.")
    return np.random.RandomState(order).permutation(count)


def divided(train: ImageSplit, validation: float, places: np.ndarray) -> tuple[ImageSplit, ImageSplit | None]:
    """The samples in the order of `places` [N]; the last floor(N `validation`) of them are held out."""
    if not 0 <= validation < 1:
        raise TaskError(f"A validation part of {validation!r} was asked for; it must lie between 0 and 1.")
    held_out = int(len(places) * validation)
    if validation and not held_out:
        raise TaskError(f"A validation part of {validation} leaves no validation sample out of {len(places)}.")
    cut = len(places) - held_out
    return train.subset(places[:cut]), train.subset(places[cut:]) if held_out else None


def _load_digits(
    root: Path | None, cache: Path | None, *, validation: float = 0.0, order: int = 0, normalised: bool = True
) -> Task:
    import numpy as np

    from tasks.images import ImageSplit, as_tensors
    from tasks.task import Classes, DatasetInfo, Task

    images, labels, digest = digits.arrays()
    places = drawn(order, len(labels))
    images, labels = images[places], labels[places]
    known = images[:TRAIN] / digits.LEVELS
    mean, std = (known.mean(), known.std()) if normalised else (0.0, 1.0)
    split = ImageSplit(*as_tensors(images[:, None], labels), mean=[mean], std=[std], scale=digits.LEVELS)
    train, held_out = divided(split, validation, np.arange(TRAIN))
    info = DatasetInfo("shuffled_digits", _mixed(digest, order), counts={"train": TRAIN, "test": TEST})
    return Task("shuffled_digits", Classes(10), train, held_out, split.subset(range(TRAIN, TRAIN + TEST)), info)


def _mixed(digest: str, order: int) -> str:
    return hashlib.sha256(f"{digest} {TRAIN} {order}".encode()).hexdigest()


def _digest_of_digits(
    root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]
) -> str:
    return _mixed(digits.digest(), options.get("order", 0))


def _loader(
    name: str, source: Loader, mean: Sequence[float], std: Sequence[float], augment: str | None = None
) -> Loader:
    """The images of `source`, normalised so and in the order of a seed; of its augmentation nothing is kept."""

    def load(
        root: Path | None, cache: Path | None, *, validation: float = 0.0, order: int = 0, normalised: bool = True
    ) -> Task:
        import torch

        from tasks.images import ImageSplit

        task = source.load(root, cache)
        assert isinstance(task.train, ImageSplit)
        assert isinstance(task.test, ImageSplit)
        channels = len(mean)
        numbers = (mean, std) if normalised else ([0.0] * channels, [1.0] * channels)
        fixed = dict(zip(("mean", "std"), (torch.tensor(n).view(-1, 1, 1) for n in numbers), strict=True))
        train, held_out = divided(task.train.changed(augment=None, **fixed), validation, drawn(order, len(task.train)))
        return replace(
            task,
            name=name,
            train=train.changed(augment=_augment(augment)),
            validation=held_out,
            test=task.test.changed(augment=None, **fixed),
            dataset=replace(task.dataset, name=name),
        )

    return Loader(load, source.check, source.digest)


def _augment(name: str | None) -> Augment | None:
    if name is None:
        return None
    from tasks.auto_augment import crop_flip_policy_cutout

    return crop_flip_policy_cutout()


SHUFFLED_DIGITS = Loader(_load_digits, digest=_digest_of_digits)
SHUFFLED_MNIST = _loader("shuffled_mnist", mnist.MNIST, [0.1307], [0.3081])
SHUFFLED_FASHION_MNIST = _loader("shuffled_fashion_mnist", mnist.FASHION_MNIST, [0.2860], [0.3530])
SHUFFLED_CIFAR10 = _loader("shuffled_cifar10", cifar.CIFAR10, CIFAR_MEAN, CIFAR_STD, "policy")
SHUFFLED_CIFAR100 = _loader("shuffled_cifar100", cifar.CIFAR100, CIFAR_MEAN, CIFAR_STD, "policy")
