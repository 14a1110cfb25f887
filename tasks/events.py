"""Tasks of event recordings as frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.frames import check_options, normalise
from tasks.hashes import Progress
from tasks.recordings import EventSource, compact
from tasks.splits import check_ratio, divide
from tasks.task import Classes, Indices, Split, Task

DEFAULT_CACHE = Path("out/cache")


class FrameSplit(Split):
    """Frames of event recordings.

    `counts[rows]` gives raw counts `[n, T, 2, H, W]`; `durations` `[all, T]` (us); `rows` picks the samples of this
    split out of them, one per label. In this order, frames are normalised, resized to `resize` x `resize` pixels
    (bilinear, see `resized`), and those of each sample `[T, 2, H, W]` changed by `augment`.
    """

    def __init__(
        self,
        counts: Any,
        durations: np.ndarray,
        rows: np.ndarray,
        labels: torch.Tensor,
        normalization: str | None,
        *,
        resize: int | None = None,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self.counts, self.durations, self.rows = counts, durations, rows
        self.labels, self.normalization, self.resize, self.augment = labels, normalization, resize, augment

    def batch(self, indices: Indices) -> tuple[torch.Tensor, torch.Tensor]:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        rows = self.rows[indices.numpy()]
        counts = normalise(self.counts[rows].astype(np.float32), self.normalization, self.durations[rows])
        frames = resized(torch.from_numpy(counts), self.resize)
        if self.augment is not None and len(frames):
            frames = torch.stack([self.augment(sample) for sample in frames])
        return frames, self.labels[indices]

    def subset(self, indices: Indices) -> FrameSplit:
        indices = torch.as_tensor(indices, dtype=torch.int64)
        return self.changed(rows=self.rows[indices.numpy()], labels=self.labels[indices])

    def changed(self, **attributes: Any) -> FrameSplit:
        """The same split but for these attributes; what stays is shared."""
        other = object.__new__(FrameSplit)
        other.__dict__.update(self.__dict__, **attributes)
        return other


def resized(frames: torch.Tensor, side: int | None) -> torch.Tensor:
    """Frames `[N, T, 2, H, W]` with side x side pixels, each read between its four neighbours; None changes nothing.

    Not antialiased: so torchvision resized tensors by default until release 0.17, and the works that resize event
    frames are older.
    """
    if side is None or frames.numel() == 0:
        return frames if side is None else frames.new_empty(*frames.shape[:-2], side, side)
    flat = frames.flatten(0, 1)
    small = torch.nn.functional.interpolate(flat, (side, side), mode="bilinear", align_corners=False)
    return small.unflatten(0, frames.shape[:2])


def event_task(
    source: EventSource,
    cache: Path | None,
    *,
    T: int,
    split_by: str,
    normalization: str | None,
    validation: float,
    progress: Progress | None,
    resize: int | None = None,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Task:
    """The task of these recordings; frames are kept under `cache`, or in memory alone when it is None.

    `progress(done, all)` is called after each recording that had to be integrated. `augment` changes training samples
    alone.
    """
    check_options(T, split_by, normalization)
    if validation != 0:
        check_ratio(validation)
    if cache is None:
        counts, durations = _in_memory(source, T, split_by, progress)
    else:
        from tasks.cache import cached_counts

        counts, durations = cached_counts(cache, source, T, split_by, progress)
    labels = torch.from_numpy(np.array(source.labels, np.int64))
    split = FrameSplit(counts, durations, np.arange(len(labels)), labels, normalization, resize=resize)
    train, held_out = divide(split.subset(range(source.train)), validation)
    return Task(
        name=source.info.name,
        target=Classes(source.classes),
        train=train.changed(augment=augment),
        validation=held_out,
        test=split.subset(range(source.train, len(labels))),
        dataset=source.info,
    )


def _in_memory(source: EventSource, T: int, split_by: str, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    n = len(source.labels)
    counts = np.empty((n, T, 2, source.height, source.width), np.uint16)
    durations = np.empty((n, T))
    for i, (counts[i], durations[i]) in enumerate(source.counts(T, split_by)):
        if progress:
            progress(i + 1, n)
    return compact(counts), durations
