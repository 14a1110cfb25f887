"""The checks of the T2FSNN reference vectors by family; each part of the work keeps its own in a file."""

from __future__ import annotations

from collections.abc import Callable

import golden_ttfs_augment
import golden_ttfs_layers
import golden_ttfs_networks
import golden_ttfs_steps
import golden_ttfs_stopping
import golden_ttfs_training

CHECKS: dict[str, Callable[..., None]] = {
    **golden_ttfs_augment.CHECKS,
    **golden_ttfs_layers.CHECKS,
    **golden_ttfs_networks.CHECKS,
    **golden_ttfs_steps.CHECKS,
    **golden_ttfs_stopping.CHECKS,
    **golden_ttfs_training.CHECKS,
}
