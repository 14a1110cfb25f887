"""Data sets and synthetic tasks: loading, event-to-frame integration, splits.

    task = tasks.load("digits", validation=0.15)
    x, y = task.train.batch([0, 1, 2])          # [3, 1, 8, 8] float32, [3] int64

Importing this package imports neither torch nor NumPy; a task's module is imported when it is loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.registry import Registry, unknown
from tasks.errors import DataDamaged, DataMissing, TaskError
from tasks.task import Boxes, Classes, DatasetInfo, Split, Target, Task, Values

if TYPE_CHECKING:
    from tasks.hashes import Progress
    from tasks.loader import Loader

__all__ = [
    "Boxes",
    "Classes",
    "DataDamaged",
    "DataMissing",
    "DatasetInfo",
    "Split",
    "Target",
    "Task",
    "TaskError",
    "Values",
    "available",
    "digest",
    "load",
    "module",
    "names",
]

registry = Registry(
    "task",
    {
        "digits": "tasks.digits:DIGITS",
        "digits_events": "tasks.digits_events:DIGITS_EVENTS",
        "motion_events": "tasks.motion_events:MOTION_EVENTS",
        "digits_recall": "tasks.digits_recall:DIGITS_RECALL",
        "plain_digits": "tasks.plain_images:PLAIN_DIGITS",
        "shuffled_digits": "tasks.shuffled:SHUFFLED_DIGITS",
        "adding": "tasks.adding:ADDING",
        "noisy_current": "tasks.noisy_current:NOISY_CURRENT",
        "randman": "tasks.randman:RANDMAN",
        "mnist": "tasks.mnist:MNIST",
        "fashion_mnist": "tasks.mnist:FASHION_MNIST",
        "plain_mnist": "tasks.plain_images:PLAIN_MNIST",
        "plain_fashion_mnist": "tasks.plain_images:PLAIN_FASHION_MNIST",
        "shuffled_mnist": "tasks.shuffled:SHUFFLED_MNIST",
        "shuffled_fashion_mnist": "tasks.shuffled:SHUFFLED_FASHION_MNIST",
        "shuffled_cifar10": "tasks.shuffled:SHUFFLED_CIFAR10",
        "shuffled_cifar100": "tasks.shuffled:SHUFFLED_CIFAR100",
        "cifar10": "tasks.cifar:CIFAR10",
        "cifar100": "tasks.cifar:CIFAR100",
        "imagenet": "tasks.imagenet:IMAGENET",
        "nmnist": "tasks.nmnist:NMNIST",
        "cifar10dvs": "tasks.cifar10dvs:CIFAR10DVS",
        "dvs128gesture": "tasks.dvs128gesture:DVS128GESTURE",
        "dvsgesture10": "tasks.dvsgesture10:DVSGESTURE10",
        "dvsplane": "tasks.dvsplane:DVSPLANE",
        "shd": "tasks.shd:SHD",
        "ntidigits": "tasks.ntidigits:NTIDIGITS",
        "fsdd": "tasks.fsdd:FSDD",
        "shapes": "tasks.shapes:SHAPES",
        "voc2007": "tasks.voc:VOC2007",
        "voc2012": "tasks.voc:VOC2012",
        "voc2007_detections": "tasks.voc_detections:VOC2007_DETECTIONS",
    },
    group="spikebench.tasks",
)


def names() -> list[str]:
    """The names of all tasks."""
    return registry.names()


def module(name: str) -> str:
    """The dotted module that loads a task, for fingerprints. Raises UnknownName."""
    return registry.module(name)


def load(name: str, *, root: str | Path | None = None, cache: str | Path | None = None, **options: Any) -> Task:
    """Load a task.

    `root` is the data root (default: the environment variable SPIKEBENCH_DATA); `cache` the folder for integrated
    frames. Every task takes `validation` (0, or the part of each stratum, such as a class, held out, see
    `tasks.splits.head_split`); event tasks take `T` (frames), `split_by` ("number" or "time") and `normalization`
    (None, "frequency", "max", "norm", "sum").

    Raises UnknownName for an unknown task, TaskError for an unknown option, DataMissing, DataDamaged.
    """
    loader: Loader = registry.get(name)
    known = [p.name for p in inspect.signature(loader.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise TaskError(str(unknown(f"option of task {name!r}", option, known)))
    with _reading(name):
        return loader.load(Path(root) if root else None, Path(cache) if cache else None, **options)


def available(name: str, root: str | Path | None = None) -> str | None:
    """None when the data of a task seems to be there, else the sentence that says what is missing or wrong.

    A quick look at the folders: nothing is decoded. Raises UnknownName.
    """
    loader: Loader = registry.get(name)
    if loader.check is not None:
        try:
            with _reading(name):
                loader.check(Path(root) if root else None)
        except TaskError as problem:
            return str(problem)
    return None


def digest(
    name: str,
    root: str | Path | None = None,
    cache: str | Path | None = None,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> str | None:
    """The digest that `load` would give the data of a task now (`Task.dataset.digest`); None when it cannot be known.

    It cannot when the data are not available, or cannot be read, or when the task of another package does not tell.
    Files are read once: their hashes are remembered in the folder `cache`, after which a stat for each file tells. Of
    `options`, the task's options, only those that decide which data are used matter. `progress(read, all)` is called
    after each file that had to be read. Raises UnknownName.
    """
    loader: Loader = registry.get(name)
    if loader.digest is None:
        return None
    try:
        with _reading(name):
            return loader.digest(Path(root) if root else None, Path(cache) if cache else None, progress, options)
    except TaskError:
        return None


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turns the system's refusal of a file, or of its name, into a TaskError."""
    try:
        yield
    except (OSError, UnicodeError) as problem:
        raise TaskError(f"The data of {name} cannot be read: {problem}.") from problem
