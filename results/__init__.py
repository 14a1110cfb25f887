"""The results room: the store of measured and published values.

    from results import Store, default_url
    with Store(default_url()) as store:
        store.record(run)
    results.frame("results/spikebench.db", "curves")  # for pandas, docs/dataframes.md

Names are loaded when they are first used, so that importing this package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from papers.frames import frame
    from results.errors import StoreError
    from results.outcomes import OUTCOMES
    from results.run import (
        Dataset,
        Metric,
        Parity,
        Picture,
        Planned,
        Published,
        Raster,
        Run,
        Sample,
        StoredRun,
        canonical_json,
        content_key,
        new_id,
        timestamp,
    )
    from results.standing import Standing
    from results.store import DEFAULT_URL, Store, default_url
    from results.units import UNITS

_HOMES = {
    "results.errors": ("StoreError",),
    "results.outcomes": ("OUTCOMES",),
    "results.run": (
        "Dataset",
        "Metric",
        "Parity",
        "Picture",
        "Planned",
        "Published",
        "Raster",
        "Run",
        "Sample",
        "StoredRun",
        "canonical_json",
        "content_key",
        "new_id",
        "timestamp",
    ),
    "results.standing": ("Standing",),
    "results.store": ("DEFAULT_URL", "Store", "default_url"),
    "results.units": ("UNITS",),
    "papers.frames": ("frame",),  # asks for measures and verdicts, which this room does not know
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DEFAULT_URL",
    "OUTCOMES",
    "UNITS",
    "Dataset",
    "Metric",
    "Parity",
    "Picture",
    "Planned",
    "Published",
    "Raster",
    "Run",
    "Sample",
    "Standing",
    "Store",
    "StoreError",
    "StoredRun",
    "canonical_json",
    "content_key",
    "default_url",
    "frame",
    "new_id",
    "timestamp",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'results' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
