"""Data sets in their own formats."""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import tasks
from tasks import conversion, voc
from tests.data_files import SETS, put, put_detections

from .damage import damaged
from .reader import Reader

OPTIONS = {"nmnist": {"T": 1}, "cifar10dvs": {"T": 1}, "dvs128gesture": {"T": 1}}
XML = (
    "<annotation><size><width>20</width><height>10</height><depth>3</depth></size><object><name>dog</name>"
    "<difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></object>"
    "</annotation>"
)


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((10, 20, 3), 200, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def _put_voc(root: Path) -> None:
    place = root / "VOCdevkit/VOC2007"
    put(place / "Annotations/000001.xml", XML.encode())
    put(place / "JPEGImages/000001.jpg", _jpeg())
    for part in voc.YEARS[2007].lists.values():
        put(place / f"ImageSets/Main/{part}.txt", b"000001\n")


def _put_imagenet(root: Path) -> None:
    for part in ("train", "val"):
        put(root / f"ImageNet/{part}/n1/a.JPEG", _jpeg())


def _put_detections(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    put_detections(root)


def _load(name: str, folder: Path) -> None:
    task = tasks.load(name, root=folder, cache=folder / "cache", **OPTIONS.get(name, {}))
    for split in (task.train, task.test):
        for at in range(min(2, len(split))):
            split.batch([at])


def readers() -> list[Reader]:
    found = []
    writers: dict[str, Callable[[Path], object]] = {
        **SETS,
        "imagenet": _put_imagenet,
        "voc2007": _put_voc,
        "voc2007_detections": _put_detections,
    }
    for name, write in writers.items():
        with tempfile.TemporaryDirectory() as folder:
            write(root := Path(folder) / "raw")
            found.append(Reader(name, _files(root), functools.partial(_load, name), damaged))
            if name in conversion.SETS:
                made = Path(folder) / "made" / conversion.SETS[name].folder(root).name
                made.mkdir(parents=True)
                conversion.convert(name, root, made)
                of = Reader(f"{name} converted", _files(made.parent), functools.partial(_load, name), damaged)
                found.append(of)
    return found


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
