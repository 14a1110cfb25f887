"""Networks from architecture strings: layers, counts of the work, what is refused, and what goes through them."""

from __future__ import annotations

import pytest
import torch

import models
from models.ttfs.architecture import Conv, Dense, Pool, parse, sizes
from models.ttfs.layers import EarliestPool2d
from models.ttfs.networks import spiking, weighted


def test_a_string_is_its_layers() -> None:
    assert parse("6C5 - P3 - 20F") == [Conv(6, 5), Pool(3), Dense(20)]
    assert parse("6C5-P3") == [Conv(6, 5), Pool(3)]
    assert len(parse("vgg7")) == 9
    assert len(parse("vgg11")) == 13


@pytest.mark.parametrize("token", ["C3", "64C", "P", "F", "64X3", "6C3x", "-3F", "0C3", "", "64C3 P2", "vgg8", "3c3"])
def test_what_is_no_layer_is_named(token: str) -> None:
    with pytest.raises(ValueError, match=r"is no layer\. Known: <n>C<k>.*vgg7, vgg11"):
        parse(f"4C3 - {token} - 5F")
    with pytest.raises(ValueError, match=r"'X9' in the architecture 'X9 - 4C3'"):
        parse("X9 - 4C3")


def test_sizes_of_maps() -> None:
    tokens = parse("4C3 - 4C2 - P2 - 8C5 - 7F - 3F")
    assert sizes(tokens, (1, 7, 9)) == [(4, 7, 9), (4, 8, 10), (4, 4, 5), (8, 4, 5), (7,), (3,)]
    with pytest.raises(ValueError, match="leaves nothing"):
        sizes(parse("P4 - P4"), (1, 8, 8))
    with pytest.raises(ValueError, match="cannot follow a fully connected layer"):
        sizes(parse("5F - 3C3"), (1, 8, 8))


# Section 6: inputs, side, classes, weights, hidden neurons of the convolutions, windows from input to answer
COUNTS = {
    "vgg7": [(1, 28, 10, 4_544_064, 301_056), (3, 32, 10, 4_581_056, 393_216), (3, 32, 100, 5_318_336, 393_216)],
    "vgg11": [(1, 28, 10, 10_074_240, 551_936), (3, 32, 10, 10_112_384, 720_896), (3, 32, 100, 10_849_664, 720_896)],
}


@pytest.mark.parametrize("name", COUNTS)
def test_weights_and_neurons_are_those_of_the_work(name: str) -> None:
    for inputs, side, classes, weights, neurons in COUNTS[name]:
        with torch.device("meta"):  # counted, not computed
            made = models.create("ttfs", architecture=name, inputs=inputs, side=side, classes=classes)
        assert sum(p.numel() for p in made.parameters()) == weights
        shapes = sizes(parse(name), (inputs, side, side))
        hidden = [torch.Size(s).numel() for s, t in zip(shapes, parse(name), strict=True) if isinstance(t, Conv)]
        assert sum(hidden) == neurons
        assert len(spiking(made)) == len(hidden)
        assert made.windows == {"vgg7": 8, "vgg11": 12}[name]
        assert made.windows == len(hidden) + 2


def test_a_network_has_one_step_and_a_batch_is_any_number_of_samples() -> None:
    torch.manual_seed(1)
    made = models.create("ttfs", architecture="4C3 - P2 - 9F", side=8)
    x = torch.rand(5, 1, 8, 8)
    encoded = made.encode(x)
    assert encoded.shape == (1, 5, 1, 8, 8)
    out = made(encoded)
    assert out.shape == (1, 5, 10)
    assert torch.equal(made.run(x), out)
    assert made(encoded[1:]).shape == (0, 5, 10)
    torch.testing.assert_close(torch.cat([made.run(sample[None]) for sample in x], 1), out)


def test_outputs_that_fire() -> None:
    made = models.create("ttfs", architecture="12F", side=4, output="time", window=3.0)
    times = made.run(torch.rand(20, 1, 4, 4))
    fired = times[times.isfinite()]
    assert fired.numel() > 20
    assert fired.min() >= 0
    assert fired.max() <= 3
    with pytest.raises(ValueError, match="'spikes' is unknown; choose 'potential' or 'time'"):
        models.create("ttfs", architecture="12F", output="spikes")


def test_signs_are_held_where_asked_for() -> None:
    free, held = (models.create("ttfs", architecture="3C3 - P2", side=6, fixed_signs=f) for f in (False, True))
    assert [layer.signs for layer in weighted(free)] == [None, None]
    assert all(torch.equal(layer.signs, layer.weight >= 0) for layer in weighted(held))
    assert any("signs" in key for key in held.state_dict())


def test_the_rectified_network_has_the_same_layers_and_weights() -> None:
    networks = []
    for name in ("ttfs", "ttfs_relu"):
        torch.manual_seed(7)
        networks.append(models.create(name, architecture="4C3 - P2 - 8C5 - 20F", side=8))
    spiking_net, relu = networks
    assert all(torch.equal(a, b) for a, b in zip(spiking_net.parameters(), relu.parameters(), strict=True))
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in relu.layers) == 3, "none after the last"
    assert sum(isinstance(layer, EarliestPool2d) for layer in spiking_net.layers) == 1
    x = torch.rand(3, 1, 8, 8)
    first = torch.nn.functional.conv2d(x, spiking_net.layers[0].weight, padding=1).relu()
    assert torch.equal(relu.layers[:2](x), first)
    assert relu.run(x).shape == (1, 3, 10)
