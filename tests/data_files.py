"""The smallest data sets in their own formats, a few samples each, for the tests that need all of them alike."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat


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


def put_shd(root: Path) -> None:
    (root / "SHD").mkdir(parents=True)
    for part in ("train", "test"):
        with h5py.File(root / f"SHD/shd_{part}.h5", "w") as file:
            for name, kind, samples in (
                ("times", np.float16, [[0.005, 0.5, 1.5], [0.25]]),
                ("units", np.uint16, [[3, 699, 0], [12]]),
            ):
                values = file.create_dataset(f"spikes/{name}", 2, h5py.vlen_dtype(kind))
                for i, sample in enumerate(samples):
                    values[i] = np.array(sample, kind)
            file["labels"] = np.array([19, 0], np.uint16)


def put_ntidigits(root: Path) -> None:
    (root / "NTIDIGITS").mkdir(parents=True)
    with h5py.File(root / "NTIDIGITS/n-tidigits.hdf5", "w") as file:
        for part in ("train", "test"):
            names = ["man-ab-z", "man-ab-12", "woman-cd-o", "boy-ef-7"]
            file[f"{part}_labels"] = np.array(names, "S")
            for name in names:
                file[f"{part}_timestamps/{name}"] = np.array([0.1, 0.1049, 0.1051, 1.3])
                file[f"{part}_addresses/{name}"] = np.array([0, 5, 5, 63], np.float64)


def put_dvsplane(root: Path) -> None:
    (root / "DVSPlane").mkdir(parents=True)
    for name in ("F117_1", "Su35_160", "Mig31_161"):
        steps = np.repeat([1000, 10, 1000], [50, 1500, 50]).cumsum()
        ones = np.ones_like(steps)
        events = {"ts": steps, "x": 304 * ones, "y": ones, "p": np.where(steps % 20 == 0, -1, 1)}
        savemat(root / f"DVSPlane/{name}.mat", {"TD": {k: v.astype(np.int32)[:, None] for k, v in events.items()}})


def put_fsdd(root: Path) -> None:
    (root / "FSDD/recordings").mkdir(parents=True)
    for number, name in enumerate(("3_george_0", "3_george_5", "9_lucas_49")):
        sound = 0.5 * np.sin(2 * np.pi * 500 * (number + 1) * np.arange(2400) / 8000)
        with wave.open(str(root / f"FSDD/recordings/{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((sound * 32767).astype("<i2").tobytes())


SETS: dict[str, Callable[[Path], None]] = {
    "mnist": put_mnist,
    "cifar10": put_cifar,
    "nmnist": put_nmnist,
    "cifar10dvs": put_cifar10dvs,
    "dvs128gesture": put_gesture,
    "dvsgesture10": put_gesture,
    "imagenet": put_imagenet,
    "shd": put_shd,
    "ntidigits": put_ntidigits,
    "dvsplane": put_dvsplane,
    "fsdd": put_fsdd,
}
