"""Which data is at hand: the digest of a task, its memory of hashes, and what they cost."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from data_files import SETS, put, put_cifar10dvs, put_gesture, put_mnist, put_nmnist

import tasks
from tasks import hashes
from tasks.hashes import files_digest


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files just written count as long unchanged."""
    monkeypatch.setattr(hashes, "SETTLED_NS", -1)


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        "digits_events",
        "digits_recall",
        "plain_digits",
        "shuffled_digits",
        "adding",
        "motion_events",
        "noisy_current",
        *SETS,
    ],
)
def test_it_is_the_digest_of_the_task_that_is_loaded(name: str, tmp_path: Path) -> None:
    if name in SETS:
        SETS[name](tmp_path / "data")
    got = tasks.digest(name, tmp_path / "data", tmp_path / "cache")
    assert got == tasks.load(name, root=tmp_path / "data", cache=tmp_path / "cache").dataset.digest


@pytest.mark.parametrize("name", SETS)
def test_equal_data_has_equal_digests_wherever_it_lies(name: str, tmp_path: Path) -> None:
    for place in ("here", "there/deeper"):
        SETS[name](tmp_path / place)
    assert tasks.digest(name, tmp_path / "here") == tasks.digest(name, tmp_path / "there/deeper")


@pytest.mark.parametrize("name", SETS)
def test_other_data_has_another_digest(name: str, tmp_path: Path, settled: None) -> None:
    SETS[name](tmp_path / "data")
    ask = lambda: tasks.digest(name, tmp_path / "data", tmp_path / "cache")  # noqa: E731
    before = ask()
    files = sorted(path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.suffix != ".txt")
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\0")
        assert ask() != before, path
        path.write_bytes(content)
        assert ask() == before


def test_the_options_that_choose_the_data_count_and_no_others(tmp_path: Path) -> None:
    put_cifar10dvs(tmp_path)
    ask = lambda **options: tasks.digest("cifar10dvs", tmp_path, **options)  # noqa: E731
    assert ask(T=10, normalization="max") == ask(split="plif") == ask()
    assert ask(split="psn") not in (None, ask())
    for options in ({"split": "psn"}, {"split": "plif"}):
        task = tasks.load("cifar10dvs", root=tmp_path, cache=tmp_path / "cache", T=1, **options)
        assert task.dataset.digest == ask(**options)


def test_a_recording_that_moves_to_the_test_list_is_other_data(tmp_path: Path) -> None:
    put_gesture(tmp_path)
    folder = tmp_path / "DVS128Gesture/DvsGesture"
    for ending in (".aedat", "_labels.csv"):
        put(folder / f"user02_natural{ending}", (folder / f"user02_led{ending}").read_bytes())
    digests = set()
    for train, test in (("user01_lab user02_led", "user02_natural"), ("user01_lab", "user02_led user02_natural")):
        for part, names in (("train", train), ("test", test)):
            (folder / f"trials_to_{part}.txt").write_text("\n".join(f"{name}.aedat" for name in names.split()))
        digests.add(tasks.digest("dvs128gesture", tmp_path))
    assert len(digests) == 2


@pytest.mark.parametrize("name", [*SETS, "fashion_mnist", "cifar100"])
def test_data_that_is_not_available_has_none(name: str, tmp_path: Path) -> None:
    assert tasks.digest(name, tmp_path) is None
    assert tasks.digest(name, "/" + "a" * 5000) is None


def test_data_that_loading_would_refuse_has_none(tmp_path: Path) -> None:
    put_gesture(tmp_path)
    (tmp_path / "DVS128Gesture/DvsGesture/user02_led_labels.csv").unlink()
    assert tasks.digest("dvs128gesture", tmp_path) is None
    put_mnist(tmp_path)
    raw = tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte"
    raw.with_name(f"{raw.name}.gz").write_bytes(gzip.compress(raw.read_bytes())[:-9])
    raw.unlink()
    assert tasks.digest("mnist", tmp_path) is None


