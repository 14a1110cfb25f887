"""The figures behind `bench.kernels`: medians, intervals, ratios, rounds and bytes, by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from math import comb

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.speed import estimate, race, record, stopwatch
from bench.speed.child import Emitter
from bench.speed.job import Job, Measured
from bench.speed.rounds import LEAST, Trial, interleave
from bench.speed.stopwatch import by_clock
from bench.speed.traffic import must_move
from reports import measurements as show


def test_interval_of_nine_is_from_the_second_to_the_eighth() -> None:
    # P(B < 2) = (1 + 9) / 512 = 0.0195 <= 0.025 < (1 + 9 + 36) / 512
    found = estimate.median([5, 1, 9, 3, 7, 2, 8, 4, 6])
    assert found == estimate.Estimate(5, 2, 8)


def test_six_readings_are_the_fewest_with_an_interval() -> None:
    assert estimate.median([6, 1, 2, 3, 4, 5]) == estimate.Estimate(3.5, 1, 6)  # misses with 2 / 64
    assert estimate.median([1, 2, 3, 4, 5]) == estimate.Estimate(3, None, None)  # would miss with 2 / 32


@given(st.integers(6, 200))
def test_the_interval_covers_the_median_with_95_percent_and_no_narrower_one_does(n: int) -> None:
    found = estimate.median(range(1, n + 1))
    k = int(found.low)  # type: ignore[arg-type]
    assert found.high == n + 1 - k

    def miss(k: int) -> float:
        return 2 * sum(comb(n, i) for i in range(k)) / 2**n

    assert miss(k) <= 0.05 < miss(k + 1)


def test_ratio_is_taken_round_by_round_so_that_drift_cancels() -> None:
    base = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    assert estimate.ratio([3 * value for value in base], base) == estimate.Estimate(3, 3, 3)
    assert estimate.ratio([2.0, 2.0], base).median == pytest.approx(1.5)  # the rounds that both have: 2/1 and 2/2


class Clock:
    """A clock that trials move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def watch(self, call: Callable[[], object]) -> float:
        return by_clock(call, self)

    def takes(self, seconds: float) -> Trial:
        def call() -> None:
            self.now += seconds

        return Trial(call)


def test_every_round_times_every_trial() -> None:
    clock, rounds = Clock(), []
    found = interleave(
        {"a": clock.takes(1.0), "b": clock.takes(0.25)},
        repeats=7,
        budget=100,
        window=nullcontext(),
        on_round=rounds.append,
        watch=clock.watch,
    )
    assert found == {"a": [1.0] * 7, "b": [0.25] * 7}
    assert rounds == [1, 2, 3, 4, 5, 6, 7]


def test_a_trial_over_its_budget_leaves_but_not_before_three_readings_and_never_the_base() -> None:
    clock = Clock()
    trials = {"slow": clock.takes(10.0), "base": clock.takes(10.0), "quick": clock.takes(0.5)}
    found = interleave(trials, repeats=8, budget=5, window=nullcontext(), always=frozenset({"base"}), watch=clock.watch)
    assert {name: len(times) for name, times in found.items()} == {"slow": LEAST, "base": 8, "quick": 8}


def test_preparation_is_not_timed() -> None:
    clock = Clock()
    timed = clock.takes(1.0)
    found = interleave(
        {"a": Trial(timed.call, clock.takes(50.0).call)}, repeats=3, budget=9, window=nullcontext(), watch=clock.watch
    )
    assert found == {"a": [1.0] * 3}


def test_the_order_changes_between_rounds() -> None:
    seen: list[str] = []
    trials = {name: Trial(lambda name=name: seen.append(name)) for name in "abcd"}  # type: ignore[misc]
    interleave(trials, repeats=10, budget=9, window=nullcontext())
    orders = {tuple(seen[i : i + 4]) for i in range(0, 40, 4)}
    assert len(orders) > 3
    assert all(sorted(order) == list("abcd") for order in orders)


def test_a_gpu_is_timed_between_events_behind_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Event:
        made = 0

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing
            Event.made += 1
            self.name = ("start", "end")[Event.made - 1]

        def record(self) -> None:
            done.append(self.name)

        def synchronize(self) -> None:
            done.append(f"wait for {self.name}")

        def elapsed_time(self, end: Event) -> float:
            assert (self.name, end.name) == ("start", "end")
            return 125.0  # ms

    watch = stopwatch.ByEvents("meta")
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: done.append("idle"))
    monkeypatch.setattr(torch.Tensor, "fill_", lambda *_: done.append("ahead"))
    assert watch(lambda: done.append("call")) == 0.125
    assert done == ["idle", *["ahead"] * stopwatch.AHEAD, "start", "call", "end", "wait for end"]


def test_on_a_gpu_the_hosts_time_is_a_figure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def watch(call: Callable[[], object]) -> float:
        call()
        return 2.0

    monkeypatch.setattr(stopwatch, "ByEvents", lambda device: watch)
    calls: list[int] = []
    entries = {race.COPY: {"forward": Trial(lambda: None)}, "fused": {"forward": Trial(lambda: calls.append(1))}}
    emitter = Emitter(lambda event: None)
    for device, ways in (("cpu", {"forward"}), ("cuda", {"forward", "forward_host"})):
        job = Job("speed", "lif", ("fused",), ((2, 8),), base="fused", device=device, repeats=6)
        calls.clear()
        times, _ = race.race(entries, job, emitter, "", "fused")
        assert len(calls) == race.WARM_UP + 6
        assert set(times["fused"]) == ways
        assert set(times[race.COPY]) == {"forward"}
        result = Measured("fused", "fused", {"T": 2, "N": 8})
        race.figures(result, times, "fused")
        metrics = {name for name, _, _ in result.metrics}
        assert ("forward_host_seconds" in metrics) == (device == "cuda")
        assert "forward_copies" in metrics
        columns = [name for name, _ in show.cells(record.Recorder("made up").run(job, result))]
        assert columns.count("call on host") == (2 if device == "cuda" else 0)
    assert times["fused"]["forward"] == [2.0] * 6
    assert all(0 <= seconds < 2 for seconds in times["fused"]["forward_host"])


def test_bytes_that_must_move() -> None:
    assert must_move(4) == {"forward": 8, "training": 24}  # x, s; x, s, h out and in, g, gx
    assert must_move(4, 0.25) == {"forward": 8, "training": 16.5}  # checkpoints every 16 steps
    assert must_move(2) == {"forward": 4, "training": 12}
