"""Static images held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tasks.augment import Augment, Mix
from tasks.task import Indices, Split


class ImageSplit(Split):
    """Images `[N, C, H, W]` (uint8) that are divided by `scale` and normalised by `(x - mean) / std` per channel.

    In this order, `augment` changes each uint8 image `[C, H, W]`, `erase` each normalised image, and `mix` the batch
    and its labels.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        scale: float = 255.0,
        augment: Augment | None = None,
    ) -> None:
        self.images, self.labels, self.scale = images, labels, scale
        self.augment = augment
        self.erase: Augment | None = None
        self.mix: Mix | None = None
        self.mean = torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32).view(-1, 1, 1)

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        x = _each(self.augment, self.images[indices])
        x = _each(self.erase, x.float().div_(self.scale).sub_(self.mean).div_(self.std))
        labels = self.labels[indices]
        return (x, labels) if self.mix is None else self.mix(x, labels)

    def subset(self, indices: Indices) -> ImageSplit:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        return self.changed(images=self.images[indices], labels=self.labels[indices])

    def changed(self, **attributes: Any) -> ImageSplit:
        """The same split but for these attributes; what stays is shared."""
        other = object.__new__(ImageSplit)
        other.__dict__.update(self.__dict__, **attributes)
        return other


def _each(change: Augment | None, images: torch.Tensor) -> torch.Tensor:
    return torch.stack([change(image) for image in images]) if change and len(images) else images


def as_tensors(images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 images and int64 labels as tensors that own their memory."""
    return torch.from_numpy(np.array(images, np.uint8)), torch.from_numpy(np.array(labels, np.int64))
