"""Photographs with boxes, decoded as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from tasks.augment import transforms
from tasks.boxes import of_sample, table
from tasks.errors import DataDamaged
from tasks.jpegs import decode
from tasks.task import Indices, Split

Sample = tuple[torch.Tensor, torch.Tensor]  # a picture, uint8 [3, side, side], and its boxes [M, 6]
Change = Callable[[Sample, Callable[[], Sample]], Sample]  # of a sample, and what draws another one of the split


class Picture(NamedTuple):
    """The file of a picture, its width and height, and the boxes in it, as tasks.task.Boxes has them."""

    path: Path
    size: tuple[int, int]
    boxes: list[list[float]]


class PictureSplit(Split):
    """Pictures resized to `side` x `side` pixels, float32 `[N, 3, side, side]` from 0 to 1, and their boxes there.

    `change` changes each sample while it is a picture of bytes; it draws from torch's generator.
    """

    def __init__(self, pictures: Sequence[Picture], side: int, change: Change | None = None) -> None:
        self.pictures, self.side, self.change = list(pictures), side, change
        self.labels = table([resized(picture.boxes, picture.size, side) for picture in self.pictures])

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        samples = [self._changed(i) for i in torch.as_tensor(indices, dtype=torch.int64).tolist()]
        if not samples:
            return torch.zeros(0, 3, self.side, self.side), table([])
        x = torch.stack([image for image, _ in samples]).float().div_(255)
        return x, table([found.tolist() for _, found in samples])

    def subset(self, indices: Indices) -> PictureSplit:
        chosen = torch.as_tensor(indices, dtype=torch.int64).tolist()
        return PictureSplit([self.pictures[i] for i in chosen], self.side, self.change)

    def _changed(self, index: int) -> Sample:
        sample = self._read(index)
        if self.change is None:
            return sample
        return self.change(sample, lambda: self._read(int(torch.randint(len(self), ()))))

    def _read(self, index: int) -> Sample:
        path, size, _ = self.pictures[index]
        image = decode(str(path))
        if image.size != size:
            found = "{} x {}".format(*image.size)
            raise DataDamaged(path, "its size", f"{found} pixels, its annotation says {size[0]} x {size[1]}")
        image = transforms().functional.resize(image, [self.side, self.side])
        pixels = torch.from_numpy(np.array(image).transpose(2, 0, 1).copy())
        return pixels, of_sample(self.labels[index])


def resized(boxes: Sequence[Sequence[float]], size: tuple[int, int], side: int) -> list[list[float]]:
    """Boxes of a picture of `size` (width, height) in one of `side` x `side` pixels."""
    across, down = side / size[0], side / size[1]
    return [
        [left * across, top * down, (right + 1) * across - 1, (lower + 1) * down - 1, *rest]
        for left, top, right, lower, *rest in boxes
    ]
