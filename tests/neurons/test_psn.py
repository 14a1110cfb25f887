"""PSN, masked PSN and sliding PSN: by hand, the README of the work, SpikingJelly, properties, the layer.

The vectors of the work are checked in tests/golden_psn.py.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import neurons
from neurons.psn import MaskedPSN, ParallelNeuron, SlidingPSN
from neurons.surrogate import ATan

FORMS = ("gemm", "conv")


def create(name: str, **options: Any) -> Any:
    return neurons.create(name, backend="torch", **options)


def set_to(neuron: Any, weight: Any, bias: Any) -> Any:
    """`neuron` with these parameters, in their shapes."""
    with torch.no_grad():
        neuron.weight.copy_(torch.as_tensor(weight).reshape(neuron.weight.shape))
        neuron.bias.copy_(torch.as_tensor(bias).reshape(neuron.bias.shape))
    return neuron


def one_by_one(neuron: Any, x: Tensor) -> Tensor:
    """Spikes of a copy of `neuron`, step by step."""
    single = copy.deepcopy(neuron)
    single.step_mode = "s"
    return torch.stack([single(x_t) for x_t in x])


def test_psn_by_hand() -> None:
    # H = (1*1 + 2*0.5, 0.5*1 - 1*0.5) + (-2, 0.25) = (0, 0.25): zero fires; with X[1] = 0.25 H[0] = -0.5 and 0.5
    neuron = set_to(create("psn", T=2), [[1.0, 2.0], [0.5, -1.0]], [-2.0, 0.25])
    x = torch.tensor([[1.0, 1.0], [0.5, 0.25]])
    assert neuron.charge(x).tolist() == [[0.0, -0.5], [0.25, 0.5]]
    assert neuron(x).tolist() == [[1, 0], [1, 1]]


def test_psn_gradients_by_hand() -> None:
    """grad X = W^T D, grad W = D X^T, grad b = row sums of D = g / (1 + (pi H)^2) (spec, trap 17)."""
    neuron = set_to(create("psn", T=2).double(), [[1.0, 2.0], [0.5, -1.0]], [-2.0, 0.25])
    x = torch.tensor([[1.0, 1.0], [0.5, 0.25]], dtype=torch.float64, requires_grad=True)
    neuron(x).backward(torch.tensor([[1.0, 1.0], [2.0, 0.0]], dtype=torch.float64))
    far, near = 1 / (1 + (np.pi * 0.5) ** 2), 2 / (1 + (np.pi * 0.25) ** 2)
    # D = [[1, far], [near, 0]]
    np.testing.assert_allclose(neuron.bias.grad, [[1 + far], [near]])
    np.testing.assert_allclose(neuron.weight.grad, [[1 + far, 0.5 + 0.25 * far], [near, 0.5 * near]])
    np.testing.assert_allclose(x.grad, [[1 + 0.5 * near, far], [2 - near, 2 * far]])


def test_masked_by_hand() -> None:
    # k = 2: H[2] = 3*2 + 4*1 - 10 = 0 whatever X[0] is
    neuron = set_to(create("masked_psn", k=2, T=3, lambda_=1.0), [[1.0, 9, 9], [1, 2, 9], [9, 3, 4]], [-1.0, -5, -10])
    x = torch.tensor([[0.5], [2.0], [1.0]])
    assert neuron.charge(x).flatten().tolist() == [-0.5, -0.5, 0.0]
    assert neuron(x).flatten().tolist() == one_by_one(neuron, x).flatten().tolist() == [0, 0, 1]


@pytest.mark.parametrize("form", FORMS)
def test_sliding_by_hand(form: str) -> None:
    # W = (0.5, 1): H = (1 - 1, 0.5 + 0.25 - 1, 0.125 + 1 - 1)
    neuron = create("sliding_psn", k=2, form=form)
    x = torch.tensor([[1.0], [0.25], [1.0]])
    assert neuron.charge(x).flatten().tolist() == [0.0, -0.25, 0.125]
    assert neuron(x).flatten().tolist() == one_by_one(neuron, x).flatten().tolist() == [1, 0, 1]


def test_the_band_matrix_of_a_sliding_neuron() -> None:
    neuron = create("sliding_psn", k=3)
    assert neuron.matrix(4).tolist() == [[1, 0, 0, 0], [0.5, 1, 0, 0], [0.25, 0.5, 1, 0], [0, 0.25, 0.5, 1]]
    assert neuron.matrix(2).tolist() == [[1, 0], [0.5, 1]]


def test_initial_parameters() -> None:
    psn = create("psn", T=400)
    assert psn.bias.tolist() == [[-1.0]] * 400
    assert 0.0499 < psn.weight.abs().max() <= 0.05  # 1 / sqrt(400)
    assert create("sliding_psn", k=4).weight.tolist() == [0.125, 0.25, 0.5, 1]
    drawn = create("sliding_psn", k=400, exp_init=False)
    assert 0.04 < drawn.weight.abs().max() <= 0.05
    assert (drawn.bias.shape, drawn.bias.item()) == (torch.Size([]), -1)


@pytest.mark.parametrize(("T", "count"), [(4, 20), (32, 1056)])
def test_parameter_counts_of_the_work(T: int, count: int) -> None:
    for neuron in (create("psn", T=T), create("masked_psn", k=2, T=T)):
        assert sum(p.numel() for p in neuron.parameters()) == count
    assert sum(p.numel() for p in create("sliding_psn", k=T).parameters()) == T + 1


# README of the work ------------------------------------------------------------------------------------------------

README_WEIGHTS = {  # lambda: the rows printed there, to four digits
    0.25: [
        [0.1137, -0.2760, -0.1344, 0.3556],
        [0.0724, 0.4752, 0.1168, -0.1484],
        [-0.1385, -0.3990, 0.4036, 0.2598],
        [0.2951, 0.2952, -0.1521, 0.0234],
    ],
    0.5: [
        [0.1137, -0.1840, -0.0896, 0.2371],
        [0.0724, 0.4752, 0.0779, -0.0990],
        [-0.0924, -0.3990, 0.4036, 0.1732],
        [0.1968, 0.1968, -0.1521, 0.0234],
    ],
    0.75: [
        [0.1137, -0.0920, -0.0448, 0.1185],
        [0.0724, 0.4752, 0.0389, -0.0495],
        [-0.0462, -0.3990, 0.4036, 0.0866],
        [0.0984, 0.0984, -0.1521, 0.0234],
    ],
    1.0: [
        [0.1137, 0.0000, 0.0000, 0.0000],
        [0.0724, 0.4752, 0.0000, 0.0000],
        [0.0000, -0.3990, 0.4036, 0.0000],
        [0.0000, 0.0000, -0.1521, 0.0234],
    ],
}


def test_the_masked_weights_of_the_readme() -> None:
    """Claim C3: off the band they scale with 1 - lambda; the weight itself is recovered from lambda = 0.25."""
    band = torch.ones(4, 4).tril().triu(-1)
    weight = torch.tensor(README_WEIGHTS[0.25]) / (0.75 + 0.25 * band)
    neuron = set_to(create("masked_psn", k=2, T=4), weight, torch.full((4, 1), -1.0))
    assert torch.equal(neuron.masked_weight(), neuron.weight)
    for lambda_, expected in README_WEIGHTS.items():
        neuron.lambda_ = lambda_
        torch.testing.assert_close(neuron.masked_weight().detach(), torch.tensor(expected), rtol=0, atol=1.5e-4)
        assert torch.equal(neuron.masked_weight()[band > 0], neuron.weight[band > 0])
    assert (neuron.masked_weight()[band == 0] == 0).all()


def test_the_modes_of_the_readmes_masked_neuron() -> None:
    """Claim C1: T = N = 64, k = 32, inputs in [2, 3]: the sum of differences is 0."""
    neuron = create("masked_psn", k=32, T=64, lambda_=1.0)
    x = torch.rand(64, 64) + 2
    spikes = neuron(x)
    assert 0 < spikes.mean() < 1
    assert (spikes - one_by_one(neuron, x)).abs().sum() == 0


def test_the_forms_and_modes_of_the_readmes_sliding_neuron() -> None:
    """Claim C2: T = N = 64, k = 2: gemm = conv = step by step."""
    neuron = create("sliding_psn", k=2)
    x = torch.rand(64, 64)
    spikes = neuron(x)
    assert 0.2 < spikes.mean() < 0.27  # 0.2275 and 0.2327 there
    neuron.form = "conv"
    assert (spikes - neuron(x)).abs().sum() == 0
    assert (spikes - one_by_one(neuron, x)).abs().sum() == 0


# SpikingJelly ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lambda_", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["psn", "masked_psn", "sliding_psn"])
def test_spikingjelly_computes_the_same(name: str, lambda_: float) -> None:
    from spikingjelly.activation_based import neuron as peers
    from spikingjelly.activation_based.surrogate import ATan as TheirATan

    T = 13
    if name == "psn":
        ours, theirs = create("psn", T=T), peers.PSN(T, TheirATan())
    elif name == "masked_psn":
        ours = create("masked_psn", k=5, T=T, lambda_=lambda_)
        theirs = peers.MaskedPSN(5, T, lambda_init=lambda_, surrogate_function=TheirATan(), step_mode="m")
    else:
        ours = create("sliding_psn", k=5, exp_init=False)
        theirs = peers.SlidingPSN(5, False, TheirATan(), step_mode="m")
    assert {key: p.shape for key, p in ours.named_parameters()} == {k: p.shape for k, p in theirs.named_parameters()}
    missing = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not missing.unexpected_keys
    x, g = torch.randn(2, T, 3, 2, 4)
    results = []
    for neuron in (ours, theirs):
        leaf = (4 * x).requires_grad_()
        spikes = neuron(leaf)
        spikes.backward(g)
        results.append((spikes.detach(), leaf.grad, neuron.weight.grad, neuron.bias.grad))
    assert 0 < results[0][0].mean() < 1
    assert torch.equal(results[0][0], results[1][0])
    for own, other in zip(*results, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-5)


def test_the_peers_mask_is_as_precise_as_the_layer() -> None:
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    grads = []
    for backend in ("torch", "spikingjelly"):
        torch.manual_seed(0)
        leaf = x.clone().requires_grad_()
        neurons.create("masked_psn", k=2, T=6, lambda_=0.3, backend=backend).double()(leaf).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, rtol=0, atol=1e-14)


# properties --------------------------------------------------------------------------------------------------------


def test_lif_without_reset_is_a_masked_psn() -> None:
    """Claim C4: W[i][j] = (1 - 1/tau)^(i - j) / tau, k = T, b = -1; spikes and input gradients."""
    T, tau = 16, 2.5
    lif = create("lif", tau=tau, without_reset=True).double()
    lag = torch.arange(T, dtype=torch.float64).unsqueeze(1) - torch.arange(T)
    masked = create("masked_psn", k=T, T=T, lambda_=1.0).double()
    set_to(masked, (1 - 1 / tau) ** lag / tau, torch.full((T, 1), -1.0))
    x, g = torch.randn(2, T, 5, 40, dtype=torch.float64)
    grads = []
    for neuron in (lif, masked):
        leaf = (3 * x).requires_grad_()
        spikes = neuron(leaf)
        spikes.backward(g)
        grads.append((spikes.detach(), leaf.grad))
    assert 0.1 < grads[0][0].mean() < 0.9
    assert torch.equal(grads[0][0], grads[1][0])
    torch.testing.assert_close(grads[0][1], grads[1][1])


sizes = st.tuples(st.integers(1, 9), st.integers(1, 12), st.lists(st.integers(1, 4), min_size=1, max_size=3))


@settings(deadline=None, max_examples=25)
@given(sizes, st.sampled_from(["masked_psn", "sliding gemm", "sliding conv"]), st.integers(0, 100))
def test_modes_agree_with_gradients_and_nothing_sees_later_or_old_input(
    size: tuple[int, int, list[int]], kind: str, seed: int
) -> None:
    torch.manual_seed(seed)
    T, k, shape = size
    if kind == "masked_psn":
        k = min(k, T)
        neuron = create("masked_psn", k=k, T=T, lambda_=1.0).double()
    else:
        neuron = create("sliding_psn", k=k, exp_init=False, form=kind.split()[1]).double()
    x, g = 3 * torch.randn(2, T, *shape, dtype=torch.float64)
    single = copy.deepcopy(neuron)
    single.step_mode = "s"
    results = []
    for layer in (neuron, single):
        leaf = x.clone().requires_grad_()
        spikes = layer(leaf) if layer is neuron else torch.stack([layer(x_t) for x_t in leaf])
        spikes.backward(g)
        results.append((spikes.detach(), leaf.grad, layer.weight.grad, layer.bias.grad))
    for by_sequence, by_step in zip(*results, strict=True):
        torch.testing.assert_close(by_sequence, by_step)
    at = seed % T
    other = x.clone()
    other[at] += 1
    changed = (neuron.charge(x) != neuron.charge(other)).flatten(1).any(1)
    assert not changed[:at].any()
    assert not changed[at + k :].any()


@settings(deadline=None, max_examples=25)
@given(T=st.integers(1, 8), k=st.integers(1, 8), lambda_=st.floats(0, 1))
def test_the_masked_weight_is_the_equation(T: int, k: int, lambda_: float) -> None:
    k = min(k, T)
    neuron = create("masked_psn", k=k, T=T, lambda_=lambda_).double()
    expected = torch.empty(T, T, dtype=torch.float64)
    for i in range(T):
        for j in range(T):
            band = 1 if j <= i <= j + k - 1 else 0
            expected[i, j] = neuron.weight[i, j].detach() * (lambda_ * band + (1 - lambda_))
    torch.testing.assert_close(neuron.masked_weight().detach(), expected)
    neuron(torch.randn(T, 3, dtype=torch.float64)).sum().backward()
    if lambda_ == 1:
        assert torch.equal(neuron.weight.grad, neuron.weight.grad.tril().triu(1 - k))


@settings(deadline=None, max_examples=20)
@given(T=st.integers(1, 20), k=st.integers(1, 24))
def test_the_forms_of_a_sliding_neuron_agree(T: int, k: int) -> None:
    gemm = create("sliding_psn", k=k, exp_init=False).double()
    conv = copy.deepcopy(gemm)
    conv.form = "conv"
    x = torch.randn(T, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(gemm.charge(x), conv.charge(x))


def test_the_schedule_of_lambda() -> None:
    """Golden `lambda_schedule` in words: 8 e / (E - 1), at most 1; of 256 epochs the 32nd is the first at 1."""
    neuron = create("masked_psn", k=1, T=2, scheduled=True)
    course = []
    for epoch in range(256):
        neuron.start_epoch(epoch, 256)
        course.append(neuron.lambda_)
    assert course[:2] == [0, 8 / 255]
    assert course[31] == pytest.approx(0.973, abs=5e-4)
    assert set(course[32:]) == {1.0}
    neuron.start_epoch(0, 1)
    assert neuron.lambda_ == 1
    stopped_early = create("masked_psn", k=1, T=2, scheduled=256)
    stopped_early.start_epoch(31, 40)
    assert stopped_early.constants() == {"lambda": course[31]}
    fixed = create("masked_psn", k=1, T=2, lambda_=0.25)
    fixed.start_epoch(200, 256)
    assert fixed.lambda_ == 0.25


# the layer ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_computed_is_said() -> None:
    psn, masked = create("psn", T=4), create("masked_psn", k=2, T=2, lambda_=0.5)
    with pytest.raises(ValueError, match=r"T=4 steps, got 5\. Create it with T=5"):
        psn(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="no single step"):
        create("psn", T=4, step_mode="s")
    psn.step_mode = masked.step_mode = "s"
    with pytest.raises(ValueError, match="no single step"):
        psn(torch.zeros(2))
    with pytest.raises(ValueError, match=r"lambda_=0\.5 .*Set lambda_ to 1"):
        masked(torch.zeros(2))
    masked.lambda_ = 1.0
    masked(torch.zeros(2))
    masked(torch.zeros(2))
    with pytest.raises(OverflowError, match=r"T=2 steps, step 3 .*reset"):
        masked(torch.zeros(2))
    masked.reset()
    masked(torch.zeros(2))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("psn", {"T": 0}, "T of PSN must be at least 1, got 0"),
        ("masked_psn", {"T": 4, "k": 5}, "must be 1 to 4, got 5"),
        ("masked_psn", {"T": 4, "k": 0}, "must be 1 to 4, got 0"),
        ("masked_psn", {"T": 4, "k": 1, "lambda_": 1.5}, r"lambda_ .* 0 to 1, got 1\.5"),
        ("sliding_psn", {"k": 0}, "at least 1, got 0"),
        ("sliding_psn", {"k": 2, "form": "fft"}, "Unknown form 'fft'"),
    ],
)
def test_impossible_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create(name, **options)


def test_the_queue_is_state() -> None:
    neuron = create("sliding_psn", k=3, step_mode="s")
    assert neuron.states == ("x2", "x1")
    first, second, third = torch.arange(6.0).reshape(3, 2)
    for x in (first, second, third):
        neuron(x)
    assert torch.equal(neuron.x2, second)
    assert torch.equal(neuron.x1, third)
    neuron.step_mode = "m"
    whole = neuron(torch.ones(4, 2))
    assert torch.equal(neuron.x1, third), "a sequence neither reads nor changes it"
    neuron.step_mode = "s"
    with pytest.raises(ValueError, match=r"'x2' has shape \[2\].*reset"):
        neuron(torch.zeros(3))
    neuron.reset()
    assert neuron.x2 == neuron.x1 == 0.0
    neuron.step_mode = "m"
    assert torch.equal(neuron(torch.ones(4, 2)), whole)


def test_gradients_flow_through_the_queue() -> None:
    # H[1] = W_0 X[0] + W_1 X[1] + b: the second spike alone gives X[0] the gradient W_0 s'(H[1]).
    for neuron in (
        set_to(create("sliding_psn", k=2, step_mode="s").double(), [0.25, 1.0], -1.0),
        set_to(create("masked_psn", k=2, T=2, lambda_=1.0, step_mode="s").double(), [[9, 9], [0.25, 1.0]], [-1, -1]),
    ):
        x = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
        neuron(x[:1])
        neuron(x[1:]).backward()
        slope = 1 / (1 + (np.pi * (0.25 + 0.5 - 1)) ** 2)
        np.testing.assert_allclose(x.grad, [0.25 * slope, slope])


def test_copies_and_state_dicts() -> None:
    neuron = create("masked_psn", k=2, T=3, lambda_=1.0, step_mode="s")
    assert list(neuron.state_dict()) == ["weight", "bias", "_lambda_"]
    neuron(torch.ones(4))
    twin = copy.deepcopy(neuron)
    neuron.reset()
    assert (neuron.t, twin.t, twin.lambda_) == (0, 1, 1.0)
    assert torch.equal(twin.x1, torch.ones(4))


@pytest.mark.parametrize("lambda_", [0.0, 0.3, 1.0])
def test_a_reloaded_masked_neuron_computes_the_same(lambda_: float) -> None:
    network = nn.Sequential(nn.Identity(), create("masked_psn", k=2, T=6, lambda_=lambda_).double())
    other = nn.Sequential(nn.Identity(), create("masked_psn", k=2, T=6, lambda_=0.5).double())
    other.load_state_dict(network.state_dict())
    assert other[1].lambda_ == lambda_
    x = torch.randn(6, 50, dtype=torch.float64) * 2
    assert torch.equal(other(x), network(x))
    other[1].lambda_ = 0.25
    other.load_state_dict({key: value for key, value in network.state_dict().items() if "lambda" not in key})
    assert other[1].lambda_ == 0.25  # parameters alone


def test_a_state_dict_of_spikingjelly_loads_and_ours_loads_there() -> None:
    from spikingjelly.activation_based import neuron as peers

    T = 5
    pairs = [
        (create("psn", T=T), peers.PSN(T, surrogate_function=ATan())),
        (create("masked_psn", k=2, T=T), peers.MaskedPSN(2, T, lambda_init=0.75, step_mode="m")),
        (create("sliding_psn", k=3), peers.SlidingPSN(3, exp_init=False, step_mode="m")),
    ]
    x = torch.randn(T, 40) * 3
    for ours, theirs in pairs:
        nn.Sequential(ours).load_state_dict(nn.Sequential(theirs).state_dict(), strict=True)
        assert torch.equal(ours(x), theirs(x))
        with torch.no_grad():
            ours.weight.mul_(2)
        assert not theirs.load_state_dict(ours.state_dict(), strict=False).unexpected_keys
        assert torch.equal(ours(x), theirs(x))


def test_a_state_dict_that_does_not_fit_is_refused() -> None:
    from spikingjelly.activation_based import neuron as peers

    neuron = create("masked_psn", k=2, T=5)
    with pytest.raises(RuntimeError, match="mask0 is not that of a MaskedPSN of order k=2"):
        neuron.load_state_dict(peers.MaskedPSN(3, 5).state_dict())
    with pytest.raises(RuntimeError, match=r"_lambda_ must be 0 to 1, got 1\.5"):
        neuron.load_state_dict(peers.MaskedPSN(2, 5, lambda_init=1.5).state_dict())
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        neuron.load_state_dict(peers.MaskedPSN(2, 4).state_dict())
    with pytest.raises(RuntimeError, match=r"size mismatch for _lambda_.*shape torch.Size\(\[2\]\) from checkpoint"):
        neuron.load_state_dict({**neuron.state_dict(), "_lambda_": torch.zeros(2)})


KINDS = {
    "psn": {"T": 6},
    "masked_psn": {"k": 2, "T": 6, "lambda_": 0.3},
    "sliding_psn": {"k": 2},
    "conv": {"k": 2, "form": "conv"},
    "long": {"T": 150},
}


def _of_backend(kind: str, backend: str) -> Any:
    if backend not in neurons.backends("psn", "cpu"):
        pytest.skip(neurons.backends("psn", "cpu").refused[backend])
    name = {"conv": "sliding_psn", "long": "psn"}.get(kind, kind)
    return neurons.create(name, backend=backend, **KINDS[kind])


@pytest.mark.parametrize("backend", ["torch", "fused", "spikingjelly"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_sequence_without_neurons_dimension(kind: str, backend: str) -> None:
    neuron = _of_backend(kind, backend)
    x, g = torch.randn(2, 150 if kind == "long" else 6)
    x = 3 * x
    results = []
    for shape in ((-1,), (-1, 1)):
        leaf = x.clone().requires_grad_()
        neuron.zero_grad()
        spikes = neuron(leaf.view(shape))
        spikes.backward(g.view(shape))
        assert spikes.shape == leaf.view(shape).shape
        results.append((spikes.flatten(), leaf.grad, neuron.weight.grad.clone(), neuron.bias.grad.clone()))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", ["torch", "fused", "spikingjelly"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_type_under_autocast_is_that_of_the_input(kind: str, backend: str, dtype: torch.dtype) -> None:
    neuron = _of_backend(kind, backend)
    x = (3 * torch.randn(150 if kind == "long" else 6, 20)).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        spikes = neuron(x)
    spikes.sum().backward()
    assert spikes.dtype == x.grad.dtype == dtype
    if backend != "spikingjelly":
        assert torch.equal(spikes, neuron(x))


@pytest.mark.parametrize("name", ["psn", "masked_psn", "sliding_psn"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_inputs(name: str, dtype: torch.dtype) -> None:
    """To a layer of the same type or of float32: the product is that of the inputs' type."""
    neuron = create(name, **neurons.registry.get(name).example(8))
    x = (2 * torch.randn(8, 3, 5)).to(dtype).requires_grad_()
    spikes = neuron(x)
    spikes.sum().backward()
    assert spikes.dtype == x.grad.dtype == dtype
    assert neuron.weight.grad.dtype == torch.float32
    assert torch.equal(spikes, neuron.to(dtype)(x))
    single = copy.deepcopy(neuron)
    if single.has_step():
        single.step_mode = "s"
        assert single(x[0]).dtype == dtype


