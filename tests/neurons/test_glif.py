"""GLIF by hand; what the golden vectors of the PSN work do not ask of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import vectors

import neurons

NAMES = {"Vth": "p_threshold", "reVth": "p_subreset"}
SIZES = {"T": 8, "shape": (5, 1, 1)}


def baseline(name: str) -> dict[str, torch.Tensor]:
    arrays = vectors.load("psn", "baselines")[1]
    return {key.split("/")[1]: value for key, value in arrays.items() if key.startswith(f"{name}/")}


def glif(case: dict[str, torch.Tensor], **common: Any) -> torch.nn.Module:
    neuron = neurons.create("glif", **SIZES, **common)
    parameters = {key.removeprefix("param."): value for key, value in case.items() if key.startswith("param.")}
    vectors.set_parameters(neuron, **{NAMES.get(key, f"p_{key}"): value for key, value in parameters.items()})
    return neuron


def test_glif_by_hand() -> None:
    # Gates 1 1 1: input times g 0.5, kept tau 0.25 and cleared by a spike; V_th 0.5 is not reached by equality.
    neuron = neurons.create("glif", step_mode="s").double()
    seen = []
    for value in (1.0, 0.75, 1.0):
        spike = neuron(torch.tensor([value], dtype=torch.float64))
        seen.append((spike.item(), neuron.v.item()))
    # 0.5 = V_th is silent; 0.125 + 0.375 = 0.5 again; 0.125 + 0.5 fires
    assert [spike for spike, _ in seen] == [0, 0, 1]
    assert [v for _, v in seen] == pytest.approx([0.5, 0.5, 0.625], abs=1e-7)
    neuron(torch.tensor([0.0], dtype=torch.float64))
    assert neuron.v.item() == pytest.approx(0, abs=1e-7)


def test_closed_gates_give_a_linear_leak_and_a_subtraction() -> None:
    neuron = neurons.create("glif", init_linear_decay=0.25, init_v_subreset=0.75, backend="torch").double()
    for gate in (neuron.p_alpha, neuron.p_beta, neuron.p_gamma):
        gate.data.neg_()
    spikes = neuron(torch.tensor([[1.0], [0.0], [0.125]], dtype=torch.float64))
    # 1 - 0.25 = 0.75 fires; 0.75 - 0.25 - 0.75 = -0.25; -0.25 - 0.25 + 0.125 * g^0 = -0.375
    assert spikes.flatten().tolist() == [1, 0, 0]
    assert neuron.v.item() == pytest.approx(-0.375, abs=1e-6)


def test_the_conductance_follows_the_steps_in_every_mode() -> None:
    case = baseline("glif_cw_T8")
    x = case["x_seq"]
    in_two, single = glif(case), glif(case, step_mode="s")
    with torch.no_grad():
        assert torch.equal(torch.cat([in_two(x[:3]), in_two(x[3:])]), case["spikes"])
        assert torch.equal(torch.stack([single(x_t) for x_t in x]), case["spikes"])
        with pytest.raises(ValueError, match=r"T=8 steps, 9 were given.*reset"):
            single(x[0])
        in_two.reset()
        assert torch.equal(in_two(x), case["spikes"])


def test_per_neuron_conductances_of_features() -> None:
    neuron = neurons.create("glif", T=3, shape=4, backend="torch")
    assert {name: list(p.shape) for name, p in neuron.named_parameters()}["p_conduct"] == [3, 4]
    neuron.p_conduct.data[1, 2] = -100.0  # g = 0: at step 1 feature 2 gets no input
    neuron(torch.full((2, 5, 4), 0.5))
    assert neuron.v[0].tolist() == pytest.approx([0.3125, 0.3125, 0.0625, 0.3125])  # 0.25 * 0.25 + 0.25


def test_detached_resets_change_gradients_only() -> None:
    case = baseline("glif_cw_T8")
    results = []
    for detach in (False, True):
        x = case["x_seq"].clone().requires_grad_()
        spikes = glif(case, detach_reset=detach, backend="torch")(x)
        spikes.sum().backward()
        results.append((spikes.detach(), x.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.allclose(results[0][1], results[1][1])


@pytest.mark.parametrize("params", [{"init_tau": 1.0}, {"T": 0}, {"init_v_threshold": -0.5}])
def test_impossible_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1|T of a GLIF"):
        neurons.create("glif", **params)
