"""Checkpoints that survive a kill at any moment, bring back every source of randomness, and show any damage."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from pathlib import Path
from typing import Any

import torch

from core.randomness import generators, set_generators

from . import distributed


class Unusable(Exception):
    """A checkpoint from which no training can go on; the message says what it is or lacks ("is damaged")."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes `state` (tensors, plain values) and all RNG states; the old file stays until the new one is complete.

    The file is what torch.save writes, which PyTorch reads without checking it, and its SHA-256. In a group all
    processes call this, and process 0 writes its state with everyone's generators.
    """
    states = distributed.gather(generators())
    if distributed.rank():
        return
    content = io.BytesIO()
    torch.save({**state, "rng": states}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content.getbuffer())
        file.write(hashlib.sha256(content.getbuffer()).digest())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The state saved in `path`, with the RNGs set back to that moment; None when there is no undamaged checkpoint.

    Raises whatever a file with other content than `save` writes leads to; the RNGs may then be anywhere.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    content, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        return None
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    states = state.pop("rng", None)
    if not states:
        raise Unusable("holds no random number generators")
    if distributed.rank() < len(states):  # a process that did not exist then goes on with a seed of its own
        set_generators(states[distributed.rank()])
    return state


def set_aside(path: Path) -> Path:
    """Renames a checkpoint that cannot be used, so that nobody loads it again; returns its new path.

    An older one that was set aside is replaced, unless one of them is a folder.
    """
    aside = path.with_suffix(".unusable")
    for number in itertools.count(2):
        try:
            path.replace(aside)
            break
        except OSError:
            if not aside.exists():
                raise
            aside = path.with_suffix(f".unusable-{number}")
    return aside


_DIGEST = hashlib.sha256().digest_size
