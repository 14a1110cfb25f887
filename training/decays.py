"""What is done to a network after each update, without gradients."""

from __future__ import annotations

from torch import nn

from neurons.current_based import DECAYS, PCuLIF


def decays(network: nn.Module, *, low: float = DECAYS[0], high: float = DECAYS[1]) -> None:
    """Keeps the decays that PCuLIF learns in its SuperSpike form in [low, high] (Liu et al. 2023, released code)."""
    for layer in network.modules():
        if isinstance(layer, PCuLIF) and layer.late:
            for parameter in (layer.p_m, layer.p_s):
                parameter.clamp_(low, high)
