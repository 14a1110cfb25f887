"""AEDAT 3.1 recordings and DVS128 Gesture, from files written byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.datasets.utils import load_aedat_v3

import tasks
from tasks import Classes, DataDamaged, DataMissing, aedat3

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
START = len(HEADER)
Event = tuple[int, int, int, int]


def packet(events: list[Event], overflow: int = 0, kind: int = 1, size: int = 8, number: int | None = None) -> bytes:
    """Events as (t, x, y, p)."""
    count = len(events)
    head = struct.pack("<HHIIIIII", kind, 1, size, 4, overflow, count, count if number is None else number, count)
    return head + b"".join(struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t) for t, x, y, p in events)


def read(tmp_path: Path, data: bytes) -> tuple[np.ndarray, ...]:
    path = tmp_path / "some.aedat"
    path.write_bytes(data)
    return aedat3.read(path, 128)


def test_one_event_by_hand(tmp_path: Path) -> None:
    # 0x000a0017 = 101 0 00000000 000101 1 1: x 5, y 5, ON, valid; overflow 1 adds 2^31 us.
    body = bytes([0x17, 0x00, 0x0A, 0x00, 3, 0, 0, 0])
    t, x, y, p = read(tmp_path, HEADER + packet([(0, 0, 0, 0)], overflow=1)[:28] + body)
    assert (t.tolist(), x.tolist(), y.tolist(), p.tolist()) == ([2**31 + 3], [5], [5], [1])


@given(
    st.lists(
        st.lists(st.tuples(*[st.integers(0, high) for high in (999, 127, 127, 1)]), max_size=8), min_size=1, max_size=4
    ).filter(any)
)
def test_it_reads_what_spikingjelly_reads(tmp_path_factory: pytest.TempPathFactory, packets: list[list[Event]]) -> None:
    data = HEADER
    for i, events in enumerate(packets):
        # A packet of special events between the others, and an overflow of the clock in the third.
        data += packet([(t + 1000 * i, x, y, p) for t, x, y, p in sorted(events)], overflow=i // 2)
        data += packet([(0, 0, 0, 0)], kind=0)
    path = tmp_path_factory.mktemp("aedat") / "some.aedat"
    path.write_bytes(data)
    theirs = load_aedat_v3(path)
    for name, mine in zip("txyp", aedat3.read(path, 128), strict=True):
        assert np.array_equal(mine, theirs[name])


WHOLE = HEADER + packet([(1, 0, 0, 0), (2, 0, 0, 0)]) + packet([(3, 0, 0, 0)])
SECOND = START + 28 + 16


@pytest.mark.parametrize(
    ("cut", "where"),
    [
        (0, 0),
        (11, 0),
        (12, 12),
        (START - 1, START - 1),
        (START, START),
        (START + 1, START),
        (START + 27, START),
        (START + 28, START),
        (START + 28 + 15, START),
        (SECOND + 1, SECOND),
        (SECOND + 27, SECOND),
        (SECOND + 28, SECOND),
        (SECOND + 35, SECOND),
    ],
)
def test_a_recording_cut_at_any_place_is_damaged_there(tmp_path: Path, cut: int, where: int) -> None:
    with pytest.raises(DataDamaged) as raised:
        read(tmp_path, WHOLE[:cut])
    assert raised.value.where == f"byte {where}"


def test_a_recording_of_whole_packets_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE)[0].tolist() == [1, 2, 3]
    assert read(tmp_path, WHOLE[:SECOND])[0].tolist() == [1, 2]


@pytest.mark.parametrize("line", [b"#!END-HEADER\n", b"#!END-HEADER\r\n"])
def test_a_header_may_end_its_lines_in_lf(tmp_path: Path, line: bytes) -> None:
    header = b"#!AER-DAT3.1\n#Format: RAW\n" + line
    # The first packet after it begins like a line end: type 0x0a0d is none of ours.
    for first in (b"", packet([(0, 0, 0, 0)], kind=0x0A0D)):
        assert read(tmp_path, header + first + packet([(7, 1, 2, 1)]))[0].tolist() == [7]


def test_events_keep_the_order_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE + packet([(5, 0, 0, 0), (4, 0, 0, 0)]))[0].tolist() == [1, 2, 3, 5, 4]


@pytest.mark.parametrize(
    ("last", "offset", "problem"),
    [
        (packet([(4, 0, 0, 0), (4, 128, 0, 1)]), 36, r"pixel \(128, 0\) on a sensor of 128 x 128"),
        (packet([(4, 0, 0, 0), (4, 0, 300, 1)]), 36, r"pixel \(0, 300\)"),
        (packet([(4, 0, 0, 0), (2**31, 0, 0, 1)]), 36, "time 0x80000000 has more than 31 bits"),
        (packet([(4, 0, 0, 0)] * 2, size=4), 0, "polarity events of 4 bytes, not 8"),
        (packet([(4, 0, 0, 0)], size=0), 0, "of 0 bytes"),
        (packet([(4, 0, 0, 0)], number=2), 0, "2 events in 1 places"),
    ],
)
def test_an_impossible_event_is_named_by_its_byte(tmp_path: Path, last: bytes, offset: int, problem: str) -> None:
    with pytest.raises(DataDamaged, match=problem) as raised:
        read(tmp_path, WHOLE + last)
    assert raised.value.where == f"byte {len(WHOLE) + offset}"


COLUMNS = "class,startTime_usec,endTime_usec\n"
EVENTS: list[Event] = [(10, 1, 0, 1), (20, 2, 0, 0), (30, 3, 0, 1), (40, 4, 0, 1)]


def gesture_set(root: Path, csv: str = COLUMNS + "11,10,30\n2,30,41\n", inner: str = "DvsGesture") -> Path:
    """Two recordings of the four events each; user02 has the segments of `csv`."""
    folder = root / "DVS128Gesture" / inner
    folder.mkdir(parents=True)
    (folder / "trials_to_train.txt").write_text("user02_led.aedat\nuser09_led.aedat\n\n")
    (folder / "trials_to_test.txt").write_text("user01_lab.aedat\n")
    for name, labels in (("user02_led", csv), ("user01_lab", COLUMNS + "1,0,100\n")):
        (folder / f"{name}.aedat").write_bytes(HEADER + packet(EVENTS))
        (folder / f"{name}_labels.csv").write_text(labels)
    return folder


@pytest.mark.parametrize("inner", ["DvsGesture", "."])
def test_recordings_are_cut_into_their_segments(tmp_path: Path, inner: str) -> None:
    gesture_set(tmp_path, inner=inner)
    assert tasks.available("dvs128gesture", tmp_path) is None
    task = tasks.load("dvs128gesture", root=tmp_path, cache=tmp_path / "cache", T=1)
    assert task.target == Classes(11)
    assert task.test.batch([0])[0].shape == (1, 1, 2, 128, 128)
    assert task.train.labels.tolist() == [10, 1]
    assert task.test.labels.tolist() == [0]
    # [10, 30) holds the events at 10 and 20, [30, 41) those at 30 and 40.
    x, _ = task.train.batch([0, 1])
    assert x.nonzero().tolist() == [[0, 0, 0, 0, 2], [0, 0, 1, 0, 1], [1, 0, 1, 0, 3], [1, 0, 1, 0, 4]]
    # user09 is listed but not there.
    assert task.dataset.note == "A subset: 2 of 1,176 training and 1 of 288 test samples."


@pytest.mark.parametrize(
    ("csv", "where", "problem"),
    [
        ("", "line 1", "does not name the columns"),
        ("1,10,30\n", "line 1", "does not name the columns"),
        (COLUMNS, "line 2", "no segment"),
        (COLUMNS + "1,10,30\n12,30,40\n", "line 3", "class 12 is not one of 1 to 11"),
        (COLUMNS + "0,10,30\n", "line 2", "class 0"),
        (COLUMNS + "1,10\n", "line 2", "is not class,start,end"),
        (COLUMNS + "1,10,3x\n", "line 2", "is not class,start,end"),
        (COLUMNS + "1,10,nan\n", "line 2", "'1,10,nan' is not class,start,end in whole numbers"),
        (COLUMNS + "1,-10,30\n", "line 2", "is not class,start,end"),
        (COLUMNS + "1,10.5,30\n", "line 2", "is not class,start,end"),
        (COLUMNS + "1,1_0,30\n", "line 2", "is not class,start,end"),
        (COLUMNS + "1,١٠,30\n", "line 2", "is not class,start,end"),
        (COLUMNS + "1,10,1" + "0" * 4400 + "\n", "line 2", "'1,10,10{34}'… is not class,start,end"),
        (COLUMNS + "1,30,10\n", "line 2", "ends at 10 us, before 30 us"),
        (COLUMNS + "1,10,30\n2,10,30\n", "line 3", "the segment 10 to 30 us is there already"),
        (COLUMNS + "1,30,30\n", "line 2", "ends at 30 us, before 30 us"),
        (COLUMNS + "1,10,30\n1,41,90\n", "line 3", "no event in 41 to 90 us; the recording covers 10 to 40 us"),
        (COLUMNS + "1,0,10\n", "line 2", "no event in 0 to 10 us"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, csv: str, where: str, problem: str) -> None:
    folder = gesture_set(tmp_path, csv)
    with pytest.raises(DataDamaged, match=problem) as raised:
        tasks.load("dvs128gesture", root=tmp_path, cache=tmp_path / "cache", T=1)
    assert raised.value.where == where
    assert raised.value.path == folder / "user02_led_labels.csv"


def test_missing_labels_are_named(tmp_path: Path) -> None:
    folder = gesture_set(tmp_path)
    (folder / "user02_led_labels.csv").unlink()
    with pytest.raises(DataMissing, match=r"user02_led_labels\.csv"):
        tasks.load("dvs128gesture", root=tmp_path, cache=tmp_path / "cache")


def test_a_list_without_any_recording_is_missing(tmp_path: Path) -> None:
    folder = gesture_set(tmp_path)
    (folder / "user01_lab.aedat").unlink()
    assert "trials_to_test.txt" in (tasks.available("dvs128gesture", tmp_path) or "")


@pytest.mark.parametrize("entry", [b"../../secret.aedat", b"<html>", b"\xff\xfe\x00.aedat/"])
def test_a_list_of_anything_but_recordings_beside_it_is_damaged(tmp_path: Path, entry: bytes) -> None:
    folder = gesture_set(tmp_path)
    (folder / "trials_to_train.txt").write_bytes(entry + b"\n")
    with pytest.raises(DataDamaged, match=r"not the name of an \.aedat file") as raised:
        tasks.load("dvs128gesture", root=tmp_path, cache=tmp_path / "cache")
    assert tasks.available("dvs128gesture", tmp_path) == str(raised.value)
