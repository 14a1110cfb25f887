"""Raw event data as HDF5 of the first-spike work: the task reads the same samples of both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
import torch
from commands import within
from data_files import put, put_dvsplane, put_gesture, put_ntidigits

import tasks
from bench.convert import app
from core.errors import WRONG_USAGE
from tasks import Classes, DataDamaged, DataMissing, TaskError, conversion

Puts = Callable[[Path], None]
RAW = {  # how small raw files are made, and what is removed so that the converted ones are read
    "ntidigits": (put_ntidigits, "NTIDIGITS/n-tidigits.hdf5"),
    "dvsplane": (put_dvsplane, "DVSPlane/*.mat"),
    "dvsgesture10": (put_gesture, "DVS128Gesture/DvsGesture"),
}


def remove(root: Path, pattern: str) -> None:
    for path in root.glob(pattern):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def samples(name: str, root: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    task = tasks.load(name, root=root)
    return [split.batch(range(len(split))) for split in (task.train, task.test)]


@pytest.mark.parametrize("name", RAW)
def test_the_task_reads_what_was_made_as_it_reads_the_raw_files(name: str, tmp_path: Path) -> None:
    make, pattern = RAW[name]
    make(tmp_path)
    expected = samples(name, tmp_path)
    told: list[tuple[int, int]] = []
    made = conversion.convert(name, tmp_path, None, lambda done, of: told.append((done, of)))
    assert [path.name for path in made] == list(conversion.SETS[name].files)
    assert told[0] == (0, told[0][1])
    assert told[-1] == (told[0][1], told[0][1])
    with pytest.raises(TaskError, match="is there already"):
        conversion.convert(name, tmp_path, None)
    assert not list(tmp_path.glob("**/.*"))
    remove(tmp_path, pattern)
    for (x, labels), (y, others) in zip(samples(name, tmp_path), expected, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(labels, others)
        assert x.any()


def test_the_layout_of_ntidigits(tmp_path: Path) -> None:
    put_ntidigits(tmp_path)
    (path,) = conversion.convert("ntidigits", tmp_path, tmp_path / "other")
    with h5py.File(path) as file:
        assert file["extra/train_keys"][()].tolist() == [0, 1, 2]
        assert file["extra/test_keys"][()].tolist() == [3, 4, 5]
        assert (file["extra/N"][()], file["extra/Ntrain"][()], file["extra/Ntest"][()]) == (6, 3, 3)
        assert file["data/3/times"][()].tolist() == [100000, 104900, 105100, 1300000]
        assert file["data/4/labels"][()] == 10


def test_a_stopped_conversion_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_dvsplane(tmp_path)
    read: list[str] = []
    recordings = tasks.dvsplane._recordings  # type: ignore[attr-defined]

    def watched(files: dict[str, list[Path]], part: str):
        read.append(files[part][0].name)
        if len(read) == 3:
            raise KeyboardInterrupt
        yield from recordings(files, part)

    monkeypatch.setattr("tasks.dvsplane._recordings", watched)
    with pytest.raises(KeyboardInterrupt):
        conversion.convert("dvsplane", tmp_path, None)
    assert not list(tmp_path.glob("**/*.hdf5"))
    conversion.convert("dvsplane", tmp_path, None)
    assert read == ["F117_1.mat", "Su35_160.mat", "Mig31_161.mat", "Mig31_161.mat"]


def test_other_raw_files_begin_anew(tmp_path: Path) -> None:
    put_dvsplane(tmp_path)
    kept = tmp_path / "DVSPlane/.dvsplane.pieces"
    kept.mkdir()
    put(kept / "000000.npz", b"of other files")
    conversion.convert("dvsplane", tmp_path, None)
    assert not kept.exists()


def test_ten_gestures_in_steps(tmp_path: Path) -> None:
    put_gesture(tmp_path)
    task = tasks.load("dvsgesture10", root=tmp_path, T=3, dt=1)
    x, labels = task.train.batch([0])
    assert (x.shape, labels.tolist(), task.target) == ((1, 3, 2, 32, 32), [0], Classes(10))
    assert x.nonzero().tolist() == [[0, 0, 0, 0, 0]]
    csv = tmp_path / "DVS128Gesture/DvsGesture/user01_lab_labels.csv"
    csv.write_bytes(b"class,startTime_usec,endTime_usec\n11,0,9\n")
    with pytest.raises(DataMissing, match="a sample of the ten gestures to test"):
        tasks.load("dvsgesture10", root=tmp_path)


def test_damaged_gestures(tmp_path: Path) -> None:
    put_gesture(tmp_path)
    conversion.convert("dvsgesture10", tmp_path, None)
    path = tmp_path / "DVS128Gesture/DVSGesture-test10.hdf5"
    with h5py.File(path, "r+") as file:
        file["test/0/data"][0] = [128, 0, 0]
    with pytest.raises(DataDamaged, match="off the 128x128 pixels"):
        tasks.load("dvsgesture10", root=tmp_path)
    with h5py.File(path, "r+") as file:
        del file["test/0/time"]
    with pytest.raises(DataDamaged, match="'test/0/time'"):
        tasks.load("dvsgesture10", root=tmp_path)


def test_the_command(tmp_path: Path) -> None:
    put_dvsplane(tmp_path)
    done = within(app, "dvsplane", "--data", str(tmp_path))
    assert done.returncode == 0
    assert "DVSPlane-train.hdf5" in done.stdout
    assert "is there already" in within(app, "dvsplane", "--data", str(tmp_path)).stderr
    assert "there is nothing to convert" in within(app, "shd", "--data", str(tmp_path)).stderr
    wrong = within(app, "planes", "--data", str(tmp_path))
    assert (wrong.returncode, "Unknown data set to convert" in wrong.stderr) == (WRONG_USAGE, True)
    assert "is missing" in within(app, "ntidigits", "--data", str(tmp_path)).stderr
