"""Products that no counted layer computes: a sum of operations without them would be wrong and look right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = frozenset(
    f"aten::{name}"
    for name in (
        *("linear", "bilinear", "matmul", "mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "einsum"),
        *("conv1d", "conv2d", "conv3d", "convolution", "_convolution", "conv_transpose1d"),
        *(
            "conv_transpose2d",
            "conv_transpose3d",
            "lstm",
            "gru",
            "rnn_tanh",
            "rnn_relu",
            "scaled_dot_product_attention",
        ),
    )
)


def uncounted(network: nn.Module, counted: Collection[str], work: Callable[[], object]) -> Mapping[str, str]:
    """While `work` runs `network`: the modules that multiply matrices outside of the modules `counted`, by name, with
    the product. "" is the network itself."""
    products = _Products(frozenset(counted))
    inner = tuple(f"{name}." for name in counted)
    hooks = []
    for name, module in network.named_modules():
        if name.startswith(inner):  # a hook in a neuron would keep it from its kernel
            continue
        hooks.append(module.register_forward_pre_hook(lambda _module, _args, name=name: products.stack.append(name)))
        hooks.append(module.register_forward_hook(lambda _module, _args, _out: _nothing(products.stack.pop())))
    try:
        with products:
            work()
    finally:
        for hook in hooks:
            hook.remove()
    return products.found


def _nothing(_: object) -> None:
    """A hook that returns something would change the output."""


class _Products(TorchDispatchMode):
    def __init__(self, counted: frozenset[str]) -> None:
        super().__init__()
        self.counted = counted
        self.stack: list[str] = []  # the modules whose forward is running
        self.found: dict[str, str] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if name in PRODUCTS and self.counted.isdisjoint(self.stack):
            self.found.setdefault(self.stack[-1] if self.stack else "", name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))
