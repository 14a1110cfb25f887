"""The README says what is true: its commands exist with the options it gives, its names are known."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from bench import measured
from papers import registry as tables
from results import OUTCOMES

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.S | re.M)
COMMANDS = sorted(set(re.findall(r"python -m ((?:bench|results|reports)[^\n`&#]*)", README)))


def test_the_first_two_blocks_are_one_command_each() -> None:
    main, tests = (block.strip().splitlines() for block in BLOCKS[:2])
    assert len(main) == len(tests) == 1
    assert main[0].endswith(".venv/bin/python -m bench.reproduce plif_table")
    assert tests[0].endswith(".venv/bin/python -m pytest")


@functools.cache
def told(*words: str) -> str:
    """What a command says of itself."""
    asked = [sys.executable, "-m", *words, "--help"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_and_options_exist(command: str) -> None:
    module, *arguments = shlex.split(command)
    verb = [argument for argument in arguments[:1] if module == "results"]
    shown = told(module, *verb)
    for option in (argument for argument in arguments if argument.startswith("--")):
        assert re.search(rf"{option}\b", shown), f"{command}: {option}"
    if module == "bench.reproduce":
        named = [a for a in arguments if a in tables.names() or a.startswith(("plif", "psn"))]
        assert all(name in (*tables.names(), *measured.COMMANDS) for name in named)


def test_every_table_is_listed() -> None:
    for name in (*tables.names(), *measured.COMMANDS):
        assert f"`{name}`" in README


def test_every_task_and_outcome_is_a_known_one() -> None:
    for name in tasks.names():
        assert f"`{name}`" in README
    for outcome in re.findall(r"`(oom|timeout|crashed|diverged|unavailable)`", README):
        assert outcome in OUTCOMES
