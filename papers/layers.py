"""Metrics that each spiking layer has one of, such as rate_conv.2: the metric and the layer, as the network names it.

Results from before layers were named have the number of the layer in that place: rate_0, rate_1 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RATE = "rate"  # where it is measured at all, every layer has one


def of_layers(names: Iterable[str], metric: str) -> list[str]:
    """Those of the metrics `names` that are `metric` of a layer, in the order of the layers."""
    names = list(names)
    layers = {layer for name in names if (layer := _layer(name, RATE))}
    found = [name for name in names if (layer := _layer(name, metric)) and (layer in layers or not layers)]
    return sorted(found, key=lambda name: _order(_layer(name, metric)))


def called(name: str, metric: str) -> str:
    """The layer of a metric, as it is called on a page."""
    layer = _layer(name, metric)
    return f"layer {int(layer) + 1}" if layer.isdecimal() else layer


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts by the numbers in names: conv.2 before conv.10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _layer(name: str, metric: str) -> str:
    return name.removeprefix(f"{metric}_") if name.startswith(f"{metric}_") else ""


def _order(layer: str) -> list[tuple[bool, list[tuple[int, str]]]]:
    """Layers by their names, part by part; a named one comes before the blocks beside it: sn1, sn2, downsample.2."""
    *blocks, last = layer.split(".")
    return [*((not block.isdecimal(), natural(block)) for block in blocks), (False, natural(last))]
