"""The version of every command, and completion of the words of `spikebench`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest
from commands import within

from bench.__main__ import COMMANDS, app

SAID = f"spikebench {metadata.version('spikebench')}\n"


@pytest.mark.parametrize("module", COMMANDS.values())
def test_every_command_tells_the_version(module: str) -> None:
    done = within(import_module(module).app, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, SAID, "")


@pytest.mark.parametrize("words", [(), *((verb,) for verb in COMMANDS)])
def test_the_script_and_its_verbs_tell_it(words: tuple[str, ...]) -> None:
    done = within(app, *words, "--version")
    assert (done.returncode, done.stdout) == (0, SAID)


def test_the_process_ends_well() -> None:
    done = subprocess.run([sys.executable, "-m", "results", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, SAID, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("spikebench re", ["reproduce", "results", "report"]),
        ("spikebench reproduce --see", ["--seeds"]),
        ("spikebench results sh", ["show"]),
        ("spikebench results show --li", ["--limit"]),
    ],
)
def test_words_are_completed_in_commands_that_are_loaded_when_named(words: str, expected: list[str]) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1), "_SPIKEBENCH_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", "from bench.__main__ import main; main()"],
        env={**os.environ, **asked},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == expected, done.stderr
