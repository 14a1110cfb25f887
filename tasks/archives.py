"""Where data sets can be had: the addresses and sums that torchvision, SpikingJelly and tonic know, and where our
readers look.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import tasks
from tasks.download import Progress, fetch, sum_of
from tasks.errors import TaskError


@dataclass(frozen=True)
class File:
    """A published file with its addresses, its place below the data root and its MD5 sum; `packed`: a tar or zip to
    unpack there."""

    urls: tuple[str, ...]
    place: str
    md5: str
    packed: bool = False


@dataclass(frozen=True)
class Archive:
    """The files of a set, and the published sums of what is there once all is unpacked, by places; none for many."""

    files: Callable[[], list[File]]
    sums: Callable[[], dict[str, str]]


def get(name: str, root: Path, progress: Callable[[str], Progress]) -> None:
    """Puts a set below `root`. `progress(file)` is told of the bytes. TaskError where nobody here knows its address."""
    sums = known(name).sums()
    if sums and all((root / place).is_file() for place in sums) and not damaged(name, root):
        return
    readable = not sums and tasks.available(name, root) is None
    for file in known(name).files():
        target = root / file.place
        unpacked = target.with_name(f"{target.name}.unpacked")  # says which archive what lies beside it came from
        if readable and unpacked.is_file() and unpacked.read_text().strip() == file.md5:
            continue
        fetch(file.urls, target, file.md5, progress(target.name))
        if file.packed:
            _unpack(target)
            if not sums:
                unpacked.write_text(f"{file.md5}\n")
            target.unlink()


def _unpack(archive: Path) -> None:
    """Beside itself, and never outside of that folder. TaskError for what is no archive."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(archive.parent)  # which drops leading slashes and ".."
        else:
            with tarfile.open(archive) as packed:
                packed.extractall(archive.parent, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise TaskError(f"{archive} cannot be unpacked: {error}. Remove it and try again.") from error


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


def _spikingjelly(module: str, dataset: str, folder: str) -> Archive:
    def files() -> list[File]:
        known = getattr(import_module(f"spikingjelly.datasets.{module}"), dataset)
        return [File((url,), f"{folder}/{name}", md5, packed=True) for name, url, md5 in known.resource_url_md5()]

    return Archive(files, dict)


MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files"
NMNIST = (  # as tonic 1.7 knows them; SpikingJelly knows the same sums and the authors' page
    ("39c25547-014b-4137-a934-9d29fa53c7a0", "Train.zip", "20959b8e626244a1b502305a9e6e2031"),
    ("05a4d654-7e03-4c15-bdfa-9bb2bcbea494", "Test.zip", "69ca8762b2fe404d9b9bad1103e97832"),
)


def _nmnist() -> list[File]:
    return [
        File((f"{MENDELEY}/{number}/file_downloaded",), f"NMNIST/{name}", md5, packed=True)
        for number, name, md5 in NMNIST
    ]


SETS = {
    "mnist": _idx("MNIST"),
    "fashion_mnist": _idx("FashionMNIST"),
    "cifar10": _batches("CIFAR10"),
    "cifar100": _batches("CIFAR100"),
    "voc2007": _voc("2007", "2007-test"),
    "voc2012": _voc("2012"),
    "nmnist": Archive(_nmnist, dict),
    "cifar10dvs": _spikingjelly("cifar10_dvs", "CIFAR10DVS", "CIFAR10DVS"),
    "shd": _spikingjelly("shd", "SpikingHeidelbergDigits", "SHD"),
}
