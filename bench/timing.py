"""Times a few batches of a training, to reckon what the whole of it will take; nothing of it is a result."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from papers.labels import labels
from results import Metric

from . import kinds
from .cost import BEFORE, Timed
from .executor import Quiet
from .job import Request, Result

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

    from tasks import Split
    from training.clock import Clock

    from .cost import Cost
    from .plan import Step
    from .settings import Settings
    from .worker import Send

KIND = "timing"
PATIENCE = 3.0  # seconds after which no further batch is begun, of training and of evaluation each
MOST = 20  # batches of each
START, EPOCH, SAMPLES = "start_seconds", "epoch_seconds", "epoch_samples"


def of(settings: Settings, steps: Iterable[Step], costs: Mapping[str, Cost], console: Console) -> dict[str, Timed]:
    """Times, one after another, a few batches of each setting that has no time of this machine in `costs`; by the key
    of the setting. What fails is said."""
    from .local import Local

    wanted = {
        step.experiment.template: step.experiment
        for step in steps
        if step.to_run and step.experiment.kind == kinds.TRAINING and costs[step.experiment.key].basis != BEFORE
    }
    names, local = labels(wanted.values()), Local(settings)
    device = local.device()
    share = local.share(device, 1)
    found: dict[str, Timed] = {}

    def ended(request: Request, result: Result) -> None:
        experiment = replace(request.experiment, kind=kinds.TRAINING)
        if result.outcome == "ok":
            found[experiment.template] = _timed(result)
        else:
            console.print(f"Not timed: {names[experiment.key]}: {result.outcome}: {result.reason}", soft_wrap=True)

    with TemporaryDirectory() as folder:
        requests = [
            Request(
                replace(experiment, kind=KIND, checks=()),
                device,
                settings.root,
                settings.cache,
                Path(folder) / f"{number}.pt",
                Path(folder) / f"{number}.log",
                share.threads,
                share.memory,
            )
            for number, experiment in enumerate(wanted.values())
        ]
        local.execute(requests, jobs=1, timeout=settings.seconds, listener=Quiet(), on_result=ended)
    return found


def measure(request: Request, send: Send, clock: Clock) -> Result:
    """As `bench.kinds` says; the metrics are what `of` makes a Timed of."""
    import torch

    from .worker import prepared

    task, scheme, batching = prepared(request, send)
    experiment, start = request.experiment, clock.seconds()
    split = task.train.for_epoch(0, experiment.seed)
    batches = batching.batches(len(split), experiment.batch_size, experiment.seed, 0)
    scheme.network.train()
    epoch = _each(split, batches, request.device, scheme.train_batch) * len(batches)

    def answer(x: Tensor, labels: Tensor) -> None:
        scheme.decide(scheme.outputs(x))

    scheme.network.eval()
    for part in (task.validation, task.test):
        if part is not None:
            split = part.for_epoch(0, experiment.seed)
            parts = torch.arange(len(split)).split(experiment.batch_size)
            with torch.inference_mode():
                one = _each(split, parts, request.device, answer)
            epoch += one * len(parts) * experiment.evaluation.get("repeats", 1)
    samples = sum(map(len, batches))
    return Result(
        "ok",
        metrics=(Metric(START, start, "s"), Metric(EPOCH, epoch, "s"), Metric(SAMPLES, samples, "count")),
    )


def _each(split: Split, batches: Sequence[Tensor], device: str, step: Callable[[Tensor, Tensor], object]) -> float:
    """Seconds of a batch: the median of a few after the first, which compiles and warms up; of one, that one."""
    import torch

    taken: list[float] = []
    begun = last = time.perf_counter()
    for x, told in split.batches(batches[: MOST + 1]):
        step(x.to(device), told.to(device))
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - last)
        last = time.perf_counter()
        if last - begun > PATIENCE and len(taken) > 1:
            break
    return statistics.median(taken[1:] or taken)


def _timed(result: Result) -> Timed:
    values = {metric.name: metric.value for metric in result.metrics}
    return Timed(values[START] or 0.0, values[EPOCH] or 0.0, int(values[SAMPLES] or 0), result.peak_memory)
