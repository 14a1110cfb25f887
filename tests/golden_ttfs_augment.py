"""Checks of the T2FSNN reference vectors of augmentation, one function a family."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import numpy as np
import torch
from golden_ttfs_layers import Arrays, Case
from PIL import Image

from tasks.auto_augment import cutout, operate, policy

GEOMETRIC = ("shear", "rotate")  # depend slightly on the version of Pillow: a mean difference of 2 grey levels


class PythonDraws:
    """Those of Python's module `random`, as the release draws."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def index(self, count: int) -> int:
        return self.random.randint(0, count - 1)

    def chance(self) -> float:
        return self.random.random()

    def sign(self) -> int:
        return self.random.choice([-1, 1])


def _near(found: np.ndarray, expected: np.ndarray, what: str, mean: bool) -> None:
    difference = np.abs(found.astype(float) - expected.astype(float))
    assert (difference.mean() <= 2) if mean else (difference.max() <= 1), what


def check_operations(case: Case, arrays: Arrays) -> None:
    image = Image.fromarray(arrays["image"])
    for key in arrays.keys() - {"image"}:
        name, _, sign = key.rpartition("_")
        found = operate(image, name, case["params"]["magnitudes"][name], {"neg": -1, "pos": 1}[sign])
        _near(np.array(found), arrays[key], key, name.startswith(GEOMETRIC))


def check_policy(case: Case, arrays: Arrays) -> None:
    image = Image.fromarray(arrays["image"])
    for seed, index in zip(case["params"]["python_seeds"], case["params"]["policy_index_drawn"], strict=True):
        assert PythonDraws(seed).index(25) == index
        _near(np.array(policy(image, PythonDraws(seed))), arrays[f"policy_seed{seed}"], f"seed {seed}", mean=True)
    pixels = torch.from_numpy(arrays["image"]).permute(2, 0, 1) / 255
    holes = [key for key in arrays if key.startswith("cutout_seed")]
    assert holes
    for key in holes:
        numbers = np.random.RandomState(int(key.removeprefix("cutout_seed")))
        y, x = numbers.randint(32), numbers.randint(32)
        told = re.search(r"\((\d+), (\d+)\)", case["keys"][key]["doc"])
        assert told is None or [y, x] == [int(n) for n in told.groups()]
        np.testing.assert_allclose(cutout(pixels, 16, y, x), arrays[key], atol=1e-6)


CHECKS: dict[str, Callable[..., None]] = {"augment_ops": check_operations, "augment_policy": check_policy}
