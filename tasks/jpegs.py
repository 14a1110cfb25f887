"""Photographs in files, decoded as they are needed by as many threads as torch has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch

from tasks.augment import transforms
from tasks.errors import DataDamaged, TaskError
from tasks.task import Indices, Split

SIDE, SHORT_SIDE = 224, 256
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
TRIES = 10
FORMATS = ("JPEG", "PNG")  # a few of ImageNet's files are PNG; whatever else has their name is not opened
LARGEST = 2**26  # pixels; the largest of ImageNet have 61 million

Batch = tuple[torch.Tensor, torch.Tensor]


class JpegSplit(Split):
    """Image files as `[N, 3, 224, 224]`, normalised by `(x - mean) / std` per channel (PSN, spec section 2.4).

    For training (`augment`) a random part of the image is resized and mirrored half of the time; for tests the shorter
    side is resized to 256 pixels and the centre cut out. A batch draws its random numbers before it is handed to the
    threads, so it depends on torch's generator alone.
    """

    def __init__(
        self, paths: Sequence[str], labels: torch.Tensor, *, mean: Sequence[float], std: Sequence[float], augment: bool
    ) -> None:
        self.paths, self.labels, self.augment = paths, labels, augment
        # Of pixels from 0 to 255.
        self.mean, self.std = (255 * np.array(values, np.float32).reshape(3, 1, 1) for values in (mean, std))

    def batch(self, indices: Indices) -> Batch:
        return self._start(indices)()

    def batches(self, chosen: Iterable[Indices]) -> Iterator[Batch]:
        ahead: Callable[[], Batch] | None = None
        for indices in chosen:
            ready, ahead = ahead, self._start(indices)
            if ready:
                yield ready()
        if ahead:
            yield ahead()

    def subset(self, indices: Indices) -> JpegSplit:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        part = object.__new__(JpegSplit)
        paths = [self.paths[i] for i in indices.tolist()]
        part.__dict__.update(self.__dict__, paths=paths, labels=self.labels[indices])
        return part

    def _start(self, indices: Indices) -> Callable[[], Batch]:
        """Begins to make a batch; the function returned waits for it."""
        indices = torch.as_tensor(indices, dtype=torch.int64)
        n = len(indices)
        x = np.empty((n, 3, SIDE, SIDE), np.float32)
        drawn = (torch.rand(n, TRIES, 4).numpy(), torch.rand(n).numpy()) if self.augment else None
        v2 = transforms()

        def prepare(i: int, path: str) -> None:
            image = decode(path)
            if drawn is not None:
                parts, flips = drawn
                left, top, width, height = random_part(image.width, image.height, parts[i])
                image = v2.functional.resized_crop(image, top, left, height, width, [SIDE, SIDE])
                if flips[i] < 0.5:
                    image = v2.functional.horizontal_flip(image)
            else:
                image = v2.functional.center_crop(v2.functional.resize(image, [SHORT_SIDE]), [SIDE, SIDE])
            np.subtract(np.asarray(image).transpose(2, 0, 1), self.mean, out=x[i])
            x[i] /= self.std

        pool = _pool(torch.get_num_threads())
        jobs = [pool.submit(prepare, i, self.paths[index]) for i, index in enumerate(indices.tolist())]

        def finish() -> Batch:
            for job in jobs:
                job.result()
            return torch.from_numpy(x), self.labels[indices]

        return finish


def random_part(width: int, height: int, drawn: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, width and height (pixels) of a part of an image, from uniform random numbers `[tries, 4]`.

    A part has 8 to 100 % of the area, uniformly, and a width-to-height ratio of 3/4 to 4/3, uniformly in its logarithm;
    the first of the tries that fits is taken, else the largest centred part whose ratio is allowed. The rule is that of
    torchvision's RandomResizedCrop, which must draw when the size of the image is known, that is within the threads.
    """
    low, high = (math.log(ratio) for ratio in ASPECT)
    for area, aspect, across, down in drawn:
        pixels = width * height * (AREA[0] + (AREA[1] - AREA[0]) * area)
        ratio = math.exp(low + (high - low) * aspect)
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(across * (width - w + 1)), int(down * (height - h + 1)), w, h
    w, h = min(width, round(height * ASPECT[1])), min(height, round(width / ASPECT[0]))
    return (width - w) // 2, (height - h) // 2, w, h


def decode(path: str) -> Any:
    """The image as an RGB PIL image. Raises DataDamaged, and TaskError when the file cannot be read."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:  # known from the header, before anything is unpacked
                size = f"{image.width:,} x {image.height:,} pixels, more than {LARGEST:,}"
                raise DataDamaged(path, "its header", f"it announces {size}")
            return image.convert("RGB")
    # Only an error of the system has a number; Pillow's own say what is wrong with the image.
    except OSError as problem:
        if problem.errno is not None:
            raise TaskError(f"An image cannot be read: {problem}.") from problem
        raise DataDamaged(path, "its image", str(problem)) from None
    except (SyntaxError, ValueError, Image.DecompressionBombError) as problem:
        raise DataDamaged(path, "its image", str(problem)) from None


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "jpegs")
