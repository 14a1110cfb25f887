"""Commands in processes that need not import PyTorch first: forked from one that has done so.

Most of the time of a short command goes into imports, and into digests of our sources, which are as they were. `run`
and `Process` take the place of `subprocess.run` and `subprocess.Popen` for `python -m MODULE ...` and `python -c
CODE ...`: the process is one of its own, with its own environment, folder, signals, output and end; only what is
imported already differs. What an interpreter decides when it starts, such as how it takes names that are no ASCII, it
decides by the variables `start`; those that ask for the same share one that has less imported. All processes of a run
of pytest-xdist share these servers. Tests of imports and other switches of the interpreter start real ones.
"""

from __future__ import annotations

import atexit
import functools
import gc
import hashlib
import importlib
import itertools
import json
import multiprocessing.util
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

LOADED = (
    "alembic.command", "jinja2", "matplotlib.pyplot", "numpy", "pandas", "rich.console", "rich.progress", "scipy.stats",
    "sklearn.datasets", "sqlalchemy.dialects.sqlite", "sqlalchemy.orm", "torch", "torch._dynamo", "typer",
    "typer._adapters",
)  # fmt: skip
OURS = (
    "bench.measured", "bench.peers", "bench.plan", "bench.present", "bench.runner", "bench.worker", "core.command",
    "papers.plif.tables", "reports.planned", "reports.site", "reports.terminal", "results.store", "tasks.digits",
)  # fmt: skip
WITH_ITS_OWN_START = ("jinja2", "numpy", "rich.console", "rich.progress", "sqlalchemy.orm", "typer")
FOLDERS = tuple(sys.path)
ROOT = str(Path(__file__).parents[1])
MESSAGE = 2**20  # bytes; requests are shorter


class Process:
    """`python *arguments`, which begin with "-m" or "-c": what tests need of `subprocess.Popen`.

    Output and errors are kept, or go to the open files `stdout` and `stderr`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        *,
        start: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._life, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._said = [os.memfd_create(name) for name in ("output", "errors")]  # a pipe would have to be emptied
        variables = {**(os.environ if env is None else env), **(start or {})}
        request = {
            "arguments": [*map(_bytes, arguments)],
            "environment": [*map(_bytes, itertools.chain(*variables.items()))],
            "folder": [_bytes(str(cwd or Path.cwd()))],
        }
        places = [kept if given is None else given for kept, given in zip(self._said, (stdout, stderr), strict=True)]
        with theirs:
            server = _server(*sorted((start or {}).items()))
            socket.send_fds(server, [json.dumps(request).encode()], [theirs.fileno(), *places])
        self.pid = int(self._life.recv(MESSAGE))

    def __del__(self) -> None:
        self._life.close()
        for file in self._said:
            os.close(file)

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process, which is not over."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = 300) -> int:
        """The exit status; the number of a signal, negated, if it died of one."""
        if self.returncode is None:
            self._life.settimeout(timeout)
            try:
                self.returncode = int(self._life.recv(MESSAGE))
            except TimeoutError:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(self.args), timeout, *map(str.encode, self.said())) from None
        return self.returncode

    def said(self) -> tuple[str, str]:
        """Output and errors so far."""
        out, err = (os.pread(file, os.fstat(file).st_size, 0) for file in self._said)
        return out.decode(errors="replace"), err.decode(errors="replace")

    def until(self, happened: Callable[[], object], timeout: float = 120) -> None:
        """Waits until something has happened; the process should go on beyond that."""
        end = time.monotonic() + timeout
        while not happened():
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Output and errors, after the end."""
        self.wait(timeout)
        return self.said()


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float = 300,
    start: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """What comes of `python *arguments`, which begin with "-m" or "-c"."""
    process = Process(arguments, env, cwd, start=start, stdout=stdout, stderr=stderr)
    out, err = process.communicate(timeout)
    return subprocess.CompletedProcess(arguments, process.wait(), out, err)


def _bytes(text: str) -> str:
    """A letter for each byte of a name: the process may take bytes for other letters."""
    return os.fsencode(text).decode("latin-1")


def _name(text: str) -> str:
    """The name whose `_bytes` are given."""
    return os.fsdecode(text.encode("latin-1"))


