"""The training step of convolutional networks against their products, measured within the process."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.fingerprint import kernel_implementation
from bench.speed import contenders, contest, inference, step
from bench.speed.job import Job, Measured
from bench.speed.record import Recorder
from core import sources
from papers import trust


class Listener:
    """Keeps what was measured."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}

    def note(self, text: str) -> None:
        pass

    def measured(self, result: Any) -> None:
        self.results[result.contender] = result


def test_every_network_agrees_and_keeps_less() -> None:
    for neuron in step.NETWORKS:
        asked = Job("step", neuron, (), ((4, 2),), repeats=1, budget=1.0)
        planned = step.jobs(asked, ())
        assert [job.options["network"] for (job,) in planned] == list(step.NETWORKS[neuron])
        for (job,) in planned[:1]:
            listener = Listener()
            step.measure(job, listener)  # type: ignore[arg-type]
            found = listener.results
            assert set(found) == {step.PRODUCTS, contenders.REFERENCE, contenders.FUSED, step.LAYERS}
            assert all(result.outcome == "ok" for result in found.values())
            assert found[contenders.FUSED].value("live_peak") < found[contenders.REFERENCE].value("live_peak")
            assert found[contenders.FUSED].value("training_ratio") > 0


@pytest.mark.compilers
@pytest.mark.filterwarnings("ignore")  # of the compiler and of SpikingJelly
def test_a_compiled_peer_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a graph that is run as it is: what a compiler makes of it takes minutes."""
    of_graphs = torch.compile
    monkeypatch.setattr(torch, "compile", lambda layers, **options: of_graphs(layers, backend="eager", **options))
    asked = Job("step", "psn", (), ((4, 2),), repeats=1, budget=1.0)
    for measured in (step, inference):
        job = measured.jobs(asked, (contenders.COMPILED,))[-1][0]
        assert (job.options["network"], job.contenders[-1]) == ("psn_sequential", contenders.COMPILED)
        listener = Listener()
        measured.measure(job, listener)  # type: ignore[arg-type]
        result = listener.results[contenders.COMPILED]
        assert result.outcome == "ok", result.reason


def test_a_figure_rests_on_the_network_the_block_and_the_kernel() -> None:
    code = contest.network_code("plif_mnist", "plif")
    assert "models.chain" in sources.followed(code)
    assert "neurons.backends.fused.block.cpp" in sources.package("neurons.backends.fused")
    job = Job("step", "plif", (), ((2, 4),))
    network = Recorder("").run(job, Measured("fused", "fused", {}, code=code))
    layer = Recorder("").run(job, Measured("fused", "fused", {}))
    assert network.implementation == sources.digest(code) != layer.implementation
    assert trust.checked(network) == trust.checked(layer) == kernel_implementation("plif", "fused")
    peer = Recorder("").run(job, Measured("spikingjelly", "spikingjelly", {}, code=code))
    assert peer.implementation.startswith("spikingjelly")
    assert peer.kernels == {}


def test_products_are_those_of_the_network() -> None:
    job = Job("step", "plif", (), ((2, 4),), options={"network": "plif_mnist"})
    network = step.build(contenders.FUSED, job, (2, 4))
    called: list[str] = []
    for name, layer in network.named_modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(lambda _m, _x, _out, name=name: called.append(name))
    products = step._products(network, torch.rand(2, 1, 28, 28))
    called.clear()
    products()
    assert called == ["static_conv.0", "conv.2", "fc.2", "fc.5"]


def test_a_product_over_time_is_one_of_them() -> None:
    job = Job("step", "psn", (), ((32, 4),), options={"network": "psn_sequential"})
    seen = step.products_of(step.build(contenders.FUSED, job, (32, 4)), torch.rand(2, 3, 32, 32))
    kinds = [type(layer).__name__ for layer, _ in seen]
    assert kinds[:4] == ["Conv1d", "PSN", "Conv1d", "PSN"]
    assert kinds[-2:] == ["PSN", "Linear"]
    psn, x = seen[1]
    potentials = torch.tensordot(psn.weight, x, 1) + psn.bias.view(-1, *[1] * (x.ndim - 1))
    torch.testing.assert_close(step.product(psn)(x), potentials)
