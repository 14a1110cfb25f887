"""A training of the table of event cameras on a part of DVS128 Gesture, written byte by byte."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import worker
from bench.job import Request
from papers import registry
from papers.fptt import claims

SEGMENT, EVENTS = 1000, 60  # us, events


def recording(folder: Path, name: str, segments: int) -> None:
    """Gestures of two classes: events in the left half or the right half of the field."""
    drawn = np.random.default_rng(len(name))
    lines, events = ["class,startTime_usec,endTime_usec"], []
    for number in range(segments):
        start, kind = number * SEGMENT, number % 2
        lines.append(f"{kind + 1},{start},{start + SEGMENT}")
        for t in np.sort(drawn.integers(start, start + SEGMENT, EVENTS)):
            x, y, p = drawn.integers(64) + 64 * kind, drawn.integers(128), drawn.integers(2)
            events.append(struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t))
    head = struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, len(events), len(events), len(events))
    (folder / f"{name}.aedat").write_bytes(b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + head + b"".join(events))
    (folder / f"{name}_labels.csv").write_text("\n".join(lines))


def test_a_part_of_the_gestures_trains_by_fptt_and_is_recorded_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "DVS128Gesture" / "DvsGesture"
    folder.mkdir(parents=True)
    for part, name, segments in (("train", "user02_led", 18), ("test", "user01_lab", 6)):
        (folder / f"trials_to_{part}.txt").write_text(f"{name}.aedat\n")
        recording(folder, name, segments)
    cells = registry.get("fptt_dvs").cells("short")
    of_table = next(c.experiment for c in cells if (c.row, c.column) == (claims.LTC_FPTT, claims.GESTURE_20))
    assert of_table.batch_size == 16
    small = replace(
        of_table,
        task_options={**of_table.task_options, "T": 4},
        model_options={**of_table.model_options, "T": 4, "hidden": 12},
        evaluation={},
    )
    places = {"cache": tmp_path / "cache", "checkpoint": tmp_path / "c.pt", "log": tmp_path / "c.log"}
    request = Request(small, "cpu", str(tmp_path / "data"), **places, threads=1, memory=None)
    result = worker._guarded(request, lambda message: None)
    assert (result.outcome, result.reason) == ("ok", "")
    (data,) = result.datasets
    assert (data.complete, data.counts) == (False, {"train": 18, "test": 6})
    assert data.note == "A subset: 18 of 1,176 training and 6 of 288 test samples."
    losses = [metric.value for metric in result.metrics if metric.name == "train_loss"]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
