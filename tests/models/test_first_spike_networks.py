"""Networks of the first-spike work: parameters and neurons of the shipped sizes, empty steps, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import models
import neurons
from core.registry import UnknownName
from models.network import Network
from neurons.base import Neuron

ADLIF = models.factory("adlif", shape="channels")
CULIF = models.factory("culif", variant="superspike")
PCULIF = models.factory("pculif", shape="channels", variant="superspike")
# Trainable parameters and neurons of each layer, instantiated from the released code (tables file of the work).
SHIPPED: dict[str, tuple[str, models.NeuronFactory, dict[str, Any], int, list[int]]] = {
    "SHD, SpikingJelly": ("fs_feed_forward", ADLIF, {}, 252_928, [256, 256, 20]),
    "N-TIDIGITS, SpikingJelly": (
        "fs_feed_forward",
        ADLIF,
        {"T": 250, "inputs": 64, "classes": 11},
        87_808,
        [256, 256, 11],
    ),
    "SHD, SuperSpike": ("fs_recurrent", PCULIF, {}, 250_368, [256, 20]),
    "N-TIDIGITS, SuperSpike": (
        "fs_recurrent",
        PCULIF,
        {"T": 250, "inputs": 64, "classes": 11, "hidden": [256, 256]},
        216_832,
        [256, 256, 11],
    ),
    "DVS Gesture": ("fs_gesture", CULIF, {}, 1_288_576, [65536, 131072, 32768, 32768, 8192, 128, 10]),
    "DVS Planes": ("fs_plane", CULIF, {"pool": "average"}, 2_224_704, [36480, 72960, 18240, 36480, 8064, 256, 4]),
}
SHAPES = {"fs_gesture": (1, 1, 2, 32, 32), "fs_plane": (1, 1, 2, 60, 76)}


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters_and_neurons_of_the_shipped_networks(name: str) -> None:
    model, neuron, options, parameters, layers = SHIPPED[name]
    inputs = options.get("inputs", 700)
    network = models.create(model, neuron=neuron, **{**options, "T": 1, "empty": 0}).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    found: list[int] = []
    for layer in network.modules():
        if isinstance(layer, Neuron):
            layer.register_forward_hook(lambda _m, _x, out: found.append(out.numel()))
    with torch.no_grad():
        network.run(torch.zeros(SHAPES.get(model, (1, 1, inputs))))
    assert found == layers


def small(**options: Any) -> Network:
    output = {"name": "culif", "tau_m": 2.0, "tau_s": 5.0, "v_threshold": 0.01}
    options = {"T": 6, "inputs": 5, "classes": 3, "hidden": [4], "output": output, **options}
    torch.manual_seed(4)
    return models.create("fs_feed_forward", neuron=ADLIF, **options).eval()


def test_empty_steps_follow_the_events() -> None:
    x = torch.rand(2, 6, 5) * 20
    with torch.no_grad():
        network = small(empty=4)
        sequence = network.encode(x)
        outputs = network.run(x)
    assert network.T == len(sequence) == len(outputs) == 10
    assert torch.equal(sequence[:6], x.transpose(0, 1))
    assert not sequence[6:].any()
    with torch.no_grad():
        assert torch.equal(small().run(x), outputs[:6])


def test_potentials_beside_the_spikes() -> None:
    x = torch.rand(2, 6, 5) * 20
    with torch.no_grad():
        spikes, both = small().run(x), small(potentials=True).run(x)
    assert both.shape == (6, 2, 2, 3)
    assert spikes.any()
    assert torch.equal(both[:, :, 0], spikes)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="T=0 and empty=0 were given"):
        small(T=0)
    with pytest.raises(ValueError, match="T=6 and empty=-1"):
        small(empty=-1)
    with pytest.raises(UnknownName, match="pooling"):
        models.create("fs_gesture", neuron=CULIF, pool="sum")
    with pytest.raises(ValueError, match="leave nothing of 3x3 pixels"):
        models.create("fs_gesture", neuron=CULIF, size=(3, 3))
    with pytest.raises(ValueError, match="built for 6 frames, the input has 5"):
        small().run(torch.zeros(2, 5, 5))
    with pytest.raises(TypeError, match="the factory made"):
        models.create("fs_recurrent", neuron=lambda shape: torch.nn.Identity())
    assert neurons.create("culif").late is False
