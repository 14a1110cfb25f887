"""A terminal on which text from a store cannot steer, hide or turn round anything."""

from collections.abc import Iterable
from typing import Any

import rich.console
from rich.segment import Segment

from core.plain import visible


class Console(rich.console.Console):
    """rich's console; what it prints goes through `visible`, its own colours and cursor movements do not."""

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        for text, style, control in super().render(*args, **options):
            yield Segment(text if control else visible(text), style, control)
