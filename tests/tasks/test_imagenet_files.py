"""The folders of ImageNet, from JPEG files written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

import tasks
from tasks import Classes, DataDamaged, TaskError
from tasks.jpegs import decode, random_part

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
COLOURS = {"n01440764": (200, 30, 30), "n01443537": (20, 180, 60), "n02102040": (40, 40, 220)}


def write(root: Path, name: str, pixels: np.ndarray) -> Path:
    path = root / "ImageNet" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "JPEG", quality=95)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training images and one test image of one colour for each class, of different sizes."""
    for wnid, colour in COLOURS.items():
        for name, shape in ((f"train/{wnid}/{wnid}_1", (300, 260)), (f"train/{wnid}/{wnid}_20", (90, 400))):
            write(tmp_path, f"{name}.JPEG", np.full((*shape, 3), colour, np.uint8))
        write(tmp_path, f"val/{wnid}/ILSVRC2012_val_{wnid}.JPEG", np.full((250, 280, 3), colour, np.uint8))
    return tmp_path


def normalised(image: Image.Image) -> torch.Tensor:
    return v2.functional.normalize(v2.functional.to_dtype(v2.functional.pil_to_tensor(image), scale=True), MEAN, STD)


def test_classes_count_in_the_order_of_their_folders(root: Path) -> None:
    (root / "ImageNet" / "train" / "n01440764" / "notes.txt").write_text("no image")
    assert tasks.available("imagenet", root) is None
    task = tasks.load("imagenet", root=root)
    assert task.target == Classes(3)
    assert (task.train.labels.tolist(), task.test.labels.tolist()) == ([0, 0, 1, 1, 2, 2], [0, 1, 2])
    assert task.dataset.counts == {"train": 6, "test": 3}
    assert not task.dataset.complete
    assert task.dataset.note == (
        "A subset: 6 of 1,281,167 training and 3 of 50,000 test samples. "
        "The digest covers the names and sizes of the files, not their contents."
    )
    for split, n in ((task.train, 6), (task.test, 3)):
        x, y = split.batch(range(n))
        assert (x.shape, x.dtype) == ((n, 3, 224, 224), torch.float32)
        for image, label in zip(x, y, strict=True):
            colour = torch.tensor(list(COLOURS.values())[label]) / 255
            expected = (colour - torch.tensor(MEAN)) / torch.tensor(STD)
            # A JPEG keeps a colour to within a few of 255 levels.
            assert torch.allclose(image, expected.view(3, 1, 1).expand_as(image), atol=4 / 255 / 0.225)
    half = tasks.load("imagenet", root=root, validation=0.5)
    assert half.validation is not None
    assert (half.train.labels.tolist(), half.validation.labels.tolist()) == ([0, 1, 2], [0, 1, 2])


def test_a_photograph_for_the_test(tmp_path: Path) -> None:
    photograph = load_sample_images().images[0]
    write(tmp_path, "train/n1/a.JPEG", photograph)
    path = write(tmp_path, "val/n1/a.JPEG", photograph)
    x, _ = tasks.load("imagenet", root=tmp_path).test.batch([0])
    # 640 x 427 becomes 383 x 256, of which the columns (383 - 224) / 2 and the rows 16 to 239 are taken.
    with Image.open(path) as image:
        assert image.size == (640, 427)
        small = image.resize((383, 256), Image.Resampling.BILINEAR)
    left = round((383 - 224) / 2)
    assert torch.allclose(x[0], normalised(small.crop((left, 16, left + 224, 240))), atol=1e-5)


