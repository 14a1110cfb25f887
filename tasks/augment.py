"""Random changes of training images (PLIF, spec section 3.1), drawn anew for each image from torch's generator.

The original applies them to PIL images; here they act on tensors, with the same nearest-neighbour sampling and black
fill, so single pixels may round differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tasks.errors import TaskError

Augment = Callable[[torch.Tensor], torch.Tensor]


def affine() -> Augment:
    """MNIST: rotation within 30 degrees, translation up to 15 % of each axis, scale 0.85 to 1.11."""
    return _transforms().RandomAffine(degrees=30, translate=(0.15, 0.15), scale=(0.85, 1.11))


def crop_and_flip() -> Augment:
    """CIFAR-10: a 32 x 32 crop after padding by 4 black pixels, then a horizontal flip half of the time."""
    v2 = _transforms()
    return v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])


def _transforms() -> Any:
    try:
        from torchvision.transforms import v2
    except (ImportError, RuntimeError) as error:  # the second when it was built for another PyTorch
        raise TaskError(
            f"Augmenting images needs torchvision, which does not import here ({error}). Install the version that "
            "belongs to this PyTorch, as in constraints.txt."
        ) from None
    return v2
