"""Accuracies, delays and spike counts by hand; tests/golden_first_spike_coding.py has the reference vectors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import models
from papers import measures
from tasks import Boxes, Classes
from training import spike_timing as timing

# Four samples of two neurons in four steps: by first spike 0 from step 1, 1 from step 2, and twice no spike
SPIKES = torch.tensor(
    [
        [[0, 0], [0, 0], [0, 0], [0, 0]],
        [[1, 0], [0, 0], [0, 0], [0, 0]],
        [[0, 1], [0, 1], [0, 0], [0, 0]],
        [[0, 1], [0, 0], [0, 0], [0, 0]],
    ]
).float()
LABELS = torch.tensor([0, 1, 0, 0])


def told(measure: type[timing.AnswerMeasure], spikes: Tensor = SPIKES, labels: Tensor = LABELS) -> float:
    found = measure(Classes(2))
    for sample in range(len(labels)):  # batches of one
        outputs = spikes[:, sample : sample + 1]
        found.update(outputs, torch.zeros(1, dtype=torch.int64), labels[sample : sample + 1])
    return found.value()


def test_accuracies_of_both_readings() -> None:
    # by first spike 0, 1 and, silent, the lowest index 0, 0; by rate 1 (two spikes to one), 1, 0, 0
    assert told(timing.FirstSpikeAccuracy) == 1
    assert told(timing.FiringRateAccuracy) == 0.75


def test_accuracy_over_time() -> None:
    by_first = timing.right_by_first_spike(SPIKES, LABELS)
    assert by_first.int().sum(1).tolist() == [0, 1, 2, 2], "silence tells nothing"
    by_rate = timing.right_by_rate(SPIKES, LABELS)
    assert by_rate.int().sum(1).tolist() == [0, 1, 2, 1], "ties go to the lowest index"


def test_delays() -> None:
    assert told(timing.FirstSpikeDelay50) == 1
    assert told(timing.FirstSpikeDelay90) == 2
    assert told(timing.FiringRateDelay50) == 1
    assert told(timing.FiringRateDelay90) == 2
    assert math.isnan(told(timing.FirstSpikeDelay50, torch.zeros(4, 4, 2)))
    assert timing.delay(torch.tensor([0.33333, 0.66667]), 0.5) == 1, "33.33 is less than half of 66.67, as released"


def test_spikes_of_a_neuron_over_the_sequence() -> None:
    torch.manual_seed(0)
    network = models.create("sequential_fc", neuron=models.factory("if"), side=4, hidden=5, order="rows")
    for layer in network.fc:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.ones_(layer.bias)  # the threshold: every neuron fires at every step
    counts = timing.SpikeCounts(network)
    with torch.no_grad(), counts.watching():
        network.run(torch.zeros(3, 1, 4, 4))
    found = {name: reading.value for name, reading in counts.values().items()}
    assert found == {"spikes_fc.2": 4, "spikes_fc.4": 4, "test_spikes_per_neuron": 4}


def test_other_tasks_are_refused() -> None:
    for measure in (timing.FirstSpikeAccuracy, timing.FirstSpikeDelay50):
        with pytest.raises(ValueError, match="need"):
            measure(Boxes(2))


def test_each_is_known_to_the_papers() -> None:
    for measure in measures.TIMING:
        made = measures.registry.get(measure.name)
        assert measures.of_metric(f"test_{measure.name}") == ("test", measure)
        assert getattr(made, "unit", measure.unit) == measure.unit
