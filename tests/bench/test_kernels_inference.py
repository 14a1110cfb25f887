"""Inference of the convolutional networks, measured within the process."""

from __future__ import annotations

import pytest
from test_kernels_step import Listener

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
