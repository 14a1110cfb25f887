"""SHD, N-TIDIGITS and Free Spoken Digits from files in their formats: counts, splits, and what is damaged."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import torch
from data_files import put_fsdd, put_ntidigits, put_shd

import tasks
from tasks import Classes, DataDamaged, TaskError, fsdd


def events(x: torch.Tensor) -> list[tuple[int, ...]]:
    """Where a sample [T, channels] has counts, and how many."""
    return [(*place, int(x[tuple(place)])) for place in x.nonzero().tolist()]


def test_shd(tmp_path: Path) -> None:
    put_shd(tmp_path)
    task = tasks.load("shd", root=tmp_path)
    x, labels = task.train.batch([0, 1])
    assert x.shape == (2, 100, 700)
    assert task.target == Classes(20)
    assert labels.tolist() == [19, 0]
    assert events(x[0]) == [(0, 3, 1), (50, 699, 1)], "1.5 s is after the last step"
    assert events(tasks.load("shd", root=tmp_path, T=20, dt=100.0).test.batch([0])[0][0]) == [
        (0, 3, 1),
        (5, 699, 1),
        (15, 0, 1),
    ]


def test_shd_counts_events_that_share_a_step(tmp_path: Path) -> None:
    put_shd(tmp_path)
    with h5py.File(tmp_path / "SHD/shd_train.h5", "r+") as file:
        file["spikes/times"][1] = np.array([0.021, 0.024, 0.028], np.float16)
        file["spikes/units"][1] = np.array([7, 7, 7], np.uint16)
    assert events(tasks.load("shd", root=tmp_path).train.batch([1])[0][0]) == [(2, 7, 3)]


def test_times_of_ntidigits_that_do_not_rise_are_damage(tmp_path: Path) -> None:
    put_ntidigits(tmp_path)
    with h5py.File(tmp_path / "NTIDIGITS/n-tidigits.hdf5", "r+") as file:
        file["train_timestamps/man-ab-z"][:] = [0.2, 0.1, 0.1, 0.3]
    with pytest.raises(tasks.TaskError, match="the times of its events do not rise"):
        tasks.load("ntidigits", root=tmp_path)


def test_ntidigits_has_the_recordings_of_one_digit(tmp_path: Path) -> None:
    put_ntidigits(tmp_path)
    task = tasks.load("ntidigits", root=tmp_path)
    x, labels = task.test.batch([0, 1, 2])
    assert (x.shape, task.target) == ((3, 250, 64), Classes(11))
    assert labels.tolist() == [0, 10, 7]
    assert events(x[0]) == [(0, 0, 1), (0, 5, 1), (1, 5, 1)], "from the first event on; 1.3 s is too late"


def test_ntidigits_as_the_work_stores_it(tmp_path: Path) -> None:
    put_ntidigits(tmp_path)
    expected = tasks.load("ntidigits", root=tmp_path)
    with (
        h5py.File(tmp_path / "NTIDIGITS/n-tidigits.hdf5") as native,
        h5py.File(tmp_path / "NTIDIGITS/n-tidigits-single.hdf5", "w") as single,
    ):
        for key, name in enumerate(["man-ab-z", "woman-cd-o", "boy-ef-7"] * 2):
            times = (native[f"train_timestamps/{name}"][()] * 1e6).astype(np.uint32)
            single[f"data/{key}/times"] = times
            single[f"data/{key}/addrs"] = native[f"train_addresses/{name}"][()].astype(np.uint8)[:, None]
            single[f"data/{key}/labels"] = np.uint8([0, 10, 7][key % 3])
        single["extra/train_keys"], single["extra/test_keys"] = [0, 1, 2], [3, 4, 5]
    (tmp_path / "NTIDIGITS/n-tidigits.hdf5").unlink()
    found = tasks.load("ntidigits", root=tmp_path)
    for part in ("train", "test"):
        for a, b in zip(getattr(found, part).batch(range(3)), getattr(expected, part).batch(range(3)), strict=True):
            assert torch.equal(a, b)


def test_spoken_digits_become_spikes_where_they_sound(tmp_path: Path) -> None:
    put_fsdd(tmp_path)
    task = tasks.load("fsdd", root=tmp_path, T=50)
    assert (len(task.train), len(task.test), task.dataset.complete) == (2, 1, False)
    assert task.test.labels.tolist() == [3]
    x, labels = task.train.batch([0, 1])
    assert x.shape == (2, 50, 32)
    assert labels.tolist() == [3, 9]
    assert set(x.unique().tolist()) == {0, 1}
    assert not x[:, 31:].any(), "silence after 0.3 s"
    loudest = x.sum(1).argmax(1)
    bank = fsdd.filters(32)
    for channel, frequency in zip(loudest.tolist(), (1000, 1500), strict=True):
        assert bank[channel, round(frequency * fsdd.FFT / fsdd.RATE)] > 0


def test_the_front_end_by_hand() -> None:
    bank = np.eye(129)[:2]
    levels = fsdd.spikes(np.ones(8000), 10, 10, bank)[:, 0]
    assert levels.all(), "the loudest channel fires at every step"
    assert not fsdd.spikes(np.zeros(8000), 10, 10, bank).any()
    assert not fsdd.spikes(np.ones(400), 10, 10, bank)[5:].any(), "0.05 s are five steps"
    # a tenth of the amplitude is 20 dB less: two thirds of the steps
    quiet = np.concatenate([np.ones(800), np.full(7200, 0.1)])
    assert fsdd.spikes(quiet, 90, 10, bank)[15:75, 0].sum() == 40


@pytest.mark.parametrize(("name", "put"), [("shd", put_shd), ("ntidigits", put_ntidigits), ("fsdd", put_fsdd)])
def test_wrong_requests(name: str, put, tmp_path: Path) -> None:
    put(tmp_path)
    for wrong in ({"T": 0}, {"T": 1.5}, {"dt": 0}, {"dt": -1.0}, *([{"channels": 0}] if name == "fsdd" else [])):
        with pytest.raises(TaskError, match="asked for; give a"):
            tasks.load(name, root=tmp_path, **wrong)
    if name == "fsdd":
        with pytest.raises(TaskError, match="more than the spectrum can tell apart"):
            tasks.load(name, root=tmp_path, channels=400)


def test_damaged_shd(tmp_path: Path) -> None:
    put_shd(tmp_path)
    path = tmp_path / "SHD/shd_train.h5"
    with h5py.File(path, "r+") as file:
        file["spikes/units"][1] = np.array([700], np.uint16)
    with pytest.raises(DataDamaged, match=r"sample 1: channels 700 to 700 are not within 0 to 699"):
        tasks.load("shd", root=tmp_path)
    with h5py.File(path, "r+") as file:
        file["spikes/units"][1] = np.array([1, 2], np.uint16)
    with pytest.raises(DataDamaged, match="1 times and 2 units"):
        tasks.load("shd", root=tmp_path)
    with h5py.File(path, "r+") as file:
        del file["labels"]
    with pytest.raises(DataDamaged, match="entry 'labels': there is no such data set"):
        tasks.load("shd", root=tmp_path)
    path.write_bytes(b"no such thing")
    with pytest.raises(DataDamaged, match="cannot be opened as HDF5"):
        tasks.load("shd", root=tmp_path)


@contextmanager
def less_memory(more: int) -> Iterator[None]:
    """Inside, this process may ask for `more` bytes."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_damaged_digits(tmp_path: Path) -> None:
    put_ntidigits(tmp_path)
    with h5py.File(tmp_path / "NTIDIGITS/n-tidigits.hdf5", "r+") as file:
        file["train_addresses/man-ab-z"][0] = 64
    with pytest.raises(DataDamaged, match="man-ab-z: channels 5 to 64"):
        tasks.load("ntidigits", root=tmp_path)
    put_fsdd(tmp_path)
    path = tmp_path / "FSDD/recordings/3_george_5.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(DataDamaged, match="2350 of 2400 samples are there"):
        tasks.load("fsdd", root=tmp_path)
    path.write_bytes(whole[:4] + b"\xff\xff\xff\x7f" + whole[8:40] + b"\xff\xff\xff\x7f" + whole[44:])  # 2 GiB to come
    with pytest.raises(DataDamaged, match="2400 of 1073741823 samples are there"), less_memory(2**30):
        tasks.load("fsdd", root=tmp_path)
    path.write_bytes(b"RIFF")
    with pytest.raises(DataDamaged, match="it is no WAV file"):
        tasks.load("fsdd", root=tmp_path)
    path.write_bytes(whole[:17] + b"\x03" + whole[18:])  # a first chunk longer than the file
    with pytest.raises(DataDamaged, match=r"it is no WAV file \(a chunk goes beyond it\)"):
        tasks.load("fsdd", root=tmp_path)
    path.write_bytes(whole)
    path.rename(path.with_name("copy of 3.wav"))
    with pytest.raises(DataDamaged, match=r"it is not <digit>_<speaker>_<number>\.wav"):
        tasks.load("fsdd", root=tmp_path)


@pytest.mark.skipif(not os.environ.get("SPIKEBENCH_DATA"), reason="SPIKEBENCH_DATA names no data root")
def test_the_real_recordings() -> None:
    if sentence := tasks.available("fsdd"):
        pytest.skip(sentence)
    task = tasks.load("fsdd")
    if not task.dataset.complete:
        pytest.skip(task.dataset.note)
    assert torch.bincount(task.train.labels).tolist() == [270] * 10
    assert torch.bincount(task.test.labels).tolist() == [30] * 10
    x, _ = task.test.batch(range(300))
    assert 0.02 < x.mean() < 0.5
    assert x.any(2).any(1).all()
