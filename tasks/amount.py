"""How many training samples of a data set are here, by names and headers: nothing is decoded, PyTorch is not loaded.

No training rests on it: it tells what one will cost, and that a set is a subset, before it begins.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import (
    cifar,
    cifar10dvs,
    digits,
    dvs128gesture,
    fsdd,
    imagenet,
    mnist,
    motion_events,
    nmnist,
    shapes,
    shuffled,
    voc,
)
from tasks.errors import TaskError

VARIANTS = ("plain_", "shuffled_")  # other forms of the same images


@dataclass(frozen=True)
class Amount:
    """Training samples that are `here`, and those of the whole set as it was `published`; nothing is held out yet."""

    here: int
    published: int

    @property
    def subset(self) -> str:
        """What is missing, in words: "10,000 of 50,000 training samples"; empty where all are there."""
        return f"{self.here:,} of {self.published:,} training samples" if self.here < self.published else ""


Count = Callable[[Path | None, Mapping[str, Any]], Amount]


def amount(name: str, root: str | Path | None, options: Mapping[str, Any]) -> Amount | None:
    """That of a task with `options` on the data root (None: SPIKEBENCH_DATA); None where a quick look does not tell."""
    known = COUNTS.get(name)
    for variant in VARIANTS:
        known = known or COUNTS.get(name.removeprefix(variant))
    if known is None:
        return None
    try:
        found = known(Path(root) if root else None, options)
    except (TaskError, OSError):  # missing or damaged data: whoever loads them says so
        return None
    return found if found.here else None


def _whole(samples: int) -> Count:
    return lambda root, options: Amount(samples, samples)


def _option(name: str, default: int) -> Count:
    def count(root: Path | None, options: Mapping[str, Any]) -> Amount:
        samples = int(options.get(name, default))
        return Amount(samples, samples)

    return count


def _idx(which: mnist.IdxSet) -> Count:
    def count(root: Path | None, options: Mapping[str, Any]) -> Amount:
        path = which.files(root)["train", "images"]
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(8)
        return Amount(int.from_bytes(header[4:], "big"), mnist.EXPECTED["train"])

    return count


def _pickled(which: cifar.CifarSet) -> Count:
    """By the size of the batches, of which pixels are all but a hundredth."""

    def count(root: Path | None, options: Mapping[str, Any]) -> Amount:
        found = sum(path.stat().st_size // (3 * 32 * 32) for path in which.files(root)[0])
        published = cifar.EXPECTED["train"]
        step = published // 50  # sets are cut by the thousand, so the few names beside the pixels round away
        return Amount(min(published, found // step * step or found), published)

    return count


def _recordings(files: Callable[[Path | None, Mapping[str, Any]], Mapping[str, Sized]], published: int) -> Count:
    def count(root: Path | None, options: Mapping[str, Any]) -> Amount:
        return Amount(len(files(root, options)["train"]), published)

    return count


def _dvs_files(root: Path | None, options: Mapping[str, Any]) -> Mapping[str, Sized]:
    return cifar10dvs._files(cifar10dvs._folder(root), options.get("split", cifar10dvs.SPLIT))


COUNTS: dict[str, Count] = {
    "digits": _whole(digits.TRAIN),
    "digits_events": _whole(digits.TRAIN),
    "digits_recall": _whole(digits.TRAIN),
    "shuffled_digits": _whole(shuffled.TRAIN),
    "motion_events": _whole(motion_events.TRAIN),
    "adding": _option("train", 3200),
    "shapes": _option("train", shapes.TRAIN),
    "randman": _option("train", 800),
    "noisy_current": _option("samples", 1),
    "mnist": _idx(mnist._MNIST),
    "fashion_mnist": _idx(mnist._FASHION_MNIST),
    "cifar10": _pickled(cifar._CIFAR10),
    "cifar100": _pickled(cifar._CIFAR100),
    "nmnist": _recordings(lambda root, options: nmnist._files(nmnist._folder(root)), nmnist.EXPECTED["train"]),
    "cifar10dvs": _recordings(_dvs_files, cifar10dvs.EXPECTED["train"]),
    "fsdd": _recordings(lambda root, options: fsdd._files(fsdd._folder(root)), fsdd.EXPECTED["train"]),
    "dvs128gesture": _whole(dvs128gesture.EXPECTED["train"]),
    "imagenet": _whole(imagenet.EXPECTED["train"]),
    "voc2007": _recordings(lambda root, options: voc.YEARS[2007].listed(root), voc.YEARS[2007].expected["train"]),
    "voc2012": _recordings(lambda root, options: voc.YEARS[2012].listed(root), voc.YEARS[2012].expected["train"]),
}
