"""The loop over epochs: train, evaluate, remember, checkpoint."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from core.randomness import seeded

from . import checkpoint, distributed
from .batching import Batching
from .clock import Clock
from .finite import Diverged as Diverged
from .finite import Finite
from .measures import USUAL, AnswerMeasure, MakeMeasure, NetworkMeasure, Reading, spiking
from .resume import History, resume
from .scheme import Scheme

if TYPE_CHECKING:
    from tasks import Split, Task

Answers: TypeAlias = Callable[[], list[AnswerMeasure]]


def fit(
    scheme: Scheme,
    task: Task,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    device: str,
    measures: Iterable[MakeMeasure] = USUAL,
    batching: Batching = Batching(),  # noqa: B008 - frozen
    repeats: int = 1,
    path: Path | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    on_note: Callable[[str], None] = lambda text: None,
    clock: Clock | None = None,
) -> History:
    """Trains `scheme` on `task` and returns one record an epoch, with the units of what is in them.

    A record holds lr, the scalars of the updates (train_loss ...), train_seconds, train_samples, and what `measures`
    return: those of answers on each part of the data (train_accuracy, validation_accuracy, test_accuracy), those of the
    network by their own names. Every neuron is told of the epoch before it starts (`Neuron.start_epoch`); its
    evaluation sees the network as it was trained in it. An evaluation is passed through `repeats` times, each with
    random numbers of its own that are the same in every epoch, and its measures are averaged.

    With `path`, every epoch ends in a checkpoint there and a run found there is continued: on a CPU its records are
    those of an uninterrupted run, bit for bit, times aside; what it had spent is added to `clock`. A checkpoint that is
    damaged, that does not fit, or whose run saw other data is set aside: training starts anew, and `on_note` gets a
    sentence that says so. The caller seeds the global RNGs before it builds the network; the order of the samples
    depends on `seed` and the epoch alone, so that compared networks see the same batches. `on_epoch(epoch, record)` is
    called after each epoch, and once for every epoch found in the checkpoint.

    In a group of processes (training.distributed) each calls this and gets the same records, seconds aside, and
    process 0 writes the checkpoint. Raises Diverged when the loss, a parameter or a buffer is no longer finite; no
    checkpoint holds such a network.
    """
    clock = clock or Clock()
    finite = Finite(scheme.network)
    of_answers, of_network = _sorted(measures)

    def answers() -> list[AnswerMeasure]:
        return [make(task.target) for make in of_answers]

    answers()  # a measure that the task has no labels for is told at once
    history = resume(scheme, path, task.dataset.digest, clock, on_note) if path else History()
    for epoch, record in enumerate(history):
        if on_epoch:
            on_epoch(epoch, record)
    if history:  # a finished run is not trained any more, but its network may be measured
        finite.check(len(history) - 1)
        _start_epoch(scheme, len(history) - 1, epochs)
    for epoch in range(len(history), epochs):
        _start_epoch(scheme, epoch, epochs)
        found = {"lr": Reading(scheme.lr, "1")}
        split = task.train.for_epoch(epoch, seed)
        found |= _train(scheme, split, batching.batches(len(split), batch_size, seed, epoch), device, answers())
        scheme.end_epoch()
        finite.check(epoch, found["train_loss"].value if "train_loss" in found else 0.0)
        watching = [make(scheme.network) for make in of_network]
        for part, data in (("validation", task.validation), ("test", task.test)):
            if data is None:
                continue
            with ExitStack() as stack:
                for measure in watching if part == "test" else ():
                    stack.enter_context(measure.watching())
                split = data.for_epoch(epoch, seed)
                values = evaluate(scheme, split, batch_size, device, answers, repeats=repeats, seed=seed)
            found |= {f"{part}_{name}": reading for name, reading in values.items()}
        for measure in watching:
            found |= measure.values()
        history.add(found)
        if path:
            state = {"scheme": scheme.state_dict(), "history": list(history), "units": history.units}
            checkpoint.save(path, {**state, "data": task.dataset.digest, "seconds": clock.seconds()})
        if on_epoch:
            on_epoch(epoch, history[-1])
    return history


def evaluate(
    scheme: Scheme,
    split: Split,
    batch_size: int,
    device: str,
    answers: Answers,
    *,
    repeats: int = 1,
    seed: int = 0,
) -> dict[str, Reading]:
    """The measures that `answers` makes, by name, on `split`; the batch size decides the memory, not the result.

    Random numbers that the network or the data draw are those of `seed` and of the pass, of which there are `repeats`,
    and leave the generators as they were; the mean over the passes is returned.
    """
    scheme.network.eval()
    processes = distributed.size()
    mine = torch.arange(distributed.rank(), len(split), processes)
    passes = []
    for repeat in range(repeats):
        made = answers()
        with torch.inference_mode(), seeded((seed * 1_000_003 + repeat) * processes + distributed.rank()):
            for x, labels in _batches(split, mine.split(max(1, batch_size // processes)), device):
                outputs = scheme.outputs(x)
                _update(made, outputs, scheme.decide(outputs), labels)
        passes.append([Reading(measure.value(), measure.unit) for measure in made])
    names = [measure.name for measure in made]
    means = [Reading(statistics.fmean(r.value for r in found), found[0].unit) for found in zip(*passes, strict=True)]
    return dict(zip(names, means, strict=True))


def _train(
    scheme: Scheme, split: Split, batches: Sequence[Tensor], device: str, measures: Sequence[AnswerMeasure]
) -> dict[str, Reading]:
    scheme.network.train()
    start = time.perf_counter()
    shares = [distributed.share(batch) for batch in batches]
    scalars: dict[str, list[Tensor]] = {}
    for x, labels in _batches(split, shares, device):
        update = scheme.train_batch(x, labels)
        for name, value in update.scalars.items():
            scalars.setdefault(name, []).append(value)
        with torch.no_grad():
            _update(measures, update.outputs, scheme.decide(update.outputs), labels)
    distributed.align_buffers(scheme.network)
    # One transfer an epoch; it waits for the device.
    means = {
        f"train_{name}": Reading(distributed.total(torch.stack(values).mean()).item() / distributed.size(), "1")
        for name, values in scalars.items()
    }
    seconds = time.perf_counter() - start
    return {
        **means,
        **{f"train_{measure.name}": Reading(measure.value(), measure.unit) for measure in measures},
        "train_seconds": Reading(seconds, "s"),
        "train_samples": Reading(float(sum(map(len, batches))), "count"),
    }


def _update(measures: Sequence[AnswerMeasure], outputs: Tensor, predictions: Tensor, labels: Tensor) -> None:
    for measure in measures:
        measure.update(outputs, predictions, labels)


def _sorted(measures: Iterable[MakeMeasure]) -> tuple[list[type[AnswerMeasure]], list[type[NetworkMeasure]]]:
    """The measures of answers and those of the network."""
    of_answers: list[type[AnswerMeasure]] = []
    of_network: list[type[NetworkMeasure]] = []
    for made in measures:
        if issubclass(made, AnswerMeasure):
            of_answers.append(made)
        else:
            of_network.append(made)
    return of_answers, of_network


def _batches(split: Split, indices: Iterable[Tensor], device: str) -> Iterator[tuple[Tensor, Tensor]]:
    for x, labels in split.batches(indices):
        yield x.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def _start_epoch(scheme: Scheme, epoch: int, epochs: int) -> None:
    for layer in spiking(scheme.network).values():
        layer.start_epoch(epoch, epochs)
