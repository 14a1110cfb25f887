"""Several processes for one experiment: torchrun in place of the child, and in each process the worker.

All write to the one pipe that the child was given, so that the parent sees a child like any other. When the parent
closes the pipe, or dies, every process ends, whatever it is doing then.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import NoReturn

from .job import Request
from .tie import end_with


def launch(request: Request, connection: Connection) -> NoReturn:
    """Turns this process into torchrun with `request.processes` workers; what they print goes to the log."""
    os.setsid()  # Ctrl-C is the parent's to answer, torchrun would die of it
    os.set_inheritable(connection.fileno(), True)
    request.log.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    os.environ["OMP_NUM_THREADS"] = str(request.threads)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine, whatever its name resolves to
    # torchrun closes inherited files; its children find the pipe by its place in /proc.
    pipe = f"/proc/{os.getpid()}/fd/{connection.fileno()}"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(request.processes)]
    os.execv(sys.executable, [sys.executable, *torchrun, "-m", "bench.group", pipe, request.to_json()])


def main(pipe: str, request: Request) -> None:
    """One of the processes."""
    connection = Connection(os.open(pipe, os.O_WRONLY), readable=False)
    threading.Thread(target=end_with, args=(connection,), daemon=True).start()
    from .worker import main as work

    if not work(request, connection):
        time.sleep(60)  # the parent ends all; leaving now would give the others an error of their own


if __name__ == "__main__":
    main(sys.argv[1], Request.of_json(sys.argv[2]))
