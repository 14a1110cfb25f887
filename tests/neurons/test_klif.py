"""KLIF by hand and against SpikingJelly; the golden vectors of the PSN work hold it, too."""

from __future__ import annotations

import pytest
import torch
import vectors
from spikingjelly.activation_based import neuron as peers
from spikingjelly.activation_based import surrogate as peer_surrogates

import neurons


def run(neuron: torch.nn.Module, values: list[float]) -> tuple[list[float], list[float]]:
    neuron.double().step_mode = "s"
    spikes, potentials = [], []
    for value in values:
        spikes.append(neuron(torch.tensor([value], dtype=torch.float64)).item())
        potentials.append(neuron.v.item())
    return spikes, potentials


def klif(k: float, **params: object) -> torch.nn.Module:
    neuron = neurons.create("klif", tau=2.0, **params)
    vectors.set_parameters(neuron, k=torch.tensor(k))
    return neuron


def test_klif_by_hand() -> None:
    assert neurons.create("klif").constants() == {"k": 1.0}
    # k 2: h = x/2 = 0.25, f = 0.5 stays; h = (0.5 + 0.75)/2 = 0.625, f = 1.25 fires; h = -1, f = 0
    values = [0.5, 0.75, -2.0]
    assert run(klif(2.0), values) == ([0, 1, 0], [0.5, 0, 0])
    assert run(klif(2.0, v_reset=None), values) == ([0, 1, 0], [0.5, 0.25, 0])
    # divided by k after the reset: 0.25; h = (0.25 + 0.75)/2 = 0.5, f = 1 fires and leaves (1 - 1)/2
    assert run(klif(2.0, scale_reset=True, v_reset=None), values) == ([0, 1, 0], [0.25, 0, 0])


@pytest.mark.parametrize("v_reset", [None, 0.0, -0.3])
@pytest.mark.parametrize("options", [{}, {"scale_reset": True}, {"decay_input": False}, {"detach_reset": True}])
def test_klif_is_spikingjellys(v_reset: float | None, options: dict[str, bool]) -> None:
    # What is compiled is asked about each option once.
    ours = klif(1.3, v_reset=v_reset, backend="auto" if v_reset == 0.0 else "torch", **options)
    theirs = peers.KLIFNode(
        tau=2.0, v_reset=v_reset, surrogate_function=peer_surrogates.ATan(2.0), step_mode="m", **options
    )
    vectors.set_parameters(theirs, k=torch.tensor(1.3))
    x, g = torch.randn(2, 15, 4, 6)
    results = []
    for neuron in (ours, theirs):
        leaf = (x * 2).requires_grad_()
        spikes = neuron(leaf)
        spikes.backward(g)
        results.append((spikes.detach(), neuron.v.detach(), leaf.grad, neuron.k.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)


def test_an_impossible_time_constant_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tau of a KLIF neuron must be at least 1, got 0.5"):
        neurons.create("klif", tau=0.5)
