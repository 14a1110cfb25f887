"""The training step of convolutional networks against their products, measured within the process."""

from __future__ import annotations

from typing import Any

import torch

from bench.speed import contenders, step
from bench.speed.job import Job


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


def test_products_are_those_of_the_network() -> None:
    job = Job("step", "plif", (), ((2, 4),), options={"network": "plif_mnist"})
    network = step._network(contenders.FUSED, job, (2, 4))
    called: list[str] = []
    for name, layer in network.named_modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(lambda _m, _x, _out, name=name: called.append(name))
    products = step._products(network, torch.rand(2, 1, 28, 28))
    called.clear()
    products()
    assert called == ["static_conv.0", "conv.2", "fc.2", "fc.5"]
