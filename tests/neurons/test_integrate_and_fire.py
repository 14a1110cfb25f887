"""IF, LIF and PLIF against numbers worked out by hand and against the recursions of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neurons
from neurons.base import Neuron
from neurons.surrogate import ATan

NEURONS = ("if", "lif", "plif")
RESETS = [None, 0.0, -0.3]


def run(neuron: Neuron, values: list[float]) -> tuple[list[float], list[float]]:
    """Spikes and potentials of one neuron under a scalar input per step, in float64."""
    neuron = neuron.double()
    neuron.step_mode = "s"
    spikes, potentials = [], []
    for value in values:
        spikes.append(neuron(torch.tensor([value], dtype=torch.float64)).item())
        potentials.append(neuron.v.item())
    return spikes, potentials


def test_if_by_hand() -> None:
    # 0.6; 0.6 + 0.4 = 1.0 fires exactly at the threshold, back to 0; 0.3
    assert run(neurons.create("if"), [0.6, 0.4, 0.3]) == ([0, 1, 0], [0.6, 0, 0.3])


def test_lif_by_hand() -> None:
    # tau 2: h = (v + x) / 2 from rest 0: 0.5; (0.5 + 1.75) / 2 = 1.125 fires; 0.25
    assert run(neurons.create("lif", tau=2.0), [1.0, 1.75, 0.5]) == ([0, 1, 0], [0.5, 0, 0.25])


def test_lif_with_a_soft_reset_keeps_the_rest() -> None:
    assert run(neurons.create("lif", tau=2.0, v_reset=None), [1.0, 1.75, 0.5]) == ([0, 1, 0], [0.5, 0.125, 0.3125])


def test_lif_leaks_towards_its_reset_potential() -> None:
    # rest -0.5: h = v + (x - (v + 0.5)) / 2; from -0.5: -0.5 + 1/2 = 0; 0 + (1 - 0.5) / 2 = 0.25
    assert run(neurons.create("lif", tau=2.0, v_reset=-0.5), [1.0, 1.0]) == ([0, 0], [0.0, 0.25])


def test_lif_without_input_decay() -> None:
    # tau 4: h = v - v / 4 + x: 0.5; 0.375 + 0.5 = 0.875; 0.65625 + 0.5 = 1.15625 fires
    spikes, potentials = run(neurons.create("lif", tau=4.0, decay_input=False), [0.5, 0.5, 0.5])
    assert (spikes, potentials) == ([0, 0, 1], [0.5, 0.875, 0])


@pytest.mark.parametrize("tau", [1.25, 2.0, 16.0])
def test_plif_maps_tau_to_w_and_back(tau: float) -> None:
    neuron = neurons.create("plif", init_tau=tau)
    assert neuron.w.item() == pytest.approx(-math.log(tau - 1), abs=1e-6)
    assert neuron.constants() == {"tau": pytest.approx(tau, rel=1e-6)}


def test_plif_starts_as_the_lif_of_the_same_tau() -> None:
    x = torch.randn(16, 500) * 2
    np.testing.assert_array_equal(neurons.create("plif", init_tau=2.0)(x).detach(), neurons.create("lif", tau=2.0)(x))


def test_a_large_tau_needs_a_large_input() -> None:
    """Spec, trap 20: with tau 16 and 8 steps a constant input must exceed 1 / (1 - (15/16)^8) = 2.48 to fire once."""
    least = 1 / (1 - (15 / 16) ** 8)
    assert least == pytest.approx(2.48, abs=1e-3)
    for factor, count in ((0.999, 0), (1.001, 1)):
        spikes, _ = run(neurons.create("lif", tau=16.0), [least * factor] * 8)
        assert sum(spikes) == count


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("lif", {"tau": 0.5}),
        ("plif", {"init_tau": 1.0}),
        ("plif", {"init_tau": math.nan}),
        ("plif", {"init_tau": math.inf}),
        ("if", {"v_threshold": math.nan}),
        ("lif", {"v_reset": math.inf}),
    ],
)
def test_impossible_parameters_are_refused(name: str, params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs a threshold and a finite v_reset"):
        neurons.create(name, **params)


def recursion(
    x: np.ndarray, g: np.ndarray, k: float, v_reset: float, detach: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Spikes, dL/dx and dL/dw of a PLIF layer for L = sum(spikes * g), written out from spec 1.3 (hard reset)."""
    T = len(x)
    v, hs, spikes, before = np.full(x.shape[1], v_reset), [], [], []
    for x_t in x:
        before.append(v)
        h = v + k * (x_t - (v - v_reset))
        s = (h >= 1).astype(float)
        v = h * (1 - s) + v_reset * s
        hs.append(h)
        spikes.append(s)
    grad_v, grad_x, grad_w = np.zeros(x.shape[1]), np.zeros_like(x), 0.0
    for t in reversed(range(T)):
        surrogate = 1 / (1 + (np.pi * (hs[t] - 1)) ** 2)
        dv_dh = (1 - spikes[t]) + (0 if detach else (v_reset - hs[t]) * surrogate)
        grad_h = g[t] * surrogate + grad_v * dv_dh
        grad_x[t] = grad_h * k
        grad_w += float((grad_h * (x[t] - (before[t] - v_reset))).sum() * k * (1 - k))
        grad_v = grad_h * (1 - k)
    return np.array(spikes), grad_x, grad_w


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("v_reset", [0.0, -0.3])
def test_plif_gradients_follow_the_recursion(detach: bool, v_reset: float) -> None:
    rng = np.random.default_rng(1)
    x, g = rng.normal(0.5, 2, (20, 30)), rng.normal(size=(20, 30))
    neuron = neurons.create("plif", init_tau=3.0, v_reset=v_reset, detach_reset=detach).double()
    inputs = torch.from_numpy(x).requires_grad_()
    spikes = neuron(inputs)
    spikes.backward(torch.from_numpy(g))
    expected, grad_x, grad_w = recursion(x, g, torch.sigmoid(neuron.w).item(), v_reset, detach)
    np.testing.assert_array_equal(spikes.detach(), expected)
    np.testing.assert_allclose(inputs.grad, grad_x, rtol=1e-9, atol=1e-12)
    assert neuron.w.grad.item() == pytest.approx(grad_w, rel=1e-9)


