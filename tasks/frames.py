"""Events to frames (PLIF, spec section 5.1).

Each event i has a time t (us), a pixel (x, y) and a polarity p, 0 (OFF) or 1 (ON). Frame j counts the events of each
polarity at each pixel within its share of the recording: F[j, p, y, x].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.errors import TaskError

SPLITS = ("number", "time")
NORMALIZATIONS = (None, "frequency", "max", "norm", "sum")


def check_options(frames: int, split_by: str, normalization: str | None) -> None:
    """Raise TaskError unless the three options are ones that `integrate` knows."""
    if isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 1:
        raise TaskError(f"{frames!r} frames were asked for; give a whole number, at least 1.")
    if split_by not in SPLITS:
        raise TaskError(f"split_by={split_by!r} is unknown; choose one of {', '.join(SPLITS)}.")
    if normalization not in NORMALIZATIONS:
        raise TaskError(
            f"normalization={normalization!r} is unknown; choose one of {', '.join(map(str, NORMALIZATIONS))}."
        )


def integrate(
    t: Any,
    x: Any,
    y: Any,
    p: Any,
    *,
    frames: int,
    height: int,
    width: int,
    split_by: str,
    normalization: str | None = None,
) -> np.ndarray:
    """Frames `[T, 2, H, W]` of one recording: float64 counts, or normalised (see `normalise`).

    `number`: d = floor(N / T); frame j takes the events d*j to d*(j+1), the last one all that remain.
    `time`: dt = floor((t[N-1] - t[0]) / T); frame j takes dt*j <= t - t[0] < dt*(j+1), the last one all that remain.

    Differences from SpikingJelly at the commit the paper used:

    1. the flat position of a pixel is y * width + x; there y * height + x, wrong unless the sensor is square;
    2. the caller's `t` stays as it is; there split by time shifts it in place;
    3. a time frame without events is zero; there an IndexError;
    4. `frequency` with split by number covers the last frame, which lasts until the last event; there an IndexError;
    5. a frame whose events share one microsecond is divided by 1 us, the resolution of the clock; there by zero;
    6. an empty recording gives zero frames; there an IndexError for split by time;
    7. pixels outside the sensor, arrays of unequal length and, when splitting by time, times that go back are errors;
       there they go unnoticed;
    8. a time, pixel or polarity that is no whole number, and a polarity other than 0 and 1, are errors; there fractions
       are cut off and any polarity but 0 counts as ON, also the -1 that some formats write for OFF.

    Fewer events than frames are allowed with split by number: d = 0, and the last frame takes them all, as there.

    Raises TaskError for unknown options, for events as in 7 and 8, and for split by time when the recording lasts no
    longer than T microseconds.
    """
    check_options(frames, split_by, normalization)
    counts, durations = count(t, x, y, p, frames=frames, height=height, width=width, split_by=split_by)
    return normalise(counts.astype(np.float64), normalization, durations)


def count(
    t: Any, x: Any, y: Any, p: Any, *, frames: int, height: int, width: int, split_by: str
) -> tuple[np.ndarray, np.ndarray]:
    """Counts `[T, 2, H, W]` (int64) and the durations of the frames `[T]` (us, at least 1)."""
    check_options(frames, split_by, None)
    for side, pixels in (("height", height), ("width", width)):
        if isinstance(pixels, bool) or not isinstance(pixels, int | np.integer) or pixels < 1:
            raise TaskError(f"A sensor of {side} {pixels!r} was asked for; give a whole number, at least 1.")
    t, x, y, p = (_whole(name, values) for name, values in zip("txyp", (t, x, y, p), strict=True))
    _check_events(t, x, y, p, height, width, ordered=split_by == "time")
    n, shape = len(t), (frames, 2, height, width)
    if n == 0:
        return np.zeros(shape, np.int64), np.ones(frames)
    first = _first_by_number(n, frames) if split_by == "number" else _first_by_time(t, frames)
    frame = np.repeat(np.arange(frames), np.diff(first, append=n))
    flat = ((frame * 2 + p) * height + y) * width + x
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape), _durations(t, first, split_by)


def normalise(frames: np.ndarray, normalization: str | None, durations: np.ndarray) -> np.ndarray:
    """Normalise counts `[..., T, 2, H, W]`; `durations` `[..., T]` in us is used by `frequency` alone.

    None and `frequency` (counts per us) keep the type of the frames. `max`, `norm` and `sum` act per frame and
    polarity on float32: F / max(F.max(), 1e-5), (F - mean) / sqrt(max(var, 1e-5)) with the population variance,
    F / max(F.sum(), 1e-5).
    """
    if normalization is None:
        return frames
    if normalization == "frequency":
        return (frames / durations[..., None, None, None]).astype(frames.dtype)
    frames = frames.astype(np.float32)
    pixels = (-2, -1)
    floor = np.float32(1e-5)
    if normalization == "max":
        return frames / np.maximum(frames.max(pixels, keepdims=True), floor)
    if normalization == "sum":
        return frames / np.maximum(frames.sum(pixels, keepdims=True), floor)
    mean, var = frames.mean(pixels, keepdims=True), frames.var(pixels, keepdims=True)
    return (frames - mean) / np.sqrt(np.maximum(var, floor))


def _first_by_number(n: int, frames: int) -> np.ndarray:
    return np.arange(frames) * (n // frames)


def _first_by_time(t: np.ndarray, frames: int) -> np.ndarray:
    span = int(t[-1]) - int(t[0])
    if span <= frames:
        raise TaskError(f"A recording of {span} us cannot be cut into {frames} frames by time; split it by number.")
    return np.searchsorted(t, t[0] + np.arange(frames) * (span // frames), side="left")


def _durations(t: np.ndarray, first: np.ndarray, split_by: str) -> np.ndarray:
    frames = len(first)
    if split_by == "time":
        span = int(t[-1]) - int(t[0])
        durations = np.full(frames, span // frames, np.float64)
        # The original adds the remainder of the division to the last frame.
        durations[-1] += span % frames
        return durations
    end = np.append(first[1:], len(t) - 1)
    return np.maximum(t[end] - t[first], 1).astype(np.float64)


def _whole(name: str, values: Any) -> np.ndarray:
    """The values as int64. Raises TaskError for what is no number, and names the first event with no whole number."""
    try:
        values = np.asarray(values)
    except ValueError:
        raise TaskError(f"{name} must be one-dimensional and hold numbers.") from None
    if values.dtype.kind not in "biuf":
        raise TaskError(f"{name} must hold numbers; its type is {values.dtype}.")
    if values.dtype.kind in "uf":
        # NaN compares false. An unsigned integer may be too large as well, and a half has no 2**63 to compare with.
        exact = values.astype(np.float64) if values.dtype.kind == "f" else values
        wrong = np.flatnonzero(~((np.abs(exact) < 2.0**63) & (np.trunc(exact) == exact)))
        if len(wrong):
            i, unit = int(wrong[0]), " of microseconds" if name == "t" else ""
            raise TaskError(f"Event {i} has {name} = {values.flat[i]}; it must be a whole number{unit}.")
    return values.astype(np.int64)


def _check_events(
    t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, height: int, width: int, *, ordered: bool
) -> None:
    sizes = {name: a.shape for name, a in zip("txyp", (t, x, y, p), strict=True)}
    if len(set(sizes.values())) != 1 or t.ndim != 1:
        raise TaskError(f"t, x, y and p must be one-dimensional and equally long; their shapes are {sizes}.")
    neither = np.flatnonzero((p != 0) & (p != 1))
    if len(neither):
        i = int(neither[0])
        raise TaskError(f"Event {i} has the polarity {p[i]}; it must be 0 (OFF) or 1 (ON).")
    back = np.flatnonzero(t[1:] < t[:-1])
    if ordered and len(back):
        i = int(back[0]) + 1
        raise TaskError(f"Event {i} is at {t[i]} us, before its predecessor at {t[i - 1]} us; sort the events by time.")
    outside = np.flatnonzero((x < 0) | (x >= width) | (y < 0) | (y >= height))
    if len(outside):
        i = int(outside[0])
        raise TaskError(f"Event {i} is at pixel ({x[i]}, {y[i]}), outside the sensor of {width} x {height} pixels.")
