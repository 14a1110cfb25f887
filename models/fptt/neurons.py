"""The neurons that the FPTT work has in its networks: name and options, by network (spec, sections 2.1 to 2.8)."""

from __future__ import annotations

from typing import Any

_CHANNELS: dict[str, Any] = {"shape": "channels"}
_DRAWN: dict[str, Any] = {"v_threshold": 0.1, "v_start": 1.0, "b_start": 0.1, **_CHANNELS}

NEURONS: dict[str, tuple[str, dict[str, Any]]] = {
    "adding": ("ltc", {**_CHANNELS, "gates": "dense", "v_threshold": 0.5, "adaptive": False}),
    "adding_asrnn": (
        "alif",
        {**_CHANNELS, "v_threshold": 0.1, "v_reset": None, "late_reset": True, "r_m": 3.0, "retains": True},
    ),
    "sequential": (
        "ltc",
        {**_DRAWN, "gates": {"name": "dense", "slope": True, "start": "xavier_normal", "zero_bias": True}},
    ),
    "images": (
        "ltc",
        {
            **_DRAWN,
            "b_start": 0.0,
            "gates": {"name": "conv", "dense": {"start": "xavier_uniform", "start_adaptation": "default"}},
        },
    ),
    "cifar10": (
        "ltc",
        {
            **_DRAWN,
            "v_start": 0.2,
            "b_start": 0.0,
            "gates": {
                "name": "conv",
                "norm": False,
                "adaptation": "concatenated",
                "zero_bias": False,
                "dense": {"slope": True},
            },
        },
    ),
    "gesture": ("ltc", {**_DRAWN, "gates": {"name": "dense", "start": "xavier_uniform"}}),
    "gesture_default": ("ltc", {**_DRAWN, "gates": "dense"}),
    "gesture_refractory": (
        "ltc",
        {**_DRAWN, "gates": {"name": "dense", "start": "xavier_uniform"}, "refractory": True},
    ),
    "gesture_asrnn": ("alif", {**_DRAWN, "accumulate": True, "start": "uniform"}),
    "gesture_asrnn_plus": ("alif", {**_DRAWN, "v_threshold": 1.0, "b_start": 1.0}),
    "gesture_eprop": ("alif", {**_DRAWN, "start": "saturated"}),
    "gesture_conv": (
        "ltc",
        {
            **_DRAWN,
            "v_threshold": 0.5,
            "b_start": 0.5,
            "gates": {"name": "conv", "dense": {"start": "xavier_uniform", "start_adaptation": "default"}},
        },
    ),
    "spyv4": (
        "ltc",
        {
            **_CHANNELS,
            "v_threshold": 1.0,
            "v_start": 1.0,
            "adaptive": False,
            "gates": {"name": "conv", "kernel": 3, "adaptation": None},
        },
    ),
}
