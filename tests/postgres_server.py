"""A PostgreSQL on this machine, in a folder of its own, whose server can be cut off."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path


def missing() -> str:
    """Why there can be no such server here; empty where there can."""
    if find_spec("psycopg") is None:
        return "needs psycopg 3"
    if _programs() is None:
        return "needs the server programs of PostgreSQL (Debian package postgresql)"
    if _as_root() and (shutil.which("runuser") is None or not _user_exists("postgres")):
        return "run as root it needs runuser and a user named postgres"
    return ""


class Server:
    """Runs on `port` of 127.0.0.1 from when it is made until `stop`; what it holds is lost then."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.folder = Path(tempfile.mkdtemp(prefix="spikebench-pg-"))
        if _as_root():
            shutil.chown(self.folder, "postgres")
        try:
            self._call("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        self._call("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def cut(self) -> None:
        """As when its machine loses power."""
        self._call("pg_ctl", "-m", "immediate", "stop")

    def stop(self) -> None:
        try:
            self.cut()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def new(self) -> str:
        """The URL of an empty database."""
        import psycopg

        name, server = f"store_{secrets.token_hex(6)}", f"postgresql://tester@127.0.0.1:{self.port}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{server}/{name}"

    def _call(self, program: str, *arguments: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if _as_root() else []
        command = [*user, f"{_programs()}/{program}", "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


def _programs() -> Path | None:
    """Where initdb and pg_ctl are: on the PATH, or where Debian puts them."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def _as_root() -> bool:
    return os.geteuid() == 0  # which PostgreSQL refuses to run as


def _user_exists(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())
