"""ALIF and the diagonal LTC by hand, against the vectors of the FPTT work and against a recursion in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import vectors

import neurons
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


def test_without_reset_by_hand() -> None:
    # The second potential, 3.0, fires at the threshold 0.5 and keeps its value, though the reset would be soft.
    neuron = half_gates("alif", v_threshold=0.5, beta=2.0, v_reset=None, without_reset=True)
    assert steps(neuron, [0.5, 5.75]) == [(0, 0.25, 0), (1, 3.0, 0)]


def test_ltc_gates_by_hand() -> None:
    neuron = half_gates("ltc", v_threshold=10.0)
    vectors.set_parameters(neuron, w_mx=torch.tensor(100.0), w_mv=torch.tensor(-200.0))
    # a strong input opens the gate: V = X = 3; then 100 * 3 - 200 * 3 closes it
    assert [round(v, 12) for _, v, _ in steps(neuron, [3.0, 3.0])] == [3, 3]
    assert [round(v, 12) for _, v, _ in steps(neuron, [1.0])] == [3]


@pytest.mark.parametrize("name", vectors.names("fptt", "step_*"))
def test_one_update_is_that_of_the_work(name: str) -> None:
    """Gates are given; where the work leaves `b` unchanged, only what does not depend on it is compared."""
    case, arrays = vectors.load("fptt", name)
    fixed = case["hyper"].get("threshold", "").startswith("fixed")
    threshold = float(case["hyper"]["threshold"].split()[1]) if fixed else case["hyper"]["b_j0"]
    neuron = neurons.create("alif", v_threshold=threshold, beta=0.0 if fixed else case["hyper"]["beta"])
    leaves = {key: arrays[key].clone().requires_grad_() for key in ("inputs", "mem", "spike", "tau_m", "tau_adp", "b")}
    r, s = leaves["tau_adp"], leaves["spike"]
    b = r * leaves["b"] + (s if "accum" in name else (1 - r) * s)
    spikes, mem, b, _ = neuron.respond(leaves["inputs"], leaves["mem"], b, leaves["tau_m"])
    loss = (mem * arrays["cot_mem"]).sum() + (spikes * arrays["cot_spike"]).sum() + (b * arrays["cot_b"]).sum()
    loss.backward()
    assert torch.equal(spikes.detach(), arrays["out_spike"])
    close = {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(mem.detach(), arrays["out_mem"], **close)
    if not fixed:
        torch.testing.assert_close(b.detach(), arrays["out_b"], **close)
    for key in ("inputs", "mem", "tau_m") if fixed else leaves:
        torch.testing.assert_close(leaves[key].grad, arrays[f"g_{key}"], **close)


def check_cell(arrays: dict[str, torch.Tensor], trajectories: dict[str, list[torch.Tensor]], leaves: Any) -> None:
    stacked = {key: torch.stack(values) for key, values in trajectories.items()}
    loss = (stacked["mem"] * arrays["cot_mem"]).sum() + (stacked["spk"] * arrays["cot_spk"]).sum()
    loss.backward()
    assert torch.equal(stacked["spk"].detach(), arrays["spk"])
    torch.testing.assert_close(stacked["mem"].detach(), arrays["mem"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(stacked["b"].detach(), arrays["b"], rtol=1e-4, atol=1e-5)
    for key, leaf in leaves.items():
        torch.testing.assert_close(leaf.grad, arrays[key], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", vectors.names("fptt", "cell_alif_*"))
def test_a_recurrent_layer_of_alif_is_that_of_the_work(name: str) -> None:
    case, arrays = vectors.load("fptt", name)
    gates = ("tau_m", "tau_adp") if "w.tau_m" in arrays else ("layer1_tauM", "layer1_tauAdp")
    neuron = neurons.create(
        "alif",
        v_threshold=case["b_j0"],
        beta=case["beta"],
        accumulate="accum" in case["kind"],
        shape=case["sizes"]["hid"],
        step_mode="s",
    )
    vectors.set_parameters(neuron, p_m=arrays[f"w.{gates[0]}"], p_a=arrays[f"w.{gates[1]}"])
    neuron.v, neuron.b, neuron.s = arrays["mem0"], arrays["b0"], arrays["spk0"]
    x, weight, bias = (arrays[key].clone().requires_grad_() for key in ("x", "w.layer1_x.weight", "w.layer1_x.bias"))
    seen: dict[str, list[torch.Tensor]] = {"spk": [], "mem": [], "b": []}
    for x_t in x.unbind(0):
        current = torch.nn.functional.linear(torch.cat([x_t, neuron.s], -1), weight, bias)
        seen["spk"].append(neuron(current))
        seen["mem"].append(neuron.v)
        seen["b"].append(neuron.b)
    leaves = {"g_x": x, "g.layer1_x.weight": weight, "g.layer1_x.bias": bias}
    check_cell(arrays, seen, {**leaves, f"g.{gates[0]}": neuron.p_m, f"g.{gates[1]}": neuron.p_a})


def test_dense_gates_on_the_same_update_are_the_ltc_layer_of_the_work() -> None:
    case, arrays = vectors.load("fptt", "cell_ltc_ff")
    neuron = neurons.create("ltc", v_threshold=case["b_j0"], beta=case["beta"])
    x = arrays["x"].clone().requires_grad_()
    w = {key[2:]: value.clone().requires_grad_() for key, value in arrays.items() if key.startswith("w.")}

    def dense(layer: str, inputs: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(inputs, w[f"{layer}.weight"], w[f"{layer}.bias"])

    mem, b, spike = arrays["mem0"], arrays["b0"], arrays["spk0"]
    seen: dict[str, list[torch.Tensor]] = {"spk": [], "mem": [], "b": []}
    for x_t in x.unbind(0):
        current = dense("layer1_x", x_t)
        g = dense("layer1_tauM", torch.cat([current, mem], -1)).sigmoid()
        r = dense("layer1_tauAdp", torch.cat([current, b], -1)).sigmoid()
        spike, mem, b, _ = neuron.respond(current, mem, r * b + (1 - r) * spike, g)
        for key, value in (("spk", spike), ("mem", mem), ("b", b)):
            seen[key].append(value)
    check_cell(arrays, seen, {"g_x": x, **{f"g.{key}": value for key, value in w.items()}})


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
    parameters = {key: value.detach().numpy().copy() for key, value in neuron.named_parameters()}
    inputs = torch.from_numpy(x).requires_grad_()
    spikes = neuron(inputs)
    spikes.backward(torch.from_numpy(g))
    expected, grad_x, grads = ltc_recursion(x, g, parameters, neuron.v_threshold, neuron.beta, detach)
    assert 0.05 < expected.mean() < 0.6
    np.testing.assert_array_equal(spikes.detach(), expected)
    np.testing.assert_allclose(inputs.grad, grad_x, rtol=1e-9, atol=1e-12)
    for key, value in neuron.named_parameters():
        np.testing.assert_allclose(value.grad, grads[key], rtol=1e-9, atol=1e-12)


def test_gates_start_where_the_work_starts_them() -> None:
    alif = neurons.create("alif", shape=4000)
    assert (alif.p_m.mean().item(), alif.p_a.mean().item()) == pytest.approx((2, 4), abs=0.1)
    assert (alif.p_m.std().item(), alif.p_a.std().item()) == pytest.approx((1, 1), abs=0.1)
    ltc = neurons.create("ltc", shape=4000)
    assert {round(p.abs().max().item(), 2) for p in ltc.parameters()} == {0.71}
