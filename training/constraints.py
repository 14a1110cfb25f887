"""What is done to weights after an update, without gradients."""

from __future__ import annotations

from torch import nn

from models.ttfs.networks import weighted


def fixed_signs(network: nn.Module) -> None:
    """Weights whose sign is not the one that their layer holds (models.ttfs.layers.Weighted) become 0.

    ValueError for a network in which no layer holds signs.
    """
    layers = [layer for layer in weighted(network) if layer.signs is not None]
    if not layers:
        raise ValueError(
            "No layer of this network holds signs; build it with fixed_signs=True, or leave out the constraint."
        )
    for layer in layers:
        layer.keep_signs()


def weight_range(network: nn.Module, *, low: float, high: float) -> None:
    """Every parameter is clipped to [low, high]. ValueError for an empty range."""
    if not low < high:
        raise ValueError(f"Weights cannot be kept within [{low}, {high}]; give low < high.")
    for parameter in network.parameters():
        parameter.clamp_(low, high)
