"""The boxes that a YOLO detector finds in a picture (FPTT, spec section 4.6)."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_convert

from tasks import boxes

from . import yolo


def found(outputs: Tensor, *, threshold: float, overlap: float) -> list[Tensor]:
    """Of each picture the detections [D, 6] by falling score: corners as shares of the picture, class and score.

    The score of a row of `outputs` [N, R, 5 + classes] is its objectness times its likeliest class, of equal ones the
    first. Rows below `threshold` are no detections, nor is one that overlaps a better one of its class by more than
    `overlap`.
    """
    told = yolo.decode(outputs)
    likeliest, kind = told.classes.max(-1)
    score = told.objectness * likeliest
    corners = box_convert(told.box, "cxcywh", "xyxy")
    result = []
    for picture in range(len(outputs)):
        rows = (score[picture] >= threshold).nonzero().flatten()
        best = batched_nms(corners[picture, rows], score[picture, rows], kind[picture, rows], overlap)
        kept = rows[best]
        of_kept = (kind[picture, kept].to(score.dtype), score[picture, kept])
        result.append(torch.cat([corners[picture, kept], torch.stack(of_kept, 1)], 1))
    return result


def yolo_decision(outputs: Tensor, *, threshold: float = 0.001, overlap: float = 0.5) -> Tensor:
    """The detections [N, D, 6] of the last step of `outputs` [T, N, R, 5 + classes], as AveragePrecision takes them.

    A row holds left, top, right and lower pixel, cut off at the edges of the picture, class and score. The defaults are
    those with which the work measures average precision.
    """
    side = yolo.side(outputs.shape[2])
    pixels = []
    for rows in found(outputs[-1].float(), threshold=threshold, overlap=overlap):
        corners = (rows[:, :4] * side).clamp(0, side)
        corners[:, 2:] -= 1  # a box ends with its last pixel
        pixels.append(torch.cat([corners, rows[:, 4:]], 1).tolist())
    return boxes.table(pixels).to(outputs.device)
