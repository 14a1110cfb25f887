"""Detections of the authors' spiking detector (SPYv4, FPTT work) on the test set of Pascal VOC 2007, with its boxes.

The inputs of this task are answers: rows of left, top, right and lower edge in pixels, class and score [N, D, 6], in
the order of the file and filled up with rows of -1. There is nothing to train on.

Layout VOC2007_detections/spyv4_voc2007_test.tar.gz, an archive of text files: ground-truth/<picture>.txt has lines of
class, left, top, right, lower and, for what is difficult, the word "difficult", detection-results/<picture>.txt lines
of class, score, left, top, right, lower. Pictures come in the order of their names.
"""

from __future__ import annotations

import math
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged, shown
from tasks.loader import Loader
from tasks.source import Published, completeness
from tasks.voc import CLASSES, NUMBER

if TYPE_CHECKING:
    from tasks.hashes import Progress
    from tasks.task import Task

EXPECTED = {"train": 0, "test": 4952}
LARGEST, MOST = 2**20, 20_000  # bytes of a text and number of entries: more than twenty times and twice the published
_ENTRY = re.compile(r"(?:\./)?(ground-truth|detection-results)/(\d{6})\.txt", re.ASCII)
Rows = list[list[float]]

PUBLISHED = Published(
    "The set of stored detections on VOC 2007",
    "VOC2007_detections",
    "https://github.com/byin-cwi/sFPTT",
    "pack the folders ground-truth and detection-results of fptt/yolo_demo_show/map_out there, with 'tar czf', into "
    "DATA_ROOT/VOC2007_detections/spyv4_voc2007_test.tar.gz",
)


def _path(root: Path | None) -> Path:
    path = PUBLISHED.place(root) / "spyv4_voc2007_test.tar.gz"
    if not path.is_file():
        raise PUBLISHED.missing(path)
    return path


def _check(root: Path | None) -> None:
    _path(root)


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    from tasks.hashes import files_digest

    path = _path(root)
    return files_digest([(path.name, path)], path.parent, cache, progress)


def load(root: Path | None, cache: Path | None) -> Task:
    from tasks.arrays import ArraySplit
    from tasks.boxes import table
    from tasks.task import Boxes, DatasetInfo, Task

    path = _path(root)
    content = _digest(root, cache, None, {})
    truth, found = read(path)
    names = sorted(truth)
    test = ArraySplit(table([found[name] for name in names]), table([truth[name] for name in names]))
    counts = {"train": 0, "test": len(names)}
    complete, note = completeness(counts, EXPECTED)
    info = DatasetInfo("voc2007_detections", content, complete, counts, note)
    return Task(info.name, Boxes(len(CLASSES)), test.subset([]), None, test, info)


def read(path: Path) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The boxes and the detections of each picture, by its name, rows as the task has them."""
    found: dict[str, dict[str, Rows]] = {"ground-truth": {}, "detection-results": {}}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for number, entry in enumerate(archive):
                if number >= MOST:
                    raise DataDamaged(path, f"entry {number}", f"the published archive has fewer than {MOST:,} entries")
                if entry.isdir():
                    continue
                name = _ENTRY.fullmatch(entry.name)
                if not name or not entry.isreg() or entry.size > LARGEST:
                    expected = f"a text of at most {LARGEST:,} bytes, 'FOLDER/000001.txt', in {' or '.join(found)}"
                    raise DataDamaged(path, f"entry {shown(entry.name)}", f"it is not {expected}")
                folder, picture = name.groups()
                if picture in found[folder]:
                    raise DataDamaged(path, f"entry {shown(entry.name)}", "it is there twice")
                content = archive.extractfile(entry)
                assert content is not None  # of a regular file
                found[folder][picture] = _rows(path, entry.name, content.read(), folder == "ground-truth")
    except (tarfile.TarError, EOFError, zlib.error) as problem:
        raise DataDamaged(path, "its archive", str(problem) or type(problem).__name__) from None
    truth, answers = found.values()
    if odd := sorted(truth.keys() ^ answers.keys()):
        lacking = "detection-results" if odd[0] in truth else "ground-truth"
        raise DataDamaged(path, f"picture {odd[0]}", f"it is missing in {lacking}")
    if not truth:
        raise DataDamaged(path, "its archive", "it holds no picture")
    return truth, answers


def _rows(path: Path, name: str, content: bytes, truth: bool) -> Rows:
    rows = []
    for number, line in enumerate(content.decode("ascii", errors="replace").splitlines(), 1):
        kind, *rest = line.split() or [""]
        if not kind and not rest:
            continue
        where = f"line {number} of {name}"
        if kind not in NUMBER:
            raise DataDamaged(path, where, f"{shown(kind)} is no class of Pascal VOC")
        difficult = truth and rest[4:] == ["difficult"]
        numbers = rest[:4] if difficult else rest
        try:
            values = [float(text) for text in numbers]
        except ValueError:
            values = []
        if len(values) != 5 - truth or not all(map(math.isfinite, values)):
            kinds = "four edges, then 'difficult' or nothing" if truth else "a score and four edges"
            raise DataDamaged(path, where, f"{shown(line)}; after the class come {kinds}")
        box, last = (values, float(difficult)) if truth else (values[1:], values[0])
        if box[2] < box[0] or box[3] < box[1]:
            raise DataDamaged(path, where, f"a box ends before it begins: {shown(line)}")
        rows.append([*box, float(NUMBER[kind]), last])
    return rows


VOC2007_DETECTIONS = Loader(load, _check, _digest)
