"""Speed and memory of each neuron's sequence, forward and backward, on the CPU."""

from __future__ import annotations

import neurons

SHAPES = {"T4": (4, 65536), "T16": (16, 16384), "T100": (100, 2048)}


class Sequence:
    """Time of a multi-step call through autograd, float32, hard reset, detached; the backend is the automatic one."""

    params = (neurons.names(), list(SHAPES))
    param_names = ("neuron", "shape")
    timeout = 120

    def setup(self, name: str, shape: str) -> None:
        import torch

        torch.set_num_threads(1)  # steadier than several on shared machines
        torch.manual_seed(0)
        self.neuron = neurons.create(name, detach_reset=True)
        self.x = torch.randn(SHAPES[shape], requires_grad=True)
        self.g = torch.randn(SHAPES[shape])

    def time_forward(self, name: str, shape: str) -> None:
        import torch

        with torch.no_grad():
            self.neuron(self.x)
        self.neuron.reset()

    def time_forward_backward(self, name: str, shape: str) -> None:
        self.neuron(self.x).backward(self.g)
        self.neuron.reset()
        self.x.grad = None

    def track_saved_bytes(self, name: str, shape: str) -> float:
        """Bytes kept for the backward pass, per element of the sequence, beyond the input."""
        import torch

        kept: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            self.neuron(self.x)
        self.neuron.reset()
        kept.pop(self.x.untyped_storage().data_ptr(), None)
        return sum(kept.values()) / self.x.numel()

    track_saved_bytes.unit = "bytes/element"  # type: ignore[attr-defined]
