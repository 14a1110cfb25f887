"""The networks of the PSN work: sizes as published, what a step sees, and what starts from where."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from core.registry import UnknownName
from models.layers import AvgPool1d, BatchNorm1d, BatchNorm2d, TEBN2d
from models.sequences import sequence
from neurons.base import Neuron
from results import published
from tasks import DataDamaged, DataMissing, TaskError

SEQUENTIAL = "sequential CIFAR net: "
PSN = models.factory("psn", T=32)
MASKED = models.factory("masked_psn", k=32, T=32)
SLIDING = models.factory("sliding_psn", k=32)
GLIF = models.factory("glif", T=32, shape="channels")
LIF, LIF_WITHOUT_RESET = models.factory("lif"), models.factory("lif", without_reset=True)
PLIF, KLIF = models.factory("plif"), models.factory("klif")
PSN4 = models.factory("psn", T=4)

# Row of the published table: network, its options, the neurons that it is counted with.
SIZES: dict[str, tuple[str, dict[str, Any], list[models.NeuronFactory]]] = {
    SEQUENTIAL + "PSN or masked PSN, 128 channels, T=32, 10 classes": ("psn_sequential", {}, [PSN, MASKED]),
    SEQUENTIAL + "PSN or masked PSN, 100 classes": ("psn_sequential", {"classes": 100}, [PSN, MASKED]),
    SEQUENTIAL + "sliding PSN k=32, 10 classes": ("psn_sequential", {}, [SLIDING]),
    SEQUENTIAL + "sliding PSN k=32, 100 classes": ("psn_sequential", {"classes": 100}, [SLIDING]),
    SEQUENTIAL + "LIF or LIF without reset, 10 classes": ("psn_sequential", {}, [LIF, LIF_WITHOUT_RESET]),
    SEQUENTIAL + "LIF or LIF without reset, 100 classes": ("psn_sequential", {"classes": 100}, [LIF]),
    SEQUENTIAL + "PLIF or KLIF, 10 classes": ("psn_sequential", {}, [PLIF, KLIF]),
    SEQUENTIAL + "PLIF or KLIF, 100 classes": ("psn_sequential", {"classes": 100}, [PLIF, KLIF]),
    SEQUENTIAL + "GLIF, 10 classes": ("psn_sequential", {}, [GLIF]),
    SEQUENTIAL + "GLIF, 100 classes": ("psn_sequential", {"classes": 100}, [GLIF]),
    "static CIFAR10 net: PSN, 256 channels, T=4": ("psn_cifar10", {}, [PSN4]),
    "VGGPSN (CIFAR10-DVS): sliding PSN k=2": ("psn_cifar10dvs", {}, [models.factory("sliding_psn", k=2)]),
    "VGGSNN (CIFAR10-DVS): LIF + TEBN, T=10": ("vggsnn", {}, [LIF]),
    "SEW ResNet-18: PSN, T=4, with pe": ("sew_resnet18", {}, [PSN4]),
    "SEW ResNet-34: PSN, T=4, with pe": ("sew_resnet34", {}, [PSN4]),
    "SEW ResNet-50: PSN, T=4, with pe": ("sew_resnet50", {}, [PSN4]),
}


def test_every_published_size_is_counted() -> None:
    assert published_sizes().keys() == SIZES.keys()


@functools.cache
def published_sizes() -> dict[str, float]:
    _, values = published.load(published.FOLDER / "psn.toml")
    return {value.row: value.value for value in values if value.table == "param_counts"}


@pytest.mark.parametrize("row", SIZES)
def test_parameter_counts(row: str) -> None:
    name, options, factories = SIZES[row]
    for neuron in factories:
        with torch.device("meta"):
            network = models.create(name, neuron=neuron, **options)
        assert sum(p.numel() for p in network.parameters()) == published_sizes()[row]


# Small builds: options, shape of a batch, steps, classes, spiking layers.
SMALL: dict[str, tuple[dict[str, Any], tuple[int, ...], int, int, int]] = {
    "psn_sequential": ({"side": 8, "inputs": 1, "channels": 4}, (3, 1, 8, 8), 8, 10, 7),
    "psn_cifar10": ({"side": 8, "channels": 3, "T": 5, "classes": 7}, (2, 3, 8, 8), 5, 7, 7),
    "psn_cifar10dvs": ({"side": 19, "T": 3, "channels": [3, "P", 5, 4, "P"]}, (2, 3, 2, 19, 19), 3, 10, 3),
    "vggsnn": ({"side": 16, "T": 3, "channels": [3, 4, "P"]}, (2, 3, 2, 16, 16), 3, 10, 2),
    "sew_resnet18": ({"channels": 2, "classes": 6, "inputs": 1}, (2, 1, 33, 33), 4, 6, 20),
    "sew_resnet34": ({"channels": 2, "classes": 6, "T": 2, "stem_pool": "max"}, (2, 3, 32, 32), 2, 6, 36),
    "sew_resnet50": ({"channels": 2, "classes": 6, "T": 2, "pe": False}, (1, 3, 32, 40), 2, 6, 53),
    "sequential_fc": ({"side": 4, "inputs": 2, "hidden": 5, "order": "rows"}, (3, 2, 4, 4), 4, 10, 2),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_network_answers_at_every_step_and_lists_its_neurons_in_forward_order(name: str) -> None:
    options, shape, steps, classes, spiking = SMALL[name]
    network = models.create(name, neuron=LIF, **options)
    layers = [module for module in network.modules() if isinstance(module, Neuron)]
    called: list[Neuron] = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, _x, _out: called.append(layer))
    out = network.run(torch.randn(shape))
    assert out.shape == (steps, shape[0], classes)
    assert steps == network.T
    assert called == layers
    assert len(layers) == spiking
    out.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_neurons_get_the_shape_of_a_channel_wise_parameter(name: str) -> None:
    options, shape, steps, _, _ = SMALL[name]
    network = models.create(name, neuron=models.factory("glif", T=steps, shape="channels"), **options)
    network.run(torch.randn(shape))  # broadcasts
    for layer in network.modules():
        if isinstance(layer, Neuron):
            channels, *rest = layer.p_alpha.shape
            assert channels > 1
            assert len(rest) == layer.v.ndim - 2
            assert layer.v.shape[1] == channels
            assert layer.p_conduct.shape == (steps, channels, *rest)


def test_images_as_sequences() -> None:
    # Two channels, rows (0 1 2) (3 4 5) and, in the second, 10 more.
    images = torch.arange(6.0).view(1, 1, 2, 3) + torch.tensor([0.0, 10.0]).view(1, 2, 1, 1)
    columns, rows, pixels = (sequence(images, order) for order in ("columns", "rows", "pixels"))
    assert columns[:, 0].tolist() == [[[0, 3], [10, 13]], [[1, 4], [11, 14]], [[2, 5], [12, 15]]]
    assert rows[:, 0].tolist() == [[[0, 1, 2], [10, 11, 12]], [[3, 4, 5], [13, 14, 15]]]
    assert pixels[:, 0].tolist() == [[0, 10], [1, 11], [2, 12], [3, 13], [4, 14], [5, 15]]
    with pytest.raises(UnknownName, match="Did you mean 'columns'"):
        sequence(images, "column")


@pytest.mark.parametrize(
    ("name", "order", "region", "step"),
    [
        ("psn_sequential", "columns", (slice(None), 5), 5),
        ("psn_sequential", "rows", (5, slice(None)), 5),
        ("sequential_fc", "columns", (slice(None), 5), 5),
        ("sequential_fc", "pixels", (2, 5), 2 * 8 + 5),
    ],
)
def test_a_step_sees_its_part_of_the_image(name: str, order: str, region: tuple[Any, ...], step: int) -> None:
    T = 64 if order == "pixels" else 8
    memoryless = models.factory("masked_psn", k=1, T=T, lambda_=1.0)
    network = models.create(name, neuron=memoryless, order=order, side=8, inputs=1).eval()
    for layer in network.modules():
        if isinstance(layer, Neuron):
            layer.bias.data.zero_()  # half of the neurons fire
    images = torch.randn(1, 1, 8, 8)
    changed = images.clone()
    changed[0, 0][region] += 3
    with torch.no_grad():
        differs = (network.run(images) != network.run(changed)).any(-1).flatten()
    assert differs.nonzero().flatten().tolist() == [step]


@pytest.mark.parametrize(
    ("name", "order", "T"),
    [
        ("psn_sequential", "columns", 12),
        ("psn_sequential", "rows", 8),
        ("sequential_fc", "columns", 12),
        ("sequential_fc", "pixels", 96),
    ],
)
def test_wide_images_and_the_last_steps_as_the_answer(name: str, order: str, T: int) -> None:
    # Images of 8 x 12 pixels, and the same network with and without the answer taken from the last 3 steps.
    options = {"order": order, "side": 8, "width": 12, "inputs": 1, "hidden": 6}
    psn = models.factory("masked_psn", k=2, T=T, lambda_=1.0)
    whole, last = (models.create(name, neuron=psn, **options, **more).eval() for more in ({}, {"answer": 3}))
    last.load_state_dict(whole.state_dict())
    images = torch.randn(2, 1, 8, 12)
    with torch.no_grad():
        outputs, answer = whole.run(images), last.run(images)
    assert outputs.shape == (T, 2, 10)
    assert whole.T == last.T == T
    assert torch.equal(answer, outputs[-3:])


def test_pixels_are_refused_where_a_step_is_convolved() -> None:
    with pytest.raises(ValueError, match="use 'sequential_fc'"):
        models.create("psn_sequential", neuron=LIF, order="pixels")


def test_a_smaller_recipe() -> None:
    network = models.create(
        "psn_sequential", neuron=LIF, side=8, inputs=1, channels=16, blocks=1, depth=2, hidden=64
    )  # spec, section 7, E2: 16 * 3 + 32, 16 * 16 * 3 + 32, 64 * 64 + 64, 64 * 10 + 10
    assert sum(p.numel() for p in network.parameters()) == 80 + 800 + 4160 + 650
    assert network.run(torch.randn(2, 1, 8, 8)).shape == (8, 2, 10)


@pytest.mark.parametrize(
    ("name", "options", "shape", "message"),
    [
        ("psn_sequential", {"side": 8}, (1, 3, 8, 9), "images of 8x8, the input has 8x9"),
        ("psn_cifar10dvs", {"T": 4}, (1, 3, 2, 48, 48), "built for 4 frames, the input has 3"),
    ],
)
def test_inputs_of_another_size_are_refused(
    name: str, options: dict[str, Any], shape: tuple[int, ...], message: str
) -> None:
    network = models.create(name, neuron=LIF, channels=[2] if "dvs" in name else 2, **options)
    with pytest.raises(ValueError, match=message):
        network.run(torch.zeros(shape))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("psn_sequential", {"side": 8, "answer": 9}, "last 9 steps of a sequence of 8"),
        ("sequential_fc", {"side": 8, "answer": 0}, "give 1 to 64"),
        ("psn_sequential", {"side": 3}, "2 poolings leave nothing of a side of 3"),
        ("psn_cifar10", {"side": 7, "blocks": 3}, "3 poolings leave nothing of a side of 7"),
        ("psn_cifar10dvs", {"side": 8}, "4 poolings leave nothing of a side of 8"),
        ("vggsnn", {"channels": [4, "M"]}, "Unknown layer 'M'"),
        ("sew_resnet18", {"stem_pool": "avg"}, "Unknown stem pooling 'avg'"),
    ],
)
def test_impossible_networks_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, UnknownName), match=message):
        models.create(name, neuron=LIF, **options)


def test_batch_norm_over_all_steps() -> None:
    x = torch.randn(4, 3, 2, 5) * torch.arange(1, 5).view(4, 1, 1, 1)
    layer = BatchNorm1d(2)
    out = layer(x)
    torch.testing.assert_close(out.mean((0, 1, 3)), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(out.var((0, 1, 3), correction=0), torch.ones(2), atol=1e-4, rtol=0)
    assert out[3].std() > 2 * out[0].std()  # a step keeps its share
    torch.testing.assert_close(layer.running_mean, 0.1 * x.mean((0, 1, 3)))  # once a batch, momentum 0.1
    torch.testing.assert_close(layer.running_var, 0.9 + 0.1 * x.var((0, 1, 3)))


def test_average_pooling_in_one_dimension() -> None:
    x = torch.arange(8.0).view(2, 1, 1, 4)
    assert AvgPool1d(2)(x).flatten().tolist() == [0.5, 2.5, 4.5, 6.5]


def test_temporal_batch_norm_scales_every_step() -> None:
    layer, plain, x = TEBN2d(2, T=3), BatchNorm2d(2), torch.randn(3, 4, 2, 5, 5)
    torch.testing.assert_close(layer(x), plain(x))  # p starts at 1
    with pytest.raises(ValueError, match=r"scales for T=3 steps, 4 were given since the last reset\(\)"):
        layer(x[:1])
    layer.reset()
    layer.p.data = torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1, 1, 1)
    torch.testing.assert_close(layer(x)[1], -2 * plain(x)[1])
    assert {key for key, _ in layer.named_parameters()} == {"weight", "bias", "p"}


def test_dropout_of_the_vgg_is_fresh_at_every_step_and_element() -> None:
    network = models.create("psn_cifar10dvs", neuron=LIF, T=6, side=8, channels=[4])
    dropout = network.classifier[1]
    kept = dropout(torch.ones(6, 5, 4 * 64))
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert all((kept[0] != step).any() for step in kept[1:])
    assert not (kept[..., :64] == kept[..., :1]).all()  # no whole channels
    assert torch.equal(network.eval().classifier[1](kept), kept)


def test_a_block_adds_spikes() -> None:
    from models.sew_resnet import BasicBlock

    block = BasicBlock(models.factory("psn", T=4), 3, 3)
    for layer in (block.sn1, block.sn2):
        layer.bias.data.fill_(5)  # always fires
    x = (torch.rand(4, 2, 3, 8, 8) < 0.5).float()
    assert torch.equal(block(x), x + 1)


def test_the_offset_of_a_step_and_the_stem_pooling() -> None:
    seen: list[torch.Tensor] = []
    network = models.create("sew_resnet18", neuron=PSN4, channels=2, classes=3)
    network.conv1.register_forward_hook(lambda _m, x, _out: seen.append(x[0]))
    image = torch.randn(1, 3, 32, 32)
    network.run(image)
    for t, offset in enumerate(network.pe.flatten().tolist()):
        assert 0 < abs(offset) < 0.1  # drawn with standard deviation 0.02
        torch.testing.assert_close(seen[0][t], image + offset)
    corner = torch.zeros(1, 1, 1, 4, 4)
    corner[..., 0, 0] = 9.0
    assert network.pool(corner).flatten().tolist() == [1, 0, 0, 0]  # padding counts
    largest = models.create("sew_resnet18", neuron=PSN4, channels=2, stem_pool="max", pe=False)
    assert largest.pool(corner).flatten().tolist() == [9, 0, 0, 0]
    assert largest.pe is None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What torchvision publishes, with random weights."""
    import torchvision

    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("ann") / "resnet18.pth"
    network = torchvision.models.resnet18()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    torch.save({key: v for key, v in network.state_dict().items() if not key.endswith("_tracked")}, path)
    return path


