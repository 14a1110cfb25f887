"""C13 on made-up measurements: PSN against LIF step by step."""

from __future__ import annotations

from typing import Any

import pytest

from papers import measured
from papers.claims import Finding
from papers.evidence import Evidence
from papers.psn import speed
from results import Metric, Parity, Run, new_id, timestamp


def timed(contender: str, steps: int, neurons: int, ratio: float = 1.0, spread: float = 0.1, **changes: Any) -> Run:
    """A kernel run whose LIF took `ratio` times as long as PSN, in training twice that."""
    document = {
        "kind": "kernel", "what": "psn", "neuron": "psn", "contender": contender, "base": "psn fused",
        "size": {"T": steps, "N": neurons}, "dtype": "float32", "threads": 1, "allocator": "pooled",
    }  # fmt: skip
    metrics = [
        Metric(f"{phase}_ratio{end}", factor * ratio * (1 + sign * spread), "1")
        for phase, factor in (("forward", 1), ("training", 2))
        for end, sign in (("", 0), ("_low", -1), ("_high", 1))
    ]
    values: dict[str, Any] = {
        "id": new_id(), "experiment": document, "experiment_key": contender,
        "implementation": "code", "outcome": "ok", "reason": "", "started": timestamp(), "seconds": 1.0, "seed": 0,
        "device": "cpu", "backend": contender.split()[1], "command": "", "peak_memory": None, "machine": {"cpu": "one"},
        "environment": {}, "metrics": tuple(metrics),
    }  # fmt: skip
    return Run(**(values | changes))


def pair(steps: int, neurons: int, ratio: float, spread: float = 0.1) -> list[Run]:
    return [timed("psn fused", steps, neurons), timed("lif torch", steps, neurons, ratio, spread)]


def decide(runs: list[Run], parities: list[Parity]) -> Finding:
    return speed.C13.decide(Evidence(measurements=runs, parities=parities))


@pytest.fixture
def green(monkeypatch: pytest.MonkeyPatch) -> list[Parity]:
    """Every kernel counts as proven."""
    monkeypatch.setattr("papers.trust.state", lambda run, parities: "green")
    return []


@pytest.mark.parametrize(
    ("ratio", "spread", "expected"), [(5.0, 0.1, "holds"), (0.3, 0.1, "fails"), (1.0, 0.1, "undecided")]
)
def test_lif_takes_longer_at_small_sizes(ratio: float, spread: float, expected: str, green: list[Parity]) -> None:
    runs = [*pair(4, 256, ratio, spread), *pair(64, 4096, ratio * 1.01, spread)]
    assert decide(runs, green).status == expected


def test_large_sizes_are_told_and_decide_nothing(green: list[Parity]) -> None:
    runs = [*pair(8, 256, 10.0), *pair(64, 65536, 0.5), *pair(2, 256, 0.9)]
    finding = decide(runs, green)
    assert finding.status == "holds"
    start = "cpu float32, 1 thread, forward: holds, lif torch took 10 times as long at 1 sizes"
    assert finding.text.startswith(f"holds in 2 of 2 settings; {start}, lif torch at 2 other sizes 0.5 to 0.9 times")
    assert decide(pair(64, 65536, 0.5), green).status == "undecided"


def test_the_latest_measurement_counts(green: list[Parity]) -> None:
    assert decide([*pair(8, 256, 0.5), *pair(8, 256, 5.0)], green).status == "holds"


def test_unverified_figures_decide_nothing() -> None:
    finding = decide(pair(8, 256, 10.0), [])
    assert (finding.status, finding.evidence.partition(";")[0]) == (
        "undecided",
        "1 sizes were timed without green parity",
    )
    assert decide([], []).evidence.startswith("nothing was measured yet")
    failed = timed("lif torch", 8, 256, outcome="parity_failed", reason="wrong", metrics=())
    assert decide([failed], []).status == "undecided"


def test_the_table_has_the_claim() -> None:
    assert [claim.id for claim in measured.TABLES["psn_speed"].claims] == ["C13"]
