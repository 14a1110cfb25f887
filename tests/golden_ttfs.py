"""The checks of the T2FSNN reference vectors by family; each part of the work keeps its own in a file."""

from __future__ import annotations

from collections.abc import Callable

import golden_ttfs_layers

CHECKS: dict[str, Callable[..., None]] = {**golden_ttfs_layers.CHECKS}
