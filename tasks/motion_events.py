"""Bars that move and dots that go round, seen by an event camera: generated gestures. The events are SYNTHETIC.

A field of 16 x 16 pixels has one thing, brighter or darker than what is around it: an upright bar that moves to the
right or to the left and comes in again on the other side, or a dot that goes round clockwise or counterclockwise. In
64 moments of 4 ms each pixel that became brighter emits an event ON (1), one that became darker OFF (0), and a few of
either kind come by chance. Where the thing starts, how fast and large it is, and its brightness are drawn, so that one
frame tells a bar from a dot and never the direction: that takes several. 640 recordings train, 320 test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskError
from tasks.loader import Loader

if TYPE_CHECKING:
    import numpy as np

    from tasks.hashes import Progress
    from tasks.recordings import Recording
    from tasks.task import Task

CLASSES = ("bar to the right", "bar to the left", "dot clockwise", "dot counterclockwise")
SIDE, MOMENTS, MOMENT_US = 16, 64, 4000
TRAIN, TEST = 640, 320
NOISE = 1.0  # events by chance in a moment, on average
VERSION = 1  # of the rule by which recordings are drawn: part of the digest


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(("motion_events", VERSION, options.get("seed", 0))).encode()).hexdigest()


def load(
    root: Path | None,
    cache: Path | None,
    *,
    seed: int = 0,
    T: int = 10,
    split_by: str = "number",
    normalization: str | None = None,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import sys

    import numpy as np

    from tasks.events import event_task
    from tasks.recordings import EventSource
    from tasks.task import DatasetInfo

    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise TaskError(f"seed={seed!r} was asked for; give a whole number of at least 0.")
    source = EventSource(
        info=DatasetInfo(
            "motion_events",
            _digest(None, None, None, {"seed": seed}),
            counts={"train": TRAIN, "test": TEST},
            note="Synthetic events: generated bars and dots that move.",
        ),
        classes=len(CLASSES),
        height=SIDE,
        width=SIDE,
        labels=np.arange(TRAIN + TEST) % len(CLASSES),
        train=TRAIN,
        recordings=lambda: recordings(TRAIN + TEST, seed),
        code=(sys.modules[__name__],),
    )
    return event_task(
        source, cache, T=T, split_by=split_by, normalization=normalization, validation=validation, progress=progress
    )


def recordings(many: int, seed: int) -> Iterator[Recording]:
    """Recordings of the classes in turn."""
    import numpy as np

    from tasks.recordings import Recording

    generator = np.random.default_rng(seed)
    for sample in range(many):
        seen = places(generator, sample % len(CLASSES))
        moment, y, x = np.nonzero(seen[1:] != seen[:-1])
        polarity = seen[1:][moment, y, x] ^ bool(generator.integers(2))  # the thing is brighter, or it is darker
        chance = generator.poisson(NOISE * MOMENTS)
        by_chance = [generator.integers(high, size=chance) for high in (MOMENTS, SIDE, SIDE, 2)]
        events = [np.concatenate([own, other]) for own, other in zip((moment, y, x, polarity), by_chance, strict=True)]
        moment, y, x, p = (column[np.argsort(events[0], kind="stable")] for column in events)
        yield Recording(moment * MOMENT_US, x, y, p, f"motion {sample}")


def places(generator: np.random.Generator, kind: int) -> np.ndarray:
    """Where the thing is before and after each moment, `[MOMENTS + 1, SIDE, SIDE]` (bool)."""
    import numpy as np

    turns = generator.uniform(0.75, 1.5) * (-1 if kind % 2 else 1)
    turned = generator.uniform() + turns * np.arange(MOMENTS + 1)[:, None, None] / MOMENTS
    y, x = np.mgrid[:SIDE, :SIDE]
    if kind < 2:
        length = generator.integers(6, 13)
        top = generator.integers(SIDE - length + 1)
        return (np.mod(x - turned * SIDE, SIDE) < 2) & (y >= top) & (y < top + length)
    radius, middle = generator.uniform(3.5, 5.5), generator.uniform(7, 9, 2)
    angle = 2 * np.pi * turned  # clockwise, for y counts downwards
    return np.hypot(x + 0.5 - middle[0] - radius * np.cos(angle), y + 0.5 - middle[1] - radius * np.sin(angle)) < 1.8


MOTION_EVENTS = Loader(load, digest=_digest)
