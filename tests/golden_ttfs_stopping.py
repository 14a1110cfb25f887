"""The check of the T2FSNN reference vectors of early stopping."""

from __future__ import annotations

from collections.abc import Callable

from golden_ttfs_layers import Arrays, Case

from papers.ttfs.protocols import stops


def check_stopping(case: Case, arrays: Arrays) -> None:
    assert case["params"]["patience"]
    for i, patience in enumerate(case["params"]["patience"]):
        assert stops(arrays[f"acc_{i}"].tolist(), patience) == arrays[f"stop_{i}"].tolist()


CHECKS: dict[str, Callable[..., None]] = {"early_stopping": check_stopping}
