"""The checks of the first-spike reference vectors by kind; each part of the work keeps its own in a file."""

from __future__ import annotations

from collections.abc import Callable

import golden_first_spike_coding
import golden_first_spike_data
import golden_first_spike_networks
import golden_first_spike_neurons

CHECKS: dict[str, Callable[..., None]] = {
    **golden_first_spike_coding.CHECKS,
    **golden_first_spike_data.CHECKS,
    **golden_first_spike_networks.CHECKS,
    **golden_first_spike_neurons.CHECKS,
}
