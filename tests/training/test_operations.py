"""The measure `operations` of whole networks: against counts of others, and what it says where it cannot count."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from small_networks import SMALL
from torch import Tensor, nn
from torch.nn import functional as F

import models
from models.network import Network, Whole
from papers.operations import PREFIX as READ
from papers.operations import Operations as Counted
from papers.operations import read
from tasks.arrays import ArraySplit
from training import distributed
from training.operations import PREFIX, Operations

LIQUID: dict[str, Any] = {"shape": "channels", "gates": {"name": "conv"}}
DENSE: dict[str, Any] = {"shape": "channels", "gates": "dense", "adaptive": False}


class Scheme:
    """As much of a training scheme as a measure sees."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def outputs(self, x: Tensor) -> Tensor:
        outputs = self.network.run(x)
        models.reset(self.network)
        return outputs

    def decide(self, outputs: Tensor) -> Tensor:
        return outputs[-1]


def of(network: Network, x: Tensor, batch_size: int = 3) -> tuple[Counted, tuple[str, ...]]:
    split = ArraySplit(x, torch.zeros(len(x)))
    found = Operations.of(Scheme(network), split, device="cpu", batch_size=batch_size, seed=1)  # type: ignore[arg-type]
    counted = read({metric.name: metric.value for metric in found.metrics})
    assert counted is not None
    return counted, found.reasons


def made(name: str, neuron: str = "lif", **options: Any) -> tuple[Network, Tensor]:
    """A small network and four inputs, spikes where it takes events."""
    torch.manual_seed(1)
    built, (_, *sample) = SMALL[name]
    network = models.create(name, neuron=models.factory(neuron, **options), **built)
    x = torch.rand(4, *sample)
    events = name.startswith("fs_") or len(sample) == 4
    return network, (x < 0.3).float() if events else x


def by_hooks(network: Network, x: Tensor) -> dict[str, float]:
    """Effective operations of a sample by layer, each call convolved with ones, as NeuroBench says."""
    totals: dict[str, float] = {}

    def add(layer: Any, args: tuple[Tensor], _out: object, name: str) -> None:
        there, weight = (args[0] != 0).double(), (layer.weight != 0).double()
        if isinstance(layer, nn.Linear):
            found = F.linear(there, weight)
        else:
            folded = there.flatten(0, there.ndim - layer.weight.ndim)
            found = F.conv2d(folded, weight, None, layer.stride, layer.padding)
        totals[name] = totals.get(name, 0.0) + float(found.sum()) / len(x)

    hooks = [
        layer.register_forward_hook(lambda *call, name=name: add(*call, name=name))
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    ]
    with torch.no_grad():
        network.eval().run(x)
    models.reset(network)
    for hook in hooks:
        hook.remove()
    return totals


@pytest.mark.parametrize(
    ("name", "neuron", "options"),
    [
        ("plif_mnist", "plif", {"init_tau": 2.0}),
        ("plif_nmnist", "lif", {}),
        ("sew_resnet18", "lif", {"v_threshold": 0.1}),
        ("fptt_adding", "ltc", DENSE),
        ("fptt_images", "ltc", LIQUID),
        ("fptt_sequential", "ltc", {"shape": "channels", "gates": "dense"}),
        ("fs_recurrent_whole", "culif", {"v_threshold": 0.05, "variant": "superspike"}),
        ("fs_feed_forward_sparse", "culif", {"v_threshold": 0.05}),
        ("fs_gesture", "culif", {"v_threshold": 0.05}),
    ],
)
def test_every_call_of_every_layer_is_counted(name: str, neuron: str, options: dict[str, Any]) -> None:
    network, x = made(name, neuron, **options)
    for parameter in network.parameters():
        if parameter.ndim > 1:  # a fifth of the weights at zero
            parameter.data *= torch.rand_like(parameter) < 0.8
    expected = by_hooks(network, x)
    found, reasons = of(network, x)
    assert {layer.name: (layer.ac or 0) + (layer.mac or 0) for layer in found.layers} == pytest.approx(expected)
    assert sum(expected.values()) > 0
    assert (found.samples, found.T) == (4, network.T)
    assert len(reasons) == 1  # that there are no joules
    for layer in network.modules():
        assert not layer._forward_hooks
        assert not layer._forward_pre_hooks


