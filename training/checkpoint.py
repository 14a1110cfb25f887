"""Checkpoints that survive a kill at any moment and bring back every source of randomness."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from . import distributed


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes `state` (tensors, plain values) and all RNG states; the old file stays until the new one is complete.

    In a group all processes call this, and process 0 writes its state with everyone's generators.
    """
    generators = distributed.gather(_rng_states())
    if distributed.rank():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save({**state, "rng": generators}, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The state saved in `path`, with the RNGs set back to that moment; None when there is no readable checkpoint."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # damaged in whatever way: training starts anew, which loses time but nothing else
        return None
    generators = state.pop("rng")
    if distributed.rank() < len(generators):  # a process that did not exist then goes on with a seed of its own
        _set_rng_states(generators[distributed.rank()])
    return state


def _rng_states() -> dict[str, Any]:
    version, internal, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = cast(tuple, np.random.get_state(legacy=True))
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        "python": [version, list(internal), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
    }


def _set_rng_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
