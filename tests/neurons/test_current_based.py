"""CuLIF, PCuLIF and AdLIF by hand; in float32 against the first-spike vectors (see tests/test_golden.py)."""

from __future__ import annotations

import math

import pytest
import torch
import vectors
from golden_first_spike_neurons import create
from hypothesis import given
from hypothesis import strategies as st

import neurons
from core.registry import UnknownName
from neurons.surrogate import ATan

CASES = [name for kind in ("culif", "pculif", "adlif") for name in vectors.names("first_spike", f"{kind}_[0-9]*")]


@pytest.mark.parametrize("name", CASES)
def test_sequences_in_single_precision(name: str) -> None:
    case, arrays = vectors.load("first_spike", name)
    assert case["min_abs_distance_to_threshold"] > 1e-5
    neuron = create(case, {key: value.numpy() for key, value in arrays.items()}).float()
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


def test_cuadlif_by_hand() -> None:
    neuron = neurons.create("cuadlif", tau_m=HALF, tau_s=HALF, tau_osc=HALF)
    vectors.set_parameters(neuron, a=torch.tensor(0.5), b=torch.tensor(0.25))
    # I: 2, 1, 0.5. H[0] = 0. H[1] = (0 + 2 - 0) / 2 = 1 fires. H[2] = (0 + 1 - W[1]) / 2 = 0.5 fires at 0.5 exactly.
    seen = steps(neuron, [2.0, 0.0, 0.0, 0.0], state="w")
    assert [spike for spike, _ in seen[:2]] == [0, 1]
    # W[1] = 0; W[2] = 0.5 * 1 + 0.25 * 1 = 0.75
    assert [w for _, w in seen[:3]] == pytest.approx([0, 0, 0.75])
    assert neuron.i.item() == pytest.approx(0.25)


def test_cuadlif_without_adaptation_is_culif() -> None:
    torch.manual_seed(0)
    plain = neurons.create("culif", tau_m=4.0, tau_s=6.0, backend="torch")
    adaptive = neurons.create("cuadlif", tau_m=4.0, tau_s=6.0, backend="torch")
    vectors.set_parameters(adaptive, a=torch.tensor(0.0), b=torch.tensor(0.0))
    x = torch.randn(30, 4, 5)
    spikes = plain(x)
    assert 0 < spikes.mean() < 1
    assert torch.equal(adaptive(x), spikes)
    assert adaptive.constants() == pytest.approx({"tau_m": 4, "tau_s": 6, "tau_osc": 100}, rel=1e-4)


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
    fixed, learned = (neurons.create(name, tau_m=4.0, tau_s=3.0, backend="torch") for name in ("culif", "pculif"))
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


def test_superspike_form_by_hand() -> None:
    # What fires is the potential that an earlier step left, above the threshold alone: V 0, 0, 1 fires, then 0.5 = V_th
    neuron = neurons.create("culif", tau_m=HALF, tau_s=HALF, variant="superspike")
    assert steps(neuron, [2.0, 0.0, 0.0, 0.0]) == [(0, 0), (0, 1), (1, 0.5), (0, 0.5)]


@pytest.mark.parametrize("name", ["culif", "pculif"])
def test_superspike_form_is_the_other_one_step_later(name: str) -> None:
    x = torch.randn(40, 5, 6, dtype=torch.float64) * 2
    spikes = {
        variant: neurons.create(name, variant=variant, backend="torch").double()(x).detach()
        for variant in ("spikingjelly", "superspike")
    }
    assert spikes["spikingjelly"].any()
    assert torch.equal(spikes["superspike"][1:], spikes["spikingjelly"][:-1])
    assert neurons.create(name, variant="superspike", tau_m=9.0, tau_s=3.0).constants() == pytest.approx(
        {} if name == "culif" else {"tau_m": 9, "tau_s": 3}, rel=1e-5
    )


def test_sparch_form_by_hand() -> None:
    neuron = neurons.create("adlif", variant="sparch").double()
    vectors.set_parameters(neuron, **{name: torch.tensor(9.0).double() for name in ("p_m", "p_osc", "b")})
    vectors.set_parameters(neuron, a=torch.tensor(-9.0).double())
    alpha, rho = math.exp(-1 / 25), math.exp(-1 / 120)  # the ends of the ranges: a = -1, b = 2
    neuron.store_states(list(neuron.begun(*(torch.tensor([value]).double() for value in (0.5, 0.25, 1.0))).values()))
    w = rho * 0.25 - 0.5 + 2
    u = alpha * (0.5 - 1) + (1 - alpha) * (100 - w)
    assert steps(neuron, [100.0], state="w") == [(1, pytest.approx(w))]
    assert neuron.v.item() == pytest.approx(u - 1)
    assert neuron.constants() == pytest.approx({"tau_m": 25, "tau_osc": 120})


def test_sparch_form_begins_at_random_states_and_repeats_them() -> None:
    neuron = neurons.create("adlif", variant="sparch", shape=4)
    first = []
    for _ in range(2):
        neuron.reset()
        with neurons.drawn_from(torch.Generator().manual_seed(7)):
            first.append(neuron(torch.zeros(6, 3, 4)))
            assert neuron.w.unique().numel() > 1
    assert torch.equal(*first)


@pytest.mark.parametrize(
    ("name", "variant"), [("culif", "superspike"), ("pculif", "superspike"), ("adlif", "sparch"), ("adlif", "")]
)
def test_every_backend_knows_the_forms(name: str, variant: str) -> None:
    """What a backend has compiled for one form serves no other."""
    x, results = torch.randn(30, 4, 5) * 3, []
    torch.manual_seed(1)
    neuron = neurons.create(name, variant=variant)
    for backend in ("torch", "auto"):
        neuron.backend = backend
        neuron.zero_grad()
        neuron.reset()
        leaf = x.clone().requires_grad_()
        with neurons.drawn_from(torch.Generator().manual_seed(7)):
            spikes = neuron(leaf)
        spikes.backward(torch.ones_like(x))
        results.append([spikes.detach(), leaf.grad, *(parameter.grad for parameter in neuron.parameters())])
    assert results[0][0].any()
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-4)


def test_what_a_form_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownName, match="variant of CuLIF"):
        neurons.create("culif", variant="sparch")
    with pytest.raises(ValueError, match="'sparch' of AdLIF has no option tau_m"):
        neurons.create("adlif", variant="sparch", tau_m=5.0)
