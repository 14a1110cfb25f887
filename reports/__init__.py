"""The reports room: what the results store holds, as a terminal table, an HTML site, CSV and LaTeX.

    from reports import build, show
    show(evaluate(store, table, "quick"), console)
    index = build(store, Path("out"))

Names are loaded when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import ReportError
    from .site import build
    from .tables import to_csv, to_latex
    from .terminal import show

_HOMES = {"ReportError": "errors", "build": "site", "show": "terminal", "to_csv": "tables", "to_latex": "tables"}

__all__ = ["ReportError", "build", "show", "to_csv", "to_latex"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reports' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
