"""The first moments of a process that carries out a request."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection

from .job import Request


def start(request: Request, connection: Connection) -> None:
    """Runs in the child, where importing the worker (and PyTorch) costs the parent nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # before the imports, which take seconds
    if request.processes > 1:
        from .group import launch

        launch(request, connection)
    from .worker import main

    main(request, connection)
