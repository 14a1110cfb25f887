"""The spikes that are kept of a trained network."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import pytest
import torch

import models
import tasks
import training
from bench import rasters
from papers.experiment import Experiment
from papers.first_spike.arms import ADLIF, CULIF, FS, MANIFOLDS, Arm, experiment
from reports.rasters import places
from results import Raster, StoreError
from results.run import pictured
from training.spike_timing import FirstSpikeDelay50


def scheme(made: Experiment) -> Any:
    torch.manual_seed(1)
    neuron = models.factory(made.neuron, **made.neuron_options)
    network = models.create(made.model, neuron=neuron, **made.model_options)
    return training.registry.get(made.scheme)(network, **made.scheme_options)


@pytest.mark.parametrize("network", [ADLIF, CULIF])
def test_one_sample_of_each_class_with_all_its_spikes(network: str) -> None:
    learner = scheme(experiment(Arm(network, FS), MANIFOLDS, "quick"))
    test = tasks.load("randman", **MANIFOLDS.task_options).test
    found = rasters.shown(learner, test, "cpu", 0)
    assert [raster.there for raster in found] == [0, 1, 2, 3]
    x, labels = test.batch([raster.index for raster in found])
    assert labels.tolist() == [0, 1, 2, 3]
    outputs = learner.outputs(x)
    for place, raster in enumerate(found):
        assert raster.found == learner.decide(outputs)[place]
        (first, inputs, kept, spikes), *_, (_, classes, _, answered) = raster.layers
        assert (first, inputs, kept, classes, raster.steps) == ("input", 24, 24, 4, 40)
        assert places(40, 24, spikes) == [tuple(at) for at in x[place].nonzero().tolist()]
        assert places(40, 4, answered) == [tuple(at) for at in outputs[:, place, 0].nonzero().tolist()]
    assert len(found[0].layers) == 3


def test_the_accuracy_by_step_is_that_of_the_measure() -> None:
    learner = scheme(experiment(Arm(CULIF, FS), MANIFOLDS, "quick"))
    task = tasks.load("randman", **MANIFOLDS.task_options)
    found = rasters.over_time(learner, task.test, "cpu", 0)
    measure = FirstSpikeDelay50(task.target)
    x, labels = task.test.batch(range(len(task.test)))
    outputs = learner.outputs(x)
    measure.update(outputs, learner.decide(outputs), labels)
    by_spike = [sample.value for sample in found if sample.name == "accuracy_fs_by_step"]
    assert by_spike == pytest.approx(measure.over_time().tolist())
    assert len(found) == 2 * 40


def test_wide_layers_are_cut_and_the_output_is_not() -> None:
    spikes = torch.zeros(2, 100)
    spikes[1, 5] = spikes[0, 70] = 1
    neurons, kept, bits = rasters._packed(spikes, whole=False)
    assert (neurons, kept, places(2, kept, bits)) == (100, rasters.KEPT, [(1, 5)])
    assert rasters._packed(spikes, whole=True)[1] == 100


def test_a_stored_raster_is_whole() -> None:
    bits = b64encode(np.packbits(np.eye(3, dtype=bool)).tobytes()).decode()
    raster = Raster(7, 3, (("fc", 3, 3, bits),), 1, 2)
    assert pictured(7, raster.document()) == raster
    assert places(3, 3, bits) == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(StoreError, match="has 2 bytes of spikes for 30 steps of 3 of 3 neurons"):
        Raster(7, 30, (("fc", 3, 3, bits),), 1, 2)
    with pytest.raises(StoreError, match="not in base64"):
        Raster(7, 3, (("fc", 3, 3, "?"),), 1, 2)


def voting() -> Any:
    """An untrained network whose last spiking layer votes, and its task."""
    torch.manual_seed(1)
    network = models.create("plif_mnist", neuron=models.factory("lif"), side=8, channels=3, hidden=12, T=3)
    return training.registry.get("bptt")(network), tasks.load("digits")


def test_a_network_that_votes_has_its_spikes_and_no_output() -> None:
    learner, task = voting()
    found = rasters.shown(learner, task.test, "cpu", 0)
    assert [raster.there for raster in found] == list(range(10))
    assert not any(raster.output for raster in found)
    assert [(name, neurons) for name, neurons, _, _ in found[0].layers] == [
        ("conv.0", 192), ("conv.4", 48), ("fc.3", 12), ("fc.6", 100),
    ]  # fmt: skip
    x, _ = task.test.batch([found[2].index])
    with torch.no_grad():
        voters = torch.tensor(np.zeros((3, 100)))
        for step, neuron in places(3, found[2].layers[-1][2], found[2].layers[-1][3]):
            voters[step, neuron] = 1
        votes = learner.outputs(x)[:, 0]
    known = found[2].layers[-1][2] // 10  # classes all of whose voters are kept
    assert torch.allclose(votes[:, :known].double(), voters.unflatten(1, (10, 10)).mean(2)[:, :known])
    assert pictured(found[2].index, found[2].document()) == found[2]


def test_what_has_no_spikes_or_classes_says_so() -> None:
    learner, task = voting()
    assert rasters.lacking(learner, task.target) == ""
    assert rasters.lacking(learner, tasks.Values(1)) == "no spikes are kept, for the task has no classes"
    learner.network = torch.nn.Linear(2, 2)
    assert (
        rasters.lacking(learner, task.target) == "no spikes are kept, for no layer of the network spikes step by step"
    )


def test_an_input_is_kept_where_it_is_not_0_and_a_current_is_not() -> None:
    counts = torch.tensor([[[0.0, 2.0]]])
    assert list(rasters._input(counts)) == ["input, not 0"]
    assert list(rasters._input(counts.clamp(max=1))) == ["input"]
    assert rasters._input(counts + 1) == {}


def test_long_sequences_keep_fewer_neurons() -> None:
    _, kept, bits = rasters._packed(torch.ones(1000, 100), whole=False)
    assert kept * 1000 <= rasters.BITS
    assert len(places(1000, kept, bits)) == kept * 1000
