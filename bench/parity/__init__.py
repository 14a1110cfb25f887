"""Parity: every neuron on every backend against its own step in eager PyTorch and float64.

    python -m bench.parity lif --backend fused

Other rooms ask `green` before they call a kernel fast. The rule is in `bench.parity.rule`, the inputs and sizes are in
`bench.parity.cases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results import Store


def green(store: Store, neuron: str, backend: str, dtype: str, device: str) -> bool | None:
    """Whether the whole grid of this combination, checked here with the present code, is stored and all green; False if
    a newest check is red, None if a part of the grid is missing.

    `dtype` as in "float32", `device` "cpu" or "cuda". Raises UnknownName for a neuron or backend that does not exist.
    """
    from papers.trust import proven
    from results import environment

    from ..fingerprint import kernel_implementation

    implementation = kernel_implementation(neuron, backend)
    return proven(store.parity(), neuron, backend, dtype, device, implementation, environment.machine())
