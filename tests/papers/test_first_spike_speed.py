"""F11 on made-up measurements, and the jobs behind fs_speed."""

from __future__ import annotations

from typing import Any

import pytest

from bench import measured as commands
from bench.speed import plan
from papers import measured
from papers.claims import Finding
from papers.evidence import Evidence
from papers.first_spike import speed
from results import Metric, Run, new_id, timestamp


def timed(contender: str, ratio: float, spread: float = 0.1, **options: Any) -> Run:
    document = {
        "kind": "kernel", "what": speed.WHAT, "neuron": "culif", "contender": contender, "base": "fused",
        "size": {"T": 20, "N": 4096}, "dtype": "float32", "threads": 1, "allocator": "pooled", "options": options,
    }  # fmt: skip
    metrics = [
        Metric(f"{phase}_ratio{end}", factor * ratio * (1 + sign * spread), "1")
        for phase, factor in (("forward", 1), ("training", 2))
        for end, sign in (("", 0), ("_low", -1), ("_high", 1))
    ]
    return Run(
        id=new_id(), experiment=document, experiment_key=f"{contender} {options}", implementation="code",
        outcome="ok", reason="", started=timestamp(), seconds=1.0, seed=0, device="cpu", backend=contender,
        command="", peak_memory=None, machine={"cpu": "one"}, environment={}, metrics=tuple(metrics),
    )  # fmt: skip


def decide(*runs: Run) -> Finding:
    return speed.F11.decide(Evidence(measurements=list(runs), parities=[]))


@pytest.fixture
def green(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("papers.trust.state", lambda run, parities: "green")


@pytest.mark.parametrize(("ratio", "expected"), [(9.0, "holds"), (2.0, "fails"), (5.0, "undecided")])
def test_much_faster_is_five_times(ratio: float, expected: str, green: None) -> None:
    # that of training is twice as much
    assert decide(timed("fused", 1), timed("torch", ratio)).status == expected


def test_each_form_is_a_setting(green: None) -> None:
    late = {"variant": "superspike"}
    finding = decide(
        timed("fused", 1), timed("torch", 9), timed("fused", 1, **late), timed("torch", 2, **late)
    )  # fmt: skip
    assert finding.status == "fails"
    assert {part.name for part in finding.parts} >= {
        "culif, cpu float32, 1 thread, forward",
        "culif, superspike form, cpu float32, 1 thread, forward",
    }


def test_unverified_figures_decide_nothing() -> None:
    assert decide(timed("fused", 1), timed("torch", 9)).status == "undecided"
    assert decide().evidence.startswith("nothing was measured yet")


def test_the_jobs_of_the_table() -> None:
    asked = plan.Asked(
        neurons=("lif",), whats=(speed.WHAT, speed.NETWORK), peers=(), shapes=(), allocators=("pooled", "plain"),
        base=None, options={"detach_reset": True}, dtype="float32", device="cpu", threads=1, repeats=7, budget=1.0,
        limit=2**26, quick=True, timeout=60.0,
    )  # fmt: skip
    jobs = [stage for (stage,) in plan.jobs(asked)]
    forms = [(job.neuron, job.options.get("variant", "")) for job in jobs if job.what == speed.WHAT]
    late = "superspike"
    assert forms == [("adlif", ""), ("culif", ""), ("culif", late), ("pculif", ""), ("pculif", late)]
    assert all(job.contenders == ("torch", "fused") for job in jobs if job.what == speed.WHAT)
    network, recurrent = [job for job in jobs if job.what == speed.NETWORK]
    assert network.contenders == ("products", "torch", "fused", "sparse")
    assert recurrent.contenders == ("products", "torch", "whole")
    assert network.size((10, 16)) == {"T": 10, "width": 16, "batch": 128}
    assert measured.TABLES["fs_speed"].claims == (speed.F11,)
    assert commands.COMMANDS["fs_speed"].proves == tuple(plan.FIRST_SPIKE)
