"""DVS Planes from files as published and as the first-spike work stores them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from data_files import put_dvsplane
from scipy.io import savemat

import tasks
from tasks import Classes, DataDamaged, dvsplane


def test_recordings_as_published(tmp_path: Path) -> None:
    put_dvsplane(tmp_path)
    task = tasks.load("dvsplane", root=tmp_path)
    assert task.target == Classes(4)
    assert task.train.labels.tolist() == [0, 3]
    assert task.test.labels.tolist() == [1]
    x, _ = task.train.batch([0])
    assert x.shape == (1, 135, 2, 60, 76)
    # all events are at pixel (304, 1), which is (303, 0); both signs occur
    assert x.nonzero()[:, 2:].unique(dim=0).tolist() == [[0, 0, 75], [1, 0, 75]]
    # kept are the 50 events 1 ms apart, whose slopes are below ten times the least one, and 549 of the others
    assert x[0].sum() == 599
    assert x[0, :24].sum((1, 2, 3)).tolist() == [2] * 24
    assert x[0, 25].sum((1, 2)).tolist() == [100, 100], "2 ms of events 10 us apart, both signs in turn"


def test_the_busy_part() -> None:
    t = np.repeat([1000, 10, 1000], [500, 1500, 500]).cumsum()
    part = dvsplane.busy(t)
    slopes = (t[1000:] - t[:-1000]) / 1e6
    steep = np.flatnonzero(slopes < 10 * slopes.min())
    assert (part.start, part.stop) == (steep[0], steep[-1])
    assert slopes.min() == pytest.approx(0.01)
    # 90 us a step on 90 of 1000 events would be ten times the least slope
    assert 400 < part.start < 500 < part.stop < 1100


def test_a_long_busy_part_is_cut_at_a_late_gap() -> None:
    # 4000 events 50 us apart, then 3000 of 400 us (8 times the least slope, above 5 times), then 2500 of 50 us
    t = np.repeat([50, 400, 50], [4000, 3000, 2500]).cumsum()
    part = dvsplane.busy(t)
    slopes = (t[1000:] - t[:-1000]) / 1e6
    steep = np.flatnonzero(slopes < 5 * slopes.min())
    gap = np.flatnonzero(np.diff(steep) > 2)
    assert len(gap) == 1
    assert gap[0] > 2000
    assert (part.start, part.stop) == (steep[0], steep[gap[0] - 1])


def test_files_as_the_work_makes_them(tmp_path: Path) -> None:
    (tmp_path / "DVSPlane").mkdir()
    for part in ("train", "test"):
        with h5py.File(tmp_path / f"DVSPlane/DVSPlane-{part}.hdf5", "w") as file:
            for key in range(2):
                file[f"{key}/time"] = np.array([100, 2099, 2100, 271_000], np.uint32)
                file[f"{key}/data"] = np.array([[0, 0, 0], [7, 4, 1], [7, 4, 1], [0, 0, 0]], np.uint16)
                file[f"{key}/labels"] = np.uint8(key + 2)
    task = tasks.load("dvsplane", root=tmp_path)
    x, labels = task.test.batch([1])
    assert labels.tolist() == [3]
    assert x.nonzero()[:, 1:].tolist() == [[0, 0, 0, 0], [0, 1, 1, 1], [1, 1, 1, 1]], "270.9 ms is too late"
    with h5py.File(tmp_path / "DVSPlane/DVSPlane-test.hdf5", "r+") as file:
        file["1/data"][0] = [304, 0, 0]
    with pytest.raises(DataDamaged, match="entry '1': an event lies off the 304x240 pixels"):
        tasks.load("dvsplane", root=tmp_path)


def test_damaged_recordings(tmp_path: Path) -> None:
    put_dvsplane(tmp_path)
    path = tmp_path / "DVSPlane/F117_1.mat"
    short = {name: np.arange(9)[:, None] for name in ("ts", "x", "y", "p")}
    for content, problem in (
        ({"TD": short}, "it has 9 times"),
        ({"other": 1}, "holds no struct TD"),
        ({"TD": {**short, "ts": np.zeros((1500, 1))}}, "1500 times, 9 pixels"),
        ({"TD": dict.fromkeys(short, np.zeros((1500, 1)))}, "times of the events do not rise"),
    ):
        savemat(path, content)
        with pytest.raises(DataDamaged, match=problem):
            tasks.load("dvsplane", root=tmp_path)
    path.rename(path.with_name("F16_1.mat"))
    with pytest.raises(DataDamaged, match="one of the planes F117, Mig31, Su24, Su35"):
        tasks.load("dvsplane", root=tmp_path)


def test_what_the_reader_of_matlab_files_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an empty file, and of a header that announces gigabytes."""
    (tmp_path / "F117_1.mat").touch()
    with pytest.raises(DataDamaged, match="it holds no struct TD"):
        dvsplane._recording(tmp_path / "F117_1.mat")

    def announced(path: Path) -> None:
        raise MemoryError

    monkeypatch.setattr("scipy.io.loadmat", announced)
    with pytest.raises(DataDamaged, match="it holds no struct TD"):
        dvsplane._recording(tmp_path / "F117_1.mat")
