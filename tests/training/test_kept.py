"""What is kept for a backward pass, on graphs small enough to count by hand."""

from __future__ import annotations

import torch
from torch import nn

from training.kept import saved_bytes

N = 4 * 100  # bytes of a tensor of 100 numbers


def leaf() -> torch.Tensor:
    return torch.rand(100, requires_grad=True)


def test_each_saved_tensor_counts_once() -> None:
    a, b = leaf(), leaf()
    assert saved_bytes(lambda: (a * b).sum().backward()) == 2 * N
    assert saved_bytes(lambda: (a * b + a * b).sum().backward()) == 2 * N
    assert saved_bytes(lambda: (a + b).sum().backward()) == 0
    assert saved_bytes(lambda: (a[:50] * b[50:] + a[25:75]).sum().backward()) == N
    assert saved_bytes(lambda: (a[:50] * b[:50] * a[25:75]).sum().backward()) == 3 * N // 4 + N // 2 + N // 2


def test_of_several_passes_the_largest_counts() -> None:
    a, b = leaf(), leaf()

    def work() -> None:
        (a * b).sum().backward()
        (a.sigmoid() * b).sum().backward()
        a.exp().sum().backward()

    assert saved_bytes(work) == 2 * N


def test_a_dropped_part_of_the_graph_counts() -> None:
    a, b = leaf(), leaf()

    def work() -> None:
        b.sigmoid()
        a.exp().sum().backward()

    assert saved_bytes(work) == 2 * N


def test_weights_count_where_they_are_saved() -> None:
    layer, x = nn.Linear(10, 10), torch.rand(5, 10)
    assert saved_bytes(lambda: layer(x).sum().backward()) == 4 * 50  # the input alone
    assert saved_bytes(lambda: layer(layer(x)).sum().backward()) == 4 * (50 + 50 + 100)
