"""The HDF5 cache of integrated frames."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
import torch
import warm

import tasks.cache as cache_module
from tasks import DatasetInfo, TaskError, camera
from tasks.cache import cached_counts
from tasks.events import FrameSplit, event_task
from tasks.recordings import EventSource, Recording

N = 5


def source(digest: str = "d", n: int = N, code: tuple[ModuleType, ...] = (camera,), fail_at: int = -1) -> EventSource:
    """Recording i holds i + 1 events at pixel (i, 0) and, last, one of the other polarity."""

    def recordings() -> Iterator[Recording]:
        for i in range(n):
            if i == fail_at:
                raise KeyboardInterrupt
            t = np.arange(i + 2)
            yield Recording(t, np.full(i + 2, i), np.zeros(i + 2, int), (t < i + 1).astype(int), f"recording {i}")

    return EventSource(DatasetInfo("tiny", digest), 2, 1, n, np.arange(n) % 2, n - 2, recordings, code)


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.h5")
    return path


def expected(n: int = N) -> np.ndarray:
    counts = np.zeros((n, 1, 2, 1, n))
    for i in range(n):
        counts[i, 0, 1, 0, i], counts[i, 0, 0, 0, i] = i + 1, 1
    return counts


class _Unreadable(Exception):
    pass


def unreadable(digest: str = "d") -> EventSource:
    """A source like `source`, whose recordings must not be asked for."""

    def recordings() -> Iterator[Recording]:
        raise _Unreadable

    whole = source(digest)
    return EventSource(whole.info, 2, 1, N, whole.labels, whole.train, recordings, whole.code)


def test_a_second_load_reads_the_frames_of_the_first(tmp_path: Path) -> None:
    counts, durations = cached_counts(tmp_path, source(), 1, "number")
    assert np.array_equal(counts, expected())
    assert counts.dtype == np.uint8
    # Recording i lasts from 0 to i + 1 us.
    assert durations[:, 0].tolist() == [1, 2, 3, 4, 5]
    again = cached_counts(tmp_path, unreadable(), 1, "number")
    assert np.array_equal(again[0], counts)
    assert np.array_equal(again[1], durations)


def test_the_name_tells_the_set_and_the_options_and_nothing_is_left_beside(tmp_path: Path) -> None:
    cached_counts(tmp_path, source(), 1, "number")
    assert only_file(tmp_path).name.startswith("tiny-1x5-T1-number-")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("change", [{"digest": "e"}, {"code": ()}, {"n": N + 1}])
def test_other_data_or_other_code_is_another_file(tmp_path: Path, change: dict) -> None:
    cached_counts(tmp_path, source(), 1, "number")
    cached_counts(tmp_path, source(**change), 1, "number")
    assert len(list(tmp_path.glob("*.h5"))) == 2


def test_other_options_are_another_file(tmp_path: Path) -> None:
    for T, split_by in ((1, "number"), (2, "number")):
        cached_counts(tmp_path, source(), T, split_by)
    assert len(list(tmp_path.glob("*.h5"))) == 2


def test_counts_above_a_byte_are_kept(tmp_path: Path) -> None:
    def recordings() -> Iterator[Recording]:
        zeros = np.zeros(300, int)
        yield Recording(np.arange(300), zeros, zeros, zeros, "one")

    one = EventSource(DatasetInfo("one", "d"), 1, 1, 1, np.zeros(1, int), 1, recordings, ())
    for _ in range(2):
        counts, _ = cached_counts(tmp_path, one, 1, "number")
        assert counts.ravel().tolist() == [300, 0]


def damage_frames(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["counts"][2, 0, 1, 0, 2] = 9


def damage_durations(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["durations"][0, 0] = 7


def swap_key(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["key"] = "another"


def lose_the_seal(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file.attrs["seal"]


def lose_the_frames(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["counts"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_byte_of_the_frames(path: Path) -> None:
    with h5py.File(path, "r", locking=False) as file:
        chunk = file["counts"].id.get_chunk_info(3)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + 1] ^= 0x55
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        damage_frames,
        damage_durations,
        swap_key,
        lose_the_seal,
        lose_the_frames,
        cut,
        empty,
        flip_a_byte_of_the_frames,
    ],
)
def test_a_damaged_file_is_built_again_with_a_note(tmp_path: Path, damage, caplog: pytest.LogCaptureFixture) -> None:
    cached_counts(tmp_path, source(), 1, "number")
    path = only_file(tmp_path)
    damage(path)
    with caplog.at_level(logging.WARNING):
        counts, durations = cached_counts(tmp_path, source(), 1, "number")
    assert np.array_equal(counts, expected())
    assert durations[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert f"The frames in {path} cannot be used" in caplog.text
    caplog.clear()
    cached_counts(tmp_path, unreadable(), 1, "number")
    assert not caplog.records


def test_a_build_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        cached_counts(tmp_path, source(fail_at=3), 1, "number")
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".h5", ".part")]


def test_what_a_killed_build_left_is_swept(tmp_path: Path) -> None:
    cached_counts(tmp_path, source(), 1, "number")
    left = only_file(tmp_path).with_suffix(".4711.part")
    left.write_bytes(b"half")
    cached_counts(tmp_path, unreadable(), 1, "number")
    assert not left.exists()


def test_large_sets_are_read_sample_by_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "IN_MEMORY_BYTES", 0)
    counts, durations = cached_counts(tmp_path, source(), 1, "number")
    labels = torch.tensor([0, 1, 0, 1, 0])
    split = FrameSplit(counts, durations, np.arange(N), labels, None).subset([4, 1, 2])
    x, y = split.batch([2, 0, 0])
    assert np.array_equal(x.numpy(), expected()[[2, 4, 4]])
    assert y.tolist() == [0, 0, 0]
    assert split.batch([])[0].shape == (0, 1, 2, 1, N)
    flip_a_byte_of_the_frames(only_file(tmp_path))
    counts, _ = cached_counts(tmp_path, unreadable(), 1, "number")
    assert counts[np.array([0])].sum() == 2
    with pytest.raises(TaskError, match="delete it, and it is built again"):
        counts[np.array([3])]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TaskError, match=r"frames of tiny cannot be kept in .*file/cache: .*; name a writable folder"):
        cached_counts(tmp_path / "file" / "cache", source(), 1, "number")


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from tasks import DatasetInfo, TaskError
from tasks.cache import cached_counts
from tasks.recordings import EventSource, Recording

event = np.zeros(1, int)
one = EventSource(DatasetInfo("one", "d"), 1, 1, 1, event, 1, lambda: iter([Recording(*[event] * 4, "one")]), ())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    cached_counts(Path(sys.argv[1]), one, 1, "number")
except TaskError as error:
    print(error, flush=True)
"""


