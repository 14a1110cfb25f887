"""Where data sets can be had: the addresses and sums that torchvision knows, and the places where our readers look."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.download import Progress, fetch, sum_of
from tasks.errors import TaskError


@dataclass(frozen=True)
class File:
    """A published file with its addresses, its place below the data root and its MD5 sum; `packed`: a tar to unpack
    there."""

    urls: tuple[str, ...]
    place: str
    md5: str
    packed: bool = False


@dataclass(frozen=True)
class Archive:
    """The files of a set, and the sums of those that are there once all is unpacked, by their places."""

    files: Callable[[], list[File]]
    sums: Callable[[], dict[str, str]]


def get(name: str, root: Path, progress: Callable[[str], Progress]) -> None:
    """Puts a set below `root`. `progress(file)` is told of the bytes. TaskError where nobody here knows its address."""
    sums = known(name).sums()
    if sums and all((root / place).is_file() for place in sums) and not damaged(name, root):
        return
    for file in known(name).files():
        target = root / file.place
        fetch(file.urls, target, file.md5, progress(target.name))
        if file.packed:
            try:
                with tarfile.open(target) as packed:
                    packed.extractall(target.parent, filter="data")
            except (tarfile.TarError, EOFError) as error:
                raise TaskError(f"{target} cannot be unpacked: {error}. Remove it and try again.") from error
            target.unlink()


def damaged(name: str, root: Path) -> list[str]:
    """The places of files of a set that are there and have another sum than was published."""
    if name not in SETS:
        return []
    return [
        place for place, md5 in SETS[name].sums().items() if (root / place).is_file() and sum_of(root / place) != md5
    ]


def known(name: str) -> Archive:
    """The files of a set. TaskError where nobody here knows its address."""
    if name not in SETS:
        raise TaskError(f"No address of {name} is known here. Known: {', '.join(SETS)}; of the others data list tells.")
    return SETS[name]


def _idx(dataset: str) -> Archive:
    def files() -> list[File]:
        import torchvision.datasets

        known = getattr(torchvision.datasets, dataset)
        return [
            File(tuple(mirror + name for mirror in known.mirrors), f"{dataset}/raw/{name}", md5)
            for name, md5 in known.resources
        ]

    return Archive(files, lambda: {file.place: file.md5 for file in files()})


def _batches(dataset: str) -> Archive:
    def files() -> list[File]:
        import torchvision.datasets

        known = getattr(torchvision.datasets, dataset)
        return [File((known.url,), f"{dataset}/{known.filename}", known.tgz_md5, packed=True)]

    def sums() -> dict[str, str]:
        import torchvision.datasets

        known = getattr(torchvision.datasets, dataset)
        return {f"{dataset}/{known.base_folder}/{name}": md5 for name, md5 in known.train_list + known.test_list}

    return Archive(files, sums)


def _voc(*years: str) -> Archive:
    def files() -> Iterator[File]:
        from torchvision.datasets.voc import DATASET_YEAR_DICT as KNOWN

        for year in years:
            yield File((KNOWN[year]["url"],), KNOWN[year]["filename"], KNOWN[year]["md5"], packed=True)

    return Archive(lambda: list(files()), dict)


SETS = {
    "mnist": _idx("MNIST"),
    "fashion_mnist": _idx("FashionMNIST"),
    "cifar10": _batches("CIFAR10"),
    "cifar100": _batches("CIFAR100"),
    "voc2007": _voc("2007", "2007-test"),
    "voc2012": _voc("2012"),
}
