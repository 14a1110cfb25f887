"""ALIF and LTC by hand, their options, and the diagonal LTC against a recursion in NumPy.

tests/test_golden.py holds both against the authors' code.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import neurons
from core.registry import UnknownName
from neurons.gates import Sigmoid
from neurons.surrogate import MultiGaussian


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def steps(neuron: torch.nn.Module, values: list[float]) -> list[tuple[float, float, float]]:
    neuron.double().step_mode = "s"
    seen = []
    for value in values:
        spike = neuron(torch.tensor([value], dtype=torch.float64))
        seen.append((spike.item(), neuron.v.item(), neuron.b.item()))
    return seen


def half_gates(name: str, **options: Any) -> torch.nn.Module:
    """All parameters 0, so that both gates are 1/2."""
    neuron = neurons.create(name, **options)
    for parameter in neuron.parameters():
        parameter.data.zero_()
    return neuron


@pytest.mark.parametrize("name", ["alif", "ltc"])
def test_the_threshold_rises_with_spikes_by_hand(name: str) -> None:
    # V: 0.5 = V_th is silent; 0.25 + 0.5 = 0.75 fires; B = 0.5, threshold 0.5 + 2 * 0.5, V = 1.25 is silent
    neuron = half_gates(name, v_threshold=0.5, beta=2.0)
    assert steps(neuron, [1.0, 1.0, 2.5]) == [(0, 0.5, 0), (1, 0, 0), (0, 1.25, 0.5)]


def test_accumulation_and_soft_reset_by_hand() -> None:
    # B = S, threshold 0.5 + 2 = 2.5; V = (0.25 + 5.75) / 2 = 3 fires and leaves 3 - 2.5
    neuron = half_gates("alif", v_threshold=0.5, beta=2.0, accumulate=True, v_reset=None)
    assert steps(neuron, [1.5, 5.75]) == [(1, 0.25, 0), (1, 0.5, 1)]


def test_a_late_soft_reset_with_retention_and_resistance_by_hand() -> None:
    # V = V / 2 + 3 X / 2 - threshold S: 1.5 > 0.5 fires; B = 1/2, threshold 1.5, V = 0.75 + 3 - 1.5 = 2.25 fires;
    # B = 3/4, threshold 2, V = 1.125 - 2
    options = {"v_threshold": 0.5, "beta": 2.0, "v_reset": None, "late_reset": True, "retains": True, "r_m": 3.0}
    neuron = half_gates("alif", **options)
    assert steps(neuron, [1.0, 2.0, 0.0]) == [(1, 1.5, 0), (1, 2.25, 0.5), (0, -0.875, 0.75)]
    with pytest.raises(ValueError, match="late_reset is a time of the soft reset"):
        neurons.create("alif", late_reset=True)


def test_which_share_is_kept() -> None:
    kept, taken = (half_gates("alif", v_threshold=10.0, retains=retains) for retains in (True, False))
    for neuron in (kept, taken):
        neuron.p_m.data.fill_(math.log(3))  # 3/4
    assert [steps(neuron, [1.0])[0][1] for neuron in (kept, taken)] == pytest.approx([0.25, 0.75])


def test_refractory_input_and_a_constant_threshold_by_hand() -> None:
    # After the spike the membrane does not see the current 9; a constant threshold leaves B where it starts.
    neuron = half_gates("ltc", v_threshold=0.5, adaptive=False, refractory=True, b_start=0.1)
    assert [spike for spike, _, _ in steps(neuron, [2.0, 9.0, 2.0])] == [1, 0, 1]
    assert neuron.b.item() == pytest.approx(0.1)


def test_the_first_potential_is_drawn_anew_for_each_sequence() -> None:
    neuron, x = (
        neurons.create("ltc", v_threshold=10.0, v_start=0.2, b_start=0.1, backend="torch"),
        torch.zeros(1, 50, 40),
    )
    assert neuron.v is None
    began = []
    for seed in (1, 1, 2):
        with neurons.drawn_from(torch.Generator().manual_seed(seed)):
            neuron.begin(x.shape[1:])
        began.append(neuron.v)
        assert torch.equal(neuron.b, torch.full((50, 40), 0.1))
        neuron(x)
        neuron.reset()
    assert torch.equal(began[0], began[1])
    assert not torch.equal(began[0], began[2])
    assert began[0].min() >= 0
    assert began[0].max() < 0.2
    assert began[0].mean().item() == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="v_start is the end of the range"):
        neurons.create("alif", v_start=-1.0)


OPTIONS: dict[str, dict[str, Any]] = {
    "asrnn": {"v_reset": None, "late_reset": True, "retains": True, "r_m": 3.0, "v_threshold": 0.1},
    "accumulating": {"accumulate": True, "b_start": 0.1, "v_threshold": 0.1},
    "refractory": {"refractory": True, "v_threshold": 0.3},
    "constant": {"adaptive": False, "v_threshold": 0.5},
    "drawn": {"v_start": 1.0, "b_start": 0.5},
}


@pytest.mark.skipif("fused" not in neurons.backends("ltc", "cpu"), reason="needs the fused backend")
# One step serves both neurons; the gates of LTC alone see a current that a refractory membrane does not.
@pytest.mark.parametrize(("name", "options"), [*(("alif", options) for options in OPTIONS), ("ltc", "refractory")])
def test_every_option_has_a_fused_kernel_that_agrees(name: str, options: str) -> None:
    torch.manual_seed(7)
    plain = neurons.create(name, shape=6, backend="torch", **OPTIONS[options]).double()
    fused = copy.deepcopy(plain)
    fused.backend = "fused"
    found = []
    for neuron in (plain, fused):
        x = (
            2 * torch.randn(12, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(8))
        ).requires_grad_()
        with neurons.drawn_from(torch.Generator().manual_seed(9)):
            spikes = neuron(x)
        (spikes * torch.arange(12.0).view(12, 1, 1)).sum().backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in neuron.parameters()]
        found.append([spikes, neuron.v, neuron.b, x.grad, *gradients])
    assert 0 < found[0][0].mean() < 1
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_without_reset_by_hand() -> None:
    # The second potential, 3.0, fires at the threshold 0.5 and keeps its value, though the reset would be soft.
    neuron = half_gates("alif", v_threshold=0.5, beta=2.0, v_reset=None, without_reset=True)
    assert steps(neuron, [0.5, 5.75]) == [(0, 0.25, 0), (1, 3.0, 0)]


def test_ltc_gates_by_hand() -> None:
    neuron = half_gates("ltc", v_threshold=10.0)
    neuron.gates.w_mx.data.fill_(100.0)
    neuron.gates.w_mv.data.fill_(-200.0)
    # a strong input opens the gate: V = X = 3; then 100 * 3 - 200 * 3 closes it
    assert [round(v, 12) for _, v, _ in steps(neuron, [3.0, 3.0])] == [3, 3]
    assert [round(v, 12) for _, v, _ in steps(neuron, [1.0])] == [3]


GATES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": ("dense", (4,)),
    "sloped": ({"name": "dense", "slope": True}, (4,)),
    "sum": ("conv", (4, 1, 1)),
    "concatenated": ({"name": "conv", "norm": False, "adaptation": "concatenated"}, (4, 1, 1)),
    "dense behind maps": ({"name": "conv", "dense": {"slope": True}}, (4,)),
}


@pytest.mark.parametrize("name", GATES)
def test_gates_that_mix_neurons_leave_kernels_out_quietly(name: str) -> None:
    gates, shape = GATES[name]
    neuron = neurons.create("ltc", gates=gates, shape=shape)
    assert not neuron.pointwise
    neuron.eval()
    x = torch.randn(5, 3, 4, *[6] * (len(shape) - 1)).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = neuron(x)
    assert neuron.ran == "torch"
    assert 0 < whole.mean() < 1
    neuron.reset()
    assert torch.equal(torch.cat([neuron(x[:2]), neuron(x[2:])]), whole)
    whole.sum().backward()
    assert all(p.grad is not None for p in neuron.parameters())
    assert neurons.create("ltc").pointwise


def test_gates_see_the_whole_layer_and_their_own_state() -> None:
    neuron = neurons.create("ltc", gates="dense", shape=2, v_threshold=10.0, step_mode="s")
    gates = neuron.gates
    with torch.no_grad():
        for layer in (gates.membrane, gates.adaptation):
            layer.weight.copy_(torch.tensor([[1.0, 2, 4, 8], [0, 0, 0, 0]]))
            layer.bias.zero_()
        x, v, b = torch.tensor([[0.1, 0.2]]), torch.tensor([[0.3, 0.4]]), torch.tensor([[0.5, 0.6]])
        g, r = gates(x, v, b)
    assert g.flatten().tolist() == pytest.approx([sigmoid(0.1 + 0.4 + 1.2 + 3.2), 0.5])
    assert r.flatten().tolist() == pytest.approx([sigmoid(0.1 + 0.4 + 2.0 + 4.8), 0.5])


def test_a_slope_of_zero_is_the_identity() -> None:
    squash = Sigmoid()
    x = torch.linspace(-3, 3, 7)
    assert torch.equal(squash(x), x.sigmoid())
    squash.a.data.fill_(2.0)
    assert torch.equal(squash(x), (2 * x).sigmoid())
    squash.a.data.zero_()
    assert torch.equal(squash(x), x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gates": "dense"}, r"need its shape=\(C,\), got shape=\(\)"),
        ({"gates": "dense", "shape": (4, 1, 1)}, r"need its shape=\(C,\), got shape=\(4, 1, 1\)"),
        ({"gates": "conv", "shape": (4, 1)}, r"shape=\(C,\) or \(C, 1, 1\), got shape=\(4, 1\)"),
        ({"gates": {"name": "conv", "adaptation": None}, "shape": (4, 1, 1)}, "give adaptive=False"),
    ],
)
def test_gates_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neurons.create("ltc", **options)


def test_unknown_gates_and_options_are_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'dense'"):
        neurons.create("ltc", gates="dence", shape=4)
    with pytest.raises(UnknownName, match="xavier_normal"):
        neurons.create("ltc", gates={"name": "dense", "start": "xavier"}, shape=4)
    with pytest.raises(TypeError, match="Gates 'dense'"):
        neurons.create("ltc", gates={"name": "dense", "norm": True}, shape=4)


def ltc_recursion(
    x: np.ndarray, grad_s: np.ndarray, p: dict[str, np.ndarray], v_th: float, beta: float, detach: bool
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Spikes, dL/dx and parameter gradients of a diagonal LTC for L = sum(spikes * grad_s), written out by hand."""
    v = b = s = np.zeros(x.shape[1:])
    kept = []
    for x_t in x:
        g = sigmoid(p["w_mx"] * x_t + p["w_mv"] * v + p["c_m"])
        r = sigmoid(p["w_ax"] * x_t + p["w_ab"] * b + p["c_a"])
        b_new = r * b + (1 - r) * s
        h = v + g * (x_t - v)
        s_new = (h > v_th + beta * b_new).astype(float)
        kept.append((x_t, v, b, s, g, r, h, b_new, s_new))
        v, b, s = h * (1 - s_new), b_new, s_new
    shape = MultiGaussian(strict=True)
    grad_x, grads = np.zeros_like(x), {key: np.zeros_like(value) for key, value in p.items()}
    gv = gb = gs = np.zeros(x.shape[1:])
    for t in reversed(range(len(x))):
        x_t, v, b, s, g, r, h, b_new, s_new = kept[t]
        slope = shape.derivative(torch.from_numpy(h - v_th - beta * b_new), shape.slope).numpy()
        g_spike = grad_s[t] + gs + (0 if detach else -h * gv)
        gh = gv * (1 - s_new) + g_spike * slope
        gb_new = gb - beta * g_spike * slope
        gate_m = gh * (x_t - v) * g * (1 - g)
        gate_a = gb_new * (b - s) * r * (1 - r)
        grad_x[t] = gh * g + gate_m * p["w_mx"] + gate_a * p["w_ax"]
        for key, value in (
            ("w_mx", gate_m * x_t),
            ("w_mv", gate_m * v),
            ("c_m", gate_m),
            ("w_ax", gate_a * x_t),
            ("w_ab", gate_a * b),
            ("c_a", gate_a),
        ):
            grads[key] += value.sum(0)
        gv = gh * (1 - g) + gate_m * p["w_mv"]
        gb = gb_new * r + gate_a * p["w_ab"]
        gs = gb_new * (1 - r)
    return np.array([k[-1] for k in kept]), grad_x, grads


