"""Average precision of a detector, as the Pascal VOC challenge computes it since 2010: the area under the envelope of
precision over recall, all points.

Detections of a class are ranked by falling score, in their own order among equals. One hits the object of its class and
picture that it overlaps most (the first of equals), if the overlap (intersection over union) is large enough and no
detection before it has hit that object; else it is a miss. One on a difficult object is neither. A box begins with its
left, top pixel and ends with its right, lower one: it is right - left + 1 wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tasks import Boxes, Target

from . import distributed
from .measures import AnswerMeasure

OVERLAP = 0.5
LEVEL = 0.95
RESAMPLES = 1000
TOGETHER = 50  # resamples that are computed at once: decides the memory alone
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Marks:
    """Boxes in pictures: `picture` [K] counts from 0, `kind` [K] is the class, `box` [K, 4] the left, top, right and
    lower edge in pixels. `value` [K]: the score of a detection; of an object 1 if it is difficult, else 0."""

    picture: NDArray[np.int64]
    kind: NDArray[np.int64]
    box: Array
    value: Array


@dataclass(frozen=True)
class Ranking:
    """The detections of a class that count, by rank: their picture [K], whether it is a hit [K]; and how many objects
    of each picture [pictures] are to be found, those that are not difficult."""

    picture: NDArray[np.int64]
    hit: NDArray[np.bool_]
    objects: NDArray[np.int64]


def rankings(found: Marks, objects: Marks, *, pictures: int, classes: int, overlap: float = OVERLAP) -> list[Ranking]:
    """The ranking of each class; `found` are the detections and `objects` the truth."""
    order = np.argsort(-found.value, kind="stable")
    picture, kind, box = found.picture[order], found.kind[order], found.box[order]
    met, best = _met(picture * classes + kind, box, objects.picture * classes + objects.kind, objects.box)
    difficult = objects.value.astype(bool)
    enough = best >= overlap
    passed = enough & difficult[met] if len(difficult) else np.zeros(len(met), bool)
    hit = np.zeros(len(met), bool)
    claims = np.flatnonzero(enough & ~passed)
    _, first = np.unique(met[claims], return_index=True)
    hit[claims[first]] = True
    result = []
    for one in range(classes):
        mine = np.flatnonzero((kind == one) & ~passed)
        wanted = objects.picture[(objects.kind == one) & ~difficult]
        result.append(Ranking(picture[mine], hit[mine], np.bincount(wanted, minlength=pictures)))
    return result


def _met(of: NDArray[np.int64], box: Array, group: NDArray[np.int64], target: Array) -> tuple[NDArray[np.int64], Array]:
    """Of each box [K, 4] in group `of` [K] the target [L, 4] of the same `group` [L] that it overlaps most and by how
    much; -1 and 0 where its group has none."""
    order = np.argsort(group, kind="stable")
    start, end = (np.searchsorted(group[order], of, side) for side in ("left", "right"))
    many = end - start
    mine = np.repeat(np.arange(len(of)), many)
    begin = np.cumsum(many) - many
    theirs = order[np.arange(len(mine)) - begin[mine] + start[mine]]
    shared = overlaps(box[mine], target[theirs])
    met, best = np.full(len(of), -1), np.zeros(len(of))
    some = np.flatnonzero(many)
    if len(some):
        best[some] = np.maximum.reduceat(shared, begin[some])
        largest = np.flatnonzero(shared == best[mine])
        which, first = np.unique(mine[largest], return_index=True)
        met[which] = theirs[largest[first]]
    return met, best


def overlaps(a: Array, b: Array) -> Array:
    """Intersection over union of boxes [K, 4] with those beside them [K, 4]."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]) + 1
    common = np.prod(np.maximum(sides, 0), axis=1)
    areas = [np.prod(x[:, 2:] - x[:, :2] + 1, axis=1) for x in (a, b)]
    return common / (areas[0] + areas[1] - common)


