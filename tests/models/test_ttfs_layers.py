"""Layers of `relpsp` neurons in closed form: when they fire, the event-driven gradient, and what is refused."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.registry import UnknownName
from models.ttfs.functions import times_of
from models.ttfs.layers import Conv2d, EarliestPool2d, Encoding, Linear, Readout, SpikingLayer
from models.ttfs.numerics import CORRECTED, RELEASED, Numerics, numerics

F64 = torch.float64


def layer(weights: list[list[float]], how: Numerics | None = None) -> Linear:
    made = Linear(len(weights[0]), len(weights), numerics=how).double()
    made.weight.data.copy_(torch.tensor(weights, dtype=F64))
    return made


def fires(weights: list[float], times: list[float], how: Numerics | None = None) -> float:
    return float(layer([weights], how)(torch.tensor([times], dtype=F64)).detach())


@pytest.mark.parametrize("name", [RELEASED, CORRECTED])
def test_hand_computed_times(name: str) -> None:
    how = numerics(name)
    # V(t) = 1 (t - 0.5), threshold 2 - t: t = 1.25
    assert fires([1.0], [0.5], how) == 0.25
    # S = 3, I = 0.75: V(1) = 2.25, above 1 when the window opens
    assert fires([3.0], [0.25], how) == 0.0
    assert fires([2.0], [0.5], how) == 0.0  # V(1) = 1, the threshold
    assert fires([0.5, 0.5], [inf, 0.0], how) == pytest.approx(1 / 3)  # the first never came
    assert fires([-0.5], [0.5], how) == inf  # V(2) = -0.75
    assert fires([-2.0], [0.5], how) == inf  # 1 + S < 0
    assert fires([5.0], [inf], how) == 1.0  # no input at all: V = 0, the threshold at the end
    assert fires([0.5, -0.25], [1.0, 0.0], how) == 1.0  # V(2) = 0.5 - 0.5: the threshold at the end


def test_a_constant_threshold() -> None:
    how = numerics(threshold=0.5)
    assert fires([1.0], [0.75], how) == 0.25  # V(1.25) = 0.5
    assert fires([1.0], [0.5], how) == 0.0  # V(1) = 0.5
    assert fires([0.2], [0.0], how) == inf  # V(2) = 0.4
    assert fires([5.0], [inf], how) == inf
    assert fires([-1.0], [0.5], how) == inf


TIMES = st.lists(st.one_of(st.floats(0, 1), st.just(inf)), min_size=4, max_size=4)
WEIGHTS = st.lists(st.floats(-2, 2), min_size=4, max_size=4)


def by_the_release(S: float, I: float) -> float:  # noqa: E741
    """The rule in its order (spec, section 1.1), in exact numbers where it divides."""
    if S >= 1 + I:
        return 0.0
    if S == -1:
        return inf
    u = (2 + I) / (1 + S)
    return inf if u > 2 or u < 1 else u - 1


@settings(max_examples=60)
@given(weights=WEIGHTS, times=TIMES)
def test_the_rule_is_that_of_the_release(weights: list[float], times: list[float]) -> None:
    S = sum(w for w, t in zip(weights, times, strict=True) if t < inf)
    I = sum(w * t for w, t in zip(weights, times, strict=True) if t < inf)  # noqa: E741
    assume(min(abs(1 + I - S), abs(2 * S - I), abs(1 + S)) > 1e-9)  # no decision hangs on rounding
    assert fires(weights, times) == pytest.approx(by_the_release(S, I), abs=1e-9)


@settings(max_examples=40)
@given(weights=WEIGHTS, times=TIMES, window=st.floats(0.1, 20))
def test_a_window_of_another_length_is_another_unit_of_time(
    weights: list[float], times: list[float], window: float
) -> None:
    given_in = [t * window for t in times]
    S = sum(w for w, t in zip(weights, times, strict=True) if t < inf)
    I = sum(w * t for w, t in zip(weights, times, strict=True) if t < inf)  # noqa: E741
    assume(min(abs(1 + I - S), abs(2 * S - I)) > 1e-6)
    how = numerics(window=window)
    assert fires(weights, given_in, how) == pytest.approx(window * fires(weights, times), rel=1e-6)
    readouts = [Readout(4, 1, numerics=n).double() for n in (how, numerics())]
    for readout in readouts:
        readout.weight.data.copy_(torch.tensor([weights], dtype=F64))
    potentials = [r(torch.tensor([t], dtype=F64)).item() for r, t in zip(readouts, (given_in, times), strict=True)]
    assert potentials[0] == pytest.approx(window * potentials[1], rel=1e-6, abs=1e-9)


def test_where_all_inputs_fire_the_shared_sum_changes_nothing() -> None:
    torch.manual_seed(1)
    conv = Conv2d(2, 3, 3, padding=1).double()
    x = torch.rand(4, 2, 5, 5, dtype=F64)
    partly = torch.cat([x, x[:1].clone()])
    partly[4, 0, 0, 0] = inf  # one silent input is enough for sums of each sample
    signal = torch.randn(4, 3, 5, 5, dtype=F64)
    found = []
    for times in (x, partly):
        leaf = times.clone().requires_grad_()
        out = conv(leaf)
        found.append((out[:4], *torch.autograd.grad(out[:4], (leaf, conv.weight), signal)))
    assert torch.allclose(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1][:4])
    assert torch.allclose(found[0][2], found[1][2])


def automatic(times: Tensor, weight: Tensor, conv: Conv2d | None, how: Numerics) -> Tensor:
    """The same map in operations that PyTorch differentiates by itself."""
    apply = (lambda x: conv.operator.apply(x, weight)) if conv else (lambda x: x @ weight.T)
    fired = times < inf
    S, I = apply(fired.to(times)), apply(torch.where(fired, times, 0.0))  # noqa: E741
    return times_of(S, I, how)


@pytest.mark.parametrize("window", [1.0, 3.0])
@pytest.mark.parametrize("threshold", [None, 0.6])
@pytest.mark.parametrize("convolution", [True, False])
def test_corrected_gradients_are_those_of_automatic_differentiation(
    window: float, threshold: float | None, convolution: bool
) -> None:
    torch.manual_seed(3)
    how = numerics(window=window, threshold=threshold)
    conv = Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), numerics=how).double() if convolution else None
    made: SpikingLayer = conv or Linear(30, 12, numerics=how).double()
    times = window * torch.rand(6, *((2, 7, 6) if convolution else (30,)), dtype=F64)
    times[torch.rand_like(times) < 0.3] = inf
    leaves = [times.requires_grad_(), made.weight]
    ours, theirs = made(times), automatic(times, made.weight, conv, how)
    assert torch.allclose(ours, theirs)
    inside = (ours > 0) & (ours < window)
    assert inside.sum() >= 10
    signal = torch.randn_like(ours)
    expected = torch.autograd.grad(theirs[inside], leaves, signal[inside])
    for found, wanted in zip(torch.autograd.grad(ours, leaves, signal), expected, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-10, atol=1e-12)


def away_from_kinks(times: Tensor, window: float = 1.0) -> Tensor:
    """Which samples have no time near 0 or T, where the map has a kink, or falls silent."""
    near = ((times < 1e-3) & (times > 0)) | ((times - window).abs() < 1e-3)
    return ~near.flatten(1).any(1)


def test_gradients_of_a_network_are_those_of_finite_differences() -> None:
    """All weights of three layers, pooling that overlaps among them."""
    torch.manual_seed(5)
    layers = [Encoding(), Conv2d(1, 3, 3, padding=1), EarliestPool2d(3, 2), nn.Flatten(), Linear(27, 8), Readout(8, 3)]
    network = nn.Sequential(*layers).double()
    images = torch.rand(40, 1, 8, 8, dtype=F64)
    hidden = [network[:2](images), network[:5](images)]
    images = images[away_from_kinks(hidden[0]) & away_from_kinks(hidden[1])][:6]
    assert len(images) == 6
    weights = [p.detach().requires_grad_() for p in network.parameters()]

    def potentials(*given: Tensor) -> Tensor:
        named = dict(zip(dict(network.named_parameters()), given, strict=True))
        return torch.func.functional_call(network, named, (images,)).sin().sum()

    analytic = torch.autograd.grad(potentials(*weights), weights)
    assert all(g.count_nonzero() > 0 for g in analytic)
    for at, gradient in enumerate(analytic):
        for place in torch.randperm(weights[at].numel())[:12].tolist():
            moved = []
            for sign in (1, -1):
                changed = [w.detach().clone() for w in weights]
                changed[at].view(-1)[place] += sign * 1e-6
                moved.append(float(potentials(*changed)))
            assert float(gradient.view(-1)[place]) == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-4, abs=1e-6)


def gradients(how: Numerics, weights: list[float], times: list[float]) -> tuple[list[float], list[float]]:
    made = layer([weights], how)
    x = torch.tensor([times], dtype=F64, requires_grad=True)
    to_times, to_weights = torch.autograd.grad(made(x).sum(), (x, made.weight))
    return to_times[0].tolist(), to_weights[0].tolist()


def test_released_gradients_clip_the_two_local_factors() -> None:
    # S = 0.5, I = 0.125, t = 2.125 / 1.5 - 1 = 5 / 12: gI = 2 / 3, gS = -(17 / 12) (2 / 3) = -17 / 18
    weights, times = [0.5, 9.0], [0.25, inf]
    exact = [0.25 * 2 / 3 - 17 / 18, 0.0]
    assert gradients(numerics(), weights, times) == (pytest.approx([1 / 3, 0.0]), pytest.approx(exact))
    clipped = [0.25 * 0.5 - 0.5, 0.0]
    # to a silent input goes w gI, which the layer below does not use
    assert gradients(numerics(RELEASED, clip=0.5), weights, times) == (
        pytest.approx([0.25, 4.5]),
        pytest.approx(clipped),
    )


@pytest.mark.parametrize("name", [RELEASED, CORRECTED])
@pytest.mark.parametrize(
    ("weights", "times", "fires_at"),
    [([3.0, 1.0], [0.25, inf], 0.0), ([5.0, 1.0], [inf, inf], 1.0), ([-0.5, 1.0], [0.5, inf], inf)],
)
def test_neurons_at_the_ends_of_their_window_and_silent_ones_send_nothing(
    name: str, weights: list[float], times: list[float], fires_at: float
) -> None:
    how = numerics(name)
    assert fires(weights, times, how) == fires_at
    assert gradients(how, weights, times) == ([0.0, 0.0], [0.0, 0.0])


def test_what_a_readout_sends_to_its_inputs() -> None:
    """Released numerics send nothing to an input at exactly T or later, the corrected ones to all that fired."""
    times = torch.tensor([[0.25, 1.0, 1.5, inf]], dtype=F64)
    for name, expected in ((RELEASED, [-2.0, 0.0, 0.0, 0.0]), (CORRECTED, [-2.0, -2.0, -2.0, 0.0])):
        readout = Readout(4, 1, numerics=numerics(name)).double()
        readout.weight.data.fill_(2.0)
        leaf = times.clone().requires_grad_()
        potential = readout(leaf)
        assert potential.item() == 2 * (1.75 + 1.0 + 0.5)
        to_times, to_weight = torch.autograd.grad(potential, (leaf, readout.weight))
        assert to_times.tolist() == [expected]
        assert to_weight.tolist() == [[1.75, 1.0, 0.5, 0.0]]


def test_pooling_takes_the_earliest_and_the_first_of_equals() -> None:
    times = torch.tensor([[0.5, 0.25, inf], [0.25, 1.0, inf], [inf, inf, inf]], requires_grad=True)
    out = EarliestPool2d(2, 1)(times[None, None])
    assert out.flatten().tolist() == [0.25, 0.25, 0.25, 1.0]  # a spike at T comes before silence
    (marked,) = torch.autograd.grad(out.sum(), times)
    # fields that overlap: (0, 1) wins the first two, (1, 0) the third, (1, 1) the fourth
    assert marked.tolist() == [[0.0, 2.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    silent = torch.full((1, 1, 2, 2), inf, requires_grad=True)
    assert EarliestPool2d(2)(silent).item() == inf


def test_encoding() -> None:
    x = torch.tensor([0.0, 0.25, 1.0, -0.5, 2.0])
    assert Encoding()(x).tolist() == [inf, 0.75, 0.0, 1.5, -1.0]
    assert Encoding(4.0)(x).tolist() == [inf, 3.0, 0.0, 6.0, -4.0]


def test_signs_are_held() -> None:
    made = layer([[0.5, -0.5, 0.0]])
    made.keep_signs()
    made.hold_signs()
    made.weight.data.copy_(torch.tensor([[-0.1, 0.2, -0.3]]))
    made.keep_signs()
    assert made.weight.tolist() == [[0.0, 0.0, 0.0]]
    made.weight.data.copy_(torch.tensor([[0.1, -0.2, 0.3]], dtype=F64))
    made.keep_signs()
    assert made.weight.tolist() == [[0.1, -0.2, 0.3]]


def test_what_is_not_a_number_stays_visible() -> None:
    assert torch.tensor(fires([1.0], [float("nan")])).isnan()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": RELEASED, "window": 2.0}, "right for a window of 1 alone, 2.0 was asked for"),
        ({"clip": 1.0}, "have the true gradient, a clip of 1.0"),
        ({"window": 0.0}, "positive, finite"),
        ({"threshold": -1.0}, "constant threshold of -1.0"),
        ({"name": RELEASED, "clip": 0.0}, "cannot be clipped at 0"),
    ],
)
def test_numerics_that_there_are_not(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        numerics(**options)


def test_names_of_numerics_and_pooling_that_overlaps() -> None:
    with pytest.raises(UnknownName, match=r"'correct'.*corrected"):
        numerics("correct")
    with pytest.raises(ValueError, match="overlaps, which the released code learns wrongly"):
        EarliestPool2d(3, 2, numerics=numerics(RELEASED))
