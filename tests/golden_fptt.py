"""The checks of the FPTT reference vectors by family; each part of the work keeps its own in a file."""

from __future__ import annotations

from collections.abc import Callable

import golden_fptt_detection
import golden_fptt_neurons
import golden_fptt_training

CHECKS: dict[str, Callable[..., None]] = {
    **golden_fptt_detection.CHECKS,
    **golden_fptt_neurons.CHECKS,
    **golden_fptt_training.CHECKS,
}
