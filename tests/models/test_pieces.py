"""A sequence that is cut in pieces gives what the whole gives, in every network and with every neuron."""

from __future__ import annotations

import pytest
import torch
from small_networks import SMALL

import models
import neurons
from models.network import Network, Whole
from neurons.base import Neuron

STEPWISE = [name for name in neurons.names() if neurons.registry.get(name).recurrent]


def network(name: str, neuron: models.NeuronFactory) -> tuple[Network, torch.Tensor]:
    """A small network whose batch norms have seen data and whose scales of steps differ, and an input."""
    torch.manual_seed(4)
    options, shape = SMALL[name]
    made = models.create(name, neuron=neuron, **options)
    x = 3 * torch.randn(shape)
    with torch.no_grad():
        for key, parameter in made.named_parameters():
            if key.endswith(".p"):
                parameter.uniform_(0.5, 2)
            if key.startswith("fc") and parameter.ndim == 2:
                parameter *= 6  # as drawn, the last spiking layer is silent
    made.train()
    with torch.no_grad():
        made.run(x)
    models.reset(made)
    return made.eval(), x


def pieces(made: Network, x: torch.Tensor, cut: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The outputs of the whole and of two pieces."""
    with torch.no_grad():
        sequence = made.encode(x)
        whole = made(sequence)
        models.reset(made)
        parts = [made(part) for part in (sequence[:cut], sequence[cut:])]
        models.reset(made)
    return whole, torch.cat(parts)


def test_every_network_is_cut_here() -> None:
    assert sorted(SMALL) == sorted(set(models.names()) & set(SMALL))
    of_files = {"nir"}  # tests/models/test_nir_graph.py
    assert set(SMALL) | of_files == {name for name in models.names() if models.registry.plugin(name) is None}


@pytest.mark.parametrize("name", SMALL)
def test_a_network_gives_in_two_pieces_what_it_gives_at_once(name: str) -> None:
    made, x = network(name, models.factory("lif", tau=1.5, v_threshold=0.1, backend="torch"))
    assert made.uncut() == []
    whole, cut = pieces(made, x, 2)
    assert len(whole) == made.T
    assert whole.abs().sum() > 0
    torch.testing.assert_close(cut, whole, rtol=1e-4, atol=1e-5)  # convolutions of other batch sizes round differently


@pytest.mark.parametrize("neuron", STEPWISE)
def test_a_network_of_any_stepwise_neuron_is_cut(neuron: str) -> None:
    made, x = network("sequential_fc", models.factory(neuron, backend="torch"))
    whole, cut = pieces(made, x, 3)
    torch.testing.assert_close(cut, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("neuron", ["psn", "masked_psn", "sliding_psn"])
def test_neurons_whose_sequence_is_whole_say_so(neuron: str) -> None:
    options = neurons.registry.get(neuron).example(4)
    made, _ = network("sequential_fc", models.factory(neuron, **options))
    spiking = [key for key, module in made.named_modules() if isinstance(module, Neuron)]
    assert made.uncut() == spiking
    assert len(spiking) == 2


def test_the_answer_is_that_of_the_last_steps() -> None:
    made, x = network("psn_sequential", models.factory("lif", backend="torch"))
    with torch.no_grad():
        whole = made(made.encode(x))
        models.reset(made)
        answer = Whole(made)(x)
    assert torch.equal(answer, whole[-2:])


def test_an_encoding_takes_no_memory_for_steps_that_are_equal() -> None:
    made, x = network("plif_mnist", models.factory("lif"))
    assert made.encode(x).stride()[0] == 0


def test_pieces_of_a_training_share_one_dropout_mask_and_detach_ends_the_gradient() -> None:
    made, x = network("plif_nmnist", models.factory("lif", tau=1.5, v_threshold=0.1, backend="torch"))
    made.fc.train()
    sequence = made.encode(x).requires_grad_()
    made(sequence[:2])
    mask = made.fc[1].mask
    models.detach(made)
    made(sequence[2:]).sum().backward()
    assert torch.equal(made.fc[1].mask, mask)
    assert sequence.grad is not None
    assert sequence.grad[:2].abs().sum() == 0
    assert sequence.grad[2:].abs().sum() > 0


def test_a_builder_whose_network_cannot_encode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.registry, "get", lambda name: torch.nn.Identity)
    with pytest.raises(TypeError, match=r"'mine' made a Identity; a network derives from models\.network\.Network"):
        models.create("mine")
