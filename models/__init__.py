"""Networks, one file per paper, built from neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.registry import Registry

if TYPE_CHECKING:
    from torch import nn

registry = Registry(
    "model",
    {
        "plif_mnist": "models.plif:mnist",
        "plif_cifar10": "models.plif:cifar10",
        "plif_nmnist": "models.plif:nmnist",
        "plif_cifar10dvs": "models.plif:cifar10dvs",
        "plif_dvs128gesture": "models.plif:dvs128gesture",
    },
    group="spikebench.models",
)


def names() -> list[str]:
    """Names of all networks."""
    return registry.names()


def create(name: str, **params: Any) -> nn.Module:
    """A network by name; `params` as in its builder. Raises UnknownName for an unknown network."""
    return registry.get(name)(**params)


def reset(network: nn.Module) -> None:
    """Returns every stateful layer of `network` (neurons, time-shared dropout) to its initial state."""
    for module in network.modules():
        if callable(reset_layer := getattr(module, "reset", None)):
            reset_layer()
