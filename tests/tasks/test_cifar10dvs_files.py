"""AEDAT 2.0 recordings and CIFAR10-DVS, from files written byte by byte."""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.datasets.cifar10_dvs import _load_origin_data

import tasks
from tasks import DataDamaged, DataMissing, TaskError, aedat2

HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n#End Of Preferences\r\n"
Event = tuple[int, int, int, int]


def encode(events: list[Event], header: bytes = HEADER) -> bytes:
    """Events as (t, x, y, p) in the fields of the address, before mirroring."""
    return header + b"".join(struct.pack(">II", y << 8 | x << 1 | p, t) for t, x, y, p in events)


def write(root: Path, name: str, number: int, events: list[Event]) -> Path:
    path = root / "CIFAR10DVS" / name / f"cifar10_{name}_{number}.aedat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(events))
    return path


def test_one_event_by_hand(tmp_path: Path) -> None:
    # Address 0x0507 = 0 0000101 0000011 1: y 5, x 3, polarity 1. Mirrored x = 124, inverted polarity 0.
    path = tmp_path / "one.aedat"
    path.write_bytes(HEADER + bytes([0, 0, 0x05, 0x07, 0, 0, 1, 0]))
    t, x, y, p = aedat2.read(path)
    assert (t.tolist(), x.tolist(), y.tolist(), p.tolist()) == ([256], [124], [5], [0])


