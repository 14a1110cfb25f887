"""The checks of the FPTT reference vectors by family; each part of the work keeps its own in a file."""

from __future__ import annotations

from collections.abc import Callable

import golden_fptt_detection

CHECKS: dict[str, Callable[..., None]] = {
    **golden_fptt_detection.CHECKS,
}
