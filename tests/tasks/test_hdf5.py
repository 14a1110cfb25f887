"""HDF5 files of others: what would hang or end the program, or take its memory, is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from data_files import put_shd

from tasks import DataDamaged, TaskError, hdf5, hdf5_child


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one group with three data sets."""
    with h5py.File(path := tmp_path / "a.h5", "w") as file:
        file["a/numbers"] = np.arange(6).reshape(2, 3)
        file["a/words"] = np.array(["z", "12"], "S")
        file["a/number"] = np.uint8(7)
    return path


def test_arrays_are_read(path: Path) -> None:
    with hdf5.opened(path) as file:
        assert file.read("a/numbers").tolist() == [[0, 1, 2], [3, 4, 5]]
        assert file.read("a/words").tolist() == [b"z", b"12"]
        assert file.read("a/number") == 7
        assert [file.count(name) for name in ("/", "a", "b")] == [1, 3, 0]
        for name in ("a", "b"):
            with pytest.raises(DataDamaged, match=f"entry '{name}': there is no such data set"):
                file.read(name)
        assert file.read("a/number") == 7


def test_what_the_system_refuses_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hdf5.opened(tmp_path / "a.h5"):
        pass


def test_a_file_without_an_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 steps from one object to the next, here by no byte."""
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    put_shd(tmp_path)
    path = tmp_path / "SHD/shd_train.h5"
    content = bytearray(path.read_bytes())
    first = content.index(b"GCOL") + 16  # of the heap that has the trains: number, references, size
    content[first : first + 16] = bytes(16)
    path.write_bytes(content)
    end = "entry 'spikes/times': in 1 s HDF5 came to no end of it"
    with hdf5.opened(path) as file, pytest.raises(DataDamaged, match=end):
        file.read("spikes/times")


def test_what_asks_for_more_than_the_memory_it_may_have_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MEMORY", size := 2**28)
    with h5py.File(path, "r+") as file:
        file.create_dataset("nothing", 2**40, np.uint8)
        as_it_is = h5py.h5p.create(h5py.h5p.DATASET_CREATE)  # with its place in the file, which stays empty
        as_it_is.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        as_it_is.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((size,))
        h5py.h5d.create(file.id, b"large", h5py.h5t.NATIVE_UINT8, space, as_it_is)
    with hdf5.opened(path) as file:
        with pytest.raises(DataDamaged, match="0 bytes of it are stored, too few for 1099511627776 values"):
            file.read("nothing")
        with pytest.raises(DataDamaged, match="entry 'large': it cannot be read"):
            file.read("large")
        assert file.read("a/number") == 7


def test_what_python_prints_as_it_starts_is_no_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a sitecustomize of the machine does."""
    (path.parent / "sitecustomize.py").write_text("print('hello', flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(path.parent))
    with hdf5.opened(path) as file:
        assert file.read("a/number") == 7


def test_what_means_nothing_outside_the_file_is_told(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["a/of"] = np.array([file["a"].ref], h5py.ref_dtype)
        file["a/part"] = np.array([(1, file["a"].ref)], [("n", "i4"), ("of", h5py.ref_dtype)])
        file["a/text"] = np.array(["z"], h5py.string_dtype())
        file.create_dataset("a/trains", (1,), h5py.vlen_dtype(np.int32))[0] = [1, 2]
    with hdf5.opened(path) as file:
        for name in ("a/of", "a/part"):
            with pytest.raises(DataDamaged, match=f"entry '{name}': it has values of the type .* belong to the file"):
                file.read(name)
        assert file.read("a/text").tolist() == [b"z"]
        assert file.read("a/trains")[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("end", "error", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", DataDamaged, "at byte 0: HDF5 died of SIGSEGV as it read it; fetch"),
        ("os.kill(os.getpid(), signal.SIGKILL)", MemoryError, "was killed by SIGKILL, as the system does"),
        ("import no_such_module", TaskError, "ended: ModuleNotFoundError: No module named 'no_such_module'."),
    ],
)
def test_the_end_of_the_process_is_told(
    end: str, error: type[Exception], says: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = path.with_name("falls.py")
    program.write_text(f"import os, signal\n{end}\n")
    monkeypatch.setattr(hdf5_child, "__file__", str(program))
    with pytest.raises(error, match=says), hdf5.opened(path):
        pass
