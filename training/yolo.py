"""The head of a YOLO detector with two grids, and what its outputs say of a picture (FPTT, spec section 4.6).

A picture is divided into s x s cells of 32 pixels, and into 2s x 2s of 16. Each cell has three anchors, sizes of boxes.
Outputs [..., R, 5 + classes] have a row for each of them, R = 15 s^2: first those of the coarse grid, anchor by anchor
and of each the cells line by line, then those of the fine one. A row holds centre, size, objectness and classes, before
the functions that make shares and probabilities of them.
"""

from __future__ import annotations

from functools import cache
from math import isqrt
from typing import NamedTuple

import torch
from torch import Tensor

STRIDE = 32  # pixels of a coarse cell
# Width and height of the anchors as shares of the picture: the work's, in pixels of a picture of 416.
ANCHORS = tuple((w / 416, h / 416) for w, h in ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319)))
OWNED = ((3, 4, 5), (1, 2, 3))  # the anchors of the coarse grid and of the fine one: 3 is of both, the first of none
FIELDS = 5  # of a row in front of its classes
PER_COARSE = 15  # rows for each coarse cell: three of its own and of the four fine ones in it


class Places(NamedTuple):
    """What the rows stand for: the left upper corner of the cell in cells [R, 2], cells in a line of its grid [R, 1],
    the anchor [R, 2]; and `begin`, the first row of each grid and the end."""

    corner: Tensor
    cells: Tensor
    anchor: Tensor
    begin: tuple[int, ...]


class Decoded(NamedTuple):
    """What rows say: `box` [..., R, 4] with centre, width and height as shares of the picture, and the probabilities
    `objectness` [..., R] and `classes` [..., R, classes], each class by itself."""

    box: Tensor
    objectness: Tensor
    classes: Tensor


def side(rows: int) -> int:
    """Pixels along a side of the picture that `rows` are about. ValueError for a number that no picture has."""
    cells = isqrt(rows // PER_COARSE)
    if not cells or PER_COARSE * cells**2 != rows:
        raise ValueError(
            f"The outputs have {rows} rows; a detector has {PER_COARSE} s^2, for a picture of s x s cells of {STRIDE} "
            "pixels."
        )
    return STRIDE * cells


def places(rows: int, device: torch.device) -> Places:
    """The places of so many rows; ValueError as in `side`."""
    return _places(side(rows) // STRIDE, device)


@cache
def _places(coarse: int, device: torch.device) -> Places:
    corners, cells, anchors, begin = [], [], [], [0]
    for owned, line in zip(OWNED, (coarse, 2 * coarse), strict=True):
        y, x = torch.meshgrid(*[torch.arange(line)] * 2, indexing="ij")
        corners.append(torch.stack([x, y], -1).flatten(0, 1).repeat(len(owned), 1))
        anchors.append(torch.tensor([ANCHORS[i] for i in owned]).repeat_interleave(line**2, 0))
        cells.append(torch.full((len(owned) * line**2, 1), line))
        begin.append(begin[-1] + len(cells[-1]))
    corner, per_line, anchor = (torch.cat(parts).float().to(device) for parts in (corners, cells, anchors))
    return Places(corner, per_line, anchor, tuple(begin))


def decode(outputs: Tensor) -> Decoded:
    """What outputs [..., R, 5 + classes] say."""
    corner, cells, anchor, _ = places(outputs.shape[-2], outputs.device)
    centre = (outputs[..., :2].sigmoid() + corner) / cells
    size = outputs[..., 2:4].exp() * anchor
    return Decoded(torch.cat([centre, size], -1), outputs[..., 4].sigmoid(), outputs[..., FIELDS:].sigmoid())
