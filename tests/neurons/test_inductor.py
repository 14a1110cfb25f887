"""Backend `inductor`: what PyTorch's compiler makes of the plain step."""

from __future__ import annotations

import pytest
import torch
from against_eager import run

import neurons
from neurons.backends import inductor
from neurons.computation import Computation

needs_compiler = pytest.mark.skipif(
    inductor.refuses(neurons.registry.get("lif"), "cpu") is not None, reason="needs c++"
)


@needs_compiler
@pytest.mark.compilers
@pytest.mark.filterwarnings("ignore")
def test_lif_equals_the_eager_step_with_one_compilation() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    neuron, x = neurons.create("lif", v_reset=None), 2 * torch.randn(4, 50)
    eager = run(neuron, "torch", x)
    for _ in range(2):
        ours = run(neuron, "inductor", x)
        assert torch.equal(ours.spikes, eager.spikes)
        assert torch.equal(ours.states[0], eager.states[0])
        torch.testing.assert_close(ours.grad_x, eager.grad_x)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    again = neurons.create("lif", v_reset=None, backend="inductor")
    with pytest.raises(RuntimeError, match=r"no second derivative.*backend='torch'"):
        torch.autograd.functional.hessian(lambda x: again(x).sum(), x)


@needs_compiler
def test_long_recurrences_are_refused_and_products_are_not() -> None:
    x = torch.zeros(inductor.LONGEST + 1, 3)
    with pytest.raises(RuntimeError, match=r"unrolls the 17 steps.*use backend='fused'"):
        neurons.create("lif", backend="inductor")(x)
    assert isinstance(inductor.find(neurons.create("sliding_psn", k=2), x), Computation)


@needs_compiler
def test_it_runs_by_name_alone() -> None:
    assert "inductor" in neurons.backends("lif")
    assert "inductor" not in neurons.backends.AUTO
    assert "20 s" in neurons.backends.BY_NAME["inductor"]


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    refusal = inductor.refuses(neurons.registry.get("lif"), "cpu")
    assert refusal is not None
    assert "no C++ compiler" in refusal.reason
