"""EIF, QIF and Izhikevich by hand and against SpikingJelly."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import neuron as peers
from spikingjelly.activation_based import surrogate as peer_surrogates

import neurons

PEERS = {"eif": peers.EIFNode, "qif": peers.QIFNode, "izhikevich": peers.IzhikevichNode}
# Without these a and b the recovery of Izhikevich's neuron would stay at zero.
OWN: dict[str, dict[str, float]] = {"izhikevich": {"a": 0.3, "b": 0.2, "tau_w": 4.0}}


def one_step(neuron: torch.nn.Module, value: float) -> float:
    neuron.double().step_mode = "s"
    return neuron(torch.tensor([value], dtype=torch.float64)).item()


def test_eif_by_hand() -> None:
    neuron = neurons.create("eif", tau=2.0, delta_T=0.5, theta_rh=0.8, v_rest=0.0, v_reset=-0.1)
    assert one_step(neuron, 0.4) == 0  # -0.1 + (0.4 + 0.1 + 0.5 exp(-0.9 / 0.5)) / 2
    first = -0.1 + (0.5 + 0.5 * math.exp(-1.8)) / 2
    assert neuron.v.item() == pytest.approx(first)
    assert one_step(neuron, 3.0) == 1
    assert neuron.v.item() == -0.1


def test_eif_at_its_defaults_fires_without_input() -> None:
    """exp(v - 0.8) > v for every v, and 0.2 at v = 0.8, so that each step gains at least 0.1."""
    assert neurons.create("eif")(torch.zeros(30, 2)).sum() > 0
    assert neurons.create("eif", delta_T=0.1)(torch.zeros(30, 2)).sum() == 0


def test_qif_by_hand() -> None:
    neuron = neurons.create("qif", tau=2.0, v_c=0.8, a0=1.0, v_rest=0.0, v_reset=-0.1)
    assert one_step(neuron, 0.5) == 0  # -0.1 + (0.5 + (-0.1)(-0.9)) / 2 = 0.195
    assert neuron.v.item() == pytest.approx(0.195)
    assert one_step(neuron, 2.0) == 1  # 0.195 + (2 - 0.195 * 0.605) / 2 = 1.136
    assert neuron.v.item() == -0.1


def test_izhikevich_by_hand() -> None:
    neuron = neurons.create("izhikevich", a=0.5, b=0.25, tau_w=2.0, v_rest=-0.1)
    assert one_step(neuron, 3.0) == 1  # 0 + (3 + 0.1 * (-0.8)) / 2 = 1.46 fires
    assert neuron.v.item() == 0
    assert neuron.w.item() == pytest.approx(0.5 * 1.56 / 2 + 0.25)  # 0.64
    assert one_step(neuron, 0.0) == 0  # (-0.08 - 0.64) / 2 = -0.36
    assert neuron.v.item() == pytest.approx(-0.36)
    assert neuron.w.item() == pytest.approx(0.64 + (0.5 * -0.26 - 0.64) / 2)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("v_reset", ["default", -0.4, None])
def test_the_peer_computes_the_same(name: str, detach: bool, v_reset: Any) -> None:
    options = {"detach_reset": detach, **OWN.get(name, {})}
    # Inputs of the size of the threshold: with a soft reset a potential far above it would run away.
    x, g = torch.randn(2, 12, 4, 6)
    if v_reset != "default":
        options["v_reset"] = v_reset
    ours = neurons.create(name, backend="torch", **options)
    theirs = PEERS[name](surrogate_function=peer_surrogates.ATan(2.0), step_mode="m", **options)
    results = []
    for neuron in (ours, theirs):
        leaf = (x / 2 + 0.3).requires_grad_()
        spikes = torch.cat([neuron(leaf[:5]), neuron(leaf[5:])])
        spikes.backward(g)
        states = [getattr(neuron, state).detach() for state in ours.states]
        results.append((spikes.detach(), leaf.grad, *states))
    assert 0.01 < results[0][0].mean() < 0.6
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)


def test_states_start_at_the_reset_potential_and_the_resting_recovery() -> None:
    neuron = neurons.create("izhikevich", w_rest=0.3, v_reset=-0.2)
    assert (neuron.v, neuron.w, neuron.v_rest) == (-0.2, 0.3, -0.1)
    assert neurons.create("qif", v_reset=None).v == 0


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("eif", {"tau": 0.5}, "tau of EIF must be at least 1"),
        ("eif", {"v_reset": math.nan}, "EIF needs a threshold and a finite v_reset"),
        ("eif", {"delta_T": 0.0}, "delta_T of an EIF neuron must be positive"),
        ("qif", {"a0": -1.0}, "a0 of QIF must be positive"),
        ("izhikevich", {"tau_w": 0.0}, "tau_w of an Izhikevich neuron must be at least 1"),
    ],
)
def test_impossible_parameters_are_refused(name: str, params: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neurons.create(name, **params)
