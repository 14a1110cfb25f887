"""Random changes of training images (PLIF, spec section 3.1), drawn anew for each image from torch's generator.

The original applies them to PIL images; here they act on tensors, with the same nearest-neighbour sampling and black
fill, so single pixels may round differently.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Augment = Callable[[torch.Tensor], torch.Tensor]


def affine() -> Augment:
    """MNIST: rotation within 30 degrees, translation up to 15 % of each axis, scale 0.85 to 1.11."""
    from torchvision.transforms import v2

    return v2.RandomAffine(degrees=30, translate=(0.15, 0.15), scale=(0.85, 1.11))


def crop_and_flip() -> Augment:
    """CIFAR-10: a 32 x 32 crop after padding by 4 black pixels, then a horizontal flip half of the time."""
    from torchvision.transforms import v2

    return v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])
