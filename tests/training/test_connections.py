"""Operations of one layer, counted from fan-outs, against hands, loops and the numbers of others."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from torch import Tensor, nn

from models.ttfs.layers import Conv2d, Linear, Readout
from training.connections import Counts, watched


def counted(layer: nn.Module, *calls: Tensor, part: str = "") -> Counts:
    """What passed through `layer` in these calls."""
    ((_, one),) = watched(layer)
    for x in calls:
        one.called((x,), layer(x))
    return one.connections[part].counts()


def test_neurobench_gives_an_example() -> None:
    layer = nn.Linear(3, 3)
    layer.weight.data = torch.tensor([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0], [5.0, 0.0, 6.0]])
    found = counted(layer, torch.tensor([[0.0, 1.3, -1.0]]))
    assert (found.effective, found.dense, found.textbook) == (4, 9, 9)
    assert (found.inputs, found.nonzero, found.ones, found.graded) == (3, 2, 0, 1)
    assert found.reached == 6  # two inputs, three weights each, of which one each is zero


def test_a_convolution_is_counted_by_hand() -> None:
    """One spike in the corner of 3 x 3 pixels, kernel 3, padding 1: four outputs see it, the middle is seen by nine."""
    layer = nn.Conv2d(1, 2, 3, padding=1)
    corner, middle = torch.zeros(2, 1, 1, 3, 3)
    corner[0, 0, 0, 0] = middle[0, 0, 1, 1] = 1
    assert counted(layer, corner).effective == 4 * 2
    assert counted(layer, middle).effective == 9 * 2
    found = counted(layer, torch.cat([corner, middle]))
    assert found.effective == 26
    assert found.dense == 2 * 2 * (4 * 4 + 4 * 6 + 9)  # samples, channels, and corners, edges, the middle
    assert found.textbook == 2 * 2 * 9 * 9
    layer.weight.data[:, :, 1, 1] = 0  # the weight that a pixel meets at its own place
    assert counted(layer, corner, middle).effective == 26 - 4
    assert counted(layer, corner).reached == 8


# Convolution, nnz C_out k^2 and rate x FLOPs over the exact count, at a rate of 10 %, as somebody found them with one
# random picture each, so that a few per cent are chance.
OFF = [
    ((32, 4, 8, 1, 1), 1.04, 1.04),
    ((32, 4, 8, 2, 1), 4.27, 1.07),
    ((32, 4, 8, 2, 0), 4.83, 1.06),
    ((8, 16, 8, 1, 1), 1.21, 1.21),
    ((4, 32, 8, 1, 1), 1.50, 1.50),
]


@pytest.mark.parametrize(("sizes", "fan", "shortcut"), OFF)
def test_the_usual_formulas_are_off_as_far_as_was_found(
    sizes: tuple[int, int, int, int, int], fan: float, shortcut: float
) -> None:
    side, inputs, outputs, stride, padding = sizes
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding)
    found = counted(layer, (torch.rand(64, inputs, side, side) < 0.1).float())
    fans = found.nonzero * outputs * 9 / found.effective
    usual = found.nonzero / found.inputs * found.textbook / found.effective
    assert (fans, usual) == (pytest.approx(fan, rel=0.07), pytest.approx(shortcut, rel=0.07))
    # with every place equally likely, they are what all inputs at once would give
    every = counted(layer, torch.ones(1, inputs, side, side))
    assert fans == pytest.approx(every.nonzero * outputs * 9 / every.effective, rel=0.02)
    assert usual == pytest.approx(every.textbook / every.effective, rel=0.02)


def by_loops(x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int, groups: int) -> tuple[int, int, int]:
    """Effective, reached and dense operations of a 2-d convolution, one pair of an input and a weight after another."""
    (samples, _, height, width), (outputs, inputs, *kernel) = x.shape, weight.shape
    effective = reached = dense = 0
    rows, columns = (
        (extent + 2 * padding - dilation * (size - 1) - 1) // stride + 1
        for extent, size in zip((height, width), kernel, strict=True)
    )
    places = (samples, outputs, inputs, rows, columns, *kernel)
    for n, o, i, row, column, a, b in itertools.product(*map(range, places)):
        y, z = row * stride + a * dilation - padding, column * stride + b * dilation - padding
        if 0 <= y < height and 0 <= z < width:
            group = o // (outputs // groups)
            here = bool(x[n, group * inputs + i, y, z])
            dense += 1
            reached += here
            effective += here and bool(weight[o, i, a, b])
    return effective, reached, dense


@st.composite
def convolutions(draw: Any) -> tuple[nn.Conv2d, Tensor]:
    groups, padding, dilation = draw(st.integers(1, 2)), draw(st.integers(0, 2)), draw(st.integers(1, 2))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    least = [max(1, dilation * (size - 1) + 1 - 2 * padding) for size in kernel]
    size = [draw(st.integers(low, low + 3)) for low in least]
    layer = nn.Conv2d(
        groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), kernel, draw(st.integers(1, 3)), padding,
        dilation, groups,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    layer.weight.data *= torch.rand(layer.weight.shape, generator=generator) < 0.7
    x = torch.randn((2, layer.in_channels, *size), generator=generator)
    return layer, x * (torch.rand(x.shape, generator=generator) < 0.4)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(convolutions())
def test_convolutions_are_counted_as_loops_count_them(drawn: tuple[nn.Conv2d, Tensor]) -> None:
    layer, x = drawn
    stride, padding, dilation = (int(value[0]) for value in (layer.stride, layer.padding, layer.dilation))  # type: ignore[index]
    found = counted(layer, x[:1], x[1:])
    expected = by_loops(x, layer.weight, stride, padding, dilation, layer.groups)
    assert (found.effective, found.reached, found.dense) == expected
    assert found.textbook == layer(x).numel() * layer.weight[0].numel()


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
def test_what_pads_with_pixels_meets_more_weights(mode: str) -> None:
    layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode=mode)
    assert counted(layer, torch.ones(1, 1, 5)).effective == (13 if mode == "zeros" else 15)


def test_an_lstm_meets_its_inputs_and_its_own_outputs_of_the_step_before() -> None:
    layer = nn.LSTM(2, 3)
    ((_, one),) = watched(layer)
    x = torch.randn(4, 5, 2)
    x[1] = 0
    one.called((x,), layer(x))
    first, second = (one.connections[part].counts() for part in (".ih", ".hh"))
    assert (first.effective, first.dense, first.textbook) == (3 * 5 * 2 * 12, 4 * 5 * 2 * 12, 4 * 5 * 2 * 12)
    assert (second.effective, second.dense) == (3 * 5 * 3 * 12, 4 * 5 * 3 * 12)  # zero before the first step
    layer = nn.GRU(2, 3, batch_first=True)
    ((_, one),) = watched(layer)
    x, h = torch.randn(5, 4, 2), torch.ones(1, 5, 3)
    one.called((x, h), layer(x, h))
    assert one.connections[".hh"].counts().effective == 4 * 5 * 3 * 9
    assert [*watched(nn.LSTM(2, 3, num_layers=2)), *watched(nn.RNN(2, 3, bidirectional=True))] == []


def test_a_spike_time_is_one_input_whenever_it_comes() -> None:
    times = torch.tensor([[0.0, 0.5, math.inf], [0.2, math.inf, math.inf]])
    for layer in (Linear(3, 4), Readout(3, 4)):
        found = counted(layer, times)
        assert (found.nonzero, found.ones, found.graded, found.effective, found.dense) == (3, 3, 0, 12, 24)
    maps = torch.full((1, 1, 3, 3), math.inf)
    maps[0, 0, 0, 0] = 0.3
    assert counted(Conv2d(1, 2, 3, padding=1), maps).effective == 4 * 2


def test_memory_does_not_grow_with_what_was_seen() -> None:
    ((_, one),) = watched(layer := nn.Linear(10, 3))
    for _ in range(3):
        x = torch.ones(7, 5, 10)
        one.called((x,), layer(x))
    (connection,) = one.connections.values()
    assert [tensor.shape for tensor in connection.seen.values()] == [torch.Size([10])]
    assert connection.counts().effective == 3 * 7 * 5 * 10 * 3
