"""Parity: every neuron on every backend against its own step in eager PyTorch and float64.

    python -m bench.parity lif --backend fused

Other rooms ask `green` before they call a kernel fast. The rule is in `bench.parity.rule`, the inputs and sizes are in
`bench.parity.cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results import Parity, Store


def green(store: Store, neuron: str, backend: str, dtype: str, device: str) -> bool | None:
    """Whether the stored checks of this combination, made here with the present code, are all green; None without any.

    `dtype` as in "float32", `device` "cpu" or "cuda". Of a check that was repeated the newest counts. Raises
    UnknownName for a neuron or backend that does not exist.
    """
    from results import environment

    from ..fingerprint import kernel_implementation

    implementation = kernel_implementation(neuron, backend)
    return proven(store.parity(), neuron, backend, dtype, device, implementation, environment.machine())


def proven(
    checks: Iterable[Parity],
    neuron: object,
    backend: str,
    dtype: object,
    device: str,
    implementation: str,
    machine: Mapping[str, Any],
) -> bool | None:
    """Whether the newest of `checks` (oldest first) of this code on such a processor are all green; None without any.

    Kernels are compiled for the processor at hand: what another one computes proves nothing here, neither way.
    """
    newest: dict[tuple[str, bool, str], bool] = {}
    place = processor(machine)
    for check in checks:
        if (
            check.neuron == neuron
            and check.backend == backend
            and check.implementation == implementation
            and (check.dtype, check.device, processor(check.machine)) == (dtype, device, place)
        ):
            newest[check.step_mode, check.detach_reset, check.case] = check.green
    return all(newest.values()) if newest else None


def processor(machine: Mapping[str, Any]) -> tuple[str, str]:
    """What a kernel is compiled for: CPU and graphics cards of a stored machine."""
    return str(machine.get("cpu")), str(machine.get("gpus") or [])
