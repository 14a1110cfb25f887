"""Random changes of training images (PLIF, spec section 3.1; PSN, spec section 2.1), drawn from torch's generator.

The originals apply those of single images to PIL images; here they act on tensors, with the same interpolation and
black fill, so single pixels may round differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tasks.errors import TaskError

Augment = Callable[[torch.Tensor], torch.Tensor]
Mix = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def affine() -> Augment:
    """MNIST: rotation within 30 degrees, translation up to 15 % of each axis, scale 0.85 to 1.11."""
    return transforms().RandomAffine(degrees=30, translate=(0.15, 0.15), scale=(0.85, 1.11))


def crop_and_flip() -> Augment:
    """CIFAR-10: a 32 x 32 crop after padding by 4 black pixels, then a horizontal flip half of the time."""
    v2 = transforms()
    return v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])


def flip_and_trivial() -> Augment:
    """CIFAR in the PSN work: a horizontal flip half of the time, then TrivialAugmentWide, bilinear, on uint8."""
    v2 = transforms()
    return v2.Compose([v2.RandomHorizontalFlip(), v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR)])


def erase() -> Augment:
    """CIFAR in the PSN work: one normalised image in ten has a rectangle of 2 to 33 % of it set to zero, the mean."""
    return transforms().RandomErasing(p=0.1)


def mixup_or_cutmix(classes: int) -> Mix:
    """CIFAR in the PSN work: Mixup (alpha 0.2) or CutMix (alpha 1), as likely, of every batch `[N, C, H, W]`.

    Each image meets the one before it in the batch, the first one the last. Labels `[N]` become `[N, classes]`,
    float32, and sum to 1.
    """
    v2 = transforms()
    return v2.RandomChoice([v2.MixUp(alpha=0.2, num_classes=classes), v2.CutMix(alpha=1.0, num_classes=classes)])


def crop_and_flip_frames(side: int) -> Augment:
    """CIFAR10-DVS in the PSN work: a crop after padding by 4 pixels and a flip half of the time, of all frames alike.

    That work reads the frames transposed (see `tasks.aedat2`), so its horizontal flip reverses the rows here.
    """
    v2 = transforms()
    return v2.Compose([v2.RandomCrop(side, padding=4), v2.RandomVerticalFlip()])


def transforms() -> Any:
    """torchvision.transforms.v2. Raises TaskError when torchvision does not import."""
    try:
        from torchvision.transforms import v2
    except (ImportError, RuntimeError) as error:  # the second when it was built for another PyTorch
        raise TaskError(
            f"Augmenting images needs torchvision, which does not import here ({error}). Install the version that "
            "belongs to this PyTorch, as in constraints.txt."
        ) from None
    return v2
