"""The exact checks on parallel neurons: they find nothing on sound layers, and every kind of damage."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import neurons
from models.network import Network
from neurons.psn import MaskedPSN, SlidingPSN
from papers.psn import identities

T, N = 7, 50


class Few:
    """A split of random sequences [N, T]; the network turns them around."""

    def __len__(self) -> int:
        return N

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return torch.randn(len(indices), T, generator=torch.Generator().manual_seed(3)), torch.zeros(len(indices))


class Net(Network):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def encode(self, x: Tensor) -> Tensor:
        return 3 * x.T

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence)


def measured(*layers: nn.Module) -> dict[str, float | None]:
    return {metric.name: metric.value for metric in identities.measure(Net(*layers), Few(), "cpu")}  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(5)


def test_networks_without_such_layers_have_nothing_to_check() -> None:
    assert measured(neurons.create("lif", tau=2.0)) == {}


def test_sound_layers() -> None:
    found = measured(
        neurons.create("psn", T=T),
        neurons.create("masked_psn", k=3, T=T, lambda_=1.0),
        neurons.create("sliding_psn", k=3),
        neurons.create("lif", tau=2.0, without_reset=True),
        neurons.create("lif", tau=4.0, without_reset=True, decay_input=False),
    )
    assert found == {
        "masked_steps_difference": 0,
        "masked_steps_ties": 0,
        "sliding_steps_difference": 0,
        "sliding_steps_ties": 0,
        "sliding_forms_difference": 0,
        "sliding_forms_ties": 0,
        "fixed_matrix_difference": 0,
        "fixed_matrix_ties": 0,
        "weight_difference": 0,
        "neuron_parameters": 2 * (49 + 7) + 4,
        "neuron_parameters_expected": 2 * (49 + 7) + 4,
    }


def test_an_open_mask_has_no_single_steps_to_compare() -> None:
    assert "masked_steps_difference" not in measured(neurons.create("masked_psn", k=3, T=T, lambda_=0.5))


def _wrong_mask(self: MaskedPSN) -> Tensor:
    return self.weight.tril().triu(-self.k)  # a band of k + 1


def _wrong_band(self: SlidingPSN, T: int) -> Tensor:
    return identities._band(self.weight, T).T  # looks ahead


@pytest.mark.parametrize(
    ("layer", "method", "wrong", "metric"),
    [
        (lambda: neurons.create("masked_psn", k=3, T=T, lambda_=1.0), "masked_weight", _wrong_mask, "masked_steps"),
        (lambda: neurons.create("sliding_psn", k=3), "matrix", _wrong_band, "sliding_steps"),
        (lambda: neurons.create("sliding_psn", k=3), "matrix", _wrong_band, "sliding_forms"),
    ],
)
def test_damage_is_found(
    monkeypatch: pytest.MonkeyPatch,
    layer: Callable[[], neurons.base.Neuron],
    method: str,
    wrong: Callable[..., Tensor],
    metric: str,
) -> None:
    made = layer()
    made.backend = "torch"
    monkeypatch.setattr(type(made), method, wrong)
    found = measured(made)
    assert found[f"{metric}_difference"] > 0  # type: ignore[operator]
    assert found[f"{metric}_ties"] == 0
    assert found.get("weight_difference", 1.0) > 0  # type: ignore[operator]


def test_a_reset_is_no_fixed_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = neurons.create("lif", tau=2.0, without_reset=True, backend="torch")
    monkeypatch.setattr(type(layer), "after_spike", lambda self, h, s: h * (1 - s))
    assert measured(layer)["fixed_matrix_difference"] > 0  # type: ignore[operator]


def test_rounding_at_the_threshold_is_told_apart() -> None:
    x = torch.tensor([[1.0, 1.0], [1.0, 1.5]])
    weight = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    bias = torch.tensor([[-1.0], [-2.0]])
    spikes = torch.ones(2, 2)
    # Potentials 0 and 0 at step 0, 0 and 0.5 at step 1: of the two differences the second is none of rounding.
    other = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert identities._differing(spikes, other, x, weight, bias) == (2, 1)


def test_the_network_is_left_as_it_was() -> None:
    layer = neurons.create("masked_psn", k=2, T=T, lambda_=1.0)
    network = Net(layer)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    identities.measure(network, Few(), "cpu")  # type: ignore[arg-type]
    assert layer.step_mode == "m"
    assert layer.lambda_ == 1.0
    assert not layer._forward_pre_hooks
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
