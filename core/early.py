"""What every command imports before anything else: Ctrl-C is answered from its first moments on.

What a command imports takes longer than a finger, and until `core.shell` is there nobody could say what became of it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def _end(_signal: int, _frame: object) -> NoReturn:
    os.write(2, b"Interrupted before anything was begun.\n")
    os._exit(130)


_started = getattr(sys.modules["__main__"], "__spec__", None)  # by python -m, none of our modules is imported by others
_ours = _started is not None and _started.name.partition(".")[0] in ("bench", "reports", "results")
if _ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background ignores it
    signal.signal(signal.SIGINT, _end)


def over() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
