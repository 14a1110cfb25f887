"""What commands print for programs: one JSON object (docs/json.md), and nothing else on standard output."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

SCHEMA = 1  # counts up when a field changes its meaning or goes; new fields may come without
JSON = {"help": "Print JSON for programs, docs/json.md; what is said on the way goes to standard error."}


def write(command: str, records: Iterable[Mapping[str, Any]], **summary: Any) -> None:
    """Prints what came of `command`: its `records`, one for each thing that it lists, and a `summary` of all of them.

    Numbers that are not finite, which JSON does not have, become null.
    """
    document = {"schema": SCHEMA, "command": command, "summary": summary, "records": list(records)}
    json.dump(_finite(document), sys.stdout, ensure_ascii=True, allow_nan=False, indent=1)
    sys.stdout.write("\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