def precision(ranking: Ranking, weights: Array | None = None) -> Array:
    """Average precision [B] of a class when picture i is there `weights[b, i]` times [B, pictures], once by default;
    NaN where there is no object.

    Of copies of a picture the detections follow each other in rank, so the best precision is that after the last copy.
    """
    if weights is None:
        weights = np.ones((1, len(ranking.objects)))
    last = np.flatnonzero(ranking.hit)
    end = last[-1] + 1 if len(last) else 0  # what comes after the last hit changes nothing
    of_all = weights[:, ranking.picture[:end]]
    ranks = np.cumsum(of_all, axis=1)[:, last]
    of_hits = of_all[:, last]
    hits = np.cumsum(of_hits, axis=1)
    points = np.divide(hits, ranks, out=np.zeros_like(hits), where=ranks > 0)
    envelope = np.maximum.accumulate(points[:, ::-1], axis=1)[:, ::-1]
    objects = weights @ ranking.objects
    area = (of_hits * envelope).sum(1)
    return np.divide(area, objects, out=np.full(len(weights), np.nan), where=objects > 0)


def mean(by_class: Array) -> Array:
    """Mean over the classes [classes, ...] that have objects; NaN where none has."""
    known = ~np.isnan(by_class)
    total, count = np.where(known, by_class, 0.0).sum(0), known.sum(0)
    return np.divide(total, count, out=np.full_like(total, np.nan, dtype=float), where=count > 0)


def intervals(of_classes: list[Ranking], seed: int = 0) -> Array:
    """95 % intervals [1 + classes, 2] of the mean over the classes and of each class, by resampling the pictures.

    Percentiles of RESAMPLES resamples, the same ones for all classes, of each class those in which it has objects; NaN
    where there are none, or fewer than two pictures. (scipy.stats.bootstrap has no place for a value that is missing in
    some resamples, as that of a rare class.)
    """
    pictures = len(of_classes[0].objects)
    ends = np.full((1 + len(of_classes), 2), np.nan)
    if pictures < 2:
        return ends
    generator = np.random.default_rng(seed)
    parts = []
    for _ in range(RESAMPLES // TOGETHER):
        weights = generator.multinomial(pictures, np.full(pictures, 1 / pictures), TOGETHER).astype(float)
        each = np.stack([precision(ranking, weights) for ranking in of_classes])
        parts.append(np.concatenate([mean(each)[None], each]))
    found = np.concatenate(parts, axis=1)
    known = ~np.isnan(found).all(1)
    ends[known] = np.nanquantile(found[known], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1).T
    return ends


class AveragePrecision(AnswerMeasure):
    """The mean over classes of the average precision at an overlap of 0.5.

    It needs predictions [N, D, 6], rows of left, top, right and lower edge in pixels, class and score, filled up with
    rows of -1 (`training.yolo_decision`), and the labels of a task of boxes.
    """

    name = "average_precision"
    unit = "fraction"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if not isinstance(target, Boxes):
            raise ValueError(
                f"Average precision needs a task of boxes, and this one has {target}; name other measures."
            )
        self.classes = target.count
        self.pictures = 0
        self.parts: list[tuple[Marks, Marks]] = []

    def update(self, outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
        self.parts.append((self._marks(predictions), self._marks(labels)))
        self.pictures += len(labels)

    def _marks(self, rows: Tensor) -> Marks:
        """The rows [N, K, 6] that hold a box."""
        every = rows.detach().cpu().double().numpy()
        picture, place = np.nonzero(every[:, :, 4] >= 0)
        found = every[picture, place]
        return Marks(picture + self.pictures, found[:, 4].astype(np.int64), found[:, :4], found[:, 5])

    def rankings(self) -> list[Ranking]:
        """The ranking of each class over all batches, in a group of processes over those of all."""
        parts, pictures = [], 0
        for theirs, count in distributed.gather((self.parts, self.pictures)):
            parts += [tuple(_moved(marks, pictures) for marks in pair) for pair in theirs]
            pictures += count
        found, objects = (_joined([part[i] for part in parts]) for i in range(2))
        return rankings(found, objects, pictures=pictures, classes=self.classes)

    def value(self) -> float:
        return float(mean(np.stack([precision(ranking) for ranking in self.rankings()]))[0])


def _moved(marks: Marks, by: int) -> Marks:
    return Marks(marks.picture + by, marks.kind, marks.box, marks.value)


def _joined(parts: list[Marks]) -> Marks:
    if not parts:
        return Marks(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    return Marks(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("picture", "kind", "box", "value"))
    )