def test_binary_inputs_are_accumulated_and_others_multiplied() -> None:
    network, x = made("plif_nmnist", v_threshold=0.05)
    found, _ = of(network, x)
    assert all(layer.mac == 0 and layer.graded == 0 for layer in found.layers)
    assert found.ac
    binary = dict.fromkeys(("conv.0", "conv.4", "fc.2", "fc.5"))
    assert [layer.name for layer in found.layers] == list(binary)  # in the order of their calls
    found, _ = of(network, x * 0.5)
    assert [bool(layer.mac) for layer in found.layers] == [True, False, False, False]


def test_sums_of_spikes_are_no_spikes() -> None:
    """What a residual addition counts up to 2 is not an accumulate any more."""
    network, x = made("sew_resnet18", v_threshold=0.02, v_reset=None)
    found, _ = of(network, x)
    by_name = {layer.name: layer for layer in found.layers}
    summed = by_name["layer2.0.conv1"]  # the sums of the blocks of layer1
    assert summed.graded
    assert (summed.ac, bool(summed.mac)) == (0, True)
    assert by_name["layer1.0.conv2"].mac == 0


def test_spikes_updates_and_state() -> None:
    network, x = made("fs_recurrent", v_threshold=0.05)
    found, _ = of(network, x)
    seen: dict[str, list[float]] = {}
    names = {layer.name for layer in found.spiking}
    hooks = [
        layer.register_forward_hook(lambda _m, _x, out, name=name: seen.setdefault(name, []).append(float(out.sum())))
        for name, layer in network.named_modules()
        if name in names
    ]
    with torch.no_grad():
        network.eval().run(x)
    for hook in hooks:
        hook.remove()
    models.reset(network)
    assert {layer.name: layer.spikes for layer in found.spiking} == {n: sum(s) / 4 for n, s in seen.items()}
    assert [layer.neurons for layer in found.spiking] == [7, 20]
    assert found.updates == 5 * (7 + 20)
    assert found.spikes_per_neuron == pytest.approx(sum(map(sum, seen.values())) / 4 / 27)
    assert found.state == 4 * (7 + 2 * 20 + 7)  # v, of the output v and i, and the spikes that are fed back
    assert found.parameters == 6 * 7 + 7 * 7 + 7 * 20
    assert found.footprint == 4 * found.parameters


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_the_batch_decides_nothing(batch_size: int) -> None:
    network, x = made("fptt_images", "ltc", **LIQUID)
    assert of(network, x, batch_size)[0] == of(network, x, 3)[0]


