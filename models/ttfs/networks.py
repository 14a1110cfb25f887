"""Networks of `relpsp` neurons in closed form, from architecture strings."""

from __future__ import annotations

import math

from torch import Tensor, nn

from .. import NeuronFactory
from ..network import Network
from .architecture import Conv, Dense, Pool, parse, sizes
from .layers import Conv2d, EarliestPool2d, Encoding, Linear, Readout, SpikingLayer, Weighted
from .numerics import CORRECTED
from .numerics import numerics as _numerics


class SpikeTimes(Network):
    """Images [N, C, H, W] -> answers [1, N, classes]: there are no time steps, each spike is its time.

    The answers are potentials at the end of the last window or, where the last layer fires, its spike times.
    """

    T = 1

    def __init__(self, encoding: Encoding, layers: nn.Sequential) -> None:
        super().__init__()
        self.encoding, self.layers = encoding, layers

    def encode(self, x: Tensor) -> Tensor:
        return self.encoding(x)[None]

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence.flatten(0, 1)).unflatten(0, sequence.shape[:2])

    @property
    def fires(self) -> bool:
        """Whether the answers are spike times."""
        return isinstance(self.layers[-1], SpikingLayer)

    @property
    def windows(self) -> int:
        """From the first input to the answer: that of the input and of each layer, the readout's among them."""
        return 1 + sum(isinstance(layer, Weighted) for layer in self.layers)


class RateReLU(Network):
    """The same network of rectified linear units, [N, C, H, W] -> [1, N, classes], without spikes."""

    T = 1

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def encode(self, x: Tensor) -> Tensor:
        return x[None]

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence.flatten(0, 1)).unflatten(0, sequence.shape[:2])


def network(
    neuron: NeuronFactory | None = None,
    *,
    architecture: str = "vgg7",
    classes: int = 10,
    side: int = 28,
    inputs: int = 1,
    output: str = "potential",
    numerics: str = CORRECTED,
    window: float = 1.0,
    clip: float | None = None,
    threshold: float | None = None,
    fixed_signs: bool = False,
) -> SpikeTimes:
    """A network by its architecture string (models.ttfs.architecture), for `inputs` channels of `side` x `side` pixels.

    A layer of the classes comes last. With `output` "potential" it never fires, with "time" the earliest spike is the
    answer. `numerics`, `window`, `clip` and `threshold` as in models.ttfs.numerics; with `fixed_signs` weights remember
    their sign, which the constraint `fixed_signs` keeps. `neuron` takes no part: the closed form is that of `relpsp`.
    """
    how = _numerics(numerics, window=window, clip=clip, threshold=threshold)
    if output not in ("potential", "time"):
        raise ValueError(f"The output {output!r} is unknown; choose 'potential' or 'time'.")
    tokens = parse(architecture)
    shapes: list[tuple[int, ...]] = [(inputs, side, side), *sizes(tokens, (inputs, side, side))]
    layers: list[nn.Module] = []
    for token, before in zip(tokens, shapes, strict=False):
        match token:
            case Conv(channels, kernel):
                layers.append(Conv2d(before[0], channels, kernel, padding=kernel // 2, numerics=how))
            case Pool(kernel):
                layers.append(EarliestPool2d(kernel, numerics=how))
            case Dense(neurons):
                layers += [*_flat(before), Linear(math.prod(before), neurons, numerics=how)]
    last = Readout if output == "potential" else Linear
    layers += [*_flat(shapes[-1]), last(math.prod(shapes[-1]), classes, numerics=how)]
    made = SpikeTimes(Encoding(window), nn.Sequential(*layers))
    if fixed_signs:
        for layer in weighted(made):
            layer.hold_signs()
    return made


def relu(
    neuron: NeuronFactory | None = None,
    *,
    architecture: str = "vgg7",
    classes: int = 10,
    side: int = 28,
    inputs: int = 1,
) -> RateReLU:
    """The same layers and initial weights with rectified linear units, the largest pooled; `neuron` takes no part."""
    spiking = network(architecture=architecture, classes=classes, side=side, inputs=inputs)
    layers: list[nn.Module] = []
    for layer in spiking.layers:
        match layer:
            case Weighted():
                outputs, of, *kernel = layer.weight.shape
                same: nn.Linear | nn.Conv2d = nn.Linear(of, outputs, bias=False)
                if kernel:
                    same = nn.Conv2d(of, outputs, kernel[0], padding=kernel[0] // 2, bias=False)
                same.weight = layer.weight
                layers += [same, nn.ReLU()] if isinstance(layer, SpikingLayer) else [same]
            case EarliestPool2d():
                layers.append(nn.MaxPool2d(layer.kernel, layer.stride))
            case _:
                layers.append(layer)
    return RateReLU(nn.Sequential(*layers))


def weighted(network: nn.Module) -> list[Weighted]:
    """The layers with weights, in their order."""
    return [layer for layer in network.modules() if isinstance(layer, Weighted)]


def spiking(network: nn.Module) -> dict[str, SpikingLayer]:
    """The layers that fire by their names in `network`, in their order."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, SpikingLayer)}


def _flat(shape: tuple[int, ...]) -> list[nn.Module]:
    return [nn.Flatten()] if len(shape) > 1 else []
