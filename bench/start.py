"""The first moments of a process that carries out a request."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection

from .job import Request
from .tie import end_with


def start(request: Request, connection: Connection, gpus: str | None = None) -> None:
    """Runs in the child, where importing the worker (and PyTorch) costs the parent nothing.

    It ends at once when its parent does, whose command, started again, goes on from the last epoch. `gpus` is the
    parent's CUDA_VISIBLE_DEVICES, which may be another than when the server was started that this is forked from.
    """
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # before the imports, which take seconds
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()
    if request.processes > 1:
        from .group import launch

        launch(request, connection)
    from .worker import main

    main(request, connection)
