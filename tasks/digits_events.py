"""scikit-learn's digits seen by a simulated moving event camera. The events are SYNTHETIC (see `tasks.camera`).

The split is that of `tasks.digits`: 1,400 train, 397 test. A sample has about 700 to 1,300 events on a field of
16 x 16 pixels (`side=16`), four times as many on 32 x 32.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import digits
from tasks.errors import TaskError
from tasks.loader import Loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from tasks.recordings import Recording
    from tasks.task import Task

SIDES = (16, 32)


def load(
    root: Path | None,
    cache: Path | None,
    *,
    side: int = 16,
    T: int = 10,
    split_by: str = "number",
    normalization: str | None = None,
    validation: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Task:
    from tasks import camera
    from tasks.events import event_task
    from tasks.recordings import EventSource
    from tasks.task import DatasetInfo

    if side not in SIDES:
        raise TaskError(f"A field of side {side!r} was asked for; choose one of {', '.join(map(str, SIDES))}.")
    images, labels, digest = digits.arrays()
    source = EventSource(
        info=DatasetInfo(
            "digits_events",
            digest,
            counts={"train": digits.TRAIN, "test": digits.TEST},
            note="Synthetic events: a simulated camera moves over scikit-learn's digits.",
        ),
        classes=10,
        height=side,
        width=side,
        labels=labels,
        train=digits.TRAIN,
        recordings=lambda: _recordings(images / digits.LEVELS, side),
        code=(camera,),
    )
    return event_task(
        source, cache, T=T, split_by=split_by, normalization=normalization, validation=validation, progress=progress
    )


def _recordings(images: np.ndarray, side: int) -> Iterator[Recording]:
    from tasks import camera
    from tasks.recordings import Recording

    # A few images at a time stay in the processor's cache.
    for first in range(0, len(images), 64):
        events = camera.record(images[first : first + 64], side)
        for i, (start, end) in enumerate(pairwise(events.start)):
            own = slice(start, end)
            yield Recording(events.t[own], events.x[own], events.y[own], events.p[own], f"digit {first + i}")


DIGITS_EVENTS = Loader(load, digest=lambda *_: digits.digest())