@pytest.mark.parametrize("rank", [0, 1])
def test_each_of_two_processes_counts_its_share(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    network, x = made("fs_recurrent", v_threshold=0.05)
    whole, _ = of(network, x[rank::2])
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    share, _ = of(network, x, batch_size=2)  # that of the other is missing in its sums
    assert share.counts is not None
    assert whole.counts is not None
    assert share.counts.all == whole.counts.all / 2
    assert share.state == whole.state


def test_twice_the_steps_are_twice_the_operations() -> None:
    network, x = made("psn_cifar10")
    once, _ = of(network, x)
    network.T = 10
    twice, _ = of(network, x)
    assert twice.dense == 2 * (once.dense or 0)
    assert twice.layers[0].mac == 2 * (once.layers[0].mac or 0)
    assert (once.T, twice.T) == (5, 10)


def test_it_looks_at_the_network_in_evaluation_and_leaves_it_so() -> None:
    network, x = made("plif_mnist")
    network.train()  # where dropout would add zeros
    network.fc[2].weight.data.abs_()  # type: ignore[index, union-attr]
    first, _ = of(network, x)
    assert not network.training
    assert of(network, x)[0] == first


def test_a_copy_of_a_neuron_is_not_counted() -> None:
    """WithFirstPotentials asks a copy of the output what its potentials would be without a reset."""
    built, _ = SMALL["fs_feed_forward_sparse"]
    network = models.create("fs_feed_forward_sparse", neuron=models.factory("culif"), **built, potentials=True)
    found, _ = of(network, (torch.rand(4, 5, 6) < 0.3).float())
    assert found.updates == 5 * (7 + 20)


def test_spike_times_have_additions_and_no_membrane() -> None:
    network, x = made("ttfs")
    found, reasons = of(network, x)
    assert found.mac == 0
    assert found.ac
    assert found.updates is None
    assert [layer.updates for layer in found.spiking] == [None, None]
    assert found.spikes_per_neuron
    assert found.spikes_per_neuron <= 1
    assert found.state == 0
    assert any(reason.startswith("membrane updates are unknown") for reason in reasons)
    assert found.layers[0].nnz == pytest.approx(float((x > 0).sum()) / 4)


class Hidden(nn.Module):
    """Multiplies by a matrix where no hook sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(10, 10))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_operations_that_nothing_counts_are_unknown_and_not_zero() -> None:
    network, x = made("plif_mnist")
    network.vote = Hidden()
    network.vote.weight.data = torch.ones(100, 10)
    found, reasons = of(network, x)
    assert (found.counts, found.dense, found.synops, found.shortcut) == (None, None, None, None)
    assert found.layers[0].dense  # what is known of the others stays
    assert any("its module vote computes matmul, which nothing here counts" in reason for reason in reasons), reasons


@pytest.mark.parametrize("name", SMALL)
def test_every_network_of_the_suite_is_counted_in_full(name: str) -> None:
    neuron, options = "lif", {}
    if name.startswith("fptt"):
        neuron, options = "ltc", LIQUID
    network, x = made(name, neuron, **options)
    found, reasons = of(network, x)
    assert not [reason for reason in reasons if "not all known" in reason]
    assert found.counts is not None
    assert found.counts.all <= (found.dense or 0) <= sum(layer.textbook or 0 for layer in found.layers)


def test_a_psn_computes_by_itself() -> None:
    network, x = made("psn_cifar10", "psn", T=5)
    found, reasons = of(network, x)
    assert found.counts is not None
    assert len(reasons) == 1


def test_the_names_are_the_same_on_both_sides() -> None:
    assert PREFIX == READ


# Others' counters on the same network.


def test_spikingjelly_counts_what_is_called_its_count() -> None:
    from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter

    network, x = made("plif_nmnist", v_threshold=0.05)
    network.fc[2].weight.data[:, ::2] = 0  # type: ignore[index, union-attr]
    found, _ = of(network, x, batch_size=4)
    counter = SynOpCounter()
    with torch.no_grad(), DispatchCounterMode([counter]):
        network.eval().run(x)
    models.reset(network)
    assert found.synops == counter.get_total() / 4
    assert found.synops > (found.ac or 0)  # it counts weights of zero


def test_neurobench_counts_the_same() -> None:
    pytest.importorskip("neurobench", reason="NeuroBench is not installed (the extra neurobench)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from neurobench.benchmarks import Benchmark
        from neurobench.metrics.static import Footprint, ParameterCount
        from neurobench.metrics.workload import SynapticOperations
        from neurobench.models import TorchModel

        for name, scale in (("plif_nmnist", 1.0), ("plif_nmnist", 0.5), ("fs_recurrent", 1.0)):
            network, x = (
                made(name, v_threshold=0.05) if name == "plif_nmnist" else made(name, "culif", v_threshold=0.05)
            )
            network.fc[2].weight.data[:, ::2] = 0  # type: ignore[index, union-attr]
            found, _ = of(network, x * scale)
            whole = Whole(network.eval())
            whole.register_forward_hook(lambda *_, network=network: models.reset(network))
            loader = torch.utils.data.DataLoader(
                torch.utils.data.TensorDataset(x * scale, torch.zeros(4)), batch_size=2
            )
            metrics = [[ParameterCount, Footprint], [SynapticOperations]]
            theirs = Benchmark(TorchModel(whole), loader, [], [], metrics).run(quiet=True)
            assert theirs["SynapticOperations"] == {
                "Effective_MACs": found.mac, "Effective_ACs": found.ac, "Dense": found.dense
            }  # fmt: skip
            assert (theirs["ParameterCount"], theirs["Footprint"]) == (found.parameters, found.footprint)
