"""MATLAB files: what would end the program that reads one is refused before."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from random import Random
from typing import Any

import data_files
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tasks import dvsplane, matlab
from tasks.errors import DataDamaged

TD = {"ts": np.arange(60, dtype=np.int32), "x": np.ones(60, np.uint8), "y": np.ones(60), "p": -np.ones(60, np.int8)}
OTHERS = {
    "text": "hello", "complex": np.array([1 + 2j]), "cell": np.array([np.arange(3), "a"], dtype=object),
    "empty": np.zeros((0, 0)), "nothing": np.zeros((0, 0), dtype=object),
}  # fmt: skip


def written(compressed: bool = False, **variables: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, variables or {"TD": TD}, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_sound_files_pass(compressed: bool) -> None:
    matlab.require_sound(written(compressed, TD=TD, **OTHERS))


def changed(at: int, number: int, form: str = "<I") -> bytes:
    content = bytearray(written())
    struct.pack_into(form, content, at, number)
    return bytes(content)


# Where the parts of TD stand: its flags at 144, its size at 160; of its first field the flags at 224, the type at 256.
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (changed(256, 0), "content of the types \\[0\\]"),  # a segmentation fault in SciPy
        (changed(256, 2999), "content of the types \\[2999\\]"),  # a bus error
        (changed(224, 12 | matlab.COMPLEX), "in 2 parts has content of the types"),  # another one
        (changed(160, 2**29 + 1), "a matrix of .* places has"),  # gigabytes
        (changed(160, -1, "<i"), "a matrix of -"),
        (changed(224, 99), "a matrix of the class 99"),
        (changed(260, 10_000), "goes beyond what holds it"),
        (changed(128, 7), "an element of the type 7 is in the place of a matrix"),
        (changed(126, 0), "no MATLAB file of version 5"),
        (written()[:-5], "goes beyond what holds it"),
        (written(compressed=True)[:-5], "goes beyond what holds it"),
        (b"", "no MATLAB file of version 5"),
    ],
    ids=map(str, range(12)),  # the files tell when they were written
)
def test_what_is_damaged_is_told(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        matlab.require_sound(content)


def test_what_passes_can_be_read_or_is_refused_by_scipy() -> None:
    random, read = Random(0), 0
    for number in range(300):
        content = bytearray(written(number % 4 == 0, TD=TD, **(OTHERS if number % 2 else {})))
        for _ in range(random.choice([1, 1, 2, 4])):
            content[random.randrange(124, min(len(content), 700))] = random.choice([0, 1, 255, random.randrange(256)])
        try:
            matlab.require_sound(bytes(content))
            loadmat(io.BytesIO(bytes(content)))
            read += 1
        except (ValueError, TypeError, KeyError, IndexError, NotImplementedError, OverflowError, MemoryError):
            pass
    assert 30 < read < 270


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    data_files.put_dvsplane(tmp_path)
    path = next((tmp_path / "DVSPlane").glob("**/*.mat"))
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 256, 0)
    path.write_bytes(content)
    with pytest.raises(DataDamaged, match="it holds no struct TD of x, y, p and ts"):
        dvsplane._recording(path)
