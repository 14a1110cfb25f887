"""A simulated event camera that moves over a still image. Its events are SYNTHETIC: no sensor recorded them.

The camera makes three saccades of 100 ms along a closed triangle, as the pan-tilt unit that recorded N-MNIST did, in
32 straight steps each. The 8 x 8 image fills three quarters of the field's side, is read between its pixels by
bilinear interpolation, and is dark outside. A pixel at intensity I (0 to 1) sees L = ln(I + 0.1); each time L has moved
by the threshold since the pixel's last event, the pixel emits an event, ON (1) when brighter, OFF (0) when darker, at
the time of the crossing under linear change within the step. There is no noise and no refractory time.

L is rounded to 2**-20 and all that follows is done in integers, so the events do not depend on the rounding of a
machine's arithmetic, and a pixel that returns to its first intensity returns to its first level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SACCADE_US, STEPS_PER_SACCADE = 100_000, 32
FILL = 0.75
DARK = 0.1
THRESHOLD = 0.3
# Corners of the path, in fields' sides from the centre.
CORNERS = np.array([(-0.0625, -0.0625), (0.0625, 0.0), (-0.03125, 0.0625)])
_ONE = 1 << 20


@dataclass(frozen=True)
class Events:
    """Events of all images, image by image and sorted by time: image `i` owns the events `start[i]:start[i + 1]`."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    start: np.ndarray


def record(images: np.ndarray, side: int) -> Events:
    """Events of images `[N, h, w]` (0 to 1) seen by a camera of side x side pixels; times in us from 0 to 300,000."""
    path = _path() * side
    step_us = SACCADE_US // STEPS_PER_SACCADE
    threshold = round(THRESHOLD * _ONE)
    before = first = _log_intensity(images, path[0], side)
    level = np.zeros(first.shape, np.int64)
    parts = []
    for step, offset in enumerate(path[1:]):
        now = _log_intensity(images, offset, side)
        # Whole thresholds crossed upwards and downwards since the last event of the pixel.
        moved = now - first - level * threshold
        crossed = np.sign(moved) * (np.abs(moved) // threshold)
        where = np.flatnonzero(crossed)
        times = np.abs(crossed.ravel()[where])
        pixel = np.repeat(where, times)
        nth = np.arange(len(pixel)) - np.repeat(np.cumsum(times) - times, times) + 1
        up = np.sign(crossed.ravel()[pixel])
        reached = first.ravel()[pixel] + (level.ravel()[pixel] + up * nth) * threshold
        since, change = reached - before.ravel()[pixel], (now - before).ravel()[pixel]
        parts.append((pixel, step * step_us + step_us * since // change, up > 0))
        level += crossed
        before = now
    pixel, t, p = (np.concatenate(column) for column in zip(*parts, strict=True))
    image, inside = np.divmod(pixel, side * side)
    order = np.lexsort((inside, t, image))
    y, x = np.divmod(inside[order], side)
    start = np.searchsorted(image[order], np.arange(len(images) + 1))
    return Events(t[order], x, y, p[order].astype(np.int64), start)


def _path() -> np.ndarray:
    """Positions of the camera `[97, 2]`, (x, y) in fields' sides; the last is the first."""
    ends = np.roll(CORNERS, -1, axis=0)
    part = np.arange(STEPS_PER_SACCADE)[:, None] / STEPS_PER_SACCADE
    legs = [start + (end - start) * part for start, end in zip(CORNERS, ends, strict=True)]
    return np.concatenate([*legs, CORNERS[:1]])


def _log_intensity(images: np.ndarray, offset: np.ndarray, side: int) -> np.ndarray:
    """ln(I + DARK) in units of 2**-20 at every pixel of the field, `[N, side, side]`, int64."""
    across, down = (_weights(images.shape[axis], side, shift) for axis, shift in ((2, offset[0]), (1, offset[1])))
    seen = down @ images @ across.T
    return np.rint(np.log(seen + DARK) * _ONE).astype(np.int64)


def _weights(pixels: int, side: int, shift: float) -> np.ndarray:
    """Bilinear weights `[side, pixels]` of the image's pixels at the field's pixels along one axis."""
    centre = (np.arange(side) + 0.5 - side / 2 - shift) * pixels / (FILL * side) + pixels / 2 - 0.5
    return np.clip(1 - np.abs(centre[:, None] - np.arange(pixels)), 0, None)
