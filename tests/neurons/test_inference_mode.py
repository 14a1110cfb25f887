"""A state made under torch.inference_mode() goes on into a training, though gradients know no such tensors."""

from __future__ import annotations

import pytest
import torch

import neurons
from models.layers import SharedDropout
from models.readout import LeakyReadout
from models.recurrent import Recurrent

RECURRENT = [name for name in neurons.names() if neurons.registry.get(name).recurrent]


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_neuron_trains_from_a_state_of_inference_mode(name: str, backend: str) -> None:
    found = []
    options = neurons.registry.get(name).example(6)
    for context in (torch.inference_mode, torch.no_grad):
        torch.manual_seed(0)
        layer = neurons.create(name, backend=backend, **options)
        x, more = torch.randn(2, 3, 2, 4, generator=torch.Generator().manual_seed(1)).mul(2).unbind()
        with context():
            layer(x)
        more.requires_grad_()
        (layer(more) * torch.arange(4.0)).sum().backward()
        found.append(more.grad)
    assert torch.equal(found[0], found[1])


def test_so_do_layers_with_memory() -> None:
    x = torch.randn(3, 2, 4, requires_grad=True)
    for layer in (SharedDropout(), LeakyReadout((4,)), Recurrent(neurons.create("alif"), torch.nn.Linear(4, 4))):
        with torch.inference_mode():
            layer(x.detach())
        layer(x).sum().backward()
