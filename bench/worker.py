"""One experiment in one process: load, build, train, measure. Runs in a child; the parent writes the store."""

from __future__ import annotations

import fcntl
import inspect
import itertools
import math
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

import models
import tasks
import training
from core import memory
from core.errors import Unsupported
from core.randomness import seed_all
from core.registry import PluginWarning
from papers import checks, measures
from results import Dataset, Metric, Picture, Raster, Sample, timestamp
from tasks.task import Indices
from training import distributed, loop
from training.afterwards import Afterwards
from training.batching import Batching
from training.clock import Clock
from training.scheme import Scheme

from . import kinds
from .job import Request, Result

BETWEEN_NEWS = 0.5  # seconds between two messages about the preparation of data
BETWEEN_BATCHES = 5.0  # and about batches, of which a cluster keeps every message for days


def main(request: Request, connection: Connection) -> bool:
    """Entry point of the child: sends ("epoch", number, record) after each epoch and ("result", Result) at the end.

    Between them come ("data", done, all) while data is prepared, ("batches", done, all) within an epoch,
    ("stage", name) when another part of the work begins and ("note", text), which tells the user something of the run.
    Of a group of processes the first does so, and any other that fails. Returns whether all went well.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _prepare(request)
    started, clock = timestamp(), Clock()
    first = distributed.first()
    try:
        result = _guarded(request, connection.send if first else lambda message: None, clock)
    except BrokenPipeError:  # the parent is gone; the checkpoint has all that was done
        return False
    result = replace(result, started=started, seconds=clock.seconds(), peak_memory=_peak(request.device))
    if request.processes > 1 and result.outcome == "crashed":
        time.sleep(2)  # if it failed because another process died, torchrun ends it now and logs which one
    if first or result.outcome != "ok":
        connection.send(("result", result))
    return result.outcome == "ok"


def _prepare(request: Request) -> None:
    warnings.simplefilter("ignore", PluginWarning)  # the parent has said it
    torch.set_num_threads(request.threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    if request.memory is not None and request.device == "cpu":  # CUDA maps far more than it uses
        memory.limit(request.memory)
    memory.forget_peak()  # where that is forbidden, _peak includes what the server had loaded


Send = Callable[[tuple[Any, ...]], None]


def _guarded(request: Request, send: Send, clock: Clock | None = None) -> Result:
    """The experiment with every failure turned into its outcome."""
    try:
        return run(request, send, clock or Clock())
    except BrokenPipeError:
        raise
    except _Busy as error:
        return Result("skipped", str(error))
    except (tasks.TaskError, distributed.DeviceMissing) as error:
        return Result("unavailable", str(error))
    except Unsupported as error:
        return Result("unsupported", str(error))
    except Exception as error:
        where = _log(request)
        if memory.ran_out(error):
            limit = f" (limit {request.memory / 2**30:.1f} GiB)" if request.memory else ""
            return Result("oom", f"{_first_line(error)}{limit}")
        return Result("crashed", f"{type(error).__name__}: {_first_line(error)}{where}")


def _log(request: Request) -> str:
    """Writes the traceback to the log; says where it is, or nothing where it could not be kept, as on a full disk."""
    try:
        request.log.parent.mkdir(parents=True, exist_ok=True)
        with request.log.open("w" if request.processes == 1 else "a", encoding="utf-8") as log:
            log.write(traceback.format_exc())  # of a group, each failing process adds its own
    except OSError:
        return ""
    return f"; the traceback is in {request.log_place}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Busy(Exception):
    pass


def run(request: Request, send: Send, clock: Clock) -> Result:
    """What becomes of an experiment of any kind; raises what goes wrong. `clock` runs since this process began."""
    kind, known = request.experiment.kind, kinds.registry.names()
    if kind not in known:
        return Result("unsupported", f"nothing here runs experiments of kind {kind!r}, only {', '.join(known)}")
    return kinds.registry.get(kind)(request, send, clock)


def train(request: Request, send: Send, clock: Clock) -> Result:
    """Trains and measures; raises what goes wrong, a divergence aside."""
    experiment = request.experiment
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        send(("note", text))

    with _only_one(request.checkpoint) if distributed.first() else nullcontext(), distributed.group(request.device):
        task, scheme, batching = prepared(request, send)
        network = scheme.network
        info = task.dataset
        waiting = _Waiting()
        watched = replace(task, train=_Watched(task.train, send, waiting))
        dataset = Dataset(info.digest, info.name, info.complete, {**info.counts, "test": len(task.test)}, info.note)
        named = [measures.registry.get(name) for name in experiment.measures]
        afterwards = [measure for measure in named if issubclass(measure, Afterwards)]
        send(("stage", "training"))
        try:
            history = loop.fit(
                scheme,
                watched,
                epochs=experiment.epochs,
                batch_size=experiment.batch_size,
                seed=experiment.seed,
                device=request.device,
                measures=[measure for measure in named if measure not in afterwards],
                batching=batching,
                **experiment.evaluation,
                path=request.checkpoint,
                on_epoch=lambda epoch, record: send(("epoch", epoch, record)),
                on_note=note,
                clock=clock,
            )
        except loop.Diverged as error:
            reason = "; ".join([str(error), *notes])
            return Result("diverged", reason, backend=_backends(network), datasets=(dataset,))
        send(("stage", "measuring"))
        found = [checks.registry.get(name)(network, task.test, request.device) for name in experiment.checks]
        for measure in afterwards:
            last = task.test.for_epoch(max(0, experiment.epochs - 1), experiment.seed)
            of_it = measure.of(
                scheme, last, device=request.device, batch_size=experiment.batch_size, seed=experiment.seed
            )
            found.append(of_it.metrics)
            notes += of_it.reasons
        shown, over_time = _pictures(scheme, task, request, send), _over_time(scheme, task, request)
    return Result(
        "ok",
        "; ".join(notes),
        backend=_backends(network),
        datasets=(dataset,),
        metrics=(
            *_curves(history),
            *_summary(history, network),
            *waiting.share(history),
            *itertools.chain(*found),
            Metric("processes", request.processes, "count"),
        ),
        pictures=shown,
        samples=(
            *(Sample("train_seconds", i, record["train_seconds"], "s") for i, record in enumerate(history)),
            *over_time,
        ),
    )


class _Waiting:
    """How long a training waited for its data."""

    def __init__(self) -> None:
        self.epochs, self.seconds = 0, 0.0

    def share(self, history: loop.History) -> list[Metric]:
        """The share of the time of the epochs that this process trained; nothing where there were none."""
        trained = sum(record["train_seconds"] for record in history[len(history) - self.epochs :])
        return [Metric("waiting", self.seconds / trained, "fraction")] if trained else []


class _Watched(tasks.Split):
    """The training split, which tells now and then how many batches of an epoch are over, and how long they took."""

    def __init__(self, split: tasks.Split, send: Send, waiting: _Waiting) -> None:
        self._split, self._send, self._waiting = split, send, waiting

    def __len__(self) -> int:
        return len(self._split)

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        return self._split.batch(indices)

    def batches(self, chosen: Iterable[Indices]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        chosen, told = list(chosen), time.monotonic()
        batches = iter(self._split.batches(chosen))
        self._waiting.epochs += 1
        for over in range(len(chosen)):
            asked = time.monotonic()
            batch = next(batches)
            got = time.monotonic()
            self._waiting.seconds += got - asked
            if got - told > BETWEEN_BATCHES:
                told = got
                self._send(("batches", over, len(chosen)))
            yield batch

    def subset(self, indices: Indices) -> _Watched:
        return _Watched(self._split.subset(indices), self._send, self._waiting)

    def for_epoch(self, epoch: int, seed: int) -> _Watched:
        return _Watched(self._split.for_epoch(epoch, seed), self._send, self._waiting)


def prepared(request: Request, send: Send) -> tuple[tasks.Task, Scheme, Batching]:
    """The data, and the scheme with its network, as they are before the first epoch."""
    experiment = request.experiment
    seed_all(experiment.seed)
    options = {**experiment.task_options, **_progress(experiment.task, send)}
    task = tasks.load(experiment.task, root=request.data, cache=request.cache, **options)
    batching = Batching(**experiment.batching, updates=experiment.updates)
    if batching.drop_last and len(task.train) < experiment.batch_size:
        raise tasks.TaskError(
            f"The experiment trains in batches of {experiment.batch_size}, but {experiment.task} has only "
            f"{len(task.train)} training samples here; get the rest of the data set."
        )
    neuron = models.factory(experiment.neuron, **experiment.neuron_options)
    seed_all(experiment.seed)  # compared networks start alike, however their data were made
    options = {**experiment.model_options, **_root(experiment.model, request.data)}
    network = models.create(experiment.model, neuron=neuron, **options).to(request.device)
    if distributed.rank():  # augmentation and dropout of the processes differ
        seed_all(experiment.seed + 1_000_003 * distributed.rank())
    return task, training.registry.get(experiment.scheme)(network, **experiment.scheme_options), batching


def _pictures(scheme: Scheme, task: tasks.Task, request: Request, send: Send) -> tuple[Picture | Raster, ...]:
    """A few of the test set: with the boxes found in them, or with all spikes where their times are measured and where
    it is asked for."""
    experiment = request.experiment
    if isinstance(task.target, tasks.Boxes):
        from .pictures import classes, shown  # which ask for torchvision

        return shown(scheme, task.test, classes(experiment.task), request.device, experiment.seed)
    if measures.timed(experiment.measures) or request.rasters:
        from . import rasters

        why = rasters.lacking(scheme, task.target)
        if not why:
            return rasters.shown(scheme, task.test, request.device, experiment.seed)
        send(("note", why))
    return ()


def _over_time(scheme: Scheme, task: tasks.Task, request: Request) -> tuple[Sample, ...]:
    """The accuracy at each step, where the times of spikes are measured."""
    if not measures.timed(request.experiment.measures):
        return ()
    from . import rasters

    return rasters.over_time(scheme, task.test, request.device, request.experiment.seed)


def _progress(task: str, send: Send) -> dict[str, Callable[[int, int], None]]:
    """The option `progress` for the tasks that take it: tells how far the preparation of their data is."""
    if "progress" not in inspect.signature(tasks.registry.get(task).load).parameters:
        return {}
    told = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told > BETWEEN_NEWS or done == of:
            told = time.monotonic()
            with suppress(BrokenPipeError):  # the parent is gone, but what is prepared here is kept for the next run
                send(("data", done, of))

    return {"progress": tell}


def _root(model: str, data: str | None) -> dict[str, str | None]:
    """The option `root`, the data root, for the networks that start from a published file."""
    return {"root": data} if "root" in inspect.signature(models.registry.get(model)).parameters else {}


class _only_one:
    """Holds the lock beside a checkpoint, so that two processes never write it at once: those of commands with stores
    of their own, of whom no store knows both, or one of a command that is gone."""

    def __init__(self, checkpoint: Path) -> None:
        self.path = checkpoint.with_suffix(".lock")

    def __enter__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a")  # which empties nothing, whatever lies there
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise _Busy(
                "another process writes its checkpoint; run the command again when that is done, or give another --out"
            ) from None

    def __exit__(self, *exc: object) -> None:
        self.file.close()


def _curves(history: loop.History) -> list[Metric]:
    return [
        Metric(name, value if math.isfinite(value) else None, history.units[name], epoch)
        for epoch, record in enumerate(history)
        for name, value in record.items()
    ]


def _summary(history: loop.History, network: torch.nn.Module) -> list[Metric]:
    seen = sum(record["train_samples"] for record in history)
    seconds = sum(record["train_seconds"] for record in history)
    return [
        Metric("parameters", sum(p.numel() for p in network.parameters() if p.requires_grad), "count"),
        Metric("train_throughput", seen / seconds, "samples/s"),
    ]


def _backends(network: torch.nn.Module) -> str:
    """The backends that really computed the spiking layers."""
    from neurons.base import Neuron

    return ", ".join(sorted({layer.ran for layer in network.modules() if isinstance(layer, Neuron)} - {""}))


def _peak(device: str) -> int | None:
    """Largest memory held since the start, in bytes: on the GPU if one was used, else resident on the host.

    None where the system does not tell.
    """
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return memory.peak()