def test_detaching_the_reset_changes_gradients_only() -> None:
    x = (torch.randn(12, 40) * 2).requires_grad_()
    results = []
    for detach in (True, False):
        spikes = neurons.create("lif", detach_reset=detach)(x)
        (grad,) = torch.autograd.grad(spikes.sum(), x)
        results.append((spikes.detach(), grad))
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.allclose(results[0][1], results[1][1])


@pytest.mark.parametrize("v_reset", RESETS)
@pytest.mark.parametrize("name", NEURONS)
@settings(deadline=None, max_examples=15)
@given(steps=st.integers(1, 9), cut=st.integers(0, 9), shape=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_steps_sequences_and_cut_sequences_agree(
    name: str, v_reset: float | None, steps: int, cut: int, shape: list[int]
) -> None:
    x = torch.randn(steps, *shape) * 2
    whole = neurons.create(name, v_reset=v_reset)
    expected = whole(x)
    one_by_one = neurons.create(name, v_reset=v_reset, step_mode="s")
    assert torch.equal(torch.stack([one_by_one(step) for step in x]), expected)
    assert torch.equal(one_by_one.v, whole.v)
    in_two = neurons.create(name, v_reset=v_reset)
    parts = [part for part in (x[: cut % steps], x[cut % steps :]) if len(part)]
    assert torch.equal(torch.cat([in_two(part) for part in parts]), expected)
    assert torch.equal(in_two.v, whole.v)
    whole.reset()
    assert whole.v == (v_reset or 0.0)
    assert torch.equal(whole(x), expected)


@pytest.mark.parametrize("name", NEURONS)
def test_silence_and_saturation(name: str) -> None:
    neuron = neurons.create(name)
    assert neuron(torch.zeros(63, 1, 60)).sum() == 0
    neuron.reset()
    assert neuron(torch.full((63, 1, 60), 40.0)).mean() == 1


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("v_reset", RESETS)
@pytest.mark.parametrize("detach", [True, False])
def test_the_peer_computes_the_same(name: str, v_reset: float | None, detach: bool) -> None:
    """SpikingJelly behind our interface: spikes, state, input and parameter gradients, over two calls."""
    results = []
    for backend in ("torch", "spikingjelly"):
        torch.manual_seed(3)
        neuron = neurons.create(name, backend=backend, v_reset=v_reset, detach_reset=detach)
        x = (torch.randn(14, 6, 5) * 2).requires_grad_()
        spikes = torch.cat([neuron(x[:5]), neuron(x[5:])])
        (spikes * torch.randn(spikes.shape)).sum().backward()
        results.append((spikes.detach(), neuron.v.detach(), x.grad, *(p.grad for p in neuron.parameters())))
    assert torch.equal(results[0][0], results[1][0])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 2.0, 4.0])
