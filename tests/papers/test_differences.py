"""Two sides of results: which runs count, what a difference and its interval are, what is worse."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from scipy import stats

from papers import differences
from papers.differences import BETTER, EQUAL, OPEN, WITHIN, WORSE, Compared, Difference
from papers.experiment import Experiment
from papers.sides import side
from results import Dataset, Metric, Run, Store, content_key, new_id

EXPERIMENT = Experiment("digits", "plif_mnist", "plif", "bptt", 2, 16, "quick", 0)
JOB: dict[str, Any] = {
    "kind": "kernel", "what": "speed", "neuron": "lif", "options": {}, "contender": "fused", "differs": "",
    "base": "fused", "size": {"T": 4, "N": 64}, "dtype": "float32", "threads": 1, "allocator": "pooled",
}  # fmt: skip
DIGITS = Dataset("d1" * 32, "digits", True, {"train": 1400, "test": 397})


def training(seed: int, share: float, **changes: Any) -> Run:
    """A training that ends at that share of right answers, after a better epoch."""
    experiment = EXPERIMENT.with_seed(seed)
    curve = (Metric("test_accuracy", 0.99, "fraction", 0), Metric("test_accuracy", share, "fraction", 1))
    values: dict[str, Any] = {
        "id": new_id(),
        "experiment": experiment.document(),
        "experiment_key": experiment.key,
        "implementation": "c0de",
        "outcome": "ok",
        "reason": "",
        "started": f"2026-01-02T03:04:{seed:02d}Z",
        "seconds": None,
        "seed": seed,
        "device": "cpu",
        "backend": "torch",
        "command": "",
        "peak_memory": None,
        "machine": {"cpu": "invented", "cores": 2},
        "environment": {"revision": "aaaa"},
        "datasets": (DIGITS,),
        "metrics": curve,
    }
    return Run(**(values | changes))


def failed(seed: int, outcome: str = "oom", **changes: Any) -> Run:
    return training(seed, 0.5, outcome=outcome, reason="no room", metrics=(), **changes)


def timed(median: float, low: float | None, high: float | None, **changes: Any) -> Run:
    """A measurement of one direction with the interval of its median."""
    metrics = (
        Metric("forward_seconds", median, "s"),
        Metric("forward_seconds_low", low, "s"),
        Metric("forward_seconds_high", high, "s"),
        Metric("forward_ratio", 1.0, "1"),
        Metric("forward_bytes", 512.0, "B"),
    )
    of_job = {"experiment": JOB, "experiment_key": content_key(JOB)[:20], "datasets": (), "metrics": metrics}
    return training(0, 0.5, **(of_job | {"backend": "torch"} | changes))


def compared(first: list[Run], second: list[Run]) -> Compared:
    with Store("sqlite://") as a, Store("sqlite://") as b:
        a.record_all(first)
        b.record_all(second)
        return differences.compare(side(a, "a"), side(b, "b", without={run.id for run in first}))


def only(found: Compared) -> Difference:
    (difference,) = found.differences
    return difference


def test_a_difference_over_seeds_is_welchs() -> None:
    old, new = (0.90, 0.91, 0.92), (0.80, 0.82, 0.84, 0.86)
    found = only(compared([training(s, v) for s, v in enumerate(old)], [training(s, v) for s, v in enumerate(new)]))
    assert (found.measure.name, found.runs, found.word) == ("accuracy", (3, 4), WORSE)
    assert (found.first, found.second) == (pytest.approx(0.91), pytest.approx(0.83))  # of the last epoch
    test = stats.ttest_ind([100 * v for v in new], [100 * v for v in old], equal_var=False)
    interval = test.confidence_interval(0.95)
    assert (found.change, found.low, found.high) == (
        pytest.approx(-8.0), pytest.approx(interval.low), pytest.approx(interval.high)
    )  # fmt: skip
    assert found.worse_by == pytest.approx(8 / 91)
    assert found.surely_worse_by == pytest.approx(-interval.high / 91)


def test_a_share_of_worse_is_that_of_the_better_end_of_the_interval() -> None:
    found = compared([training(s, 0.9 + s / 100) for s in range(3)], [training(s, 0.8 + s / 100) for s in range(3)])
    edge = only(found).surely_worse_by
    assert edge is not None
    assert 0 < edge < (only(found).worse_by or 0)
    assert len(found.worse_than(edge - 1e-6)) == 1
    assert found.worse_than(edge + 1e-6) == []
    turned = compared([training(s, 0.8 + s / 100) for s in range(3)], [training(s, 0.9 + s / 100) for s in range(3)])
    assert only(turned).word == BETTER
    assert turned.worse_than(0.0) == []


def test_equal_shares_are_no_surer_than_their_rounding() -> None:
    found = only(compared([training(s, 0.9) for s in range(3)], [training(s, 0.9) for s in range(10, 13)]))
    assert (found.change, found.word) == (0.0, WITHIN)
    assert found.high is not None
    assert 0 < found.high < 0.5


def test_one_run_has_no_interval_and_decides_nothing() -> None:
    found = compared([training(0, 0.9)], [training(0, 0.1), training(1, 0.1)])
    assert (only(found).word, only(found).low, only(found).runs) == (OPEN, None, (1, 2))
    assert found.worse_than(0.0) == []
    assert found.by_chance == (0, 0, 0.0)


def test_times_differ_by_a_factor_and_less_is_better() -> None:
    slow = [training(s, 0.9, seconds=t) for s, t in enumerate((20.0, 21.0, 22.0))]
    fast = [training(s, 0.9, seconds=t) for s, t in enumerate((10.0, 10.5, 11.0))]
    found = {d.measure.name: d for d in compared(fast, slow).differences}["seconds"]
    assert (found.change, found.word) == (pytest.approx(2.0), WORSE)
    assert found.worse_by == pytest.approx(1.0)
    turned = {d.measure.name: d for d in compared(slow, fast).differences}["seconds"]
    assert (turned.change, turned.word, turned.worse_by) == (pytest.approx(0.5), BETTER, pytest.approx(-0.5))


def test_medians_are_compared_by_their_intervals() -> None:
    found = only(compared([timed(1.0, 0.9, 1.2)], [timed(2.0, 1.8, 2.1, id=new_id())]))
    assert found.measure.name == "forward_seconds"  # ratios to a contender and the bytes of the job are not compared
    below = math.hypot(math.log(2 / 1.8), math.log(1.2))
    above = math.hypot(math.log(2.1 / 2), math.log(1 / 0.9))
    assert found.low == pytest.approx(2 * math.exp(-below))
    assert found.high == pytest.approx(2 * math.exp(above))
    assert found.word == WORSE
    assert only(compared([timed(1.0, None, None)], [timed(2.0, 1.8, 2.1)])).word == OPEN
    assert only(compared([timed(1.0, 0.9, 1.1)], [timed(1.05, 0.95, 1.2)])).word == WITHIN


def test_a_kernel_without_its_parity_is_unverified() -> None:
    found = only(compared([timed(1.0, 0.9, 1.1, backend="fused")], [timed(1.0, 0.9, 1.1)]))
    assert found.notes == ("unverified in A: no whole green grid of parity checks",)


def test_benchmarks_of_asv_are_matched_by_their_parameters() -> None:
    def benchmark(value: float, shape: str = "4x64") -> Run:
        experiment = {"kind": "asv", "benchmark": "neurons.Speed.time_forward", "parameters": {"shape": shape}}
        metrics = [Metric("time_forward", value, "s")]
        metrics += [Metric(f"time_forward_ci99_{end}", value * by, "s") for end, by in (("low", 0.9), ("high", 1.1))]
        return timed(1, 1, 1, experiment=experiment, experiment_key=content_key(experiment), metrics=tuple(metrics))

    found = compared([benchmark(1.0), benchmark(1.0, "8x64")], [benchmark(3.0)])
    assert only(found).change == pytest.approx(3.0)
    assert [run.experiment["parameters"] for run in found.only[0]] == [{"shape": "8x64"}]


def test_exact_measures_have_no_chance() -> None:
    kept = [training(0, 0.5, metrics=(Metric("saved", value, "MiB"),)) for value in (100.0, 101.0, 100.0)]
    assert only(compared(kept[:1], kept[1:2])).word == WORSE
    assert only(compared(kept[:1], kept[2:])).word == EQUAL


def test_the_newest_code_and_the_newest_run_of_a_seed_count() -> None:
    first = [
        training(0, 0.1, implementation="old", started="2026-01-01T00:00:00Z"),
        training(1, 0.2, started="2026-01-01T00:00:00Z"),
        training(1, 0.8, started="2026-01-02T00:00:00Z"),
        training(2, 0.9),
        failed(3, "diverged"),
    ]
    found = compared(first, [training(0, 0.9), training(1, 0.8)])
    assert only(found).first == pytest.approx(0.85)
    assert only(found).notes == ("1 of 3 runs diverged in A",)
    assert found.first.left_out == 2


def test_what_one_side_has_alone_is_counted() -> None:
    other = dataclasses.replace(EXPERIMENT, neuron="lif")
    alone = training(0, 0.9, experiment=other.document(), experiment_key=other.key)
    found = compared([training(0, 0.9), alone], [failed(0), failed(1)])
    assert (len(found.only[0]), len(found.only[1]), found.differences) == (2, 0, ())
    assert [run.outcome for run in found.failed] == ["oom"]  # the other was not tried
    assert compared([failed(0)], [training(0, 0.9)]).failed == ()


def test_a_run_of_both_sides_is_no_difference() -> None:
    run, new = training(0, 0.9), training(1, 0.8)
    assert compared([run], [run]).unchanged == 1
    found = compared([run], [run, new])
    assert (found.unchanged, only(found).second) == (0, pytest.approx(0.8))


def test_what_fails_after_a_run_of_both_sides_is_no_unchanged_one() -> None:
    """As where a store is copied, the code changed, and the same command run with the copy."""
    run = training(1, 0.9)
    found = compared([run], [run, failed(2)])
    assert [one.outcome for one in found.failed] == ["oom"]
    assert found.unchanged == 0
    mended = compared([run], [failed(0), run])
    assert (mended.failed, mended.unchanged) == ((), 1)


def test_other_data_and_other_machines_are_told() -> None:
    other = Dataset("d2" * 32, "digits", True, {"train": 1400, "test": 397})
    first = [training(0, 0.9, seconds=1.0)]
    second = [training(0, 0.9, seconds=1.0, datasets=(other,), machine={"cpu": "another"})]
    notes = {d.measure.name: d.notes for d in compared(first, second).differences}
    assert notes == {
        "accuracy": ("measured on other data",),
        "seconds": ("measured on other data", "not all on one machine"),
    }


def test_other_numbers_of_threads_are_told_of_what_they_change() -> None:
    first, second = ([training(0, 0.9, seconds=1.0, environment={"torch_threads": number})] for number in (1, 8))
    notes = {d.measure.name: d.notes for d in compared(first, second).differences}
    assert notes == {"accuracy": (), "seconds": ("not all with as many threads",)}


def test_the_surest_difference_comes_first() -> None:
    first = [training(s, 0.9 + s / 1000, seconds=10.0 + s, peak_memory=2**20 + s) for s in range(3)]
    second = [training(s, 0.8 + s / 1000, seconds=10.1 + s, peak_memory=2**21 + s) for s in range(3)]
    found = compared(first, second)
    assert [d.measure.name for d in found.differences] == ["peak_memory", "accuracy", "seconds"]
    assert found.by_chance == (2, 3, pytest.approx(0.15))


def test_runs_of_other_kinds_are_counted() -> None:
    document = {"kind": "calibration", "rules": []}
    run = training(0, 0.9, experiment=document, experiment_key=content_key(document))
    assert compared([run], [training(0, 0.9)]).first.others == 1
