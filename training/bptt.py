"""Backpropagation through time, as the PLIF and PSN works train (Fang et al. 2021 and 2023, released code)."""

from __future__ import annotations

from typing import Any

from models.network import Network

from .descent import Descent

PLAIN = {  # options in one word or number, and the part that each is the option of
    "label_smoothing": ("loss", "label_smoothing"),
    "tet_lambda": ("loss", "tet_lambda"),
    "tet_means": ("loss", "tet_means"),
    "lr": ("optimizer", "lr"),
    "momentum": ("optimizer", "momentum"),
    "weight_decay": ("optimizer", "weight_decay"),
    "anneal": ("schedule", "name"),
    "T_max": ("schedule", "T_max"),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "loss": {"name": "rate_mse"},
    "optimizer": {"name": "adam", "lr": 1e-3},
    "schedule": {"name": "periodic", "T_max": 64},
}


class BPTT(Descent):
    """Descent with the defaults of the PLIF work, and its options also in the plain form in which they are stored.

    optimizer="sgd", lr=0.1, momentum=0.9 is optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9}; PLAIN says which
    part an option belongs to. A part given as a whole has no defaults but its own, and takes no plain options.
    """

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **nested(options))


def nested(options: dict[str, Any]) -> dict[str, Any]:
    """The options of Descent that the `options` of BPTT are. Raises ValueError where two of them say the same."""
    found = {name: value for name, value in options.items() if name not in PLAIN}
    whole = {part for part in DEFAULTS if part in found and not isinstance(found[part], str)}
    for part in DEFAULTS.keys() - whole:
        found[part] = {**DEFAULTS[part], **({"name": found[part]} if part in found else {})}
    for name in options.keys() & PLAIN.keys():
        part, option = PLAIN[name]
        if part in whole:
            raise ValueError(f"The {part} is given as a whole, so {name}={options[name]!r} belongs into it.")
        found[part][option] = options[name]
    return found
