"""The kind "memory": what one update of a training keeps for its backward pass. Nothing is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

import models
import tasks
import training
from core.randomness import seed_all
from papers.measures import SAVED
from results import Dataset, Metric
from training.kept import saved_bytes

from .job import Request, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.clock import Clock


def measure(request: Request, send: Callable[[tuple[Any, ...]], None], clock: Clock) -> Result:
    """The measure SAVED of the first batch."""
    experiment = request.experiment
    seed_all(experiment.seed)
    task = tasks.load(experiment.task, root=request.data, cache=request.cache, **experiment.task_options)
    neuron = models.factory(experiment.neuron, **experiment.neuron_options)
    network = models.create(experiment.model, neuron=neuron, **experiment.model_options).to(request.device)
    scheme = training.registry.get(experiment.scheme)(network.train(), **experiment.scheme_options)
    x, labels = task.train.for_epoch(0, experiment.seed).batch(torch.arange(experiment.batch_size))
    x, labels = x.to(request.device), labels.to(request.device)
    send(("stage", "measuring"))
    saved = saved_bytes(lambda: scheme.train_batch(x, labels))
    info = task.dataset
    dataset = Dataset(info.digest, info.name, info.complete, dict(info.counts), info.note)
    metrics = (
        Metric(SAVED.name, saved / 2**20, SAVED.unit),
        Metric("parameters", sum(p.numel() for p in network.parameters() if p.requires_grad), "count"),
    )
    return Result("ok", datasets=(dataset,), metrics=metrics)
