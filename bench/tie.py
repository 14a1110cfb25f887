"""What ties a process to the one that reads what it says."""

from __future__ import annotations

import os
import select
from multiprocessing.connection import Connection


def end_with(connection: Connection) -> None:
    """Ends this process when nobody reads the pipe any more; waits for that, so it is for a thread."""
    poll = select.poll()
    poll.register(connection.fileno(), 0)  # errors alone, which are always told
    poll.poll()
    os._exit(0)