@given(st.lists(st.tuples(*[st.integers(0, high) for high in (2**32 - 1, 127, 127, 1)]), min_size=1, max_size=30))
def test_it_reads_the_transpose_of_what_spikingjelly_reads(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    path = tmp_path_factory.mktemp("aedat") / "some.aedat"
    path.write_bytes(encode(sorted(events)))
    t, x, y, p = aedat2.read(path)
    theirs = _load_origin_data(path)
    assert np.array_equal(t, theirs["t"])
    assert np.array_equal(p, theirs["p"])
    assert np.array_equal(x, theirs["y"])
    assert np.array_equal(y, 127 - theirs["x"])


@pytest.mark.parametrize(
    ("data", "where", "problem"),
    [
        (b"", "byte 0", "does not begin with #!AER-DAT2.0"),
        (b"#!AER-DAT3.1\r\n", "byte 0", "does not begin"),
        (b"#!AER-DAT2.0", "byte 0", "no end"),
        (HEADER[:-1], "byte 44", "no end"),
        (HEADER, f"byte {len(HEADER)}", "0 bytes of data"),
        (encode([(1, 0, 0, 0)])[:-1], f"byte {len(HEADER)}", "7 bytes of data"),
        (encode([(1, 0, 0, 0), (2, 0, 0, 0)])[:-4], f"byte {len(HEADER) + 8}", "12 bytes of data"),
        (encode([(1, 0, 256, 0)]), f"byte {len(HEADER)}", "address 0x10000 has more than 16 bits"),
    ],
)
def test_what_the_format_does_not_allow(tmp_path: Path, data: bytes, where: str, problem: str) -> None:
    path = tmp_path / "bad.aedat"
    path.write_bytes(data)
    with pytest.raises(DataDamaged, match=problem) as raised:
        aedat2.read(path)
    assert raised.value.where == where


def test_recordings_from_900_on_are_the_test_set(tmp_path: Path) -> None:
    for name, number in (("cat", 10), ("airplane", 899), ("cat", 9), ("truck", 900), ("bird", 999)):
        write(tmp_path, name, number, [(0, number % 128, 0, 0), (1, 0, 0, 1)])
    assert tasks.available("cifar10dvs", tmp_path) is None
    task = tasks.load("cifar10dvs", root=tmp_path, cache=tmp_path / "cache", T=1)
    # By class, then by number as a number: airplane 899, cat 9, cat 10; bird 999, truck 900.
    assert task.train.labels.tolist() == [0, 3, 3]
    assert task.test.labels.tolist() == [2, 9]
    x, _ = task.train.batch([1, 2])
    # Field (x = 9, polarity 0) becomes x = 118, polarity 1; field (0, polarity 1) becomes x = 127, polarity 0.
    assert x.nonzero().tolist() == [[0, 0, 0, 0, 127], [0, 0, 1, 0, 118], [1, 0, 0, 0, 127], [1, 0, 1, 0, 117]]
    assert task.dataset.counts == {"train": 3, "test": 2}


def test_without_test_recordings_it_is_missing(tmp_path: Path) -> None:
    write(tmp_path, "cat", 0, [(0, 0, 0, 0)])
    with pytest.raises(DataMissing, match="n in 900 to 999"):
        tasks.load("cifar10dvs", root=tmp_path, cache=tmp_path / "cache")


def test_the_split_of_the_psn_work(tmp_path: Path) -> None:
    for name, number in (("cat", 99), ("cat", 100), ("bird", 0), ("bird", 999)):
        write(tmp_path, name, number, [(0, number % 128, 0, 0), (1, 0, 0, 1)])
    for split, train, test in (("plif", [2, 3, 3], [2]), ("psn", [2, 3], [2, 3])):
        task = tasks.load("cifar10dvs", root=tmp_path, cache=tmp_path / "cache", T=1, split=split)
        assert (task.train.labels.tolist(), task.test.labels.tolist()) == (train, test)
    # Field x of the first event is 999 mod 128 = 103 and 100, mirrored 24 and 27.
    assert task.train.batch([0, 1])[0][:, 0, 1].nonzero().tolist() == [[0, 0, 24], [1, 0, 27]]


def test_frames_resized_and_cropped(tmp_path: Path) -> None:
    rows = [(t, x, y, 0) for t, (x, y) in enumerate((x, y) for x in range(128) for y in (5, 60))]
    for number in (0, 500):
        write(tmp_path, "cat", number, rows)
    load = partial(tasks.load, "cifar10dvs", root=tmp_path, cache=tmp_path / "cache", T=2, split="psn")
    task = load(resize=48, augment="crop")
    x, _ = task.test.batch([0])
    assert x.shape == (1, 2, 2, 48, 48)
    # One event at every pixel of the rows 5 and 60, half of them in each frame. Row i of 48 is read at
    # 8/3 (i + 1/2) - 1/2 of 128: row 22 at 59.5, half way between 59 and 60; rows 1 and 2 at 3.5 and 6.17, so row 5 is
    # lost.
    assert x.sum(1)[0, 1].any(1).nonzero()[:, 0].tolist() == [22]
    assert x.sum(1)[0, 1, 22].tolist() == pytest.approx([0.5] * 48)
    assert load(resize=None).test.batch([0])[0].shape == (1, 2, 2, 128, 128)
    # A crop moves the row by up to 4, a flip takes row i to 47 - i: 18 to 26 and 21 to 29.
    moved = {int(task.train.batch([0])[0].sum((0, 1, 2)).any(1).nonzero()[0]) for _ in range(100)}
    assert moved == set(range(18, 30))
    assert torch.equal(task.test.batch([0])[0], x)
    assert task.test.batch([])[0].shape == (0, 2, 2, 48, 48)


@pytest.mark.parametrize(("option", "value"), [("split", "tet"), ("augment", "roll"), ("resize", 0), ("resize", "48")])
def test_options_that_make_no_sense(tmp_path: Path, option: str, value: object) -> None:
    write(tmp_path, "cat", 0, [(0, 0, 0, 0)])
    with pytest.raises(TaskError, match=f"{option}={value!r}"):
        tasks.load("cifar10dvs", root=tmp_path, **{option: value})


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("cat", "cifar10_dog_1.aedat"),
        ("cat", "cifar10_cat_1000.aedat"),
        ("cat", "cat_1.aedat"),
        ("horses", "cifar10_horses_1.aedat"),
    ],
)
def test_a_recording_in_the_wrong_folder_is_mislabelled(tmp_path: Path, folder: str, file: str) -> None:
    write(tmp_path, "cat", 0, [(0, 0, 0, 0)])
    path = tmp_path / "CIFAR10DVS" / folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode([(0, 0, 0, 0)]))
    with pytest.raises(DataDamaged) as raised:
        tasks.load("cifar10dvs", root=tmp_path, cache=tmp_path / "cache")
    assert raised.value.path == path
