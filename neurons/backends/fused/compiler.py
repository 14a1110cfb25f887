"""Compiles a source to a library once and keeps it: `~/.cache/spikebench/kernels`, by hash of source, flags,
compiler, CPU.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

FLAGS = (
    "-std=c++17", "-O2", "-fPIC", "-shared", "-fno-strict-aliasing", "-ffp-contract=off", "-fno-math-errno",
    "-fno-exceptions", "-fno-rtti", "-fno-semantic-interposition", "-Wno-psabi", "-w",
)  # fmt: skip


class CompilationError(Exception):
    """The compiler did not make a library of a kernel; the message holds its first lines."""


def folder() -> Path:
    """Where libraries are kept: $SPIKEBENCH_CACHE, else $XDG_CACHE_HOME/spikebench, else ~/.cache/spikebench.

    Raises CompilationError for the ~ of nobody."""
    name = "SPIKEBENCH_CACHE" if os.environ.get("SPIKEBENCH_CACHE") else "XDG_CACHE_HOME"
    named = os.environ.get(name) or "~/.cache"
    place = Path(os.path.expanduser(named))
    if str(place).startswith("~"):  # else a folder of that name would be made here
        raise CompilationError(f"{name} names {named}, but there is no such user; set SPIKEBENCH_CACHE to a folder")
    return place / ("kernels" if name == "SPIKEBENCH_CACHE" else "spikebench/kernels")


def command() -> list[str] | None:
    """The C++ compiler: $CXX, else c++, g++ or clang++ on PATH; None when there is none."""
    return _found(os.environ.get("CXX", ""), os.environ.get("PATH", ""))


@cache
def _found(cxx: str, path: str) -> list[str] | None:
    named = shlex.split(cxx)
    for words in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        found = shutil.which(words[0], path=path)
        if found:
            return [found, *words[1:]]
    return None


def missing() -> str | None:
    """Why nothing can be compiled, or None."""
    if command() is not None:
        return None
    named = os.environ.get("CXX")
    where = f"CXX names {named!r}, which was not found" if named else "neither c++ nor g++ nor clang++ is on PATH"
    return f"no C++ compiler: {where}; install one (Debian: apt install g++) or set CXX"


class Library:
    """A compiled library and the note that lies beside it (a small JSON object)."""

    def __init__(self, path: Path, note: dict[str, Any]) -> None:
        self.path = path
        self.note = note
        self.functions = ctypes.CDLL(str(path))

    def write_note(self, **entries: Any) -> None:
        """Adds to the note, for every later process if the cache can be written."""
        self.note = {**self.note, **entries}
        with suppress(OSError):
            _write(self.path.with_suffix(".json"), json.dumps(self.note, sort_keys=True).encode())


def library(source: str, further: tuple[str, ...] = ()) -> Library:
    """The library of `source`, compiled now unless it lies in the cache intact; `further` flags come after FLAGS.
    Raises CompilationError."""
    compiler = command()
    if compiler is None:
        raise CompilationError(missing() or "")
    flags = [*FLAGS, _tuned(), *further]
    key = "\n".join([source, *flags, _version(tuple(compiler)), _cpu()])
    path = folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.so"
    note = _intact(path)
    if note is None:
        try:
            note = _compile([*compiler, *flags], source, path)
        except OSError as error:
            raise CompilationError(f"{error}; set SPIKEBENCH_CACHE to a folder that can be written") from error
    try:
        return Library(path, note)
    except OSError as error:
        raise CompilationError(f"the compiled kernel does not load: {error}") from error


def _intact(path: Path) -> dict[str, Any] | None:
    """The note of a library whose bytes are the ones that were written, else None."""
    try:
        note = json.loads(path.with_suffix(".json").read_bytes())
        return note if note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _compile(words: list[str], source: str, path: Path) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as room:
        text, built = Path(room) / "kernel.cpp", Path(room) / "kernel.so"
        text.write_text(source)
        done = subprocess.run([*words, "-o", built, text], capture_output=True, text=True, check=False)
        if done.returncode:
            first = "\n".join(done.stderr.splitlines()[:6]) or f"exit status {done.returncode}"
            raise CompilationError(f"{shlex.join(words[:1])} refused the kernel: {first}")
        note = {"sha256": hashlib.sha256(built.read_bytes()).hexdigest()}
        os.replace(text, path.with_suffix(".cpp"))
        os.replace(built, path)
    _write(path.with_suffix(".json"), json.dumps(note).encode())
    return note


def _write(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)


def _tuned() -> str:
    return "-mcpu=native" if platform.machine() in ("aarch64", "arm64") else "-march=native"


@cache
def _version(compiler: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise CompilationError(f"{shlex.join(compiler)} does not run: {error}") from error
    return f"{shlex.join(compiler)} {done.stdout}"


@cache
def _cpu() -> str:
    """What decides the instructions that may be used."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
