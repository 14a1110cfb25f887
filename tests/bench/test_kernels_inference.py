"""Inference of the convolutional networks, measured within the process."""

from __future__ import annotations

import pytest
import torch
from test_kernels_step import Listener
from torch import nn

from bench.speed import contenders, inference, step
from bench.speed.job import Job


@pytest.mark.parametrize(("neuron", "network"), [("plif", "plif_mnist"), ("psn", "psn_sequential")])
def test_every_contender_gives_the_same_in_evaluation(neuron: str, network: str) -> None:
    asked = Job("inference", neuron, (), ((4, 2),), repeats=1, budget=1.0)
    planned = inference.jobs(asked, ("spikingjelly",))
    assert [(j.options["network"], j.options["batch"]) for (j,) in planned[:2]] == [
        (next(iter(step.NETWORKS[neuron])), 64),
        (next(iter(step.NETWORKS[neuron])), 1),
    ]
    job = next(j for (j,) in planned if j.options == {"network": network, "batch": 1})
    listener = Listener()
    inference.measure(job, listener)  # type: ignore[arg-type]
    found = listener.results
    assert set(found) == {
        step.PRODUCTS, contenders.REFERENCE, contenders.FUSED, step.LAYERS, step.PEER, step.PEER_LAYERS,
    }  # fmt: skip
    assert {(result.outcome, result.reason) for result in found.values()} == {("ok", "")}
    assert found[contenders.FUSED].size == {"T": job.shapes[0][0], "channels": 2, "batch": 1}
    assert found[contenders.FUSED].value("samples_per_second") > 0


@pytest.mark.parametrize(("neuron", "network"), [("plif", "plif_nmnist"), ("psn", "psn_sequential")])
def test_neurons_fire_in_what_is_timed(neuron: str, network: str) -> None:
    """A network of silent neurons would be a faster one than any that was trained."""
    job = Job("inference", neuron, (), ((4, 2),), repeats=1, budget=1.0, options={"network": network})
    made = inference._trained(contenders.FUSED, job, (32, 2) if network == "psn_sequential" else (4, 2))
    shares: list[float] = []
    for layer in made.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
            layer.register_forward_pre_hook(lambda _, given: shares.append(float((given[0] != 0).float().mean())))
    with torch.no_grad():
        made.run(step.samples(job, (32, 2) if network == "psn_sequential" else (4, 2), 4)[0])
    assert len(shares) > 1
    assert min(shares) > 0.01
