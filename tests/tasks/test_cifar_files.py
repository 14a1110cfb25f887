"""CIFAR-10 and CIFAR-100 batches and the unpickler that reads them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import tasks
from tasks import Classes, DataDamaged, TaskError
from tasks.cifar_batches import parse
from tasks.pickles import unpickle

PIXELS = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)


def batch(pixels: object = PIXELS, labels: object = (3, 9), protocol: int = 2, **more: object) -> bytes:
    content = {b"data": pixels, b"labels": list(labels) if isinstance(labels, tuple) else labels}
    content |= {key.encode(): value for key, value in more.items()}
    return pickle.dumps(content, protocol=protocol)


def write(root: Path, **files: bytes) -> None:
    folder = root / "CIFAR10" / "cifar-10-batches-py"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("protocol", range(5))
def test_a_batch_of_the_protocols_in_use(protocol: int) -> None:
    images, labels = parse(batch(protocol=protocol, batch_label=b"one"), Path("b"), key=b"labels", classes=10)
    assert images.shape == (2, 3, 32, 32)
    assert np.array_equal(images.reshape(2, -1), PIXELS)
    assert labels.tolist() == [3, 9]
    rewritten = pickle.dumps({"data": PIXELS, "labels": [3, 9]}, protocol=protocol)
    assert parse(rewritten, Path("b"), key=b"labels", classes=10)[1].tolist() == [3, 9]


def test_batches_in_their_order_make_a_subset(tmp_path: Path) -> None:
    write(tmp_path, data_batch_3=batch(labels=(1, 2)), data_batch_1=batch(labels=(5, 6)), test_batch=batch())
    task = tasks.load("cifar10", root=tmp_path)
    assert task.train.labels.tolist() == [5, 6, 1, 2]
    assert task.train.batch([0])[0].shape == (1, 3, 32, 32)
    assert not task.dataset.complete
    assert task.dataset.note.startswith("A subset: 4 of 50,000 training and 2 of 10,000")
    x, _ = task.test.batch([1])
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2023, 0.1994, 0.2010])
    expected = (PIXELS[1].reshape(3, 32, 32) / 255 - mean[:, None, None]) / std[:, None, None]
    assert np.allclose(x[0].numpy(), expected, atol=1e-5)


def test_without_training_or_without_test_batch_it_is_missing(tmp_path: Path) -> None:
    write(tmp_path, data_batch_1=batch())
    assert "test_batch" in (tasks.available("cifar10", tmp_path) or "")
    write(tmp_path, test_batch=batch())
    assert tasks.available("cifar10", tmp_path) is None
    (tmp_path / "CIFAR10" / "cifar-10-batches-py" / "data_batch_1").unlink()
    assert "data_batch_*" in (tasks.available("cifar10", tmp_path) or "")


def test_cifar100_has_the_fine_labels(tmp_path: Path) -> None:
    folder = tmp_path / "CIFAR100" / "cifar-100-python"
    folder.mkdir(parents=True)

    def pickled(fine: list[int]) -> bytes:
        return pickle.dumps(
            {b"data": PIXELS, b"fine_labels": fine, b"coarse_labels": [0, 1], b"filenames": [b"a", b"b"]}
        )

    (folder / "test").write_bytes(pickled([99, 0]))
    assert "cifar-100-python/train" in (tasks.available("cifar100", tmp_path) or "")
    (folder / "train").write_bytes(pickled([7, 42]))
    task = tasks.load("cifar100", root=tmp_path)
    assert task.target == Classes(100)
    assert (task.train.labels.tolist(), task.test.labels.tolist()) == ([7, 42], [99, 0])
    assert task.dataset.note.startswith("A subset: 2 of 50,000 training and 2 of 10,000")
    # The first pixel of image 1 is 3072 mod 256 = 0 in red, and so are green and blue, 1024 bytes on.
    x, _ = task.test.batch([1])
    mean, std = (0.50708, 0.48655, 0.44092), (0.26733, 0.25644, 0.27615)
    assert x[0, :, 0, 0].tolist() == pytest.approx([-m / s for m, s in zip(mean, std, strict=True)], rel=1e-5)
    (folder / "test").write_bytes(pickled([100, 0]))
    with pytest.raises(DataDamaged, match="label 100 is not one of 0 to 99"):
        tasks.load("cifar100", root=tmp_path)


def test_what_is_augmented(tmp_path: Path) -> None:
    # Two copies of one image for each class, so that a label tells what the image was.
    pixels = np.tile(np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8), (2, 1))
    data = batch(pixels, tuple(range(10)) * 2)
    write(tmp_path, data_batch_1=data, test_batch=data)
    plain = tasks.load("cifar10", root=tmp_path).test.batch(range(10))[0]

    def untouched(split: tasks.Split) -> bool:
        return all(torch.equal(split.batch(range(len(split)))[0], plain[split.labels]) for _ in range(5))

    for options, train, validation in (
        ({}, False, False),
        ({"augment": "trivial"}, False, True),
        ({"augment": "trivial", "mix": True}, False, True),
        ({"mix": True}, False, False),
    ):
        task = tasks.load("cifar10", root=tmp_path, validation=0.5, **options)
        assert task.validation is not None
        assert untouched(task.test)
        assert untouched(task.train) == train
        assert untouched(task.validation) == validation
        x, y = task.train.batch([0, 1])
        assert x.shape == (2, 3, 32, 32)
        assert (y.shape, y.dtype) == (((2, 10), torch.float32) if options.get("mix") else ((2,), torch.int64))
        assert task.validation.batch([0])[1].dtype == torch.int64
    with pytest.raises(TaskError, match="augment='auto' is unknown; choose one of None, trivial"):
        tasks.load("cifar10", root=tmp_path, augment="auto")


class _Call:
    def __init__(self, function, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple:
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(os.mkdir, ("made",)), (eval, ("open('made', 'w')",)), (np.save, ("made", np.zeros(1))), (getattr, (1, "real"))],
)
def test_a_pickle_that_calls_anything_is_refused_before_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function, arguments: tuple
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataDamaged, match="which image data has no use for"):
        unpickle(pickle.dumps({b"data": _Call(function, *arguments)}), Path("b"))
    assert list(tmp_path.iterdir()) == []


@given(st.integers(0, len(batch()) - 1))
def test_a_batch_cut_anywhere_is_damaged_at_or_before_the_cut(cut: int) -> None:
    with pytest.raises(DataDamaged) as raised:
        parse(batch()[:cut], Path("b"), key=b"labels", classes=10)
    word, byte = raised.value.where.split()
    assert word == "byte"
    assert int(byte) <= cut


@given(st.binary(max_size=60))
def test_noise_is_damaged_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(DataDamaged):
        parse(data, Path("b"), key=b"labels", classes=10)


@pytest.mark.parametrize(
    ("data", "where", "problem"),
    [
        (batch(labels=(3, 10)), "record 1", "label 10 is not one of 0 to 9"),
        (batch(labels=(-1, 1)), "record 0", "label -1"),
        (batch(labels=("3", 1)), "record 0", "label b?'3'"),
        (batch(labels=(1,)), "its key labels", "1 labels for 2 images"),
        (batch(labels=7), "its key labels", "no list of labels for 2 images"),
        (batch(PIXELS[:, :100]), "its key data", "3,072 columns"),
        (batch(PIXELS.astype(np.int16)), "its key data", "no uint8 array"),
        (batch(None), "its key data", "no uint8 array"),
        (batch(PIXELS[:0], labels=(), protocol=4), "its key data", "no images"),
        (pickle.dumps([1, 2]), "its top level", "no dictionary"),
        (pickle.dumps({b"data": PIXELS}), "its top level", "with the keys data and labels"),
        (batch() + b"!", f"byte {len(batch())}", "1 bytes follow"),
    ],
)
def test_what_a_batch_must_not_hold(data: bytes, where: str, problem: str) -> None:
    with pytest.raises(DataDamaged, match=problem) as raised:
        parse(data, Path("b"), key=b"labels", classes=10)
    assert raised.value.where == where


DTYPE = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
PLAIN = b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"


def python2(shape: bytes = b"(K\x01M\x00\x0ct", dtype: bytes = DTYPE + PLAIN, label: bytes = b"K\x03") -> bytes:
    """A batch of one black image as Python 2 wrote it, opcode by opcode."""
    content = b"T" + (3072).to_bytes(4, "little") + bytes(3072)
    state = b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    return b"\x80\x02}(U\x04data" + ARRAY + state + b"U\x06labels](" + label + b"eu."


def test_a_batch_as_python_2_wrote_it() -> None:
    images, labels = parse(python2(), Path("b"), key=b"labels", classes=10)
    assert (images.shape, images.any(), labels.tolist()) == ((1, 3, 32, 32), False, [3])


INTEGERS = b"U\x10" + b"\x41" * 16


@pytest.mark.parametrize(
    ("data", "where", "problem"),
    [
        # The state of the type, which NumPy would believe: parts, names and fields that the bytes do not have.
        (python2(dtype=DTYPE + PLAIN.replace(b"|NNN", b"|(U\x01aK\x02tNN")), "its key data", "no uint8 array"),
        (python2(dtype=DTYPE + PLAIN.replace(b"|NNN", b"|N(U\x01at}")), "its key data", "no uint8 array"),
        (python2(dtype=DTYPE + b"(K\x04U\x01|NNNKAKAKAN}tb"), "byte", "gives a state"),
        (python2(dtype=DTYPE.replace(b"u1", b"O8") + PLAIN), "its key data", "no uint8 array"),
        (python2(dtype=INTEGERS), "its key data", "no uint8 array"),
        (python2(shape=b"(J\xff\xff\xff\x7fM\x00\x0ct"), "its key data", "3,072 bytes for 2147483647 images"),
        (python2(shape=b"(J\xff\xff\xff\xffM\x00\x0ct"), "its key data", "no uint8 array"),
        (python2(shape=b"K\x01"), "its key data", "no uint8 array"),
        (python2(label=b"K\x01" * 2 + b"\x86" + b"q\x07h\x07\x86" * 30), "record 0", "an object of type tuple is not"),
        (python2(label=b"\x88"), "record 0", "label True is not"),
        (python2(label=b"T" + (10**6).to_bytes(4, "little") + b"a" * 10**6), "record 0", "label b'a{40}'… is not"),
        # A place in the memo far away, for which an unpickler would make room.
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "its top level", "no dictionary"),
        (b"\x80\x02}K\x01K\x01\x86" + b"q\x07h\x07\x86" * 60 + b"Ns.", "byte", "the key an object of type tuple"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "byte", "broken off"),
        (b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b".", "byte", "broken off"),
        (b"\x80\x02c" + b"a" * 500 + b"\nb\n.", "byte", "asks for 'a{40}'…, which"),
        (b"\x80\x02)" + b"\x85" * 100_000 + b".", "its top level", "no dictionary"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # bytes make names of 400,000 letters
)
def test_a_pickle_with_a_trap_is_refused_in_a_short_sentence(data: bytes, where: str, problem: str) -> None:
    with pytest.raises(DataDamaged, match=problem) as raised:
        parse(data, Path("b"), key=b"labels", classes=10)
    assert raised.value.where.startswith(where)
    assert len(str(raised.value)) < 200


def test_text_encoded_again_and_again_cannot_fill_the_memory() -> None:
    text = b"X" + (10**5).to_bytes(4, "little") + b"a" * 10**5
    start = b"\x80\x02](" + text + b"X\x06\x00\x00\x00latin1\x86q\x03c_codecs\nencode\nq\x04"
    with pytest.raises(DataDamaged, match="it encodes more text than it holds"):
        unpickle(start + b"h\x04h\x03R" * 100 + b"e.", Path("b"))


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")  # Python's own, of a name with a \\
@given(st.integers(0, len(python2()) - 1), st.integers(0, 255))
@example(at=11, byte=92)
def test_a_batch_with_any_byte_changed_is_read_or_damaged(at: int, byte: int) -> None:
    data = bytearray(python2())
    data[at] = byte
    try:
        parse(bytes(data), Path("b"), key=b"labels", classes=10)
    except DataDamaged as problem:
        assert len(str(problem)) < 250  # noqa: PT017
