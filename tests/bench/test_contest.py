"""Whole steps against each other: what nothing can be held against is not timed."""

from __future__ import annotations

from typing import Any

import torch

from bench.speed import contest
from bench.speed.job import Job, Measured


class Told:
    """An emitter that keeps what it is told."""

    def __init__(self) -> None:
        self.results: dict[str, Measured] = {}

    def note(self, text: str) -> None:
        pass

    def measured(self, result: Measured) -> None:
        self.results[result.contender] = result


def test_without_the_first_nobody_is_timed_as_right() -> None:
    def check(name: str) -> Any:
        if name == "first":
            raise RuntimeError("no room")
        return (lambda: None), [torch.ones(2)]

    asked = Job("kernels", "lif", ("first", "second"), device="cpu", dtype="float32", shapes=((1, 1),), base="first")
    told: Any = Told()
    contest.measure(contest.Contest({"first": "torch", "second": "fused"}, check), asked, told, "x", {})
    first, second = told.results["first"], told.results["second"]
    assert first.outcome == "crashed"
    assert (second.outcome, second.metrics, second.samples) == ("unavailable", [], [])
    assert second.reason == "Not timed: first, which it is held against, came to nothing."
