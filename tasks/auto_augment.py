"""The CIFAR-10 policy of AutoAugment and Cutout, as T2FSNN has them (spec section 7.1).

The operations act on PIL images as in that release, so that grey levels are the same. Random numbers come from torch's
global generator, or from whatever is given as `Draws`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from tasks.augment import Augment, transforms

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = 128


class Draws(Protocol):
    """Random numbers."""

    def index(self, count: int) -> int:
        """A whole number from 0 to `count` - 1."""

    def chance(self) -> float:
        """A number in [0, 1)."""

    def sign(self) -> int:
        """-1 or 1."""


class TorchDraws:
    """Draws of torch's global generator."""

    def index(self, count: int) -> int:
        return int(torch.randint(count, ()))

    def chance(self) -> float:
        return float(torch.rand(()))

    def sign(self) -> int:
        return 2 * self.index(2) - 1


Operation = Callable[["Image", float, int], "Image"]  # of an image, a magnitude and a sign


def _affine(image: Image, matrix: tuple[float, ...], bicubic: bool) -> Image:
    from PIL import Image as pil

    how = pil.Resampling.BICUBIC if bicubic else pil.Resampling.NEAREST
    return image.transform(image.size, pil.Transform.AFFINE, matrix, how, fillcolor=(GREY,) * 3)


def _rotate(image: Image, degrees: float, sign: int) -> Image:
    """The corners that come free are grey."""
    from PIL import Image as pil

    turned = image.convert("RGBA").rotate(degrees * sign)
    return pil.composite(turned, pil.new("RGBA", turned.size, (GREY,) * 4), turned).convert(image.mode)


def _enhanced(kind: str) -> Operation:
    """By a factor of 1 + sign * magnitude."""

    def operation(image: Image, magnitude: float, sign: int) -> Image:
        from PIL import ImageEnhance

        return getattr(ImageEnhance, kind)(image).enhance(1 + magnitude * sign)

    return operation


def _plain(kind: str, magnitude_type: type | None = None) -> Operation:
    """A function of PIL.ImageOps, with the magnitude where it takes one."""

    def operation(image: Image, magnitude: float, sign: int) -> Image:
        from PIL import ImageOps

        arguments = () if magnitude_type is None else (magnitude_type(magnitude),)
        return getattr(ImageOps, kind)(image, *arguments)

    return operation


def _evenly(first: float, last: float) -> tuple[float, ...]:
    return tuple(first + (last - first) * k / 9 for k in range(10))


NONE = (0.0,) * 10
SIGNED = ("shearX", "shearY", "translateX", "translateY", "rotate", "color", "contrast", "sharpness", "brightness")
OPERATIONS: dict[str, tuple[Operation, tuple[float, ...]]] = {
    "shearX": (lambda i, m, s: _affine(i, (1, m * s, 0, 0, 1, 0), True), _evenly(0, 0.3)),
    "shearY": (lambda i, m, s: _affine(i, (1, 0, 0, m * s, 1, 0), True), _evenly(0, 0.3)),
    "translateX": (lambda i, m, s: _affine(i, (1, 0, m * i.size[0] * s, 0, 1, 0), False), _evenly(0, 150 / 331)),
    "translateY": (lambda i, m, s: _affine(i, (1, 0, 0, 0, 1, m * i.size[1] * s), False), _evenly(0, 150 / 331)),
    "rotate": (_rotate, _evenly(0, 30)),
    "color": (_enhanced("Color"), _evenly(0, 0.9)),
    "contrast": (_enhanced("Contrast"), _evenly(0, 0.9)),
    "sharpness": (_enhanced("Sharpness"), _evenly(0, 0.9)),
    "brightness": (_enhanced("Brightness"), _evenly(0, 0.9)),
    "posterize": (_plain("posterize", int), (8, 8, 7, 7, 6, 6, 5, 5, 4, 4)),
    "solarize": (_plain("solarize", float), _evenly(256, 0)),
    "autocontrast": (_plain("autocontrast"), NONE),
    "equalize": (_plain("equalize"), NONE),
    "invert": (_plain("invert"), NONE),
}


