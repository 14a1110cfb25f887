"""bench.kernels on updates of FPTT: the suite, a plain loop that shares nothing with it, the products alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_kernels_psn import Collector, asked, only

from bench.speed import plain_updates, plan, updates
from bench.speed.job import Job
from core.errors import UsageError

SMALL = {"adding": ((20, 32), 16, 10), "s-mnist": ((4, 32), 16, 4)}


def small(what: str, **changes: Any) -> Job:
    shape, batch, chunks = SMALL[what]
    settings: dict[str, Any] = {
        "what": what, "neuron": "ltc", "contenders": (updates.LOOP, "torch", "fused", updates.PRODUCTS),
        "shapes": (shape,), "base": updates.PRODUCTS, "options": {"batch": batch, "chunks": chunks}, "repeats": 1,
    }  # fmt: skip
    return Job(**{**settings, **changes})


def measured(job: Job) -> dict[str, Any]:
    found = Collector()
    updates.measure(job, found)
    return {result.contender: result for result in found.results}


def test_sequences_are_whole_or_cut_into_chunks_or_into_steps() -> None:
    work = [job for (job,) in plan.jobs(asked(whats=("adding",)))]
    assert [job.options["chunks"] for job in work] == [1, 10, 200]
    assert {(job.neuron, job.base, job.contenders[0], job.contenders[-1]) for job in work} == {
        ("ltc", "products", "plain loop", "products")
    }
    assert work[1].size(work[1].shapes[0]) == {"T": 200, "hidden": 128, "batch": 128, "chunks": 10}
    job = only(plan.jobs(asked(whats=("s-mnist",), quick=True)))
    assert job.options == {"batch": 32, "chunks": 4}


@pytest.mark.parametrize("what", SMALL)
def test_everybody_learns_alike(what: str) -> None:
    found = measured(small(what))
    assert {result.outcome for result in found.values()} == {"ok"}
    for name in ("torch", "fused"):
        assert found[name].value("largest_difference") < 1e-4
        assert found[name].value("updates_per_second") > 0
        assert found[name].value("training_ratio") is not None
    assert found[updates.LOOP].value("training_gain") == 1


def test_one_chunk_alone_is_trained_though_the_last_of_several_is_not() -> None:
    found = measured(small("adding", options={"batch": 16, "chunks": 1}))
    assert {result.outcome for result in found.values()} == {"ok"}
    assert found["fused"].value("largest_difference") < 1e-4
    assert [updates.CASES["adding"].updates(chunks) for chunks in (1, 2, 10)] == [1, 1, 9]
    assert updates.CASES["s-mnist"].updates(16) == 16


def test_who_learns_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_updates, "GAMMA", 0.45)
    found = measured(small("adding", contenders=(updates.LOOP, "torch")))
    assert found["torch"].outcome == "parity_failed"
    assert "losses or weights are off by" in found["torch"].reason
    assert found["torch"].value("training_seconds") is None


def test_the_plain_loop_puts_the_average_where_the_equations_put_it() -> None:
    """One weight w, loss w^2 / 2 twice: alpha = beta = 1/2, descent with rate 1."""

    class One:
        T = 2
        parameters: dict[str, torch.nn.Parameter]
        state: list[torch.Tensor]

        def begin(self, samples: int) -> None:
            self.state = []

        def say(self, chunk: torch.Tensor, first: int) -> torch.Tensor:
            return self.parameters["w"]

        def loss(self, said: torch.Tensor, labels: torch.Tensor, p: int, chunks: int) -> tuple[torch.Tensor, ...]:
            return said.detach(), (said.square() / 2).sum()

    network = One()
    network.parameters = {"w": torch.nn.Parameter(torch.tensor([0.5]))}
    descend = torch.optim.SGD(network.parameters.values(), lr=1.0)
    loop = plain_updates.Loop(network, descend, 2, 2, 0.5)  # type: ignore[arg-type]
    loop.batch(torch.zeros(2, 1, 1), torch.zeros(1))
    # w = 0.5 - 0.5 = 0; lambda = 0.25, W_bar = 0.25 - 0.25 = 0; then w = 0 - (0 - 0.25 + 0) = 0.25,
    # lambda = 0.25 - 0.125 = 0.125, W_bar = 0 + 0.125 - 0.125 = 0.
    assert float(network.parameters["w"].detach()) == pytest.approx(0.25, abs=1e-6)
    assert float(loop.dual[0]) == pytest.approx(0.125, abs=1e-6)
    assert float(loop.average[0]) == pytest.approx(0.0, abs=1e-6)


def test_its_base_is_its_own() -> None:
    assert only(plan.jobs(asked(whats=("s-mnist",), base="norse"))).base == "products"
    with pytest.raises(UsageError, match="takes no part in speed"):
        plan.jobs(asked(whats=("speed",), base="norse", peers=()))