@functools.cache
def _server(*start: tuple[str, str]) -> socket.socket:
    """Where requests go to. Who answers them has an interpreter that starts with variables, and ends after the last of
    those that are connected to it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    address = "\0spikebench " + hashlib.sha256(repr((run, start)).encode()).hexdigest()  # at most 107 bytes
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        try:
            listener.bind(address)
        except OSError:  # another process was first
            pass
        else:
            listener.listen()
            _start(listener, dict(start))
    requests = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end = time.monotonic() + 60
    while error := requests.connect_ex(address):  # between those two lines of another process
        assert time.monotonic() < end, os.strerror(error)
        time.sleep(0.01)
    atexit.register(requests.close)
    return requests


def _start(listener: socket.socket, start: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-P", __file__, str(listener.fileno()), *(WITH_ITS_OWN_START if start else LOADED)]
    # Its output is a pipe, which nothing is written to: what begins as a file would be taken for one ever after.
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, pass_fds=[listener.fileno()], env=kept | start, start_new_session=True
    )
    atexit.register(server.communicate)  # which ends once the requests of all are closed, ours before this


def _serve(listener: socket.socket, loaded: Sequence[str]) -> dict[str, list[str]]:
    """Returns a request, in the process that is to carry it out."""
    for name in loaded:
        importlib.import_module(name)
    if loaded == list(LOADED):
        _know_ours()
    gc.freeze()  # what is loaded stays shared
    util = multiprocessing.util
    util.spawnv_passfds = _instead(_spawn, util.spawnv_passfds)
    subprocess._fork_exec = _instead(_fork_exec, subprocess._fork_exec)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the guardians
    asking = [listener.accept()[0]]
    while asking:
        for one in select.select([listener, *asking], [], [])[0]:
            if one is listener:
                asking.append(listener.accept()[0])
                continue
            message, ends, _, _ = socket.recv_fds(one, MESSAGE, 3)
            if not message:
                asking.remove(one)
            elif not os.fork() and not _guard(*ends):
                return dict(json.loads(message))
            for end in ends:
                os.close(end)
    os._exit(0)


def _know_ours() -> None:
    """Imports what most commands of ours do, and reads the sources behind most results."""
    sys.path.insert(0, ROOT)
    for name in OURS:
        importlib.import_module(name)
    from core.sources import followed, package
    from neurons.backends import MODULES

    backends = (package(module) for module in MODULES.values())
    followed({"training.loop", "training.bptt", "models.plif", *package("bench.parity"), *set().union(*backends)})
    sys.path.remove(ROOT)


def _guard(life: int, out: int, err: int) -> bool:
    """Starts the process and tells its number and its end; False in that process, whose output is set."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    number = os.fork()
    if number == 0:
        for end, place in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(end, place)
        os.closerange(3, 1024)
        return False
    with socket.socket(fileno=life) as ends:
        ends.send(str(number).encode())
        _, status = os.waitpid(number, 0)
        ends.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(environment: Mapping[str, str], folder: str) -> None:
    """What a fresh interpreter takes from its surroundings."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *FOLDERS]
    importlib.invalidate_caches()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _spawn(_: bytes, args: list[str], passed: Sequence[int]) -> int | None:
    """In place of multiprocessing's start of a process; the server that trainings are forked from is a fork itself."""
    if "multiprocessing.forkserver" not in args[-1]:
        return None
    if number := os.fork():
        return number
    _close_all_but(passed)
    _become(dict(os.environ), os.getcwd())
    try:
        exec(args[-1], {})
    finally:
        os._exit(0)


def _fork_exec(args: list[str], _: Any, __: Any, passed: Sequence[int], cwd: Any, env: Any, *rest: Any) -> int | None:
    """In place of subprocess's start of a process: that of a module or of a file is a fork, too."""
    if args[:2] not in ([sys.executable, "-m"], [sys.executable, "-P"]):
        return None
    if number := os.fork():
        return number
    if rest[9]:
        os.setsid()
    atexit._clear()  # that is the parent's to do
    for end, place in zip((rest[0], rest[3], rest[5]), range(3), strict=True):
        if end not in (-1, place):
            os.dup2(end, place)
    _close_all_but(set(passed) - {rest[7]})  # by its end the parent knows that the start is over
    given = os.environ if env is None else dict(os.fsdecode(item).split("=", 1) for item in env)
    _become(dict(given), os.fsdecode(cwd or os.getcwd()))
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)  # the parent may have read from its own
    os._exit(_carry_out(*args[1:]))


def _close_all_but(passed: Collection[int]) -> None:
    kept = sorted(passed)
    for first, last in zip([2, *kept], [*kept, 1024], strict=True):
        os.closerange(first + 1, last)


def _instead(mine: Callable[..., int | None], really: Callable[..., int]) -> Callable[..., int]:
    """Starts a process by `mine`, or as usual where that returns None."""

    def started(*arguments: Any) -> int:
        number = mine(*arguments)
        return really(*arguments) if number is None else number

    return started


def _carry_out(kind: str, what: str, *rest: str) -> int:
    """Runs the program; returns the exit status when all that it would do at its end is done."""
    sys.argv = [kind if kind == "-c" else what, *rest]
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        elif kind == "-P":
            runpy.run_path(what, run_name="__main__")
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


if __name__ == "__main__":
    asked = _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    variables = [*map(_name, asked["environment"])]
    _become(dict(zip(variables[::2], variables[1::2], strict=True)), *map(_name, asked["folder"]))
    status = _carry_out(*map(_name, asked["arguments"]))
    os._exit(status)  # an ordinary end would take apart, and so copy, all that is loaded
