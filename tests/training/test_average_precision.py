"""Average precision against a plain reading of the rules, one detection after the other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from tasks import Boxes, Classes
from training import average_precision as ap
from training.average_precision import AveragePrecision, Marks


def marks(*rows: tuple[float, ...]) -> Marks:
    """Rows of picture, class, left, top, right, lower, value."""
    table = np.array(rows, float).reshape(-1, 7)
    return Marks(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:6], table[:, 6])


def of_class(found: Marks, objects: Marks, pictures: int = 1, overlap: float = 0.5) -> float:
    (ranking,) = ap.rankings(found, objects, pictures=pictures, classes=1, overlap=overlap)
    return float(ap.precision(ranking)[0])


def drawn(generator: np.random.Generator, pictures: int, classes: int, many: int, levels: int) -> Marks:
    corner = generator.integers(0, 12, (many, 2))
    box = np.concatenate([corner, corner + generator.integers(0, 9, (many, 2))], axis=1).astype(float)
    picture, kind = (generator.integers(0, most, many) for most in (pictures, classes))
    return Marks(np.sort(picture), kind, box, generator.integers(0, levels, many).astype(float))


def plainly(found: Marks, objects: Marks, one: int, overlap: float) -> float:
    """The rules of the specification, word by word."""
    taken: set[int] = set()
    hits = misses = 0
    points = [(0.0, 0.0)]
    wanted = sum(k == one and not d for k, d in zip(objects.kind, objects.value, strict=True))
    for i in sorted(np.flatnonzero(found.kind == one), key=lambda i: -found.value[i]):  # sorted is stable
        best, met = -1.0, -1
        for j in np.flatnonzero((objects.kind == one) & (objects.picture == found.picture[i])):
            a, b = found.box[i], objects.box[j]
            w, h = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) + 1 for k in range(2))
            if w > 0 and h > 0:
                area = [(x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b)]
                shared = w * h / (sum(area) - w * h)
                if shared > best:
                    best, met = shared, j
        if best >= overlap and objects.value[met]:
            continue
        if best >= overlap and met not in taken:
            taken.add(met)
            hits += 1
        else:
            misses += 1
        points.append((hits / wanted if wanted else 0.0, hits / (hits + misses)))
    if not wanted:
        return float("nan")
    recalls = sorted({recall for recall, _ in points})
    return sum(
        (there - before) * max(p for recall, p in points if recall >= there) for before, there in pairwise(recalls)
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("overlap", [0.3, 0.5, 1.0])
def test_it_is_what_the_rules_say(seed: int, overlap: float) -> None:
    generator = np.random.default_rng(seed)
    found, objects = drawn(generator, 5, 3, 60, 6), drawn(generator, 5, 3, 14, 2)
    by_class = ap.rankings(found, objects, pictures=5, classes=3, overlap=overlap)
    expected = [plainly(found, objects, one, overlap) for one in range(3)]
    assert_allclose([ap.precision(ranking)[0] for ranking in by_class], expected, rtol=1e-12)


def test_a_picture_weighed_twice_counts_as_two_pictures() -> None:
    generator = np.random.default_rng(3)
    found, objects = drawn(generator, 3, 2, 40, 5), drawn(generator, 3, 2, 9, 2)
    weights = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])

    def copied(of: Marks, times: np.ndarray) -> Marks:
        pieces = [np.flatnonzero(of.picture == p) for p, n in enumerate(times) for _ in range(int(n))]
        chosen = np.concatenate(pieces)
        picture = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
        return Marks(picture, of.kind[chosen], of.box[chosen], of.value[chosen])

    for times in weights:
        direct = ap.rankings(copied(found, times), copied(objects, times), pictures=3, classes=2)
        weighed = ap.rankings(found, objects, pictures=3, classes=2)
        for a, b in zip(direct, weighed, strict=True):
            assert_allclose(ap.precision(b, times[None]), ap.precision(a), rtol=1e-12)


def test_hand_computed() -> None:
    objects = marks((0, 0, 0, 0, 9, 9, 0), (0, 0, 20, 20, 29, 29, 0))
    first, second = (0, 0, 0, 0, 9, 9), (0, 0, 20, 20, 29, 29)
    assert of_class(marks((*first, 0.9), (*second, 0.8)), objects) == 1
    assert of_class(marks((*first, 0.9)), objects) == 0.5
    assert of_class(marks((*first, 0.9), (*first, 0.8)), objects) == 0.5  # the second finds nothing new
    assert of_class(marks((0, 0, 50, 50, 59, 59, 0.9), (*first, 0.8)), objects) == 0.25
    assert of_class(marks((*first, 0.5), (0, 0, 50, 50, 59, 59, 0.5)), objects) == 0.5  # the first of equals
    assert of_class(marks((0, 0, 50, 50, 59, 59, 0.5), (*first, 0.5)), objects) == 0.25
    assert of_class(marks(), objects) == 0
    # Half of the width of ten pixels and all of the height: 50 of 100 pixels.
    assert of_class(marks((0, 0, 0, 0, 4, 9, 0.9)), objects) == 0.5
    assert of_class(marks((0, 0, 0, 0, 4, 8, 0.9)), objects) == 0


def test_what_is_difficult_is_neither_hit_nor_miss() -> None:
    plain, difficult = (0, 0, 0, 0, 9, 9, 0), (0, 0, 20, 20, 29, 29, 1)
    found = marks((0, 0, 20, 20, 29, 29, 0.9), (0, 0, 20, 20, 29, 29, 0.8), (0, 0, 0, 0, 9, 9, 0.7))
    assert of_class(found, marks(plain, difficult)) == 1
    assert np.isnan(of_class(found, marks(difficult)))


def test_classes_without_an_object_are_left_out_of_the_mean() -> None:
    assert ap.mean(np.array([[1.0], [np.nan], [0.5]])) == 0.75
    assert np.isnan(ap.mean(np.array([[np.nan]])))


def test_the_interval_resamples_pictures() -> None:
    generator = np.random.default_rng(5)
    objects, beside = drawn(generator, 40, 2, 90, 2), drawn(generator, 40, 2, 90, 50)
    box = np.concatenate([objects.box + generator.integers(0, 3, (90, 1)), beside.box])
    picture, kind = (np.concatenate([getattr(m, name) for m in (objects, beside)]) for name in ("picture", "kind"))
    found = Marks(picture, kind, box, generator.random(180))
    by_class = ap.rankings(found, objects, pictures=40, classes=2)
    ends = ap.intervals(by_class, seed=1)
    each = np.stack([ap.precision(ranking) for ranking in by_class])
    values = np.concatenate([ap.mean(each)[None], each])[:, 0]
    assert (ends[:, 0] < values).all()
    assert (values < ends[:, 1]).all()
    assert_allclose(ends, ap.intervals(by_class, seed=1))
    drawn_weights = generator.multinomial(40, np.full(40, 1 / 40), 2000).astype(float)
    low, high = np.quantile(ap.precision(by_class[0], drawn_weights), [0.025, 0.975])
    assert_allclose(ends[1], (low, high), atol=0.02)
    few = ap.rankings(found, objects, pictures=40, classes=2)
    one = [ap.Ranking(r.picture[:0], r.hit[:0], r.objects[:1]) for r in few]
    assert np.isnan(ap.intervals(one)).all()


def test_the_measure_takes_batches() -> None:
    generator = np.random.default_rng(2)
    labels, predictions = np.full((6, 3, 6), -1.0), np.full((6, 5, 6), -1.0)
    for rows, last in ((labels, np.zeros(6)), (predictions, np.linspace(0.2, 0.9, 6))):
        for i in range(6):
            corner = generator.integers(0, 4, 2)
            rows[i, 0] = [*corner, *(corner + 6), i % 2, last[i]]
    whole, cut = AveragePrecision(Boxes(2)), AveragePrecision(Boxes(2))
    x, y = torch.from_numpy(predictions).float(), torch.from_numpy(labels).float()
    whole.update(x, x, y)
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        cut.update(x[part], x[part, : 1 if part.start else 5], y[part])
    assert 0 < whole.value() < 1
    assert cut.value() == whole.value()
    assert np.isnan(AveragePrecision(Boxes(2)).value())
    with pytest.raises(ValueError, match="needs a task of boxes"):
        AveragePrecision(Classes(3))