def test_training_takes_parts_and_mirrors_and_depends_on_torchs_generator_alone(tmp_path: Path) -> None:
    # Red grows to the right, green downwards, by one level a pixel.
    ramp = np.zeros((256, 256, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(256), np.arange(256)[:, None]
    write(tmp_path, "train/n1/a.JPEG", ramp)
    write(tmp_path, "val/n1/a.JPEG", ramp)
    split = tasks.load("imagenet", root=tmp_path).train
    torch.manual_seed(5)
    x, _ = split.batch([0] * 30)
    levels = x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    widths = 255 * (levels[:, 0, 112, -1] - levels[:, 0, 112, 0])
    heights = 255 * (levels[:, 1, -1, 112] - levels[:, 1, 0, 112])
    assert (widths > 0).any()
    assert (widths < 0).any()
    assert (heights > 0).all()
    share = widths.abs() * heights / 256**2
    assert share.min() < 0.3
    assert share.max() > 0.7
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        torch.manual_seed(5)
        first, second = split.batches([[0] * 30, [0] * 10])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first[0], x)
    assert not torch.equal(second[0], x[:10])
    assert split.batch([])[0].shape == (0, 3, 224, 224)
    assert list(split.batches([])) == []


def test_a_random_part_by_hand() -> None:
    # Area 0.08 + 0.92 * 0.5 = 0.54 of 100 x 200, ratio 1: a square of side sqrt(10,800) = 103.9 does not fit. The
    # second try has area 0.08 and side 40, at 0.5 * 61 and 0.25 * 161.
    tries = np.array([[0.5, 0.5, 0.9, 0.9], [0.0, 0.5, 0.5, 0.25]])
    assert random_part(100, 200, tries) == (30, 40, 40, 40)
    # The largest centred part of ratio 3/4 is 100 x 133.
    assert random_part(100, 200, tries[:1]) == (0, 33, 100, 133)
    assert random_part(400, 90, tries[:0]) == (140, 0, 120, 90)
    # The ratio 4/3 at its end: 200 x 0.08 x 100 pixels, 46 x 35; numbers below 1 never leave the image.
    assert random_part(100, 200, np.array([[0.0, 1.0, 0.999, 0.999]])) == (54, 165, 46, 35)


def test_random_parts_are_distributed_as_torchvisions() -> None:
    crop, image = v2.RandomResizedCrop(224), torch.empty(3, 200, 300)
    theirs = np.array(
        [[p[k] for k in ("left", "top", "width", "height")] for p in (crop.make_params([image]) for _ in range(2000))]
    )
    ours = np.array([random_part(300, 200, tries) for tries in torch.rand(2000, 10, 4).numpy()])
    # Standard errors of the means are below 2 pixels.
    assert np.abs(ours.mean(0) - theirs.mean(0)).max() < 8
    assert np.abs(ours.std(0) - theirs.std(0)).max() < 8


def test_a_damaged_image_is_named(root: Path) -> None:
    folder = root / "ImageNet" / "val" / "n01440764"
    whole = next(folder.iterdir()).read_bytes()
    for name, data in (("cut", whole[: len(whole) // 2]), ("noise", b"no image at all"), ("empty", b"")):
        path = folder / f"{name}.JPEG"
        path.write_bytes(data)
        test = tasks.load("imagenet", root=root).test
        with pytest.raises(DataDamaged) as raised:
            test.batch(range(len(test)))
        assert raised.value.path == path
        path.unlink()
        with pytest.raises(TaskError, match=f"cannot be read.*{name}.JPEG"):
            test.batch(range(len(test)))


def test_grey_images_have_three_channels(root: Path) -> None:
    write(root, "val/n01440764/A.JPEG", np.full((300, 300), 124, np.uint8))
    x, _ = tasks.load("imagenet", root=root).test.batch([0])
    expected = (124 / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.allclose(x[0, :, 0, 0], expected, atol=0.02)


def test_a_validation_folder_that_is_not_sorted_is_missing(root: Path) -> None:
    val = root / "ImageNet" / "val"
    for path in list(val.glob("*/*")):
        path.rename(val / path.name)
    sentence = tasks.available("imagenet", root)
    assert sentence is not None
    assert "val/<wnid>/*.JPEG" in sentence
    assert "sorts the validation images into a folder for each class" in sentence


def test_a_class_without_training_images_is_named(root: Path) -> None:
    write(root, "val/n99999999/a.JPEG", np.zeros((300, 300, 3), np.uint8))
    with pytest.raises(DataDamaged, match="there are no training images of n99999999"):
        tasks.load("imagenet", root=root)


def test_the_digest_follows_names_and_sizes(root: Path) -> None:
    before = tasks.load("imagenet", root=root).dataset.digest
    assert tasks.load("imagenet", root=root).dataset.digest == before
    image = root / "ImageNet" / "train" / "n01440764" / "n01440764_1.JPEG"
    image.write_bytes(image.read_bytes() + b"\0")
    grown = tasks.load("imagenet", root=root).dataset.digest
    image.rename(image.with_name("n01440764_2.JPEG"))
    assert len({before, grown, tasks.load("imagenet", root=root).dataset.digest}) == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify image file"),
        (b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01", "cannot identify image file"),
    ],
)
def test_other_formats_under_the_name_of_a_jpeg_are_not_opened(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.JPEG").write_bytes(content)
    with pytest.raises(DataDamaged, match=says):
        decode(str(tmp_path / "a.JPEG"))


def test_a_picture_of_too_many_pixels_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.JPEG"
    Image.new("L", (9000, 8000)).save(path, "JPEG")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DataDamaged, match="announces 9,000 x 8,000 pixels, more than 67,108,864"):
        decode(str(path))