@pytest.mark.parametrize("given", ["root", "variable"])
def test_the_weights_of_the_ann_are_taken_over(checkpoint: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    folder = str(checkpoint.parent)
    monkeypatch.setenv("SPIKEBENCH_DATA", folder if given == "variable" else "/nowhere")
    options = {"root": folder} if given == "root" else {}
    network = models.create("sew_resnet18", neuron=PSN4, ann_checkpoint=checkpoint.name, **options)
    weights, own = torch.load(checkpoint, weights_only=True), network.state_dict()
    assert len(weights) == 102  # 20 convolutions, 20 batch norms of 4 entries, the classifier's 2
    for key, value in weights.items():
        assert torch.equal(own[key], value), key
    kept = {key for key in own if key not in weights and not key.endswith("_tracked")}
    assert len(kept) == 20 * 2 + 1  # the spiking layers and the offsets
    assert (own["sn1.bias"] == -1).all()


def test_an_ann_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"nothing at .*resnet18\.pth; they are published at"):
        models.create("sew_resnet18", neuron=PSN4, ann_checkpoint=str(tmp_path / "resnet18.pth"))


@pytest.mark.parametrize("keep", [0, 0.5, 0.999])
def test_an_ann_checkpoint_that_was_cut_off_is_damaged(checkpoint: Path, tmp_path: Path, keep: float) -> None:
    content, cut = checkpoint.read_bytes(), tmp_path / "cut.pth"
    cut.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataDamaged, match=r"cut\.pth is damaged at its content: it cannot be read as weights"):
        models.create("sew_resnet18", neuron=PSN4, ann_checkpoint=str(cut))


@pytest.mark.parametrize("content", [[1, 2], {"conv1.weight": 3, 4: torch.zeros(1)}])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(TaskError, match="no ResNet of this depth and width"):
        models.create("sew_resnet18", neuron=PSN4, ann_checkpoint=str(tmp_path / "other.pth"))


def test_an_ann_checkpoint_of_another_network_is_refused(checkpoint: Path) -> None:
    with pytest.raises(TaskError, match="no ResNet of this depth and width"):
        models.create("sew_resnet34", neuron=PSN4, ann_checkpoint=str(checkpoint))
    with pytest.raises(TaskError, match=r"2 entries differ, the first is fc\.bias"):
        models.create("sew_resnet18", neuron=PSN4, classes=10, ann_checkpoint=str(checkpoint))


def test_a_factory_makes_every_layer_anew() -> None:
    make = models.factory("plif", init_tau=3.0)
    first, second = make((4, 1, 1)), make((2,))
    assert first.w is not second.w
    assert first.tau.item() == pytest.approx(3)
    assert models.factory("glif", shape="channels")((4, 1, 1)).p_tau.shape == (4, 1, 1)
    with pytest.raises(UnknownName, match="Did you mean 'plif'"):
        models.factory("plfi")((1,))
