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
    # A record a line: what can be read is written by the fast encoder of json, which knows no indentation.
    lines = ",\n".join(_line(record) for record in records)
    head = f'"schema": {SCHEMA},\n"command": {_line(command)},\n"summary": {_line(summary)}'
    sys.stdout.write(f'{{{head},\n"records": [\n{lines}\n]}}\n')


def _line(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