class Step(NamedTuple):
    """An operation at a level, one of its ten magnitudes, done with a probability."""

    operation: str
    level: int
    probability: float


POLICY: tuple[tuple[Step, Step], ...] = tuple(
    (Step(*first), Step(*second))
    for first, second in (
        (("invert", 7, 0.1), ("contrast", 6, 0.2)),
        (("rotate", 2, 0.7), ("translateX", 9, 0.3)),
        (("sharpness", 1, 0.8), ("sharpness", 3, 0.9)),
        (("shearY", 8, 0.5), ("translateY", 9, 0.7)),
        (("autocontrast", 8, 0.5), ("equalize", 2, 0.9)),
        (("shearY", 7, 0.2), ("posterize", 7, 0.3)),
        (("color", 3, 0.4), ("brightness", 7, 0.6)),
        (("sharpness", 9, 0.3), ("brightness", 9, 0.7)),
        (("equalize", 5, 0.6), ("equalize", 1, 0.5)),
        (("contrast", 7, 0.6), ("sharpness", 5, 0.6)),
        (("color", 7, 0.7), ("translateX", 8, 0.5)),
        (("equalize", 7, 0.3), ("autocontrast", 8, 0.4)),
        (("translateY", 3, 0.4), ("sharpness", 6, 0.2)),
        (("brightness", 6, 0.9), ("color", 8, 0.2)),
        (("solarize", 2, 0.5), ("invert", 3, 0.0)),
        (("equalize", 0, 0.2), ("autocontrast", 0, 0.6)),
        (("equalize", 8, 0.2), ("equalize", 4, 0.6)),
        (("color", 9, 0.9), ("equalize", 6, 0.6)),
        (("autocontrast", 4, 0.8), ("solarize", 8, 0.2)),
        (("brightness", 3, 0.1), ("color", 0, 0.7)),
        (("solarize", 5, 0.4), ("autocontrast", 3, 0.9)),
        (("translateY", 9, 0.9), ("translateY", 9, 0.7)),
        (("autocontrast", 2, 0.9), ("solarize", 3, 0.8)),
        (("equalize", 8, 0.8), ("invert", 3, 0.1)),
        (("translateY", 9, 0.7), ("autocontrast", 1, 0.9)),
    )
)


def operate(image: Image, name: str, magnitude: float, sign: int) -> Image:
    """One operation on an RGB image; operations without a sign take no notice of it."""
    return OPERATIONS[name][0](image, magnitude, sign)


def policy(image: Image, draws: Draws) -> Image:
    """One of the 25 pairs of POLICY: its first operation or not, then its second or not."""
    for name, level, probability in POLICY[draws.index(len(POLICY))]:
        if draws.chance() < probability:
            sign = draws.sign() if name in SIGNED else 1
            image = operate(image, name, OPERATIONS[name][1][level], sign)
    return image


def cutout(image: torch.Tensor, length: int, y: int, x: int) -> torch.Tensor:
    """`image` [C, H, W] with 0 in the square of 2 (`length` // 2) around (y, x), as much of it as lies inside."""
    half = length // 2
    found = image.clone()
    found[:, max(0, y - half) : y + half, max(0, x - half) : x + half] = 0
    return found


def crop_flip_policy_cutout() -> Augment:
    """A uint8 image [3, 32, 32]: a crop after padding by 4 grey pixels, a flip half of the time, the policy, one Cutout
    of 16 pixels. The hole is black before the normalisation, so it is no silence."""
    import numpy as np
    from PIL import Image as pil

    v2 = transforms()
    first = v2.Compose([v2.RandomCrop(32, padding=4, fill=GREY), v2.RandomHorizontalFlip()])
    draws = TorchDraws()

    def change(image: torch.Tensor) -> torch.Tensor:
        picture = pil.fromarray(first(image).permute(1, 2, 0).numpy())
        changed = torch.from_numpy(np.array(policy(picture, draws))).permute(2, 0, 1)
        height, width = changed.shape[1:]
        return cutout(changed, 16, draws.index(height), draws.index(width))

    return change