@pytest.mark.parametrize("name", ["psn", "masked_psn", "sliding_psn"])
def test_layouts_and_devices(name: str) -> None:
    neuron = create(name, **neurons.registry.get(name).example(5))
    x = 2 * torch.randn(5, 2, 3, 4, 4)
    last = x.movedim(2, -1).contiguous().movedim(-1, 2)
    assert torch.equal(neuron(last), neuron(x))
    assert neuron(x[:, :, :, :0]).shape == (5, 2, 3, 0, 4)
    moved = neuron.to("meta")
    assert moved(x.to("meta")).device.type == "meta"


def test_the_surrogate_is_an_option() -> None:
    neuron = create("psn", T=3, surrogate={"name": "atan", "alpha": 4.0})
    assert neuron.surrogate.alpha == 4
    assert create("sliding_psn", k=1).surrogate.alpha == ATan().alpha == 2


def test_examples_are_typical_layers() -> None:
    assert neurons.registry.get("psn").example(5) == {"T": 5}
    masked: MaskedPSN = create("masked_psn", **MaskedPSN.example(4))
    assert (masked.T, masked.k, masked.lambda_) == (4, 4, 1)
    assert create("sliding_psn", **SlidingPSN.example(100)).k == 8
    assert not ParallelNeuron.recurrent
    assert not neurons.registry.get("psn").has_step()
    assert SlidingPSN.has_step()
