"""Checks of the FPTT reference vectors of the detector, one function a family; tolerances as published with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from training import average_precision as ap
from training.average_precision import Marks

Arrays = dict[str, np.ndarray]


def check_voc_map(case: dict[str, Any], arrays: Arrays) -> None:
    """All stored detections of VOC 2007 against all of its objects; in percentage points."""

    def marks(prefix: str, rank: np.ndarray) -> Marks:
        picture, kind = (arrays[f"{prefix}_{name}"].astype(np.int64) for name in ("image", "class"))
        return Marks(picture, kind, arrays[f"{prefix}_box"].astype(float), rank.astype(float))

    found, objects = marks("det", arrays["det_score_e4"]), marks("gt", arrays["gt_difficult"])
    names, pictures = case["classes"], int(max(found.picture.max(), objects.picture.max())) + 1
    for percent in (50, 75):
        expected = case.get(f"expected_ap{percent}")
        if expected is None:
            continue
        by_class = ap.rankings(found, objects, pictures=pictures, classes=len(names), overlap=percent / 100)
        values = 100 * np.stack([ap.precision(ranking) for ranking in by_class])
        np.testing.assert_allclose(values[:, 0], [expected[name] for name in names], atol=0.01, rtol=0)
        np.testing.assert_allclose(ap.mean(values)[0], case[f"expected_map{percent}"], atol=0.01, rtol=0)
        if percent == 50 and "counts" in case:
            told = [case["counts"][name] for name in names]
            assert [int(r.objects.sum()) for r in by_class] == [count["gt"] for count in told]
            assert [int(r.hit.sum()) for r in by_class] == [count["true_positives"] for count in told]
            assert np.bincount(found.kind).tolist() == [count["detections"] for count in told]


CHECKS: dict[str, Callable[..., None]] = {"voc_map": check_voc_map}
