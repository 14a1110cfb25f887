"""A recurrent layer with dense gates, all steps at once, is what its steps are."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import models
import neurons
from core.compare import relative, tolerance
from models.recurrent import Recurrent
from neurons.backends import recurrence
from neurons.surrogate import MultiGaussian

pytestmark = pytest.mark.skipif(not recurrence._sound(), reason="no C++ compiler here")


def layer(width: int, **options: object) -> Recurrent:
    chosen = {"gates": "dense", "shape": (width,), "v_threshold": 0.5, "adaptive": False, **options}
    return Recurrent(neurons.create("ltc", **chosen), nn.Linear(width, width))  # type: ignore[arg-type]


def course(made: Recurrent, x: Tensor, cuts: list[int], potentials: bool) -> list[Tensor]:
    """Outputs, last states and gradients over the pieces of `x` between `cuts`."""
    made.potentials = potentials
    made.zero_grad()
    x = x.clone().requires_grad_()
    bounds = [0, *sorted(cuts), len(x)]
    parts = [made(x[a:b]) for a, b in itertools.pairwise(bounds) if b > a]
    outputs = torch.cat(parts)
    v = made.neuron.v
    assert isinstance(v, Tensor)
    assert made.spikes is not None
    weight = torch.linspace(-1, 1, outputs.numel()).reshape(outputs.shape)
    ((outputs * weight).sum() + v.square().sum() + made.spikes.sum()).backward()
    assert x.grad is not None
    found = [outputs.detach(), v.detach(), made.spikes.detach(), x.grad]
    return found + [p.grad for p in made.parameters() if p.grad is not None]


@settings(max_examples=40)
@given(
    T=st.integers(1, 9),
    N=st.integers(1, 15),
    width=st.sampled_from([16, 32, 48, 80]),
    cuts=st.lists(st.integers(0, 9), max_size=2),
    potentials=st.booleans(),
    threshold=st.sampled_from([0.5, 0.1, 1.0]),
    seed=st.integers(0, 99),
)
def test_it_is_its_steps(
    T: int, N: int, width: int, cuts: list[int], potentials: bool, threshold: float, seed: int
) -> None:
    torch.manual_seed(seed)
    fast = layer(width, v_threshold=threshold)
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    x = torch.randn(T, N, width)
    cuts = [cut for cut in cuts if cut < T]
    ours, theirs = course(fast, x, cuts, potentials), course(plain, x, cuts, potentials)
    assert (fast.neuron.ran, fast.neuron.kernel) == ("fused", "dense recurrence")
    assert plain.neuron.kernel != fast.neuron.kernel
    if not torch.equal(ours[2], theirs[2]) or ours[0].shape != theirs[0].shape:
        return  # a potential within rounding of the threshold: what follows differs
    if not potentials and not torch.equal(ours[0], theirs[0]):
        return
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert relative(one, other) < 2e-4


def test_spikes_are_those_of_the_steps_almost_always() -> None:
    torch.manual_seed(0)
    fast = layer(128)
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    x = torch.randn(50, 64, 128)
    with torch.no_grad():
        one, other = fast(x), plain(x)
    assert one.mean() > 0.02
    differs = (one != other).flatten(1).any(0).float().mean()
    assert differs < 2e-3


def test_a_sample_has_the_same_bits_in_any_company() -> None:
    torch.manual_seed(0)
    made, x = layer(48), torch.randn(5, 13, 48)

    def bits(samples: int) -> list[Tensor]:
        made.reset()
        part = x[:, :samples].clone().requires_grad_()
        spikes = made(part)
        spikes.sum().backward()
        assert part.grad is not None
        return [spikes[:, 0].detach(), part.grad[:, 0]]

    whole = bits(13)
    for samples in range(1, 13):  # rows are taken six, four, two and one at a time
        assert all(torch.equal(a, b) for a, b in zip(bits(samples), whole, strict=True))


def of(made: Recurrent) -> Tensor:
    """The weight that spikes are fed back through."""
    assert isinstance(made.feedback, nn.Linear)
    return made.feedback.weight


def beside(company: float, x: Tensor, spikes: Tensor, weight: Tensor) -> list[Tensor]:
    """Spikes and gradients of the first samples of a layer whose last one begins with `company` for a spike."""
    torch.manual_seed(0)
    made = layer(x.shape[-1])
    with torch.no_grad():
        of(made).copy_(weight)
    made.spikes = torch.cat([spikes, torch.full_like(spikes[:1], company)])
    x = torch.cat([x, torch.zeros_like(x[:, :1])], 1).requires_grad_()
    outputs = made(x)[:, :-1]
    outputs.sum().backward()
    assert x.grad is not None
    return [outputs.detach(), x.grad[:, :-1]]


@pytest.mark.parametrize("width", [16, 48, 128, 144])
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3, 0.9, None])
def test_few_spikes_and_other_numbers_are_summed_alike(width: int, rate: float | None) -> None:
    """A number that is no spike has the block of samples multiplied as a whole, so that the two ways meet."""
    torch.manual_seed(0)
    weight, x = torch.randn(width, width) / 4, torch.randn(1, 9, width)
    spikes = torch.randn(9, width) if rate is None else (torch.rand(9, width) < rate).float()
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one block
    try:
        few, whole = (beside(company, x, spikes, weight) for company in (0.0, 0.5))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a.view(torch.int32), b.view(torch.int32)) for a, b in zip(few, whole, strict=True))


def test_a_first_step_may_be_fed_other_numbers_than_spikes() -> None:
    torch.manual_seed(0)
    fast = layer(32)
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    fed = (torch.rand(6, 32) < 0.1) * torch.randn(6, 32)
    found = []
    for made in (fast, plain):
        made.spikes, made.potentials = fed, True
        found.append(made(torch.zeros(1, 6, 32)).detach())
    assert fast.neuron.kernel == "dense recurrence"
    assert relative(*found) < 1e-5


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_what_is_not_finite_is_found_without_a_spike(number: float) -> None:
    fast = layer(16, v_threshold=1e6)
    with torch.no_grad():
        of(fast)[3, 5] = number
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    found = []
    for made in (fast, plain):
        made.potentials = True
        found.append(made(torch.zeros(2, 3, 16)).detach())
    assert found[0].isnan().any()
    assert torch.equal(found[0].isnan(), found[1].isnan())


@pytest.mark.parametrize("number", [0.0, float("inf"), float("nan")])
def test_without_a_spike_its_weights_have_the_gradient_of_the_steps(number: float) -> None:
    torch.manual_seed(0)
    fast = layer(16, v_threshold=1e6)
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    found = []
    for made in (fast, plain):
        made.potentials = True
        potentials = made(torch.ones(3, 2, 16))
        potentials.backward(torch.full_like(potentials, number))
        gradient = of(made).grad
        assert gradient is not None
        found.append(gradient.nan_to_num(1.0))
    assert torch.equal(*found)


@pytest.mark.parametrize("wanted", [(False, False), (True, False), (False, True)])
def test_a_first_state_has_a_gradient_where_it_is_wanted(wanted: tuple[bool, bool]) -> None:
    torch.manual_seed(0)
    made, x, v = layer(16), torch.randn(3, 2, 16), torch.rand(2, 16)
    states, found = [v, (torch.rand(2, 16) > 0.5).float()], []
    for asked in (wanted, (True, True)):
        leaves = [state.clone().requires_grad_(want) for state, want in zip(states, asked, strict=True)]
        made.zero_grad()
        sequence = recurrence.find(made.neuron, made.feedback, x)
        assert sequence is not None
        spikes, potentials, _ = sequence(x, [leaves[0], torch.zeros_like(v), leaves[1]], leaves[1])
        (spikes + potentials).sum().backward()
        grads = [p.grad.clone() for p in made.parameters() if p.grad is not None]
        found.append((grads, [leaf.grad for leaf in leaves]))
    assert all(torch.equal(a, b) for a, b in zip(found[0][0], found[1][0], strict=True))
    for want, some, every in zip(wanted, found[0][1], found[1][1], strict=True):
        assert torch.equal(some, every) if want else some is None  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    torch.manual_seed(0)
    made, x = layer(32), torch.randn(6, 13, 32)
    with torch.no_grad():
        whole = made(x)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            made.reset()
            assert torch.equal(made(x), whole)
        finally:
            torch.set_num_threads(before)


@pytest.mark.parametrize(
    "options",
    [
        {"backend": "torch"},
        {"adaptive": True},
        {"v_reset": None},
        {"detach_reset": True},
        {"gates": {"name": "dense", "slope": True}},
        {"surrogate": {"name": "atan"}},
        {"refractory": True},
        {"r_m": 3.0},
    ],
)
def test_what_it_does_not_know_runs_step_by_step(options: dict[str, object]) -> None:
    if isinstance(surrogate := options.get("surrogate"), dict):
        from neurons.surrogate import create

        options = {"surrogate": create(surrogate)}
    made = layer(16, **options)
    made(torch.randn(3, 2, 16))
    assert made.neuron.kernel != "dense recurrence"


@pytest.mark.parametrize("x", [torch.randn(3, 2, 16, dtype=torch.float64), torch.randn(3, 2, 2, 16)])
def test_other_inputs_run_step_by_step(x: Tensor) -> None:
    made = layer(16).to(x.dtype)
    assert recurrence.find(made.neuron, made.feedback, x) is None


def test_a_width_that_does_not_fit_runs_step_by_step() -> None:
    made = layer(20)
    made(torch.randn(3, 2, 20))
    assert made.neuron.kernel != "dense recurrence"


def test_hooks_see_the_spikes() -> None:
    made, seen = layer(16), []
    made.neuron.register_forward_hook(lambda module, x, spikes: seen.append(spikes))
    made.potentials = True
    made(torch.randn(5, 2, 16) * 4)
    assert [spikes.shape for spikes in seen] == [(5, 2, 16)]
    assert set(seen[0].unique().tolist()) == {0.0, 1.0}


def test_checkpointing_gives_the_same_gradients() -> None:
    from torch.utils.checkpoint import checkpoint

    torch.manual_seed(0)
    made, x = layer(16), torch.randn(6, 3, 16)
    found = []
    for recompute in (False, True):
        neurons.reset(made)
        made.zero_grad()
        parts = [checkpoint(made, part, use_reentrant=False) if recompute else made(part) for part in (x[:3], x[3:])]
        torch.cat(parts).sum().backward()
        found.append([p.grad.clone() for p in made.parameters() if p.grad is not None])
    assert all(relative(a, b) < 1e-5 for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("frozen", [False, True])
def test_a_second_derivative_is_refused(frozen: bool) -> None:
    made, x = layer(16).requires_grad_(not frozen), torch.randn(3, 2, 16, requires_grad=True)
    (grad,) = torch.autograd.grad(made(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.sum().backward()


def test_the_adding_network_runs_on_it() -> None:
    network = models.create(
        "fptt_adding", neuron=models.factory("ltc", gates="dense", shape="channels", adaptive=False), T=6, hidden=16
    )
    network.run(torch.rand(3, 6, 2))
    (spiking,) = (module for module in network.modules() if isinstance(module, neurons.base.Neuron))
    assert spiking.kernel == "dense recurrence"


@pytest.mark.parametrize("surroundings", ["float64", "bfloat16", "hooks", "negated", "inference"])
def test_all_steps_at_once_whatever_surrounds_them(surroundings: str) -> None:
    """Another default type, saved tensors that hooks moved, gradients that are negated when they are read."""
    generator = torch.Generator().manual_seed(0)
    T, N, width = 5, 9, recurrence.recurrence_cpp.LANES
    shapes = (T, N, width), (N, width), (width, width), (width, 2 * width), (width,)
    values = [torch.randn(shape, generator=generator) for shape in shapes]
    weight = torch.randn(T, N, width, generator=generator)

    def outcome(way: Callable[..., tuple[Tensor, Tensor]], sent: Tensor) -> list[Tensor]:
        leaves = [value.clone().requires_grad_() for value in values]
        outputs = way(leaves, MultiGaussian(strict=True))
        return [*outputs, *torch.autograd.grad(outputs, leaves, [sent, sent])]

    expected = outcome(recurrence._plain, weight)
    before = torch.get_default_dtype()
    moved = torch.autograd.graph.saved_tensors_hooks(lambda t: t.mT.contiguous().mT if t.ndim > 1 else t, lambda t: t)
    try:
        if surroundings in ("float64", "bfloat16"):
            torch.set_default_dtype(getattr(torch, surroundings))
        with moved if surroundings == "hooks" else nullcontext():
            found = outcome(recurrence._fast, torch._neg_view(-weight) if surroundings == "negated" else weight)
        if surroundings == "inference":
            recurrence._sound.cache_clear()
            with torch.inference_mode():
                assert recurrence._sound()
    finally:
        torch.set_default_dtype(before)
    for one, other in zip(found, expected, strict=True):
        assert relative(one.detach(), other.detach()) <= tolerance("use", torch.float32)