@pytest.mark.parametrize("detach", [True, False])
def test_ltc_gradients_follow_the_recursion(detach: bool) -> None:
    rng = np.random.default_rng(2)
    x, g = rng.normal(0.5, 1.5, (15, 4, 6)), rng.normal(size=(15, 4, 6))
    neuron = neurons.create("ltc", shape=6, detach_reset=detach).double()
    parameters = {key: value.detach().numpy().copy() for key, value in neuron.gates.named_parameters()}
    inputs = torch.from_numpy(x).requires_grad_()
    spikes = neuron(inputs)
    spikes.backward(torch.from_numpy(g))
    expected, grad_x, grads = ltc_recursion(x, g, parameters, neuron.v_threshold, neuron.beta, detach)
    assert 0.05 < expected.mean() < 0.6
    np.testing.assert_array_equal(spikes.detach(), expected)
    np.testing.assert_allclose(inputs.grad, grad_x, rtol=1e-9, atol=1e-12)
    for key, value in neuron.gates.named_parameters():
        np.testing.assert_allclose(value.grad, grads[key], rtol=1e-9, atol=1e-12)


def test_gates_start_where_the_work_starts_them() -> None:
    alif = neurons.create("alif", shape=4000)
    assert (alif.p_m.mean().item(), alif.p_a.mean().item()) == pytest.approx((2, 4), abs=0.1)
    assert (alif.p_m.std().item(), alif.p_a.std().item()) == pytest.approx((1, 1), abs=0.1)
    ltc = neurons.create("ltc", shape=4000)
    assert {round(p.abs().max().item(), 2) for p in ltc.parameters()} == {0.71}
    uniform = neurons.create("alif", shape=4000, start="uniform")
    for p in uniform.parameters():
        assert p.abs().max() <= 1
        assert p.std().item() == pytest.approx(3**-0.5, abs=0.02)
    saturated = neurons.create("alif", shape=40, start="saturated")
    assert all(gate.min() > 0.999 for gate in saturated.mixing(*[torch.zeros(40)] * 3))
    dense = neurons.create("ltc", shape=50, gates={"name": "dense", "start": "xavier_uniform", "zero_bias": True}).gates
    assert dense.membrane.weight.abs().max().item() == pytest.approx((6 / 150) ** 0.5, rel=0.01)
    assert not dense.adaptation.bias.any()
