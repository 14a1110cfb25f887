"""Peers: each installed library against the suite's step, and its differences where they show."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

import pytest
import torch

import neurons
from bench import peers
from core.registry import UnknownName
from neurons.surrogate import ATan, FastSigmoid

OTHERS = ("snntorch", "norse", "sinabs")


def need(peer: str) -> None:
    reason = peers.absent(peer)
    if reason is not None:
        pytest.skip(reason)


def compare(peer: str, neuron: Any, x: torch.Tensor) -> tuple[bool, float]:
    """Whether the spikes are equal, and the largest relative error of the gradients of the input and of `w`."""
    built = peers.build(peer, neuron)
    wanted = [x, *neuron.parameters()]
    neuron.backend = "torch"
    neuron.reset()
    ours, theirs = neuron(x), built(x)
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    exact = torch.autograd.grad(ours, wanted, g)
    found = torch.autograd.grad(theirs, wanted, g.to(theirs.dtype))
    error = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(exact, found, strict=True))
    return bool((ours == theirs).all()), error


@pytest.mark.parametrize("peer", peers.names())
@pytest.mark.parametrize("name", ["if", "lif", "plif"])
def test_what_is_called_equal_is_equal_and_what_differs_differs(peer: str, name: str) -> None:
    need(peer)
    torch.manual_seed(3)
    x = (0.5 + 1.5 * torch.randn(20, 40, dtype=torch.float64)).requires_grad_()
    equal = 0
    for v_reset, detach, decay in product((0.0, None, -0.25), (True, False), (True, False)):
        options: dict[str, Any] = {"v_reset": v_reset, "detach_reset": detach}
        if name != "if":
            options |= {"decay_input": decay, "tau" if name == "lif" else "init_tau": 1.5 if v_reset is None else 3.0}
        neuron = peers.twin(peer, name, **options).double()
        built = peers.build(peer, neuron)
        spikes, error = compare(peer, neuron, 2 * x if v_reset is None else x)
        assert spikes == (built.forward == peers.EQUAL) or "while a potential stays above" in built.forward
        if spikes and built.semantics == peers.EQUAL:
            assert error < 1e-6, (options, error)
            equal += 1
        elif spikes and built.forward == peers.EQUAL:
            assert error > 1e-3, (options, error)
    assert equal >= 2


@pytest.mark.parametrize("peer", OTHERS)
def test_the_threshold_itself(peer: str) -> None:
    """An input of 1 takes an integrator with threshold 1 exactly onto it."""
    need(peer)
    x = torch.ones(1, 1)
    strict = peers.build(peer, neurons.create("if", surrogate=FastSigmoid(1.0, strict=True)))
    assert float(strict(x)) == (1.0 if peer == "sinabs" else 0.0)
    plain = peers.build(peer, neurons.create("if", surrogate=FastSigmoid(1.0), detach_reset=peer == "sinabs"))
    differs = strict if peer == "sinabs" else plain
    assert "equals the threshold exactly" in differs.forward


@pytest.mark.parametrize("peer", peers.names())
def test_every_call_starts_from_rest(peer: str) -> None:
    need(peer)
    built = peers.build(peer, peers.twin(peer, "lif", tau=2.0))
    x = torch.full((3, 2), 1.4)  # 0.7, 1.05: fires at the second step, then 0.7 again
    assert built(x).tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    assert torch.equal(built(x), built(x))


@pytest.mark.parametrize("peer", peers.names())
@pytest.mark.parametrize("name", ["if", "lif", "plif"])
def test_a_peer_computes_where_its_input_is(peer: str, name: str) -> None:
    need(peer)
    built = peers.build(peer, peers.twin(peer, name).to("meta"))
    x = torch.empty(3, 2, device="meta", requires_grad=True)
    for _ in range(2):
        spikes = built(x)
        assert (spikes.device.type, spikes.shape) == ("meta", x.shape)
    spikes.backward(torch.empty_like(spikes))
    assert x.grad is not None


def test_unbind_changes_nothing_but_cost() -> None:
    for peer in ("snntorch", "norse"):
        need(peer)
        neuron = peers.twin(peer, "lif")
        x = torch.randn(6, 5)
        assert torch.equal(peers.build(peer, neuron)(x), peers.build(peer, neuron, unbind=True)(x))


def test_surrogates_that_a_library_lacks_are_named() -> None:
    need("norse")
    built = peers.build("norse", neurons.create("lif", surrogate=ATan(3.0, strict=True)))
    assert built.forward == peers.EQUAL
    assert "Norse has no surrogate" in built.backward
    assert built.semantics == built.backward


@pytest.mark.parametrize("peer", OTHERS)
def test_an_absent_library_is_said(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, peers.PACKAGES[peer], None)
    assert f"pip install {peer}" in (peers.absent(peer) or "")
    with pytest.raises(peers.NoPeer, match=f"{peer} does not import"):
        peers.build(peer, neurons.create("lif"))


@pytest.mark.parametrize("name", ["psn", "masked_psn", "sliding_psn"])
def test_spikingjellys_parallel_neurons_share_this_layers_parameters(name: str) -> None:
    need("spikingjelly")
    layer = neurons.create(name, **neurons.registry.get(name).example(5))
    built = peers.build("spikingjelly", layer)
    assert built.semantics == peers.EQUAL
    x = torch.randn(5, 2, 9) * 2
    assert torch.equal(built(x), layer(x))
    built(x).sum().backward()
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None


def test_unknown_and_unmapped() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'norse'"):
        peers.absent("nrse")
    with pytest.raises(UnknownName):
        peers.twin("nrse", "lif")
    with pytest.raises(peers.NoPeer):
        peers.build("spikingjelly", neurons.create("adlif"))
