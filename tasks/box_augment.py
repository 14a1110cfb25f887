"""Random changes of pictures with boxes (FPTT, spec section 4.6), drawn from torch's generator.

Sizes, shares and probabilities are those of the detector's code. A saturation is changed as torchvision does it,
towards the grey of the picture, and not in the colour space of hue, saturation and value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tasks.augment import transforms

Sample = tuple[torch.Tensor, torch.Tensor]  # a picture, uint8 [3, side, side], and its boxes [M, 6]
JITTER = 0.3  # share by which width and height are changed against each other
SCALE = (0.25, 2.0)
HUE, SATURATION, VALUE = 0.1, 1.5, 1.5
CUT = (0.3, 0.7)  # where the four pictures of a mosaic meet, as a share of the side
GREY = 128
SMALLEST = 2.0  # pixels: a box of which less is left is no box any more


@dataclass(frozen=True)
class BoxAugment:
    """Changes size, shape, place and colours of a picture and mirrors half of them; with `mosaic` half of the pictures
    are made of four, each of which is changed so."""

    mosaic: bool = True

    def __call__(self, sample: Sample, another: Callable[[], Sample]) -> Sample:
        """`another` draws one more sample."""
        if self.mosaic and _drawn() < 0.5:
            return coloured(four([jittered(one) for one in (sample, another(), another(), another())]))
        return coloured(jittered(sample))


def jittered(sample: Sample) -> Sample:
    """The picture at another size and shape somewhere on a grey one of the same side, mirrored half of the time."""
    image, boxes = sample
    side = image.shape[-1]
    shape = _drawn(1 - JITTER, 1 + JITTER) / _drawn(1 - JITTER, 1 + JITTER)
    scale = _drawn(*SCALE) * side
    width, height = (round(part) for part in ((scale * shape, scale) if shape < 1 else (scale, scale / shape)))
    width, height = max(1, width), max(1, height)
    left, top = round(_drawn() * (side - width)), round(_drawn() * (side - height))
    functional = transforms().functional
    smaller = functional.resize(image, [height, width], antialias=True)
    canvas = torch.full_like(image, GREY)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(side, left + width), min(side, top + height)
    canvas[:, y0:y1, x0:x1] = smaller[:, y0 - top : y1 - top, x0 - left : x1 - left]
    moved = boxes.clone()
    across, down = width / side, height / side
    for first, last, factor, shift in ((0, 2, across, left), (1, 3, down, top)):
        moved[:, first] = boxes[:, first] * factor + shift
        moved[:, last] = (boxes[:, last] + 1) * factor + shift - 1
    if _drawn() < 0.5:
        canvas = canvas.flip(-1)
        moved[:, [0, 2]] = side - 1 - moved[:, [2, 0]]
    return canvas, clipped(moved, 0, 0, side, side)


def four(samples: list[Sample]) -> Sample:
    """One picture whose quarters are those of four, which meet at a random point."""
    side = samples[0][0].shape[-1]
    x, y = (round(_drawn(*CUT) * side) for _ in range(2))
    canvas = torch.empty_like(samples[0][0])
    found = []
    corners = ((0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side))
    for (image, boxes), (x0, y0, x1, y1) in zip(samples, corners, strict=True):
        canvas[:, y0:y1, x0:x1] = image[:, y0:y1, x0:x1]
        found.append(clipped(boxes, x0, y0, x1, y1))
    return canvas, torch.cat(found)


def coloured(sample: Sample) -> Sample:
    """Another hue, saturation and brightness."""
    image, boxes = sample
    functional = transforms().functional
    image = functional.adjust_hue(image, _drawn(-HUE, HUE))
    image = functional.adjust_saturation(image, _factor(SATURATION))
    return functional.adjust_brightness(image, _factor(VALUE)), boxes


def clipped(boxes: torch.Tensor, left: int, top: int, right: int, lower: int) -> torch.Tensor:
    """What of the boxes [M, 6] lies within pixels `left` to `right` - 1 and `top` to `lower` - 1; a box of which next
    to nothing does is left out."""
    kept = boxes.clone()
    kept[:, [0, 2]] = boxes[:, [0, 2]].clamp(left, right - 1)
    kept[:, [1, 3]] = boxes[:, [1, 3]].clamp(top, lower - 1)
    inside = (torch.minimum(boxes[:, 2:4], boxes.new_tensor([right - 1, lower - 1])) + 1) - torch.maximum(
        boxes[:, :2], boxes.new_tensor([left, top])
    )
    return kept[(inside >= SMALLEST).all(1)]


def _drawn(low: float = 0.0, high: float = 1.0) -> float:
    """Uniform between `low` and `high`."""
    return low + (high - low) * float(torch.rand(()))


def _factor(most: float) -> float:
    """From 1 to `most` or, as likely, its inverse."""
    factor = _drawn(1, most)
    return factor if _drawn() < 0.5 else 1 / factor