def test_atan_is_the_derivative_of_its_primitive(alpha: float) -> None:
    u = torch.linspace(-3, 3, 41, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor(alpha, dtype=torch.float64, requires_grad=True)
    primitive = torch.arctan(math.pi / 2 * slope * u) / math.pi + 0.5
    expected_u, expected_alpha = torch.autograd.grad(primitive.sum(), (u, slope))
    surrogate = ATan(alpha, learnable=True).double()
    spikes = surrogate(u)
    assert torch.equal(spikes, (u >= 0).double())
    spikes.sum().backward()
    torch.testing.assert_close(u.grad, expected_u)
    torch.testing.assert_close(surrogate.alpha.grad, expected_alpha)


def test_atan_with_alpha_2_is_the_papers_formula() -> None:
    u = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(ATan().derivative(u, 2.0), torch.tensor([1.0, 1 / (1 + math.pi**2)]))


def test_without_reset_a_spike_leaves_the_potential() -> None:
    # tau 2: h = (v + x) / 2: 1 fires; 1.5 fires; (1.5 + 0.25) / 2 = 0.875
    neuron = neurons.create("lif", tau=2.0, without_reset=True)
    assert run(neuron, [2.0, 2.0, 0.25]) == ([1, 1, 0], [1.0, 1.5, 0.875])
    # v_reset is only the rest: h = v + (x - (v + 0.5)) / 2 from -0.5 is -0.5 + 4 / 2 = 1.5, then 1.5 - 2 / 2
    neuron = neurons.create("lif", tau=2.0, v_reset=-0.5, without_reset=True)
    assert run(neuron, [4.0, 0.0]) == ([1, 0], [1.5, 0.5])


@pytest.mark.parametrize("backend", [b for b in neurons.backends("lif") if b not in neurons.backends.BY_NAME])
@pytest.mark.parametrize("v_reset", RESETS)
def test_without_reset_the_potential_is_linear_in_the_input(backend: str, v_reset: float | None) -> None:
    """V[t] = V_rest + (1/tau) sum over i <= t of (1 - 1/tau)^(t - i) X[i]: spec of PSN, 1.1."""
    if backend == "spikingjelly":
        with pytest.raises(RuntimeError, match="resets after every spike"):
            neurons.create("lif", without_reset=True, backend=backend)(torch.ones(2, 3))
        return
    lag = torch.arange(11).unsqueeze(1) - torch.arange(11)
    weight = torch.where(lag >= 0, 0.6**lag / 2.5, 0)
    x = 2 * torch.randn(11, 2, 7)
    expected = (v_reset or 0) + torch.einsum("ti,ian->tan", weight, x)
    assert (expected - 1).abs().min() > 1e-4
    neuron = neurons.create("lif", tau=2.5, v_reset=v_reset, without_reset=True, backend=backend)
    x.requires_grad_()
    spikes = neuron(x)
    assert torch.equal(spikes.detach(), (expected >= 1).float())
    torch.testing.assert_close(neuron.v.detach(), expected[-1])
    g = torch.randn(11, 2, 7)
    spikes.backward(g)
    torch.testing.assert_close(x.grad, torch.einsum("ti,tan->ian", weight, g * ATan().derivative(expected - 1, 2.0)))
