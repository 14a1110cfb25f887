"""Free Spoken Digits: ten digits by six speakers, 8 kHz, turned into spikes by a bank of filters.

Layout FSDD/recordings/<digit>_<speaker>_<number>.wav; numbers 0 to 4 test, the others train. A sample is a sequence
[T, channels] of spikes, made as follows:

1. power spectra of Hann windows of 25 ms, one every `dt` ms, of the recording scaled to [-1, 1);
2. `channels` triangular filters, spaced evenly on the mel scale from 100 to 4,000 Hz;
3. levels in dB below the loudest value of the recording, of which -60 dB becomes 0 and 0 dB becomes 1;
4. an integrator for each channel, which sums the levels and fires whenever the sum passes a whole number.

A recording is cut after T steps, and a shorter one is followed by silence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import DataDamaged, TaskError
from tasks.hashes import Progress, recordings_digest
from tasks.loader import Loader
from tasks.source import Published, completeness, holds, listed, misnamed

if TYPE_CHECKING:
    import numpy as np

    from tasks.task import Task

RATE, CLASSES, TESTED = 8000, 10, 5
EXPECTED = {"train": 2700, "test": 300}
WINDOW_S, LOWEST, HIGHEST, FLOOR_DB = 0.025, 100.0, 4000.0, 60.0
FFT = 256
_NAME = re.compile(r"([0-9])_[a-z]+_([0-9]{1,3})\.wav")

PUBLISHED = Published(
    "Free Spoken Digits",
    "FSDD",
    "https://github.com/Jakobovski/free-spoken-digit-dataset",
    "put its folder recordings into DATA_ROOT/FSDD",
)


def _folder(root: Path | None) -> Path:
    folder = PUBLISHED.place(root)
    if not holds(folder / "recordings", "*.wav"):
        raise PUBLISHED.missing(folder / "recordings" / "*.wav")
    return folder


def _check(root: Path | None) -> None:
    _folder(root)


def _files(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    found: dict[str, list[tuple[int, Path]]] = {"train": [], "test": []}
    for path in listed(folder / "recordings"):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise misnamed(path, "it is not <digit>_<speaker>_<number>.wav")
        found["test" if int(match[2]) < TESTED else "train"].append((int(match[1]), path))
    for part, numbers in (("train", f"from {TESTED}"), ("test", f"below {TESTED}")):
        if not found[part]:
            raise PUBLISHED.missing(folder / "recordings" / f"recordings with numbers {numbers}")
    return found


def _digest(root: Path | None, cache: Path | None, progress: Progress | None, options: Mapping[str, Any]) -> str:
    folder = _folder(root)
    return recordings_digest(_files(folder), folder, cache, progress)


def sound(path: Path) -> np.ndarray:
    """The samples of a recording, in [-1, 1). DataDamaged unless it is 8 kHz, mono, 16 bit and whole."""
    import wave

    import numpy as np

    try:
        with wave.open(str(path), "rb") as file:
            format = file.getframerate(), file.getnchannels(), file.getsampwidth()
            declared = file.getnframes()
            data = file.readframes(min(declared, path.stat().st_size)) if format == (RATE, 1, 2) else b""
    except (wave.Error, EOFError, RuntimeError) as problem:  # the last two say nothing
        told = str(problem) or "a chunk goes beyond it"
        raise DataDamaged(path, "its header", f"it is no WAV file ({told})") from None
    if format != (RATE, 1, 2):
        told = f"{format[0]} Hz, {format[1]} channels and {8 * format[2]} bit, where 8000 Hz, 1 and 16 bit belong"
        raise DataDamaged(path, "its header", told)
    if len(data) != 2 * declared or not declared:
        raise DataDamaged(path, f"byte {len(data)} of the sound", f"{len(data) // 2} of {declared} samples are there")
    return np.frombuffer(data, "<i2") / 32768


def filters(channels: int) -> np.ndarray:
    """Triangular filters on the bins of the spectrum, [channels, FFT / 2 + 1]; TaskError where one holds no bin."""
    import numpy as np

    lowest, highest = (2595 * math.log10(1 + edge / 700) for edge in (LOWEST, HIGHEST))
    mel = np.linspace(lowest, highest, channels + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    found = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clip(0)
    if not found.any(1).all():
        raise TaskError(f"{channels} channels were asked for, more than the spectrum can tell apart; give fewer.")
    return found


def spikes(samples: np.ndarray, T: int, dt: float, bank: np.ndarray) -> np.ndarray:
    """Spikes [T, channels] (bool) of a recording."""
    import numpy as np

    length, hop = round(WINDOW_S * RATE), dt * RATE / 1000
    starts = np.round(np.arange(T) * hop).astype(np.int64)
    starts = starts[starts < len(samples)]
    padded = np.concatenate([samples, np.zeros(length)])
    windows = padded[starts[:, None] + np.arange(length)] * np.hanning(length)
    power = np.abs(np.fft.rfft(windows, FFT)) ** 2 @ bank.T
    loudest = power.max()
    levels = np.zeros((T, len(bank)))
    if loudest > 0:
        decibels = 10 * np.log10(np.maximum(power / loudest, 1e-12))
        levels[: len(starts)] = (1 + decibels / FLOOR_DB).clip(0, 1)
    passed = np.floor(levels.cumsum(0) + 1e-9)  # so that a level of 1 fires at every step
    return np.diff(passed, axis=0, prepend=0) > 0


def load(
    root: Path | None,
    cache: Path | None,
    *,
    T: int = 100,
    dt: float = 10,
    channels: int = 32,
    validation: float = 0.0,
    progress: Progress | None = None,
) -> Task:
    import numpy as np
    import torch

    from tasks.spike_trains import SpikeTrains, check_steps
    from tasks.splits import divide
    from tasks.task import Classes, DatasetInfo, Task

    check_steps(T, dt)
    if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
        raise TaskError(f"channels={channels!r} were asked for; give a whole number of at least 1.")
    folder, bank = _folder(root), filters(channels)
    files, splits = _files(folder), {}
    for part, samples in files.items():
        found = [np.nonzero(spikes(sound(path), T, dt, bank)) for _, path in samples]
        splits[part] = SpikeTrains(
            [steps.astype(np.int16) for steps, _ in found],
            [places.astype(np.int16) for _, places in found],
            torch.tensor([label for label, _ in samples]),
            T=T,
            shape=(channels,),
        )
    learned, held_out = divide(splits["train"], validation)
    counts = {part: len(split) for part, split in splits.items()}
    complete, note = completeness(counts, EXPECTED)
    info = DatasetInfo("fsdd", recordings_digest(files, folder, cache, progress), complete, counts, note)
    return Task("fsdd", Classes(CLASSES), learned, held_out, splits["test"], info)


FSDD = Loader(load, _check, _digest)
