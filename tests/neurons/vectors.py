"""Reference vectors of single neurons from the golden sets of the papers (formats: the README of each set)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

GOLDEN = Path(__file__).parents[1] / "golden"


def names(paper: str, pattern: str) -> list[str]:
    """Names of the cases of `paper` that match; never empty, so that no test vanishes with a file."""
    found = sorted(path.stem for path in (GOLDEN / paper).glob(f"{pattern}.json"))
    assert found, f"no reference vectors {paper}/{pattern}"
    return found


def load(paper: str, name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Description and arrays of a case."""
    path = GOLDEN / paper / name
    with np.load(path.with_suffix(".npz")) as arrays:
        return json.loads(path.with_suffix(".json").read_text()), {k: torch.from_numpy(v) for k, v in arrays.items()}


def set_parameters(neuron: torch.nn.Module, **values: torch.Tensor) -> None:
    """Parameters of `neuron` from arrays of as many elements, in the arrays' type."""
    for name, value in values.items():
        parameter = neuron.get_parameter(name)
        parameter.data = value.reshape(parameter.shape).clone()
