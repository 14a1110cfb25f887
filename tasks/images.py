"""Static images held in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from tasks.task import Indices, Split


class ImageSplit(Split):
    """Images `[N, C, H, W]` (uint8) that are divided by `scale` and normalised by `(x - mean) / std` per channel.

    `augment` maps one uint8 image `[C, H, W]` to another and is called once per sample.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        scale: float = 255.0,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self.images, self.labels, self.scale, self.augment = images, labels, scale, augment
        self.mean = torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32).view(-1, 1, 1)

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        x = self.images[indices]
        if self.augment is not None and len(x):
            x = torch.stack([self.augment(image) for image in x])
        return x.float().div_(self.scale).sub_(self.mean).div_(self.std), self.labels[indices]

    def subset(self, indices: Indices) -> ImageSplit:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        part = object.__new__(ImageSplit)
        part.__dict__.update(self.__dict__, images=self.images[indices], labels=self.labels[indices])
        return part


def as_tensors(images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 images and int64 labels as tensors that own their memory."""
    return torch.from_numpy(np.array(images, np.uint8)), torch.from_numpy(np.array(labels, np.int64))
