"""Images as they are, grey levels in [0, 1], for networks that read them pixel by pixel, row by row, or all at once.

No normalisation and no augmentation (Yin et al. 2023). With `permutation`, a seed, the pixels of every image are
rearranged by one random order, so that whoever reads them one after the other meets distant ones as neighbours: the
work's permuted sequential MNIST. Its order is not recorded; here the seed names it and the digest contains it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import digits, mnist
from tasks.errors import TaskError
from tasks.hashes import Progress
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.images import ImageSplit
    from tasks.task import Split, Task


def order(seed: int, pixels: int) -> np.ndarray:
    """The place `[pixels]` of the original that each pixel of a rearranged image shows."""
    import numpy as np

    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise TaskError(f"The permutation {seed!r} was asked for; give a seed, a whole number from 0 to 2**32 - 1.")
    return np.random.RandomState(seed).permutation(pixels)


def _plain(split: Split, places: np.ndarray | None) -> ImageSplit:
    """The split with pixels in [0, 1], in the order of `places`."""
    import torch

    from tasks.images import ImageSplit

    assert isinstance(split, ImageSplit)
    images = split.images
    if places is not None:
        images = images.flatten(2)[:, :, torch.from_numpy(places)].view(images.shape)
    return split.changed(images=images, mean=torch.zeros(1, 1, 1), std=torch.ones(1, 1, 1), augment=None)


def _digest(of_images: str, permutation: int | None, side: int) -> str:
    """The digest of the images and of the order of their pixels."""
    if permutation is None:
        return of_images
    places = order(permutation, side * side).astype("<i8").tobytes()
    return hashlib.sha256(of_images.encode() + places).hexdigest()


def _loader(name: str, source: Loader, side: int) -> Loader:
    """The same images as `source` has, plain."""

    def load(root: Path | None, cache: Path | None, *, validation: float = 0.0, permutation: int | None = None) -> Task:
        task = source.load(root, cache, validation=validation)
        places = None if permutation is None else order(permutation, side * side)
        note = "" if permutation is None else f"Pixels rearranged, the same way in all images (seed {permutation})."
        return replace(
            task,
            name=name,
            train=_plain(task.train, places),
            validation=None if task.validation is None else _plain(task.validation, places),
            test=_plain(task.test, places),
            dataset=replace(
                task.dataset,
                name=name,
                digest=_digest(task.dataset.digest, permutation, side),
                note=" ".join(filter(None, (task.dataset.note, note))),
            ),
        )

    def digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
        assert source.digest is not None
        return _digest(source.digest(root, cache, progress, {}), options.get("permutation"), side)

    return Loader(load, source.check, digest)


PLAIN_DIGITS = _loader("plain_digits", digits.DIGITS, 8)
PLAIN_MNIST = _loader("plain_mnist", mnist.MNIST, mnist.SIDE)
PLAIN_FASHION_MNIST = _loader("plain_fashion_mnist", mnist.FASHION_MNIST, mnist.SIDE)
