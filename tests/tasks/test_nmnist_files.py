"""ATIS recordings and N-MNIST, from files written byte by byte."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.datasets.utils import load_ATIS_bin

import tasks
from tasks import Classes, DataDamaged, TaskError, atis

Event = tuple[int, int, int, int]


def encode(events: list[Event]) -> bytes:
    """Events as (t, x, y, p)."""
    return b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in events)


def write(root: Path, part: str, digit: str, number: int, events: list[Event]) -> Path:
    path = root / "NMNIST" / part / digit / f"{number:05}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(events))
    return path


def test_five_bytes_by_hand(tmp_path: Path) -> None:
    # x 33, y 2, then 1 0000001 00000010 00000011: ON at 0x010203 = 66051 us.
    path = tmp_path / "one.bin"
    path.write_bytes(bytes([33, 2, 0x81, 0x02, 0x03]))
    t, x, y, p = atis.read(path, 34)
    assert (t.tolist(), x.tolist(), y.tolist(), p.tolist()) == ([66051], [33], [2], [1])


@given(st.lists(st.tuples(*[st.integers(0, high) for high in (2**23 - 1, 33, 33, 1)]), min_size=1, max_size=30))
def test_it_reads_what_spikingjelly_reads(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    path = tmp_path_factory.mktemp("atis") / "some.bin"
    path.write_bytes(encode(sorted(events)))
    theirs = load_ATIS_bin(path)
    for name, mine in zip("txyp", atis.read(path, 34), strict=True):
        assert np.array_equal(mine, theirs[name])


@pytest.mark.parametrize("size", [0, 1, 4, 6, 9, 11, 14])
def test_a_cut_recording_is_damaged_where_its_whole_events_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(encode([(1, 0, 0, 0), (2, 0, 0, 0), (3, 0, 0, 0)])[:size])
    with pytest.raises(DataDamaged, match="no whole number of 5-byte events") as raised:
        atis.read(path, 34)
    assert raised.value.where == f"byte {size // 5 * 5}"
    assert raised.value.path == path


@pytest.mark.parametrize(
    ("event", "problem"),
    [((9, 34, 0, 1), r"pixel \(34, 0\) on a sensor of 34 x 34"), ((9, 0, 255, 1), r"pixel \(0, 255\)")],
)
def test_an_impossible_event_is_named_by_its_byte(tmp_path: Path, event: Event, problem: str) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(encode([(5, 0, 0, 0), (6, 0, 0, 0), event]))
    with pytest.raises(DataDamaged, match=problem) as raised:
        atis.read(path, 34)
    assert raised.value.where == "byte 10"


def test_row_240_moves_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(
        encode([(8000, 1, 2, 1), (0, 77, 240, 0), (5, 3, 4, 0), (0, 0, 240, 1), (0, 0, 240, 1), (9, 5, 6, 1)])
    )
    t, x, y, p = atis.read(path, 34)
    assert t.tolist() == [8000, 8192 + 5, 3 * 8192 + 9]
    assert (x.tolist(), y.tolist(), p.tolist()) == ([1, 3, 5], [2, 4, 6], [1, 0, 1])
    # An event off the sensor is named by its place in the file, markers included.
    path.write_bytes(encode([(0, 0, 240, 0), (1, 0, 0, 0), (2, 0, 239, 0)]))
    with pytest.raises(DataDamaged, match=r"at byte 10: pixel \(0, 239\)"):
        atis.read(path, 34)
    path.write_bytes(encode([(0, 0, 240, 0)]))
    with pytest.raises(DataDamaged, match="at byte 5: no events, only overflows"):
        atis.read(path, 34)


def small_set(root: Path) -> None:
    write(root, "Train", "1", 7, [(0, 1, 2, 1), (4, 1, 2, 1)])
    write(root, "Train", "0", 9, [(0, 0, 0, 0), (9, 3, 0, 1)])
    write(root, "Train", "0", 2, [(0, 5, 6, 0), (7, 5, 6, 1)])
    write(root, "Test", "9", 1, [(0, 33, 0, 1), (8, 33, 0, 0)])


def test_a_set_of_four_recordings(tmp_path: Path) -> None:
    small_set(tmp_path)
    assert tasks.available("nmnist", tmp_path) is None
    task = tasks.load("nmnist", root=tmp_path, cache=tmp_path / "cache", T=2)
    assert task.target == Classes(10)
    assert task.test.batch([0])[0].shape == (1, 2, 2, 34, 34)
    # Sorted: 0/00002, 0/00009, 1/00007.
    assert task.train.labels.tolist() == [0, 0, 1]
    assert task.test.labels.tolist() == [9]
    x, y = task.train.batch([2, 0])
    assert y.tolist() == [1, 0]
    assert x.nonzero().tolist() == [[0, 0, 1, 2, 1], [0, 1, 1, 2, 1], [1, 0, 0, 6, 5], [1, 1, 1, 6, 5]]
    assert task.dataset.note == "A subset: 3 of 60,000 training and 1 of 10,000 test samples."


def test_a_folder_that_is_no_digit_is_mislabelled(tmp_path: Path) -> None:
    small_set(tmp_path)
    write(tmp_path, "Train", "10", 1, [(0, 0, 0, 0)])
    with pytest.raises(DataDamaged, match="'10' is not one of 0 to 9"):
        tasks.load("nmnist", root=tmp_path, cache=tmp_path / "cache")


def test_a_damaged_recording_stops_the_load_and_leaves_no_cache(tmp_path: Path) -> None:
    small_set(tmp_path)
    bad = write(tmp_path, "Test", "3", 5, [(0, 40, 0, 0)])
    with pytest.raises(DataDamaged, match=f"{bad} is damaged at byte 0"):
        tasks.load("nmnist", root=tmp_path, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.h5"))
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_recording_too_short_for_frames_by_time_is_named(tmp_path: Path) -> None:
    small_set(tmp_path)
    with pytest.raises(TaskError, match=r"00002.bin: A recording of 7 us cannot be cut into 10 frames"):
        tasks.load("nmnist", root=tmp_path, cache=tmp_path / "cache", split_by="time")


def test_a_time_that_goes_back_matters_where_time_decides(tmp_path: Path) -> None:
    small_set(tmp_path)
    write(tmp_path, "Train", "0", 2, [(0, 5, 6, 0), (70, 5, 6, 1), (69, 7, 8, 1)])
    load = partial(tasks.load, "nmnist", root=tmp_path, cache=tmp_path / "cache", T=1)
    # As in the original code, its place in the file decides.
    assert load().train.batch([0])[0].nonzero().tolist() == [[0, 0, 0, 6, 5], [0, 0, 1, 6, 5], [0, 0, 1, 8, 7]]
    with pytest.raises(TaskError, match=r"00002\.bin: Event 2 is at 69 us, before its predecessor at 70 us"):
        load(split_by="time")
