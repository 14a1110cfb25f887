"""Where the released code does something else than what is usual: its loops never clear the gradients."""

from __future__ import annotations

from typing import Any

RELEASED, CORRECTED = "released", "corrected"
GRADIENTS: dict[str, dict[str, Any]] = {RELEASED: {"accumulate": True}, CORRECTED: {"accumulate": False}}
