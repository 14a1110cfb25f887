"""Which files of a folder are samples: hidden ones never are, and unknown ones are refused by name."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from data_files import SETS, put, put_gesture, put_nmnist

import tasks
from tasks import DataDamaged


def load(name: str, root: Path) -> tasks.Task:
    return tasks.load(name, root=root, cache=root / "cache", **({"T": 1} if name in EVENTS else {}))


EVENTS = ("nmnist", "cifar10dvs", "dvs128gesture")
LEFT_BY_SYSTEMS = {
    "nmnist": [
        "Train/0/._00001.bin",
        "Train/0/.DS_Store",
        "Test/._3",
        "Train/__MACOSX/0/._00001.bin",
        "__MACOSX/a.bin",
    ],
    "cifar10dvs": ["cat/._cifar10_cat_0.aedat", "__MACOSX/cifar10_cat_0.aedat", "._cat/a.aedat", "cat.zip"],
    "dvs128gesture": ["DvsGesture/._user02_led.aedat", "DvsGesture/._trials_to_train.txt", "__MACOSX/DvsGesture/a"],
    "imagenet": ["train/n1/._a.JPEG", "train/__MACOSX/b.JPEG", "val/.n2/c.JPEG", "train/n1/notes.txt"],
}
FOLDERS = {"nmnist": "NMNIST", "cifar10dvs": "CIFAR10DVS", "dvs128gesture": "DVS128Gesture", "imagenet": "ImageNet"}


@pytest.mark.parametrize("name", LEFT_BY_SYSTEMS)
def test_what_systems_leave_beside_data_is_no_data(name: str, tmp_path: Path) -> None:
    SETS[name](tmp_path)
    clean = load(name, tmp_path)
    for file in LEFT_BY_SYSTEMS[name]:
        put(tmp_path / FOLDERS[name] / file, b"Mac OS X")
    assert tasks.available(name, tmp_path) is None
    task = load(name, tmp_path)
    assert (task.dataset, task.train.labels.tolist()) == (clean.dataset, clean.train.labels.tolist())


@pytest.mark.parametrize("name", ["nmnist", "cifar10dvs", "imagenet"])
def test_a_set_of_such_files_alone_is_missing(name: str, tmp_path: Path) -> None:
    SETS[name](tmp_path)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.rename(path.with_name(f"._{path.name}"))
    assert "is missing: nothing usable" in (tasks.available(name, tmp_path) or "")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("nmnist", "Train/0/00009 (1).bin"),
        ("nmnist", "Train/0/9.bin"),
        ("nmnist", "Train/0/00009.bin.part"),
        ("nmnist", "Test/3/0000٩.bin"),
        ("nmnist", "Test/3/notes.txt"),
        ("nmnist", "Test/0 copy/00009.bin"),
        ("nmnist", "Test/00009.bin"),
        ("cifar10dvs", "cat/cifar10_cat_1 (1).aedat"),
        ("cifar10dvs", "cat/cifar10_cat_007.aedat"),
        ("cifar10dvs", "cat/cifar10_cat_1.aedat~"),
        ("cifar10dvs", "cat (1)/cifar10_cat_1.aedat"),
        ("imagenet", "train/n1/a (1).JPEG"),
        ("imagenet", "val/n1/a copy.JPEG"),
        ("imagenet", "train/n1 - copy/a.JPEG"),
    ],
)
def test_a_copy_or_anything_unknown_is_refused_by_name(name: str, file: str, tmp_path: Path) -> None:
    SETS[name](tmp_path)
    stray = tmp_path / FOLDERS[name] / file
    some = next(path for path in stray.parent.parent.rglob("*") if path.is_file())
    put(stray, some.read_bytes())
    with pytest.raises(DataDamaged, match="remove it, or give it the name it was published under") as raised:
        load(name, tmp_path)
    assert raised.value.path in (stray, stray.parent)
    assert tasks.digest(name, tmp_path) is None


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_may_begin_with_a_byte_order_mark(tmp_path: Path, mark: bytes, end: str) -> None:
    put_gesture(tmp_path)
    encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark, "utf-8")
    for path in [*(tmp_path / "DVS128Gesture/DvsGesture").glob("*.txt"), *tmp_path.rglob("*.csv")]:
        path.write_bytes(mark + path.read_text().replace("\n", end).encode(encoding))
    assert tasks.available("dvs128gesture", tmp_path) is None
    assert load("dvs128gesture", tmp_path).dataset.counts == {"train": 1, "test": 1}


def test_a_recording_in_both_lists_is_refused(tmp_path: Path) -> None:
    put_gesture(tmp_path)
    lists = tmp_path / "DVS128Gesture/DvsGesture/trials_to_train.txt"
    lists.write_text("user02_led.aedat\nuser01_lab.aedat\n")
    with pytest.raises(
        DataDamaged, match=r"trials_to_test\.txt is damaged at the entry 'user01_lab\.aedat'.*too"
    ) as raised:
        load("dvs128gesture", tmp_path)
    assert tasks.available("dvs128gesture", tmp_path) == str(raised.value)
    assert tasks.digest("dvs128gesture", tmp_path) is None


def test_a_list_that_names_a_copy_is_refused_and_a_hidden_file_is_skipped(tmp_path: Path) -> None:
    put_gesture(tmp_path)
    lists = tmp_path / "DVS128Gesture/DvsGesture/trials_to_train.txt"
    lists.write_text("user02_led.aedat\n._user02_led.aedat\n")
    put(lists.with_name("._user02_led.aedat"), b"Mac OS X")
    assert len(load("dvs128gesture", tmp_path).train) == 1
    lists.write_text("user02_led.aedat\nuser02_led (1).aedat\n")
    with pytest.raises(DataDamaged, match=r"'user02_led \(1\)\.aedat': it is not the name"):
        load("dvs128gesture", tmp_path)


def test_the_first_refused_name_is_that_of_the_order_of_names(tmp_path: Path) -> None:
    put_nmnist(tmp_path)
    for name in ("b.bin", "a.bin"):
        put(tmp_path / "NMNIST/Test/3" / name, b"")
    with pytest.raises(DataDamaged) as raised:
        load("nmnist", tmp_path)
    assert raised.value.path.name == "a.bin"
