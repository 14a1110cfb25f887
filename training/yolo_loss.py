"""The loss of a YOLO detector (FPTT, spec section 4.6)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_convert, box_iou

from . import yolo

OVERLAP = 0.5  # of a row with any box, from which it is no background
LEAST = 1e-6  # of what is divided by
CLIP = 1e-7  # least distance of a probability from 0 and 1


class Targets(NamedTuple):
    """Boxes to be found: `box` [N, M, 4] with centre and size as shares of the picture, `kind` [N, M] the class, -1 in
    rows without a box, and whether it is to be learned [N, M], which a difficult one is not."""

    box: Tensor
    kind: Tensor
    learned: Tensor


def targets(labels: Tensor, side: int) -> Targets:
    """The boxes of labels [N, M, 6], as tasks.Boxes has them, of pictures of `side` pixels; those of no box are 0."""
    there = labels[..., 4] >= 0
    first, last = labels[..., :2] / side, (labels[..., 2:4] + 1) / side
    box = torch.cat([(first + last) / 2, last - first], -1) * there[..., None]
    return Targets(box, labels[..., 4].long(), there & (labels[..., 5] != 1))


def rows_of(wanted: Targets, rows: int) -> Tensor:
    """The row of each grid that has to tell a box, [N, M, 2]; `rows` where there is none.

    A box belongs to the one anchor whose shape overlaps it most, and to the cell that its centre lies in, of each grid
    that owns this anchor.
    """
    shapes = torch.tensor(yolo.ANCHORS, device=wanted.box.device)
    size = wanted.box[..., None, 2:]
    common = torch.minimum(size, shapes).prod(-1)
    best = (common / (size.prod(-1) + shapes.prod(-1) - common)).argmax(-1)
    begin = yolo.places(rows, wanted.box.device).begin
    found = []
    for grid, owned in enumerate(yolo.OWNED):
        cells = yolo.side(rows) // yolo.STRIDE << grid
        x, y = (wanted.box[..., :2] * cells).long().unbind(-1)
        row = torch.full_like(best, rows)
        for place, anchor in enumerate(owned):
            here = begin[grid] + (place * cells + y) * cells + x
            row = torch.where(wanted.learned & (best == anchor), here, row)
        found.append(row)
    return torch.stack(found, -1)


class Parts(NamedTuple):
    """The loss of each grid [2], and the rows of it that have a box, at least 1 [2]."""

    loss: Tensor
    positives: Tensor


def parts(outputs: Tensor, labels: Tensor) -> Parts:
    """Sums over the rows of each grid; of several boxes in one row the last one counts, with the classes of all.

    Of rows with a box (1 - CIoU) (2 - w h), w and h of the box, and the cross-entropies of objectness and of each
    class; of rows without one the cross-entropy of objectness, unless the row overlaps some box by more than OVERLAP.
    """
    told = yolo.decode(outputs)
    pictures, rows, _ = outputs.shape
    wanted = targets(labels, yolo.side(rows))
    place = rows_of(wanted, rows)
    number = torch.arange(labels.shape[1], device=labels.device)[:, None].expand_as(place)
    owner = torch.full((pictures, rows + 1), -1, device=labels.device)  # the last row takes what belongs to none
    owner = owner.scatter_reduce(1, place.flatten(1), number.flatten(1), "amax")[:, :rows]
    mine = owner >= 0
    picture, row = mine.nonzero(as_tuple=True)
    box = wanted.box[picture, owner[picture, row]]
    together = (place[picture] == row[:, None, None]).any(-1)  # the boxes [K, M] of each row
    of_kind = F.one_hot(wanted.kind.clamp(min=0), told.classes.shape[-1]).bool()
    classes = (together[..., None] & of_kind[picture]).any(1).to(outputs.dtype)
    apart = 1 - ciou(told.box[picture, row], box)
    of_boxes = apart * (2 - box[:, 2] * box[:, 3])
    of_boxes = of_boxes + _entropy(told.classes[picture, row], classes).sum(1)
    with torch.no_grad():
        overlaps = torch.vmap(box_iou)(_corners(told.box), _corners(wanted.box))
        background = ~mine & ~(overlaps > OVERLAP).any(-1)
    of_rows = _entropy(told.objectness, mine.to(outputs.dtype)) * (mine | background)
    of_rows = of_rows.index_put((picture, row), of_boxes, accumulate=True)
    begin = yolo.places(rows, outputs.device).begin
    grids = [slice(*ends) for ends in pairwise(begin)]
    loss = torch.stack([of_rows[:, grid].sum() for grid in grids])
    positives = torch.stack([mine[:, grid].sum() for grid in grids])
    return Parts(loss, positives.clamp(min=1))


def yolo_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """The loss of the last step of `outputs` [T, N, R, 5 + classes] (training.yolo): that of both grids over the rows
    that have a box. `labels` as tasks.Boxes has them; a difficult box is neither to be found nor background."""
    found = parts(outputs[-1].float(), labels)
    return found.loss.sum() / found.positives.sum()


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU [K] of boxes [K, 4] with those beside them: IoU - (d / c)^2 - v^2 / (1 - IoU + v).

    d is the distance of their centres, c the diagonal of the least box around both, and v the square of 2 / pi times
    the difference of their arctan(w / h). torchvision's gives the same and takes v / (1 - IoU + v) for a constant in
    the gradient, which the work does not.
    """
    first, second = _corners(a), _corners(b)
    common = _size(torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])).prod(-1)
    union = a[:, 2:].prod(-1) + b[:, 2:].prod(-1) - common
    iou = common / union.clamp(min=LEAST)
    around = _size(torch.minimum(first[:, :2], second[:, :2]), torch.maximum(first[:, 2:], second[:, 2:]))
    distance = (a[:, :2] - b[:, :2]).square().sum(-1) / around.square().sum(-1).clamp(min=LEAST)
    angle, other = (torch.atan2(box[:, 2], box[:, 3].clamp(min=LEAST)) for box in (a, b))
    v = (2 / torch.pi * (angle - other)).square()
    return iou - distance - v.square() / (1 - iou + v).clamp(min=LEAST)


def _size(first: Tensor, last: Tensor) -> Tensor:
    return (last - first).clamp(min=0)


def _entropy(probability: Tensor, target: Tensor) -> Tensor:
    """By hand, for PyTorch refuses its own under autocast."""
    p = probability.clamp(CLIP, 1 - CLIP)
    return -(target * p.log() + (1 - target) * (1 - p).log())


def _corners(box: Tensor) -> Tensor:
    return box_convert(box, "cxcywh", "xyxy")