def test_asking_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    for put_set in SETS.values():
        put_set(tmp_path)
    program = (
        "import sys, tasks\n"
        f"print([name for name in tasks.names() if tasks.digest(name, {str(tmp_path)!r}) is None])\n"
        "print([m for m in ('torch', 'numpy', 'h5py', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    not_here = [
        "fashion_mnist",
        "plain_fashion_mnist",
        "shuffled_fashion_mnist",
        "shuffled_cifar100",
        "cifar100",
        "voc2007",
        "voc2012",
        "voc2007_detections",
    ]
    assert done.stdout.splitlines() == [str(not_here), "[]"]


def test_a_digest_is_of_names_contents_and_order(tmp_path: Path) -> None:
    files = [("a", tmp_path / "a"), ("b", tmp_path / "b")]
    for name, path in files:
        path.write_text(name)
    seen = {files_digest(files, tmp_path), files_digest(files[::-1], tmp_path)}
    seen |= {files_digest([("c", tmp_path / "a"), files[1]], tmp_path)}
    (tmp_path / "a").write_text("x")
    assert len(seen | {files_digest(files, tmp_path)}) == 4


class Reads:
    """Counts the files that are read, and can be interrupted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.stop_at = ""
        self.hash = hashes.content_hash
        monkeypatch.setattr(hashes, "content_hash", self)

    def __call__(self, path: Path) -> str:
        if path.name == self.stop_at:
            raise KeyboardInterrupt
        self.names.append(path.name)
        return self.hash(path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, settled: None) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def three(tmp_path: Path) -> Callable[[], str]:
    """Asks for the digest of three files under set/, remembered under memo/."""
    files = [(name, tmp_path / "set" / name) for name in "abc"]
    for name, path in files:
        put(path, name.encode())
    return lambda: files_digest(files, tmp_path / "set", tmp_path / "memo")


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path, three: Callable[[], str], reads: Reads) -> None:
    first = three()
    assert reads.names == ["a", "b", "c"]
    assert three() == first
    assert len(reads.names) == 3
    # Of the same size, and with the time of change set back: the system's own time of change tells.
    changed = tmp_path / "set" / "b"
    times = changed.stat()
    changed.write_text("x")
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert three() != first
    assert reads.names[3:] == ["b"]
    changed.write_text("b")
    assert three() == first


def test_a_file_changed_just_now_may_change_again_unnoticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(monkeypatch)
    monkeypatch.setattr(hashes, "SETTLED_NS", 10**12)
    put(tmp_path / "set" / "a", b"a")
    for _ in range(2):
        files_digest([("a", tmp_path / "set" / "a")], tmp_path / "set", tmp_path / "memo")
    assert reads.names == ["a", "a"]


def flipped(data: bytes, place: int) -> bytes:
    """`data` with a bit of a hexadecimal digit turned, which so is another one in any case."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[:-1], lambda data: b"\xff" + data[1:], lambda data: b"[" * 100_000,
     lambda data: flipped(data, 40), lambda data: flipped(data, len(data) - 5)],
    ids=["empty", "cut", "no text", "nested", "another seal", "another hash"],
)  # fmt: skip
def test_a_damaged_memory_is_ignored_and_written_anew(
    tmp_path: Path, three: Callable[[], str], reads: Reads, damage: Callable[[bytes], bytes]
) -> None:
    first = three()
    (memory,) = (tmp_path / "memo").iterdir()
    whole = memory.read_bytes()
    memory.write_bytes(damage(whole))
    assert three() == first
    assert len(reads.names) == 6
    assert memory.read_bytes() == whole
    assert [path.name for path in (tmp_path / "memo").iterdir()] == [memory.name]


def test_what_was_read_before_an_interruption_stays_remembered(
    tmp_path: Path, three: Callable[[], str], reads: Reads
) -> None:
    reads.stop_at = "c"
    with pytest.raises(KeyboardInterrupt):
        three()
    reads.stop_at = ""
    three()
    assert reads.names == ["a", "b", "c"]


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path, three: Callable[[], str]) -> None:
    (tmp_path / "memo").write_text("a file")
    assert three() == files_digest([(name, tmp_path / "set" / name) for name in "abc"], tmp_path / "set")


def test_progress_tells_of_the_files_that_are_read(tmp_path: Path, settled: None) -> None:
    put_nmnist(tmp_path)
    told: list[tuple[int, int]] = []
    for _ in range(2):
        tasks.digest("nmnist", tmp_path, tmp_path / "cache", progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
