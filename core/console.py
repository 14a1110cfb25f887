"""A terminal on which text from a store cannot steer, hide or turn round anything."""

import os
from collections.abc import Iterable
from typing import Any

import rich.console
from rich.segment import Segment

from core.plain import visible

SIZE = ("COLUMNS", "LINES")


class Console(rich.console.Console):
    """rich's console; what it prints goes through `visible`, its own colours and cursor movements do not."""

    def __init__(self, **options: Any) -> None:
        # In no columns at all rich prints nothing, and says nothing of it.
        given = {name: value for name, value in os.environ.items() if name not in SIZE or value.strip("0")}
        super().__init__(**options, _environ=given)

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        for text, style, control in super().render(*args, **options):
            yield Segment(text if control else visible(text), style, control)
