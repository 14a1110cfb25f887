"""bench.kernels for neurons whose time axis is a product, and the race of PSN against LIF."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from bench.speed import contenders, parallel, plan, record
from bench.speed.child import Emitter
from bench.speed.job import Job, Measured
from core.errors import UsageError
from reports import measurement_tables as tables
from results import Run


class Collector(Emitter):
    def __init__(self) -> None:
        self.results: list[Measured] = []

    def note(self, text: str) -> None:
        pass

    def measured(self, result: Measured) -> None:
        self.results.append(result)


def asked(**changes: Any) -> plan.Asked:
    settings: dict[str, Any] = {
        "neurons": ("lif",), "whats": ("psn",), "peers": ("spikingjelly", "norse"), "shapes": (),
        "allocators": ("pooled",), "base": None, "options": {"detach_reset": True}, "dtype": "float32",
        "device": "cpu", "threads": 1, "repeats": 3, "budget": 1.0, "limit": plan.LIMIT, "quick": False,
        "timeout": 60.0,
    }  # fmt: skip
    return plan.Asked(**{**settings, **changes})


def only(work: list[tuple[Job, ...]]) -> Job:
    ((job,),) = work
    return job


def test_both_neurons_on_each_backend_that_has_them() -> None:
    job = only(plan.jobs(asked()))
    assert (job.what, job.neuron, job.base) == ("psn", "psn", "psn fused")
    assert job.contenders == (
        *("psn torch", "psn fused", "psn spikingjelly"),
        *("lif torch", "lif fused", "lif spikingjelly"),
    )


def test_sizes_stay_within_the_memory_that_lif_needs() -> None:
    shapes = only(plan.jobs(asked())).shapes
    assert {t for t, _ in shapes} == {2, 4, 8, 16, 32, 64}
    assert {n for _, n in shapes} == {2**8, 2**10, 2**12, 2**14, 2**16, 2**18, 2**20}
    # 2^30 B at 40 B per neuron and step: 2^24.7 of these, so T = 16 goes to 2^20 neurons and T = 64 to 2^18.
    assert (16, 2**20) in shapes
    assert (32, 2**20) not in shapes
    assert (64, 2**18) in shapes
    assert only(plan.jobs(asked(shapes=((3, 5),)))).shapes == ((3, 5),)


def test_ratios_refer_to_the_base_that_was_asked_for() -> None:
    own = contenders.suite("lif", "cpu")[0]
    usual = only(plan.jobs(asked(whats=("speed",))))
    assert usual.base == ("fused" if "fused" in own else "torch")
    assert only(plan.jobs(asked(whats=("speed",), base="norse"))).base == "norse"
    for what, changes in (("speed", {"neurons": ("lif", "klif")}), ("network", {})):
        with pytest.raises(UsageError, match=rf"'norse' .* takes no part in {what} of \w+\. Taking part: torch, "):
            plan.jobs(asked(whats=(what,), base="norse", **changes))
    assert only(plan.jobs(asked(whats=("linear",), base="spikingjelly"))).base == "linear"


def test_host_allocators_are_compared_on_the_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "suite", lambda neuron, device: (("torch", "fused"), {}))

    def allocators(device: str, what: str) -> list[str]:
        work = plan.jobs(asked(whats=(what,), peers=(), allocators=("pooled", "plain"), device=device))
        return [stages[0].allocator for stages in work if stages[0].contenders[0] == "torch"]

    for what in ("speed", "memory"):
        assert allocators("cpu", what) == ["pooled", "plain"]
        assert allocators("cuda", what) == ["pooled"]


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    found = Collector()
    job = only(plan.jobs(asked(shapes=((2, 64), (5, 64)), peers=())))
    parallel.measure(job, found)
    recorder = record.Recorder("made up")
    return [recorder.run(job, result) for result in found.results]


def test_every_contender_is_right_and_compared_with_the_fused_product(runs: list[Run]) -> None:
    for run in runs:
        assert (run.outcome, run.reason) == ("ok", "")
        values = {metric.name: metric.value for metric in run.metrics}
        assert values["equal"] == 1
        assert {"forward_seconds", "training_seconds", "forward_ratio_low", "training_ratio_high"} <= set(values)
        if run.experiment["contender"] == "psn fused":
            assert values["forward_ratio"] == values["training_ratio"] == 1
    assert len(runs) == 8


def test_a_lif_is_stored_as_the_code_that_ran(runs: list[Run]) -> None:
    """Its parity is that of LIF's kernel, not of PSN's."""
    by_name = {run.experiment["contender"]: run for run in runs}
    lif, psn = by_name["lif fused"], by_name["psn fused"]
    assert (lif.experiment["neuron"], lif.experiment["layer"]) == ("psn", "lif")
    assert "layer" not in psn.experiment
    assert lif.implementation == record.implementation("lif", "fused") != psn.implementation


def test_the_terminal_has_a_line_for_each_size(runs: list[Run]) -> None:
    console = Console(file=io.StringIO(), width=150)
    tables.show_all(console, runs, [])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("T=2 N=64") == text.count("T=5 N=64") == 2
    assert "· forward" in text
    assert "· training" in text
    assert "(unverified)" in text, "no parity is stored"
    assert "lif fused ×" in text
    before, note, _ = text.partition("×: its time as a multiple of psn fused's, with its 95 % interval.")
    assert note
    assert "× copy" not in text
    assert "[" not in before, "no ratio is shown without it"


def test_products_have_no_checkpoints_and_one_number_of_steps() -> None:
    assert contenders.SAVING not in contenders.suite("psn", "cpu")[0]
    assert contenders.SAVING in contenders.suite("lif", "cpu")[0]
    first_use = plan.jobs(asked(neurons=("psn",), whats=("first-use",), peers=()))
    assert {t for stages in first_use for job in stages for t, _ in job.shapes} == {16}
    assert plan.jobs(asked(neurons=("psn",), whats=("roofline",))) == []


def test_only_a_neurons_own_options_are_given_to_it() -> None:
    assert only(plan.jobs(asked(neurons=("sliding_psn",), whats=("speed",)))).options == {}
    assert only(plan.jobs(asked(neurons=("lif",), whats=("speed",)))).options == {"detach_reset": True}


def test_what_compiles_long_takes_part_by_name_alone() -> None:
    names, reasons = contenders.suite("lif", "cpu")
    assert "inductor" not in names
    assert "by name alone" in reasons["inductor"]
