"""C3 on made-up measurements: the closed form against networks through time."""

from __future__ import annotations

from typing import Any

import pytest

from papers import measured
from papers.claims import Finding
from papers.evidence import Evidence
from papers.ttfs import speed
from results import Metric, Run, new_id, timestamp


def timed(contender: str, ratio: float, **changes: Any) -> Run:
    document = {
        "kind": "kernel", "what": "ttfs", "neuron": "relpsp", "contender": contender, "base": speed.CLOSED,
        "size": {"batch": 32, "channels": 16}, "dtype": "float32", "threads": 1, "allocator": "pooled", "differs": "",
        "options": {},
    }  # fmt: skip
    ends = (("", 1.0), ("_low", 0.9), ("_high", 1.1))
    values: dict[str, Any] = {
        "id": new_id(), "experiment": document, "experiment_key": contender, "implementation": "code", "outcome": "ok",
        "reason": "", "started": timestamp(), "seconds": 1.0, "seed": 0, "device": "cpu", "backend": "torch",
        "command": "", "peak_memory": None, "machine": {"cpu": "one"}, "environment": {},
        "metrics": tuple(Metric(f"training_ratio{end}", ratio * factor, "1") for end, factor in ends),
    }  # fmt: skip
    return Run(**(values | changes))


def race(least: float, rise: float = 2.0) -> list[Run]:
    through = [timed(speed.through(steps), least * rise**i) for i, steps in enumerate(speed.STEPS)]
    return [timed(speed.CLOSED, 1.0), timed(speed.TWO_OPERATORS, 2.5), timed(speed.RELU, 0.7), *through]


def decide(runs: list[Run]) -> Finding:
    return speed.C3.decide(Evidence(measurements=runs))


@pytest.mark.parametrize(("least", "expected"), [(2.0, "holds"), (0.3, "fails"), (1.0, "undecided")])
def test_every_number_of_steps_takes_longer(least: float, expected: str) -> None:
    finding = decide(race(least))
    assert finding.status == expected
    assert "two operators 2.5 times; ReLU 0.7 times" in finding.text


def test_the_time_has_to_rise_with_the_steps() -> None:
    assert decide(race(2.0, rise=1.0)).status == "undecided"


def test_what_is_missing_or_unproven_decides_nothing() -> None:
    assert "nothing was measured yet" in decide([]).text
    assert decide(race(2.0)[:-1]).status == "undecided"
    fused = timed(speed.through(64), 99.0, backend="fused")
    assert decide([*race(2.0)[:-1], fused]).status == "undecided"


def test_the_table_has_the_claim() -> None:
    assert [claim.id for claim in measured.TABLES["ttfs_speed"].claims] == ["C3"]
