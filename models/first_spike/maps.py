"""The convolutional networks for event cameras: each convolution and each pooling has neurons behind it.

The recurrent layer and the output have the same neurons, the others those of the factory. Spec: first_spike 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from core.registry import unknown

from .. import NeuronFactory
from ..layers import AvgPool2d, Conv2d, MaxPool2d
from .layers import EventNet, Output, answering, made, recurrent

POOLS: dict[str, Callable[[int], nn.Module]] = {"average": AvgPool2d, "max": MaxPool2d}
POOL = "P"
GESTURE_OUTPUT: Output = {"name": "culif", "tau_m": 60.0, "tau_s": 60.0, "v_threshold": 1.0}
PLANE_OUTPUT: Output = {"name": "culif", "tau_m": 40.0, "tau_s": 40.0, "v_threshold": 2.0}


def _network(
    neuron: NeuronFactory,
    *,
    T: int,
    empty: int,
    size: tuple[int, int],
    inputs: int,
    classes: int,
    channels: Sequence[int | str],
    first: tuple[int, int],
    hidden: int,
    pool: str,
    output: Output,
    potentials: bool,
) -> EventNet:
    """`first` are kernel and stride of the first convolution; the others have 3 and 1."""
    if pool not in POOLS:
        raise unknown("pooling", pool, POOLS)
    (height, width), (kernel, stride) = size, first
    conv: list[nn.Module] = []
    for entry in channels:
        if isinstance(entry, str):
            conv += [POOLS[pool](2), neuron((inputs, 1, 1))]
            height, width = height // 2, width // 2
            continue
        layer = Conv2d(inputs, entry, kernel, stride, padding=kernel // 2, bias=False)
        nn.init.xavier_uniform_(layer.weight)
        conv += [layer, neuron((entry, 1, 1))]
        height, width = -(-height // stride), -(-width // stride)
        inputs, kernel, stride = entry, 3, 1
    if not height * width:
        raise ValueError(f"The poolings leave nothing of {size[0]}x{size[1]} pixels; give larger pictures.")
    fc = [nn.Flatten(2), *recurrent(inputs * height * width, hidden, made(output))]
    fc += answering(hidden, classes, output, potentials)
    return EventNet(nn.Sequential(*conv), nn.Sequential(*fc), T, empty)


def gesture(
    neuron: NeuronFactory,
    *,
    T: int = 120,
    empty: int = 40,
    size: tuple[int, int] = (32, 32),
    inputs: int = 2,
    classes: int = 10,
    channels: Sequence[int | str] = (64, 128, POOL, 128, POOL),
    hidden: int = 128,
    pool: str = "max",
    output: Output = GESTURE_OUTPUT,
    potentials: bool = False,
) -> EventNet:
    """DVS Gesture; `pool` is "max" in the SpikingJelly folder and "average" in the other."""
    return _network(
        neuron,
        T=T,
        empty=empty,
        size=size,
        inputs=inputs,
        classes=classes,
        channels=channels,
        first=(3, 1),
        hidden=hidden,
        pool=pool,
        output=output,
        potentials=potentials,
    )


def plane(
    neuron: NeuronFactory,
    *,
    T: int = 135,
    empty: int = 0,
    size: tuple[int, int] = (60, 76),
    inputs: int = 2,
    classes: int = 4,
    channels: Sequence[int | str] = (32, 64, POOL, 128, POOL),
    hidden: int = 256,
    pool: str = "max",
    output: Output = PLANE_OUTPUT,
    potentials: bool = False,
) -> EventNet:
    """DVS Planes; `pool` as in gesture."""
    return _network(
        neuron,
        T=T,
        empty=empty,
        size=size,
        inputs=inputs,
        classes=classes,
        channels=channels,
        first=(5, 2),
        hidden=hidden,
        pool=pool,
        output=output,
        potentials=potentials,
    )
