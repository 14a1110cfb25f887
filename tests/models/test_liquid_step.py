"""The step of a liquid layer in the S-MNIST network, computed at once, is the neuron's own."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import models
import neurons
from core.compare import relative
from models.fptt.neurons import NEURONS
from models.fptt.sequential import StepByStep
from neurons.backends import liquid_step
from training.fptt import FPTT

pytestmark = pytest.mark.skipif(not liquid_step._sound(), reason="no C++ compiler here")
NEURON, OPTIONS = NEURONS["sequential"]


def layer(width: int, **options: object) -> StepByStep:
    chosen = {**OPTIONS, "shape": (width,), "v_start": 0.0, **options}
    return StepByStep(neurons.create(NEURON, **chosen), nn.Linear(width, width))  # type: ignore[arg-type]


def course(made: StepByStep, x: Tensor, last: int) -> list[Tensor]:
    """Spikes, last states and gradients; those of the last `last` steps alone, for what was before is cut off."""
    made.zero_grad()
    x = x.clone().requires_grad_()
    first = made(x[:-last]) if len(x) > last else x[:0]
    made.detach()
    outputs = torch.cat([first, made(x[-last:])])
    v, b = made.neuron.v, made.neuron.b
    assert isinstance(v, Tensor)
    assert isinstance(b, Tensor)
    weight = torch.linspace(-1, 1, outputs.numel()).reshape(outputs.shape)
    ((outputs * weight).sum() + v.square().sum() + b.square().sum()).backward()
    assert x.grad is not None
    return [
        outputs.detach(),
        v.detach(),
        b.detach(),
        x.grad,
        *(p.grad for p in made.parameters() if p.grad is not None),
    ]


@settings(max_examples=30)
@given(
    T=st.integers(1, 5),
    last=st.integers(1, 3),
    N=st.integers(1, 15),
    width=st.sampled_from([16, 32, 48]),
    slope=st.booleans(),
    beta=st.sampled_from([1.8, 0.0, 0.5]),
    seed=st.integers(0, 99),
)
def test_it_is_its_steps(T: int, last: int, N: int, width: int, slope: bool, beta: float, seed: int) -> None:
    torch.manual_seed(seed)
    fast = layer(width, gates={"name": "dense", "slope": slope}, beta=beta)
    if slope:
        dict(fast.named_parameters())["neuron.gates.squash_membrane.a"].data.fill_(1.3)
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    x = torch.randn(T, N, width)
    ours, theirs = course(fast, x, min(last, T)), course(plain, x, min(last, T))
    assert (fast.neuron.ran, fast.neuron.kernel) == ("fused", "dense step")
    assert plain.neuron.ran != "fused"
    if not torch.equal(ours[0], theirs[0]):
        return  # a potential within rounding of the threshold: what follows differs
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert relative(one, other) < 2e-4


def test_spikes_are_those_of_the_steps_almost_always() -> None:
    torch.manual_seed(0)
    fast = layer(64)
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    x = torch.randn(10, 100, 64)
    with torch.no_grad():
        ours, theirs = fast(x), plain(x)
    assert 0.02 < ours.mean() < 0.98
    assert (ours != theirs).float().mean() < 1e-3


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_sums_of_slopes_alone(threads: int) -> None:
    torch.manual_seed(0)
    made = layer(32)
    x = torch.randn(2, 7, 32)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = course(copy.deepcopy(made), x, 2)
        torch.set_num_threads(threads)
        more = course(copy.deepcopy(made), x, 2)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(one, more, strict=True):
        assert relative(a, b) < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"backend": "torch"},
        {"adaptive": False},
        {"gates": "diagonal"},
        {"accumulate": True},
        {"refractory": True},
        {"retains": True},
        {"r_m": 3.0},
        {"v_reset": None},
        {"detach_reset": True},
        {"without_reset": True},
        {"surrogate": neurons.surrogate.Sigmoid()},
    ],
)
def test_what_it_does_not_know_is_left_to_the_neuron(options: dict[str, object]) -> None:
    made = layer(16, **options)
    assert liquid_step.find(made.neuron, torch.zeros(3, 16)) is None
    made(torch.randn(2, 3, 16))
    assert made.neuron.ran != "fused"


@pytest.mark.parametrize("x", [torch.zeros(3, 16, dtype=torch.float64), torch.zeros(3, 2, 16), torch.zeros(0, 16)])
def test_other_inputs_are_left_to_the_neuron(x: Tensor) -> None:
    assert liquid_step.find(layer(16).neuron, x) is None


def test_a_slope_of_zero_is_the_identity() -> None:
    made = layer(16)
    dict(made.named_parameters())["neuron.gates.squash_membrane.a"].data.zero_()
    assert liquid_step.find(made.neuron, torch.zeros(3, 16)) is None


def test_hooks_see_the_spikes() -> None:
    made = layer(16)
    seen: list[Tensor] = []
    made.neuron.register_forward_hook(lambda module, inputs, output: seen.append(output))
    outputs = made(torch.randn(2, 3, 16))
    assert torch.equal(torch.stack(seen), outputs)


def test_checkpointing_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    found = []
    x = torch.randn(3, 4, 16)
    made = layer(16)
    for again in (False, True):
        made.reset()
        made.zero_grad()
        leaf = x.clone().requires_grad_()
        outputs = checkpoint(made, leaf, use_reentrant=False) if again else made(leaf)
        (outputs * torch.arange(16.0)).sum().backward()
        found.append([leaf.grad, *(p.grad.clone() for p in made.parameters() if p.grad is not None)])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_a_second_derivative_is_refused() -> None:
    made = layer(16)
    x = torch.randn(1, 3, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(made(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="second"):
        gradient.sum().backward()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_training_with_it_is_one_without_it(layers: int) -> None:
    """The S-MNIST network, an update after each step; by plain descent, for Adam turns rounding into steps."""
    ends = []
    x, labels = torch.rand(6, 1, 4, 4), torch.arange(6)
    for backend in ("auto", "torch"):
        torch.manual_seed(0)
        factory = models.factory(NEURON, **{**OPTIONS, "v_start": 0.0, "backend": backend})
        network = models.create("fptt_sequential", neuron=factory, side=4, hidden=16, layers=layers)
        scheme = FPTT(
            network,
            loss={"name": "last_cross_entropy"},
            optimizer={"name": "sgd", "lr": 0.1},
            regulariser={"alpha": 0.1, "beta": 0.5},
            auxiliary={},
            clip=1.0,
        )
        losses = [float(scheme.train_batch(x, labels).scalars["loss"]) for _ in range(2)]
        ran = {m.kernel for m in network.modules() if isinstance(m, neurons.base.Neuron)}
        assert ran == {"dense step"} if backend == "auto" else "dense step" not in ran
        ends.append((losses, scheme.flat.weights.detach().clone()))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-4)
    assert relative(ends[0][1], ends[1][1]) < 1e-4
