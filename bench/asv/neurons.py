"""Speed and memory of each neuron's sequence on each backend, on the CPU.

The suite of the newest commit runs against older ones: what they lack is skipped (asv's NotImplementedError).
"""

from __future__ import annotations

from typing import Any

import torch  # here and not in setup: asv then forks processes that have it already (launch_method in asv.conf.json)

import neurons

SHAPES = {"4x65536": (4, 65536), "16x16384": (16, 16384), "100x2048": (100, 2048)}  # T x N
COMPILES_LONG = getattr(neurons.backends, "BY_NAME", ())
LAYERS = [
    f"{name} {backend}"
    for name in neurons.names()
    for backend in neurons.backends(name, "cpu")  # type: ignore[operator]
    if backend not in COMPILES_LONG
]


def _typical(name: str, steps: int) -> dict[str, Any]:
    """Options of a usual layer for sequences of so many steps; a commit may know none."""
    kind = neurons.registry.get(name)
    return kind.example(steps) if hasattr(kind, "example") else {}


class _Layer:
    """A neuron with input and upstream gradient, float32, run once so that nothing is compiled while measured."""

    params = (LAYERS, list(SHAPES))
    param_names = ("layer", "shape")
    timeout = 120

    def setup(self, layer: str, shape: str) -> None:
        if layer not in LAYERS:
            raise NotImplementedError(f"{layer} does not run in this commit")
        torch.set_num_threads(1)  # steadier than several on shared machines
        torch.manual_seed(0)
        name, backend = layer.split()
        self.neuron = neurons.create(name, backend=backend, **_typical(name, SHAPES[shape][0]))
        self.x = torch.randn(SHAPES[shape], requires_grad=True)
        self.upstream = torch.randn(SHAPES[shape])
        self.train()

    def infer(self) -> None:
        with torch.no_grad():
            self.neuron(self.x)
        self.neuron.reset()

    def train(self) -> None:
        self.neuron(self.x).backward(self.upstream)
        self.neuron.reset()
        self.x.grad = None


class Speed(_Layer):
    """Seconds of one call of the layer."""

    def time_forward(self, *_: str) -> None:
        self.infer()

    def time_forward_backward(self, *_: str) -> None:
        self.train()


class Memory(_Layer):
    """Bytes per element of the sequence, without buffers kept from earlier calls."""

    def setup(self, layer: str, shape: str) -> None:
        super().setup(layer, shape)
        try:
            from neurons.backends.fused import pool
        except ImportError:  # a commit before the pool
            return
        pool.enable(False)

    def track_saved_per_element(self, *_: str) -> float:
        """Kept for the backward pass, beyond the input and the parameters."""
        known = (self.x, *self.neuron.parameters())
        return _meters().saved(lambda: self.neuron(self.x), known) / self.x.numel()

    def track_live_peak_per_element(self, *_: str) -> float:
        """The most that tensors made by forward and backward held at one time."""
        return _meters().live_peak(self.train) / self.x.numel()

    track_saved_per_element.unit = "bytes"  # type: ignore[attr-defined]
    track_live_peak_per_element.unit = "bytes"  # type: ignore[attr-defined]


def _meters() -> Any:
    try:
        from bench.speed import meters
    except ImportError:
        raise NotImplementedError("this commit has no memory meters") from None
    return meters