@pytest.mark.parametrize("room", [10, 2000])
def test_a_full_disk_is_a_sentence(tmp_path: Path, room: int) -> None:
    # No file may grow beyond `room` bytes. HDF5 notices when it writes, or when it closes the file, and then may take
    # the process down when that ends.
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path, str(room)], stdout=subprocess.PIPE, text=True)
    sentence = (
        f"The frames of one cannot be kept in {tmp_path}: File too large; name a writable folder with enough space"
    )
    assert done.stdout == f"{sentence} as cache.\n"
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_the_task_is_the_same_with_and_without_cache(tmp_path: Path) -> None:
    options = {"T": 1, "split_by": "number", "normalization": "frequency", "validation": 0.5, "progress": None}
    kept, held = event_task(source(), tmp_path, **options), event_task(source(), None, **options)
    for part in ("train", "validation", "test"):
        a, b = getattr(kept, part), getattr(held, part)
        assert len(a) == len(b) > 0
        assert a.batch(range(len(a)))[0].equal(b.batch(range(len(b)))[0])


def test_more_events_than_a_count_can_hold_are_refused(tmp_path: Path) -> None:
    def recordings() -> Iterator[Recording]:
        zeros = np.zeros(65_536, int)
        yield Recording(zeros, zeros, zeros, zeros, "hot.bin")

    hot = EventSource(DatasetInfo("hot", "d"), 1, 1, 1, np.zeros(1, int), 1, recordings, ())
    with pytest.raises(TaskError, match=r"hot\.bin: a pixel has 65,536 events in one frame"):
        cached_counts(tmp_path, hot, 1, "number")


BUILD = """
import sys
from pathlib import Path
from tasks.cache import cached_counts
from test_frame_cache import source

built = []
counts, _ = cached_counts(Path(sys.argv[1]), source(), 1, "number", lambda done, of: built.append(done))
print(int(counts.sum()), len(built))
"""


def test_processes_that_want_the_same_frames_build_them_once(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    workers = [warm.Process(["-c", BUILD, str(tmp_path)], env=os.environ | {"PYTHONPATH": path}) for _ in range(3)]
    told = [worker.communicate() for worker in workers]
    assert [(worker.wait(), errors) for worker, (_, errors) in zip(workers, told, strict=True)] == [(0, "")] * 3
    got = [tuple(map(int, words.split())) for words, _ in told]
    assert {total for total, _ in got} == {int(expected().sum())}
    assert sorted(built for _, built in got) == [0, 0, N]
