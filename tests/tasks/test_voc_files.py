"""Pascal VOC from files in its own format, whole and damaged; stored detections; the real ones where they are."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import DETECTIONS, put, put_detections
from PIL import Image

import tasks
from tasks import DataDamaged, voc
from training.average_precision import AveragePrecision

ROOT = os.environ.get("SPIKEBENCH_DATA")
real = pytest.mark.skipif(not ROOT, reason="SPIKEBENCH_DATA names no data root")

THING = "<object><name>{}</name><difficult>{}</difficult><bndbox>{}</bndbox></object>"


def edges(*values: object) -> str:
    return "".join(f"<{n}>{v}</{n}>" for n, v in zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True))


def annotation(*things: str, width: object = 20, height: object = 10) -> bytes:
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{''.join(things)}</annotation>".encode()


def jpeg(width: int = 20, height: int = 10) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 200, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def put_voc(root: Path, year: int = 2007, name: str = "000001", xml: bytes | None = None) -> Path:
    place = root / f"VOCdevkit/VOC{year}"
    default = annotation(THING.format("dog", 0, edges(1, 1, 10, 10)), THING.format("person", 1, edges(11, 6, 20, 10)))
    put(place / f"Annotations/{name}.xml", default if xml is None else xml)
    put(place / f"JPEGImages/{name}.jpg", jpeg())
    for part in voc.YEARS[year].lists.values():
        put(place / f"ImageSets/Main/{part}.txt", f"{name}\n".encode())
    return place


@pytest.mark.parametrize(("task", "year", "name"), [("voc2007", 2007, "000001"), ("voc2012", 2012, "2008_000001")])
def test_pictures_and_boxes_are_resized_together(tmp_path: Path, task: str, year: int, name: str) -> None:
    put_voc(tmp_path, year, name)
    found = tasks.load(task, root=tmp_path, side=40, augment=False)
    x, labels = found.test.batch([0])
    assert x.shape == (1, 3, 40, 40)
    assert (x - 200 / 255).abs().max() < 0.02
    # The picture of 20 x 10 is twice as wide and four times as high; pixels count from 0.
    assert labels.tolist() == [[[0, 0, 19, 39, voc.NUMBER["dog"], 0], [20, 20, 39, 39, voc.NUMBER["person"], 1]]]
    assert torch.equal(labels, found.test.labels)
    assert found.target == tasks.Boxes(20)
    assert not found.dataset.complete
    assert found.dataset.counts == {"train": 1, "test": 1}
    assert found.dataset.digest == tasks.digest(task, root=tmp_path)
    assert len(found.test.batch([])[0]) == 0


def test_a_training_picture_is_changed_at_random_and_by_torchs_generator(tmp_path: Path) -> None:
    put_voc(tmp_path)
    split = tasks.load("voc2007", root=tmp_path, side=40).train
    torch.manual_seed(1)
    first, again = split.batch([0, 0]), split.batch([0])
    torch.manual_seed(1)
    assert all(torch.equal(a, b) for a, b in zip(first, split.batch([0, 0]), strict=True))
    assert not torch.equal(first[0][:1], again[0])
    boxes = first[1][first[1][:, :, 4] >= 0]
    assert boxes[:, :4].min() >= 0
    assert boxes[:, :4].max() < 40


def test_a_part_without_list_is_empty_and_a_picture_may_have_no_box(tmp_path: Path) -> None:
    place = put_voc(tmp_path, xml=annotation())
    (place / "ImageSets/Main/trainval.txt").unlink()
    found = tasks.load("voc2007", root=tmp_path, side=8)
    assert (len(found.train), len(found.test)) == (0, 1)
    assert found.test.batch([0])[1].shape == (1, 0, 6)
    assert "0 of 5,011 training and 1 of 4,952" in found.dataset.note


def xml(content: bytes) -> Callable[[Path], object]:
    return lambda place: put(place / "Annotations/000001.xml", content)


def lists(content: bytes) -> Callable[[Path], object]:
    return lambda place: put(place / "ImageSets/Main/test.txt", content)


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (xml(b"<annotation><size>"), "no element found"),
    (xml(b"<annotation/>"), "size/width: it is not there"),
    (xml(b" " * (voc.LARGEST + 1)), "an annotation has at most"),
    (xml(annotation(width="1e9")), "'1e9' is no number from 1"),
    (xml(annotation(width="nan")), "'nan' is no number"),
    (xml(annotation(THING.format("elf", 0, edges(1, 1, 2, 2)))), "'elf' is no class of Pascal VOC"),
    (xml(annotation(THING.format("dog", 0, edges(9, 1, 2, 2)))), "a box ends before it begins"),
    (xml(annotation(THING.format("dog", 0, edges(1, 1, 99, 2)))), "'99' is no number from 0 to 21"),
    (xml(annotation(THING.format("dog", 0, ""))), "object/bndbox/xmin: it is not there"),
    (lists(b"../../secret\n"), "line 1: '../../secret' is no name"),
    (lists(b"000001\n000001\n"), "line 2: 000001 is listed twice"),
    (lists(b"000002\n"), "the list of pictures names it"),
]


@pytest.mark.parametrize(("breaks", "says"), BROKEN, ids=[says for _, says in BROKEN])
def test_damage_is_told_with_its_place(tmp_path: Path, breaks: Callable[[Path], object], says: str) -> None:
    breaks(put_voc(tmp_path))
    with pytest.raises(DataDamaged, match=re.escape(says)) as raised:
        tasks.load("voc2007", root=tmp_path)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_picture_must_be_one_and_have_the_size_of_its_annotation(tmp_path: Path) -> None:
    place = put_voc(tmp_path)
    put(place / "JPEGImages/000001.jpg", jpeg(30))
    with pytest.raises(DataDamaged, match="30 x 10 pixels, its annotation says 20 x 10"):
        tasks.load("voc2007", root=tmp_path).test.batch([0])
    put(place / "JPEGImages/000001.jpg", b"no picture")
    with pytest.raises(DataDamaged, match="is damaged at its image"):
        tasks.load("voc2007", root=tmp_path).test.batch([0])


def test_pictures_have_a_side(tmp_path: Path) -> None:
    put_voc(tmp_path)
    with pytest.raises(tasks.TaskError, match="Pictures of side 0 were asked for"):
        tasks.load("voc2007", root=tmp_path, side=0)


def test_stored_detections_are_the_inputs_of_a_task(tmp_path: Path) -> None:
    put_detections(tmp_path, DETECTIONS)
    found = tasks.load("voc2007_detections", root=tmp_path)
    answers, labels = found.test.batch([0, 1])
    dog, person = voc.NUMBER["dog"], voc.NUMBER["person"]
    filler = [-1.0] * 6
    assert labels.tolist() == [[[1, 1, 9, 9, dog, 0], filler], [[1, 10, 20, 20, dog, 0], [1, 2, 3, 4, person, 1]]]
    assert torch.equal(answers[0], torch.tensor([filler, filler]))
    expected = torch.tensor([[1, 2, 3, 4, person, 0.0123], [-2, 10, 20, 20, dog, 0.9]])
    assert torch.equal(answers[1], expected)
    assert (len(found.train), found.dataset.counts) == (0, {"train": 0, "test": 2})
    assert not found.dataset.complete
    assert found.dataset.digest == tasks.digest("voc2007_detections", root=tmp_path)


def damaged(name: str, content: bytes) -> dict[str, bytes]:
    return {**DETECTIONS, name: content}


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (damaged("ground-truth/000002.txt", b"elf 1 2 3 4\n"), "line 1 of ground-truth/000002.txt: 'elf' is no class"),
        (damaged("ground-truth/000002.txt", b"dog 1 2 3\n"), "after the class come four edges"),
        (damaged("ground-truth/000002.txt", b"dog 1 2 3 4 hard\n"), "after the class come four edges"),
        (damaged("detection-results/000002.txt", b"dog 0.5 1 2 3 4 difficult\n"), "come a score and four edges"),
        (damaged("detection-results/000002.txt", b"dog nan 1 2 3 4\n"), "come a score and four edges"),
        (damaged("detection-results/000002.txt", b"dog 0.5 9 2 3 4\n"), "a box ends before it begins"),
        (damaged("detection-results/000002.txt", b"\xff\xfe\n"), "is no class of Pascal VOC"),
        (damaged("ground-truth/../000009.txt", b""), "entry 'ground-truth/../000009.txt'"),
        (damaged("detection-results/000003.txt", b""), "picture 000003: it is missing in ground-truth"),
        (damaged("ground-truth/000003.txt", bytes(2**20 + 1)), "a text of at most 1,048,576 bytes"),
        ({}, "it holds no picture"),
    ],
)
def test_damaged_detections_are_told(tmp_path: Path, entries: dict[str, bytes], says: str) -> None:
    put_detections(tmp_path, entries)
    with pytest.raises(DataDamaged, match=re.escape(says)):
        tasks.load("voc2007_detections", root=tmp_path)


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    path = put_detections(tmp_path, DETECTIONS)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"no archive", b"", whole[:40] + bytes(20) + whole[60:]):
        path.write_bytes(content)
        with pytest.raises(DataDamaged, match=r"is damaged at (its archive|byte)"):
            tasks.load("voc2007_detections", root=tmp_path)


@real
def test_the_pictures_of_the_data_root() -> None:
    if sentence := tasks.available("voc2007"):
        pytest.skip(sentence)
    found = tasks.load("voc2007", side=104)
    x, labels = found.test.batch(range(min(7, len(found.test))))
    boxes = labels[labels[:, :, 4] >= 0]
    assert x.min() >= 0
    assert 0.2 < x.mean() < 0.8
    assert len(boxes) >= len(x)
    assert (boxes[:, 2:4] >= boxes[:, :2]).all()
    assert boxes[:, :4].min() >= -1
    assert boxes[:, :4].max() <= 104


@real
def test_the_stored_detections_of_the_data_root() -> None:
    if sentence := tasks.available("voc2007_detections"):
        pytest.skip(sentence)
    found = tasks.load("voc2007_detections")
    assert found.dataset.complete
    answers, labels = found.test.batch(range(len(found.test)))
    assert (answers[:, :, 4] >= 0).sum() == 236_863
    assert ((labels[:, :, 5] == 0).sum(), (labels[:, :, 5] == 1).sum()) == (12_032, 2_944)
    measure = AveragePrecision(found.target)
    measure.update(answers, answers, labels)
    assert measure.value() == pytest.approx(0.531293, abs=1e-6)
