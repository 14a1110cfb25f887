"""A few pictures of a test set with what a trained detector finds in them, for the page of its run."""

from __future__ import annotations

import importlib
from base64 import b64encode
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.io import encode_jpeg

import tasks
from core.randomness import seeded
from results import Picture
from tasks import Split
from tasks.boxes import of_sample
from training.scheme import Scheme

SHOWN = 4  # the first ones
MOST = 3  # detections in a picture: the surest


def shown(scheme: Scheme, test: Split, name: Callable[[int], str], device: str, seed: int) -> tuple[Picture, ...]:
    """The first pictures of a test set of boxes, whose inputs are pictures with values from 0 to 1.

    `name` tells what a class is called. Random numbers are those of `seed` and leave the generators as they were.
    """
    chosen = range(min(SHOWN, len(test)))
    x, labels = test.batch(chosen)
    scheme.network.eval()
    with torch.inference_mode(), seeded(seed):
        predictions = scheme.decide(scheme.outputs(x.to(device))).cpu()
    found = []
    for index, image, predicted, true in zip(chosen, x, predictions, labels, strict=True):
        rows = of_sample(predicted)
        surest = rows[rows[:, 5].argsort(descending=True, stable=True)[:MOST]]
        found.append(
            Picture(
                index,
                image.shape[2],
                image.shape[1],
                b64encode(bytes(encode_jpeg((image * 255).round().byte(), quality=90).numpy())).decode(),
                found=tuple((name(int(row[4])), _edges(row), float(row[5])) for row in surest),
                there=tuple((name(int(row[4])), _edges(row)) for row in of_sample(true)),
            )
        )
    return tuple(found)


def classes(task: str) -> Callable[[int], str]:
    """What a class of a task is called: as CLASSES of its module tells, else by its number."""
    names = getattr(importlib.import_module(tasks.module(task)), "CLASSES", ())
    return lambda number: names[number] if number < len(names) else f"class {number}"


def _edges(row: Tensor) -> tuple[float, float, float, float]:
    left, top, right, lower = row[:4].tolist()
    return left, top, right, lower
