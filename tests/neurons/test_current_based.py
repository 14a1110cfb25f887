"""CuLIF, PCuLIF and AdLIF by hand and against the vectors of the first-spike work, states and gradients in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import vectors
from hypothesis import given
from hypothesis import strategies as st

import neurons
from neurons.surrogate import ATan

PARAMETERS = {
    "pculif": {"raw_decay_mem": "p_m", "raw_decay_syn": "p_s"},
    "adlif": {"raw_decay_mem": "p_m", "raw_decay_osc": "p_osc", "a": "a", "b": "b"},
}
STATES = {"i_seq": "i", "w_seq": "w", "v_seq": "v"}
CASES = [name for kind in ("culif", "pculif", "adlif") for name in vectors.names("first_spike", f"{kind}_*")]
EXACT = {"rtol": 1e-9, "atol": 1e-10}


def create(case: dict[str, Any], arrays: dict[str, torch.Tensor], dtype: torch.dtype) -> torch.nn.Module:
    params, kind = case["params"], case["kind"].split("_")[0]
    own: dict[str, Any] = {key: params[key] for key in ("v_threshold", "v_reset", "detach_reset")}
    own["tau_m"] = params["tau_mem"]
    if kind == "adlif":
        own["tau_osc"] = params["tau_osc"]
    else:
        own["tau_s"] = params["tau_syn"]
    if params["decay_mode"] == "m":
        own["shape"] = arrays["x_seq"].shape[-1]
    neuron = neurons.create(kind, **own)
    vectors.set_parameters(neuron, **{ours: arrays[theirs] for theirs, ours in PARAMETERS.get(kind, {}).items()})
    return neuron.to(dtype)


@pytest.mark.parametrize("name", CASES)
def test_states_and_gradients_are_those_of_the_work(name: str) -> None:
    case, arrays = vectors.load("first_spike", name)
    neuron = create(case, arrays, torch.float64)
    neuron.step_mode = "s"
    x = arrays["x_seq"].requires_grad_()
    potentials: list[torch.Tensor] = []
    neuron.surrogate.register_forward_hook(lambda _m, args, _out: potentials.append(args[0].detach()))
    spikes, seen = [], {key: [] for key in STATES if key in arrays}
    for x_t in x.unbind(0):
        spikes.append(neuron(x_t))
        for key, values in seen.items():
            values.append(getattr(neuron, STATES[key]).detach())
    out = torch.stack(spikes)
    out.backward(arrays["g"])
    assert torch.equal(out.detach(), arrays["spikes"].double())
    torch.testing.assert_close(torch.stack(potentials) + case["params"]["v_threshold"], arrays["h_seq"], **EXACT)
    for key, values in seen.items():
        torch.testing.assert_close(torch.stack(values), arrays[key], **EXACT)
    torch.testing.assert_close(x.grad, arrays["grad_x"], **EXACT)
    names = {ours: theirs for theirs, ours in PARAMETERS.get(neuron.name, {}).items()}
    assert set(names) == {key for key, _ in neuron.named_parameters()}
    for key, parameter in neuron.named_parameters():
        torch.testing.assert_close(parameter.grad, arrays[f"grad_{names[key]}"].reshape(parameter.shape), **EXACT)
    for key in ("a", "b"):
        if f"{key}_clamped" in arrays:
            expected = arrays[f"{key}_clamped"]
            assert torch.equal(neuron.get_parameter(key).detach(), expected.reshape(neuron.get_parameter(key).shape))


@pytest.mark.parametrize("name", CASES)
def test_sequences_in_single_precision(name: str) -> None:
    case, arrays = vectors.load("first_spike", name)
    assert case["min_abs_distance_to_threshold"] > 1e-5
    neuron = create(case, arrays, torch.float32)
    x = arrays["x_seq"].float().requires_grad_()
    spikes = neuron(x)
    spikes.backward(arrays["g"].float())
    assert torch.equal(spikes.detach(), arrays["spikes"].float())
    torch.testing.assert_close(neuron.v.detach(), arrays["v_seq"][-1].float(), rtol=2e-4, atol=2e-5)
    torch.testing.assert_close(x.grad, arrays["grad_x"].float(), rtol=2e-4, atol=2e-5)


def steps(neuron: torch.nn.Module, values: list[float], state: str = "v") -> list[tuple[float, float]]:
    neuron.double().step_mode = "s"
    seen = []
    for value in values:
        spike = neuron(torch.tensor([value], dtype=torch.float64))
        seen.append((spike.item(), getattr(neuron, state).item()))
    return seen


HALF = 1 / math.log(2)  # the time constant whose decay is 1/2


def test_culif_by_hand() -> None:
    # An input is felt a step later. I: 2, 1, 0.5; H: 0; (0 + 2)/2 = 1 fires; (0 + 1)/2 = 0.5 fires at 0.5 exactly
    neuron = neurons.create("culif", tau_m=HALF, tau_s=HALF)
    seen = steps(neuron, [2.0, 0.0, 0.0])
    assert [spike for spike, _ in seen[:2]] == [0, 1]
    assert [v for _, v in seen[:2]] == [0, 0]
    assert neuron.i.item() == pytest.approx(0.5)


def test_culif_with_other_resets_by_hand() -> None:
    # Soft: H = 1 leaves 0.5. Hard to -0.5: from rest -0.5 + half of the current 2 above it = 0.5 fires.
    assert steps(neurons.create("culif", tau_m=HALF, tau_s=HALF, v_reset=None), [2.0, 0.0])[1] == (1, 0.5)
    assert steps(neurons.create("culif", tau_m=HALF, tau_s=HALF, v_reset=-0.5), [2.2, 0.0]) == [(0, -0.5), (1, -0.5)]


def test_adlif_by_hand() -> None:
    neuron = neurons.create("adlif", tau_m=HALF, tau_osc=HALF)
    vectors.set_parameters(neuron, a=torch.tensor(0.5), b=torch.tensor(0.25))
    # H[0] = 2 / 2 = 1 fires. H[1] = (0 + 0.5 - W[0]) / 2 = 0.25. H[2] = (0.25 + 0 - W[1]) / 2 = -0.25
    seen = steps(neuron, [2.0, 0.5, 0.0], state="w")
    assert [spike for spike, _ in seen] == [1, 0, 0]
    # W[0] = 0; W[1] = 0.5 * 1 + 0.25 * 1 = 0.75; W[2] = 0.375 + 0.5 * 0.25 = 0.5
    assert [w for _, w in seen] == pytest.approx([0, 0.75, 0.5])
    assert neuron.v.item() == pytest.approx(-0.25)


@given(tau=st.floats(1.01, 1e4))
def test_learned_decays_start_at_exp_of_minus_one_over_tau(tau: float) -> None:
    neuron = neurons.create("pculif", tau_m=tau, tau_s=7.0)
    assert neuron.p_m.detach().sigmoid().item() == pytest.approx(math.exp(-1 / tau), rel=1e-6)
    assert neuron.p_s.detach().sigmoid().item() == pytest.approx(math.exp(-1 / 7), rel=1e-6)


def test_time_constants_are_shown_where_they_are_single_numbers() -> None:
    assert neurons.create("pculif", tau_m=9.0, tau_s=3.0).constants() == pytest.approx(
        {"tau_m": 9, "tau_s": 3}, rel=1e-5
    )
    assert neurons.create("adlif").constants() == pytest.approx({"tau_m": 5, "tau_osc": 100}, rel=1e-4)
    assert neurons.create("pculif", shape=6).constants() == {}


def test_pculif_starts_as_the_culif_of_the_same_time_constants() -> None:
    x = torch.randn(30, 5, 6, dtype=torch.float64)
    fixed, learned = neurons.create("culif", tau_m=4.0, tau_s=3.0), neurons.create("pculif", tau_m=4.0, tau_s=3.0)
    assert torch.equal(fixed(x), learned.double()(x).detach())
    torch.testing.assert_close(fixed.v, learned.v.detach(), rtol=1e-6, atol=1e-6)


def test_adlif_draws_its_couplings_from_the_unit_interval() -> None:
    neuron = neurons.create("adlif", shape=(200, 1))
    for parameter in (neuron.a, neuron.b):
        assert parameter.shape == (200, 1)
        assert 0 <= parameter.min() < 0.1 < 0.9 < parameter.max() <= 1


def test_clamping_leaves_graphs_of_earlier_steps_intact() -> None:
    neuron = neurons.create("adlif", step_mode="s")
    vectors.set_parameters(neuron, a=torch.tensor(1.5), b=torch.tensor(-1.0))
    x = torch.randn(4, 3, requires_grad=True)
    torch.stack([neuron(x_t) for x_t in x]).sum().backward()
    assert (neuron.a.item(), neuron.b.item()) == (1, 0)
    assert x.grad.isfinite().all()


def test_the_defaults_are_those_of_the_work() -> None:
    neuron = neurons.create("adlif")
    assert (neuron.v_threshold, neuron.detach_reset, neuron.surrogate.slope) == (0.5, True, 5.0)
    own = neurons.create("culif", v_threshold=2.0, detach_reset=False, surrogate="atan")
    assert (own.v_threshold, own.detach_reset, type(own.surrogate)) == (2.0, False, ATan)


@pytest.mark.parametrize(
    ("name", "params"), [("culif", {"tau_m": 0.0}), ("pculif", {"tau_s": 1.0}), ("adlif", {"tau_osc": math.inf})]
)
def test_impossible_time_constants_are_refused(name: str, params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="tau_"):
        neurons.create(name, **params)
