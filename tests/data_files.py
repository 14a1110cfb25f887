"""The smallest data sets in their own formats, a few samples each, for the tests that need all of them alike."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def put_mnist(root: Path) -> None:
    for stem in ("train", "t10k"):
        images, labels = (f"MNIST/raw/{stem}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
        put(root / images, bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 28, 28) + bytes(784))
        put(root / labels, bytes([0, 0, 8, 1]) + struct.pack(">I", 1) + b"\x03")


def put_cifar(root: Path) -> None:
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        content = pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1]}, protocol=2)
        put(root / "CIFAR10/cifar-10-batches-py" / name, content)


def put_nmnist(root: Path) -> None:
    for name in ("Train/1/00002.bin", "Train/0/00001.bin", "Test/3/00001.bin"):
        put(root / "NMNIST" / name, bytes([1, 2, 0x80, 0, 3, 1, 2, 0, 0, 9]))


def put_cifar10dvs(root: Path) -> None:
    for number in (0, 500, 900):
        events = struct.pack(">4I", 1, 5, 2, 9)
        put(root / f"CIFAR10DVS/cat/cifar10_cat_{number}.aedat", b"#!AER-DAT2.0\r\n" + events)


def put_gesture(root: Path) -> None:
    folder = root / "DVS128Gesture/DvsGesture"
    head = struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, 1, 1, 1)
    for part, name in (("train", "user02_led"), ("test", "user01_lab")):
        put(folder / f"trials_to_{part}.txt", f"{name}.aedat\n".encode())
        put(folder / f"{name}.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + head + struct.pack("<II", 1, 5))
        put(folder / f"{name}_labels.csv", b"class,startTime_usec,endTime_usec\n1,0,9\n")


def put_imagenet(root: Path) -> None:
    for part in ("train", "val"):
        put(root / f"ImageNet/{part}/n1/a.JPEG", b"never decoded here")


DETECTIONS = {
    "ground-truth/000002.txt": b"dog 1 10 20 20\nperson 1 2 3 4 difficult\n",
    "detection-results/000002.txt": b"person 0.0123 1 2 3 4\ndog 0.9000 -2 10 20 20\n",
    "ground-truth/000001.txt": b"dog 1 1 9 9\n",
    "detection-results/000001.txt": b"",
}


def put_detections(root: Path, entries: Mapping[str, bytes] = DETECTIONS) -> Path:
    path = root / "VOC2007_detections/spyv4_voc2007_test.tar.gz"
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


SETS: dict[str, Callable[[Path], None]] = {
    "mnist": put_mnist,
    "cifar10": put_cifar,
    "nmnist": put_nmnist,
    "cifar10dvs": put_cifar10dvs,
    "dvs128gesture": put_gesture,
    "imagenet": put_imagenet,
}
