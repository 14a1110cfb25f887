"""idx files and the two MNISTs, from files written byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import tasks
from tasks import DataDamaged
from tasks.idx import content, parse

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write(root: Path, folder: str = "FashionMNIST", **replaced: bytes) -> Path:
    """Three training and two test images; `replaced` gives other bytes for train_images, train_labels, ..."""
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    files = {
        "train_images": ("train-images-idx3-ubyte", idx(IMAGES)),
        "train_labels": ("train-labels-idx1-ubyte", idx(np.array([7, 0, 9]))),
        "test_images": ("t10k-images-idx3-ubyte", idx(IMAGES[:2])),
        "test_labels": ("t10k-labels-idx1-ubyte", idx(np.array([1, 2]))),
    }
    for key, (name, data) in files.items():
        (raw / name).write_bytes(replaced.get(key, data))
    return raw


def test_a_set_of_three_images(tmp_path: Path) -> None:
    write(tmp_path)
    task = tasks.load("fashion_mnist", root=tmp_path)
    assert task.train.labels.tolist() == [7, 0, 9]
    assert task.test.labels.tolist() == [1, 2]
    x, y = task.train.batch([2, 0])
    assert y.tolist() == [9, 7]
    expected = (IMAGES[[2, 0]][:, None] / 255 - 0.2860) / 0.3530
    assert np.allclose(x.numpy(), expected, atol=1e-5)
    assert not task.dataset.complete
    assert task.dataset.note == "A subset: 3 of 60,000 training and 2 of 10,000 test samples."
    assert task.dataset.counts == {"train": 3, "test": 2}


def test_compressed_and_raw_files_are_the_same_data(tmp_path: Path) -> None:
    write(tmp_path / "a")
    raw = write(tmp_path / "b")
    for path in list(raw.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    a, b = (tasks.load("fashion_mnist", root=tmp_path / which) for which in "ab")
    assert a.dataset == b.dataset
    assert tasks.digest("fashion_mnist", tmp_path / "b") == b.dataset.digest
    assert torch.equal(a.train.batch([0, 1, 2])[0], b.train.batch([0, 1, 2])[0])


def test_the_digest_is_that_of_the_names_and_contents(tmp_path: Path) -> None:
    raw = write(tmp_path)
    names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    lines = [f"{name}\0{hashlib.sha256((raw / name).read_bytes()).hexdigest()}\n" for name in names]
    assert (
        tasks.load("fashion_mnist", root=tmp_path).dataset.digest == hashlib.sha256("".join(lines).encode()).hexdigest()
    )


@pytest.mark.parametrize("cut", [0, 3, 4, 7, 8, 15, 16, 17, 16 + 28 * 28, 16 + 3 * 28 * 28 - 1])
def test_a_file_cut_at_any_place_is_damaged_there(tmp_path: Path, cut: int) -> None:
    write(tmp_path, train_images=idx(IMAGES)[:cut])
    with pytest.raises(DataDamaged) as raised:
        tasks.load("fashion_mnist", root=tmp_path)
    assert raised.value.path.name == "train-images-idx3-ubyte"
    assert raised.value.where == f"byte {0 if cut < 4 else cut}"


def test_bytes_after_the_end_are_damage() -> None:
    data = idx(np.zeros(2))
    with pytest.raises(DataDamaged, match=r"some is damaged at byte 10: 3 values where the header announces 2"):
        parse(data + b"\0", Path("some"), (None,))


@pytest.mark.parametrize("cut", [0, 1, 5, 12, 25])
def test_a_cut_archive_is_damaged(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(np.arange(20)))[:cut])
    if cut == 0:
        # An empty file is an empty archive; its content is then refused.
        with pytest.raises(DataDamaged, match="byte 0"):
            parse(content(path), path, (None,))
    else:
        with pytest.raises(DataDamaged, match=f"byte {cut} .compressed."):
            content(path)


@pytest.mark.parametrize(
    ("replaced", "where", "problem"),
    [
        ({"train_images": b"\0\0\x08\x01" + idx(IMAGES)[4:]}, "byte 0", "begins with 00000801, not with 00000803"),
        ({"train_images": b"\0\0\x0d\x03" + idx(IMAGES)[4:]}, "byte 0", "begins with 00000d03"),
        ({"train_images": idx(IMAGES[:, :27])}, "byte 8", "dimension 1 is 27, not 28"),
        ({"train_labels": idx(np.array([1, 2]))}, "byte 4", "2 labels for the 3 images"),
        ({"train_labels": idx(np.array([1, 2, 10]))}, "byte 10", "label 10 is not one of 0 to 9"),
        ({"test_labels": idx(np.array([255, 2]))}, "byte 8", "label 255"),
        ({"test_images": idx(IMAGES[:0]), "test_labels": idx(np.array([]))}, "byte 4", "announces no images"),
        ({"train_images": b"\0\0\x08\x03" + b"\xff" * 12}, "byte 8", "dimension 1 is 4294967295"),
    ],
)
def test_what_the_format_does_not_allow(tmp_path: Path, replaced: dict, where: str, problem: str) -> None:
    write(tmp_path, **replaced)
    with pytest.raises(DataDamaged, match=problem) as raised:
        tasks.load("fashion_mnist", root=tmp_path)
    assert raised.value.where == where


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_longer_than_the_published_one_is_not_unpacked_to_its_end(tmp_path: Path, pack) -> None:
    raw = write(tmp_path)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    path = raw / ("t10k-labels-idx1-ubyte" + (".gz" if pack is gzip.compress else ""))
    path.write_bytes(pack(bytes(10_000 + 9)))
    with pytest.raises(DataDamaged, match="at byte 10008: it is longer than the 10,008 bytes of the published file"):
        tasks.load("fashion_mnist", root=tmp_path)


def test_one_missing_file_is_named(tmp_path: Path) -> None:
    raw = write(tmp_path, folder="MNIST")
    assert tasks.available("mnist", tmp_path) is None
    (raw / "t10k-labels-idx1-ubyte").unlink()
    assert "t10k-labels-idx1-ubyte" in (tasks.available("mnist", tmp_path) or "")


def test_only_mnist_warps_its_training_images_and_the_validation_images_too(tmp_path: Path) -> None:
    labels = idx(np.array([7, 7, 7]))
    for name, folder, warped in (("mnist", "MNIST", True), ("fashion_mnist", "FashionMNIST", False)):
        write(tmp_path, folder=folder, train_labels=labels)
        task = tasks.load(name, root=tmp_path, validation=0.4)
        assert task.validation is not None
        for split, changes in ((task.train, warped), (task.validation, warped), (task.test, False)):
            assert torch.equal(split.batch([0])[0], split.batch([0])[0]) != changes
