"""Random numbers of a network's own and of its neurons, kept apart.

A neuron may draw what it likes when it is built (PSN its matrix, one of your own anything): the layers around it start
with the same weights as in a network of any other neuron, and so does all that is drawn once the network is there.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import torch

from core.randomness import seeded

if TYPE_CHECKING:
    from torch import nn

    from . import NeuronFactory


def apart(neuron: NeuronFactory) -> NeuronFactory:
    """`neuron`, each of whose layers is built from generators of its own, for one network.

    They are seeded by the number of the layer and by the state in which the network's generator is then, and thereby by
    the seed of the run. The global ones stay as they are.
    """
    numbers = itertools.count()

    def build(shape: tuple[int, ...]) -> nn.Module:
        place = hashlib.sha256(torch.get_rng_state().numpy().tobytes() + next(numbers).to_bytes(8, "little"))
        with seeded(int.from_bytes(place.digest()[:8], "little")):
            return neuron(shape)

    return build
