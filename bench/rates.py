"""The kind "rates": how often a neuron fires that is driven with the inputs of a task. Nothing is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

import neurons
import tasks
from core.randomness import seed_all
from papers.measures import RATE
from results import Dataset, Metric

from .job import Request, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from neurons.base import Neuron
    from training.clock import Clock

BIAS = -5.0  # of the membrane gates


def measure(request: Request, send: Callable[[tuple[Any, ...]], None], clock: Clock) -> Result:
    """The measure RATE: spikes of a neuron over the test set, by the steps and the state before them."""
    experiment = request.experiment
    seed_all(experiment.seed)
    task = tasks.load(experiment.task, root=request.data, cache=request.cache, **experiment.task_options)
    currents, _ = task.test.for_epoch(0, experiment.seed).batch(torch.arange(len(task.test)))
    neuron = _cells(experiment.neuron, experiment.neuron_options).to(request.device)
    send(("stage", "measuring"))
    with torch.no_grad():
        # Two equal neurons: the gates of each see both.
        spikes = neuron(currents.to(request.device).transpose(0, 1).expand(-1, -1, 2))
    info = task.dataset
    dataset = Dataset(info.digest, info.name, info.complete, dict(info.counts), info.note)
    T, samples, _ = spikes.shape
    rate = float(spikes[:, :, 0].sum()) / (samples * (T + 1))
    return Result("ok", datasets=(dataset,), metrics=(Metric(RATE.name, rate, RATE.unit),))


def _cells(name: str, options: dict[str, Any]) -> Neuron:
    """A layer of two equal neurons; liquid ones have gates that weigh all they see by 1, with the bias BIAS."""
    neuron = neurons.create(name, **options)
    gates = dict(neuron.named_parameters())
    if "gates.membrane.weight" in gates:
        nn.init.ones_(gates["gates.membrane.weight"])
        nn.init.constant_(gates["gates.membrane.bias"], BIAS)
    return neuron
