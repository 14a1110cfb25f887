"""Pascal VOC, detection: photographs with boxes around things of 20 classes.

Layout VOCdevkit/VOC2007/{JPEGImages,Annotations,ImageSets/Main}, VOC2012 beside it. VOC 2007 is trained on its trainval
part (5,011 pictures) and tested on its test part (4,952); of VOC 2012, whose test boxes are not public, train (5,717)
and val (5,823) are taken. The lists of ImageSets/Main decide; a part of them is a subset, not an error.

Pictures are resized to a square without regard to their shape, as float32 from 0 to 1. VOC counts pixels from 1; here
they count from 0, those of the resized picture. For training `augment` changes size, shape, place and colours and
`mosaic` makes half of the pictures of four (tasks.box_augment).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from tasks.errors import DataDamaged, TaskError, shown
from tasks.loader import Loader
from tasks.source import Published, completeness, text_lines

if TYPE_CHECKING:
    from tasks.hashes import Progress
    from tasks.task import Task

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
NUMBER = {name: i for i, name in enumerate(CLASSES)}
LARGEST = 2**20  # bytes of an annotation: the published ones have a few thousand


@dataclass(frozen=True)
class Year:
    """A year of the challenge: the lists that train and test, how many pictures each has, what a picture is called."""

    year: int
    lists: dict[str, str]
    expected: dict[str, int]
    name: str

    @property
    def published(self) -> Published:
        archives = "VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar"
        if self.year == 2012:
            archives = "VOCtrainval_11-May-2012.tar"
        return Published(
            f"Pascal VOC {self.year}",
            f"VOCdevkit/VOC{self.year}",
            f"http://host.robots.ox.ac.uk/pascal/VOC/voc{self.year}/",
            f"unpack {archives} in the data root, which makes DATA_ROOT/VOCdevkit/VOC{self.year}",
        )

    def listed(self, root: Path | None) -> dict[str, list[str]]:
        """The pictures of each part in the order of its list; none where there is no list."""
        place = self.published.place(root)
        found: dict[str, list[str]] = {}
        for part, name in self.lists.items():
            path = place / "ImageSets" / "Main" / f"{name}.txt"
            found[part] = self._ids(path) if path.is_file() else []
        if not any(found.values()):
            raise self.published.missing(place / "ImageSets" / "Main" / f"{self.lists['test']}.txt")
        return found

    def _ids(self, path: Path) -> list[str]:
        ids: dict[str, None] = {}
        for number, line in enumerate(text_lines(path), 1):
            if not line.strip():
                continue
            name = line.split()[0]
            if not re.fullmatch(self.name, name, re.ASCII):
                raise DataDamaged(path, f"line {number}", f"{shown(name)} is no name of a picture of VOC {self.year}")
            if name in ids:
                raise DataDamaged(path, f"line {number}", f"{name} is listed twice")
            ids[name] = None
        return list(ids)

    def files(self, root: Path | None) -> list[tuple[str, Path]]:
        """All files behind the lists, each with the name that it counts under. DataDamaged where one is missing."""
        place = self.published.place(root)
        files = [
            (f"{part} {folder}/{name}", place / folder / f"{name}{end}")
            for part, names in self.listed(root).items()
            for name in names
            for folder, end in (("Annotations", ".xml"), ("JPEGImages", ".jpg"))
        ]
        for _, path in files:
            if not path.is_file():
                raise DataDamaged(path, "its place", "the list of pictures names it, and it is not there")
        return files


_TRAINVAL, _TRAIN = {"train": "trainval", "test": "test"}, {"train": "train", "test": "val"}
YEARS = {
    2007: Year(2007, _TRAINVAL, {"train": 5011, "test": 4952}, r"\d{6}"),
    2012: Year(2012, _TRAIN, {"train": 5717, "test": 5823}, r"\d{4}_\d{6}"),
}


def boxes(path: Path) -> tuple[tuple[int, int], list[list[float]]]:
    """Width and height of the picture of an annotation, and its boxes: left, top, right, lower (pixels from 0), class
    and whether it is difficult. DataDamaged for anything else than such a file."""
    size = path.stat().st_size
    if size > LARGEST:
        raise DataDamaged(path, "its size", f"{size:,} bytes, an annotation has at most {LARGEST:,}")
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except (ElementTree.ParseError, ValueError, LookupError) as problem:
        raise DataDamaged(path, "its text", str(problem)) from None
    read = _Reader(path)
    width, height = (int(read.number(root, f"size/{name}", 1, 1e5)) for name in ("width", "height"))
    found = []
    for thing in root.iter("object"):
        kind = read.text(thing, "name")
        if kind not in NUMBER:
            raise DataDamaged(path, "object/name", f"{shown(kind)} is no class of Pascal VOC")
        # A few published boxes begin at 0 or end one pixel outside.
        left, right = (read.number(thing, f"bndbox/{name}", 0, width + 1) for name in ("xmin", "xmax"))
        top, lower = (read.number(thing, f"bndbox/{name}", 0, height + 1) for name in ("ymin", "ymax"))
        if right < left or lower < top:
            raise DataDamaged(path, "bndbox", f"a box ends before it begins: {left:g} {top:g} {right:g} {lower:g}")
        difficult = read.number(thing, "difficult", 0, 1) if thing.find("difficult") is not None else 0
        found.append([left - 1, top - 1, right - 1, lower - 1, float(NUMBER[kind]), float(difficult)])
    return (width, height), found


@dataclass(frozen=True)
class _Reader:
    path: Path

    def text(self, node: ElementTree.Element, name: str) -> str:
        found = node.findtext(name)
        if found is None:
            raise DataDamaged(self.path, f"{node.tag}/{name}", "it is not there")
        return found.strip()

    def number(self, node: ElementTree.Element, name: str, least: float, most: float) -> float:
        text = self.text(node, name)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise DataDamaged(self.path, f"{node.tag}/{name}", f"{shown(text)} is no number from {least:g} to {most:g}")
        return value


def _loader(year: Year) -> Loader:
    def check(root: Path | None) -> None:
        year.listed(root)

    def digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
        from tasks.hashes import files_digest

        return files_digest(year.files(root), year.published.place(root), cache, progress)

    def load(
        root: Path | None,
        cache: Path | None,
        *,
        side: int = 416,
        augment: bool = True,
        mosaic: bool = True,
        validation: float = 0.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Task:
        from tasks.box_augment import BoxAugment
        from tasks.pictures import Picture, PictureSplit
        from tasks.splits import divide
        from tasks.task import Boxes, DatasetInfo, Task

        if not isinstance(side, int) or isinstance(side, bool) or side < 1:
            raise TaskError(f"Pictures of side {side!r} were asked for; give a number of pixels.")
        content = digest(root, cache, progress, {})
        place, listed = year.published.place(root), year.listed(root)
        splits = {}
        for part, names in listed.items():
            pictures = [
                Picture(place / "JPEGImages" / f"{name}.jpg", *boxes(place / "Annotations" / f"{name}.xml"))
                for name in names
            ]
            change = BoxAugment(mosaic=mosaic) if augment and part == "train" else None
            splits[part] = PictureSplit(pictures, side, change)
        train, held_out = divide(splits["train"], validation)
        counts = {part: len(names) for part, names in listed.items()}
        complete, note = completeness(counts, year.expected)
        info = DatasetInfo(f"voc{year.year}", content, complete, counts, note)
        return Task(info.name, Boxes(len(CLASSES)), train, held_out, splits["test"], info)

    return Loader(load, check, digest)


VOC2007, VOC2012 = (_loader(year) for year in YEARS.values())
