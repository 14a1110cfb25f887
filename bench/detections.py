"""The kind "detections": a task whose inputs are a detector's answers, held against its boxes. Nothing is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import tasks
from papers.measures import AVERAGE_PRECISION
from results import Dataset, Metric
from training import average_precision as ap

from .job import Request, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.clock import Clock

TOGETHER = 500  # pictures


def evaluate(request: Request, send: Callable[[tuple[Any, ...]], None], clock: Clock) -> Result:
    """Average precision of each class, NAME_0, NAME_1 ..., and their mean, NAME, each with its interval over pictures,
    NAME_low and NAME_high. The seed decides the resamples alone."""
    experiment = request.experiment
    task = tasks.load(experiment.task, root=request.data, cache=request.cache, **experiment.task_options)
    measure = ap.AveragePrecision(task.target)
    send(("stage", "matching"))
    for chosen in torch.arange(len(task.test)).split(TOGETHER):
        answers, labels = task.test.batch(chosen)
        measure.update(answers, answers, labels)
    rankings = measure.rankings()
    send(("stage", "resampling"))
    each = np.stack([ap.precision(ranking) for ranking in rankings])
    values = np.concatenate([ap.mean(each)[None], each])[:, 0]
    names = [AVERAGE_PRECISION.once(part).name for part in ("", *map(str, range(len(rankings))))]
    metrics = []
    for name, value, ends in zip(names, values, ap.intervals(rankings, experiment.seed), strict=True):
        for suffix, number in (("", value), ("_low", ends[0]), ("_high", ends[1])):
            metrics.append(Metric(name + suffix, float(number), AVERAGE_PRECISION.unit))
    info = task.dataset
    dataset = Dataset(info.digest, info.name, info.complete, dict(info.counts), info.note)
    return Result("ok", datasets=(dataset,), metrics=tuple(metrics))
