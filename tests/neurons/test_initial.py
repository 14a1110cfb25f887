"""Initial states that are not at rest: drawn for every batch, or learned."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import neurons
from neurons.integrate_and_fire import LIF

BACKENDS = [b for b in ("torch", "fused") if b in neurons.backends("lif", "cpu")]


class Drawn(LIF):
    """Membranes that begin uniform on (0, 1)."""

    def initial(self, shape: torch.Size, generator: torch.Generator | None) -> dict[str, Tensor]:
        return {"v": torch.rand(shape, generator=generator)}


class Learned(LIF):
    """Membranes that begin at a learned value, one per neuron of four."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.v0 = nn.Parameter(torch.tensor([0.0, 0.25, 0.5, 0.75]))

    def initial(self, shape: torch.Size, generator: torch.Generator | None) -> dict[str, Tensor]:
        return {"v": self.v0}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_drawn_state_is_one_that_was_carried_there(backend: str, dtype: torch.dtype) -> None:
    layer, x = Drawn(backend=backend), torch.randn(5, 3, 4, dtype=dtype)
    with neurons.drawn_from(seeded(1)):
        spikes = layer(x)
    assert layer.ran == backend
    plain = neurons.create("lif", backend=backend)
    plain.v = torch.rand(3, 4, generator=seeded(1))
    assert torch.equal(plain(x), spikes)
    assert torch.equal(plain.v, layer.v)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_batch_draws_anew_and_may_have_another_size(backend: str) -> None:
    layer = Drawn(backend=backend)
    began = []
    for size in (3, 3, 2):
        assert layer.v is None
        layer.begin(torch.Size((size, 4)))
        began.append(layer.v)
        layer(torch.randn(5, size, 4))
        layer.reset()
    assert not torch.equal(began[0], began[1])
    assert began[2].shape == (2, 4)


def test_a_state_that_is_there_is_carried_over() -> None:
    layer, x = Drawn(backend="torch"), torch.randn(6, 3, 4)
    with neurons.drawn_from(seeded(2)):
        whole = layer(x)
    layer.reset()
    with neurons.drawn_from(seeded(2)):
        parts = torch.cat([layer(x[:2]), layer(x[2:])])
    layer.reset()
    layer.step_mode = "s"
    with neurons.drawn_from(seeded(2)):
        steps = torch.stack([copy.deepcopy(layer)(x[0]), *[layer(x_t) for x_t in x[:0]]])
    assert torch.equal(parts, whole)
    assert torch.equal(steps[0], whole[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_learned_state_gets_its_gradient(backend: str) -> None:
    found = []
    for name in dict.fromkeys(("torch", backend)):
        layer = Learned(backend=name)
        for _ in range(2):
            layer(torch.ones(3, 2, 4) * 0.3).sum().backward()
            layer.reset()
        found.append(layer.v0.grad)
    assert found[0].abs().sum() > 0
    torch.testing.assert_close(found[0], found[-1])


@pytest.mark.parametrize("own", [True, False])
def test_a_checkpoint_runs_again_from_the_state_that_was_drawn(own: bool) -> None:
    def trained(run: object) -> list[Tensor]:
        torch.manual_seed(3)
        layer, x = Drawn(backend="torch"), torch.randn(4, 3, 4, generator=seeded(5)).requires_grad_()

        def call(x: Tensor) -> Tensor:
            return nn.functional.dropout(layer(x), 0.5)  # draws, too

        if own:
            with neurons.drawn_from(seeded(1)):
                spikes = run(call, x)  # type: ignore[operator]
        else:
            spikes = run(call, x)  # type: ignore[operator]
        (spikes * torch.arange(4.0)).sum().backward()
        return [spikes, x.grad, layer.v]

    plain = trained(lambda call, x: call(x))
    kept = trained(lambda call, x: checkpoint(call, x, use_reentrant=False))
    assert all(torch.equal(a, b) for a, b in zip(plain, kept, strict=True))
