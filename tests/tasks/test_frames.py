"""Events to frames: cases worked out by hand, a loop over all events, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import TaskError
from tasks.frames import count, integrate, normalise

# Seven events on a sensor 3 wide and 2 high. Times from the first: 0 1 4 5 9 12 13.
T_US = np.array([100, 101, 104, 105, 109, 112, 113])
X = np.array([0, 2, 2, 1, 0, 0, 2])
Y = np.array([0, 1, 1, 0, 1, 1, 0])
P = np.array([1, 0, 0, 1, 1, 1, 0])
SENSOR = {"height": 2, "width": 3}


def frames_of(n: int, split_by: str, normalization: str | None = None) -> np.ndarray:
    return integrate(T_US, X, Y, P, frames=n, split_by=split_by, normalization=normalization, **SENSOR)


def test_by_number_the_last_frame_takes_the_remainder() -> None:
    # d = 7 // 3 = 2: events 0-1, 2-3, 4-6.
    frames = frames_of(3, "number")
    assert frames.dtype == np.float64
    assert frames.sum((1, 2, 3)).tolist() == [2, 2, 3]
    assert frames[0, 1].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert frames[0, 0].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert frames[2, 1].tolist() == [[0, 0, 0], [2, 0, 0]]
    assert frames[2, 0].tolist() == [[0, 0, 1], [0, 0, 0]]


def test_by_time_the_last_frame_takes_what_lies_beyond() -> None:
    # dt = 13 // 3 = 4: [0, 4) has 0 1; [4, 8) has 4 5; from 8 on 9 12 13.
    assert frames_of(3, "time").sum((1, 2, 3)).tolist() == [2, 2, 3]
    # dt = 13 // 6 = 2: [0,2) 0 1; [2,4) none; [4,6) 4 5; [6,8) none; [8,10) 9; from 10 on 12 13.
    assert frames_of(6, "time").sum((1, 2, 3)).tolist() == [2, 0, 2, 0, 1, 2]


def test_position_is_row_times_width_on_a_sensor_that_is_not_square() -> None:
    frame = integrate([0], [2], [0], [0], frames=1, height=2, width=3, split_by="number")
    assert np.argwhere(frame).tolist() == [[0, 0, 0, 2]]


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint64, np.float16, np.float64, bool])
def test_polarity_0_is_off_and_1_is_on(kind: type) -> None:
    p = np.array([0, 1, 1]).astype(kind)
    frame = integrate([0, 1, 2], [0, 0, 0], [0, 0, 0], p, frames=1, height=1, width=1, split_by="number")
    assert frame.ravel().tolist() == [1, 2]


def test_frequency_by_time_adds_the_remainder_to_the_last_frame() -> None:
    # 13 us in 3 frames: 4, 4 and 4 + 1.
    counts, got = frames_of(3, "time"), frames_of(3, "time", "frequency")
    assert np.array_equal(got, counts / np.array([4, 4, 5])[:, None, None, None])


def test_frequency_by_number_runs_to_the_next_frame_and_to_the_last_event() -> None:
    # Frames begin at 0, 4, 9 us; the last event is at 13.
    counts, got = frames_of(3, "number"), frames_of(3, "number", "frequency")
    assert np.array_equal(got, counts / np.array([4, 5, 4])[:, None, None, None])


def test_frequency_of_events_within_one_microsecond_is_per_microsecond() -> None:
    got = integrate([5, 5], [0, 0], [0, 0], [1, 1], frames=1, height=1, width=1, split_by="number",
                    normalization="frequency")  # fmt: skip
    assert got.ravel().tolist() == [0, 2]


def test_max_sum_and_norm_act_on_each_polarity_of_each_frame() -> None:
    # Polarity 1: counts 0 1 2 1, largest 2, sum 4, mean 1, variance 1/2. Polarity 0 is empty.
    counts = np.array([[[[0, 0], [0, 0]], [[0, 1], [2, 1]]]], np.float64)
    ones = np.ones(1)
    assert normalise(counts, "max", ones)[0, 1].ravel().tolist() == [0, 0.5, 1, 0.5]
    assert normalise(counts, "sum", ones)[0, 1].ravel().tolist() == [0, 0.25, 0.5, 0.25]
    expected = np.array([-1, 0, 1, 0]) / np.sqrt(0.5)
    assert np.allclose(normalise(counts, "norm", ones)[0, 1].ravel(), expected, rtol=1e-6)
    for kind in ("max", "sum", "norm"):
        assert normalise(counts, kind, ones).dtype == np.float32
        assert not normalise(counts, kind, ones)[0, 0].any()


def test_fewer_events_than_frames_go_to_the_last_frame() -> None:
    frames = integrate([1, 2], [0, 0], [0, 0], [1, 1], frames=4, height=1, width=1, split_by="number")
    assert frames.sum((1, 2, 3)).tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize("split_by", ["number", "time"])
@pytest.mark.parametrize("normalization", [None, "frequency", "max", "norm", "sum"])
def test_an_empty_recording_is_zero(split_by: str, normalization: str | None) -> None:
    got = integrate([], [], [], [], frames=3, height=2, width=2, split_by=split_by, normalization=normalization)
    assert got.shape == (3, 2, 2, 2)
    assert not got.any()


def test_the_callers_arrays_stay_as_they_are() -> None:
    before = T_US.copy()
    frames_of(3, "time", "frequency")
    assert np.array_equal(T_US, before)


def test_small_types_do_not_overflow() -> None:
    # 15 * 20 + 15 = 315 does not fit the uint8 of the coordinates, nor does t = 3e9 fit an int32.
    x = np.full(3, 15, np.uint8)
    t = np.array([0, 1, 3_000_000_000], np.uint32)
    frames = integrate(t, x, x, np.ones(3, np.int8), frames=2, height=20, width=20, split_by="time")
    assert frames[:, 1, 15, 15].tolist() == [2, 1]


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    n = draw(st.integers(1, 40))
    t = np.cumsum(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))) + draw(st.integers(0, 1000))
    x = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    y = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    p = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    return t, np.array(x), np.array(y), np.array(p)


@given(recordings(), st.integers(1, 12), st.sampled_from(["number", "time"]))
def test_counts_are_those_of_a_loop_and_none_is_lost(
    events: tuple[np.ndarray, ...], frames: int, split_by: str
) -> None:
    t, x, y, p = events
    n, span = len(t), int(t[-1] - t[0])
    if split_by == "time" and span <= frames:
        with pytest.raises(TaskError, match="by time"):
            integrate(*events, frames=frames, height=3, width=5, split_by=split_by)
        return
    expected = np.zeros((frames, 2, 3, 5))
    for i in range(n):
        if split_by == "number":
            j = frames - 1 if n < frames else min(i // (n // frames), frames - 1)
        else:
            j = min(int(t[i] - t[0]) // (span // frames), frames - 1)
        expected[j, p[i], y[i], x[i]] += 1
    got = integrate(*events, frames=frames, height=3, width=5, split_by=split_by)
    assert np.array_equal(got, expected)
    assert got.sum() == n


@given(recordings(), st.integers(1, 12))
def test_durations_of_time_frames_add_up_to_the_recording(events: tuple[np.ndarray, ...], frames: int) -> None:
    span = int(events[0][-1] - events[0][0])
    if span > frames:
        _, durations = count(*events, frames=frames, height=3, width=5, split_by="time")
        assert durations.sum() == span


def test_frames_by_number_follow_the_order_of_the_events() -> None:
    frames = integrate([0, 9, 5], [0, 1, 2], [0, 0, 0], [0, 0, 0], frames=3, split_by="number", **SENSOR)
    assert [int(frame.argmax()) for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": [0, 9, 5], "split_by": "time"}, "Event 2 is at 5 us, before its predecessor at 9 us"),
        ({"x": [0, 3, 0]}, r"Event 1 is at pixel \(3, 0\), outside the sensor of 3 x 2"),
        ({"y": [0, 0, -1]}, r"Event 2 is at pixel \(0, -1\)"),
        ({"p": [0, 1]}, "equally long"),
        ({"p": [1, -1, 1]}, r"Event 1 has the polarity -1; it must be 0 \(OFF\) or 1 \(ON\)"),
        ({"p": [0, 1, 255]}, "Event 2 has the polarity 255"),
        ({"p": [0, 0.5, 1]}, r"Event 1 has p = 0\.5; it must be a whole number"),
        ({"x": [-0.4, 0, 0]}, r"Event 0 has x = -0\.4; it must be a whole number"),
        ({"y": [0, 0, 1.5]}, r"Event 2 has y = 1\.5"),
        ({"t": [0, 5.25, 9]}, r"Event 1 has t = 5\.25; it must be a whole number of microseconds"),
        ({"t": [0, float("nan"), 9]}, "Event 1 has t = nan"),
        ({"x": [0, 0, float("inf")]}, "Event 2 has x = inf"),
        ({"t": [0, 5, 1e300]}, r"Event 2 has t = 1e\+300"),
        ({"t": np.array([0, 5, 2**63], np.uint64)}, "Event 2 has t = 9223372036854775808"),
        ({"x": ["0", "0", "0"]}, "x must hold numbers; its type is <U1"),
        ({"p": [None, 0, 1]}, "p must hold numbers; its type is object"),
        ({"x": [[0], [0, 1], 0]}, "x must be one-dimensional and hold numbers"),
        ({"x": [0, 0, 0j]}, "x must hold numbers; its type is complex128"),
        ({"height": 0}, "A sensor of height 0"),
        ({"width": 2.5}, "A sensor of width 2.5"),
        ({"frames": 0}, "0 frames"),
        ({"frames": 2.5}, "2.5 frames"),
        ({"frames": True}, "True frames"),
        ({"split_by": "events"}, "choose one of number, time"),
        ({"normalization": "mean"}, "choose one of None, frequency, max, norm, sum"),
        ({"split_by": "time", "frames": 9}, "A recording of 9 us cannot be cut into 9 frames"),
    ],
)
def test_what_is_refused(change: dict, message: str) -> None:
    case = {"t": [0, 5, 9], "x": [0, 0, 0], "y": [0, 0, 0], "p": [0, 1, 0], "frames": 2, "split_by": "number"}
    case |= {"normalization": None, **SENSOR, **change}
    with pytest.raises(TaskError, match=message):
        integrate(case.pop("t"), case.pop("x"), case.pop("y"), case.pop("p"), **case)
