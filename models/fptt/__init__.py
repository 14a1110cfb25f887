"""The networks of the FPTT work (Yin, Corradi and Bohte, 2023), as the released code builds them; spec, section 4.

`NEURONS` are the options of the neurons that the work has in each of them.
"""

from __future__ import annotations

from typing import Any

LTC: dict[str, Any] = {"shape": "channels", "v_threshold": 0.1}

NEURONS: dict[str, tuple[str, dict[str, Any]]] = {
    "adding": ("ltc", {**LTC, "gates": "dense", "v_threshold": 0.5, "adaptive": False}),
    "adding_asrnn": (
        "alif",
        {"shape": "channels", "v_threshold": 0.1, "v_reset": None, "late_reset": True, "r_m": 3.0, "retains": True},
    ),
    "sequential": (
        "ltc",
        {
            **LTC,
            "gates": {"name": "dense", "slope": True, "start": "xavier_normal", "zero_bias": True},
            "v_start": 1.0,
            "b_start": 0.1,
        },
    ),
}
