"""Several processes for one experiment: torchrun's agent in the child, which forks the workers.

All write to the one pipe that the child was given, so that the parent sees a child like any other. When the parent
closes the pipe, or dies, every process ends, whatever it is doing then.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import NoReturn

from .job import Request
from .tie import end_with


def launch(request: Request, connection: Connection) -> NoReturn:
    """Makes this process the agent of `request.processes` workers; what they print goes to the log."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.setsid()  # Ctrl-C is the parent's to answer
    request.log.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["OMP_NUM_THREADS"] = str(request.threads)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine, whatever its name resolves to
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=request.processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="fork",  # this process has imported PyTorch, and has touched no device
    )
    try:
        elastic_launch(config, _work)(request, connection)
    except ChildFailedError:
        traceback.print_exc()  # to the log
        os._exit(1)
    os._exit(0)


def _work(request: Request, connection: Connection) -> None:
    """One of the processes."""
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()  # a fork has no thread of its parent
    from .worker import main

    if not main(request, connection):
        time.sleep(60)  # the parent ends all; leaving now would give the others an error of their own
