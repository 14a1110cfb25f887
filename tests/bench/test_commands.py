"""`spikebench` and its verbs: the commands that `python -m` starts, described by the program itself."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import typer
from typer.testing import CliRunner

from bench import reference
from bench.__main__ import COMMANDS, app
from core.shell import typed

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "pandas", "matplotlib", "sqlalchemy", "sklearn", "jinja2"}


def shown(*command: str) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("words", [[], ["--help"], ["results", "export", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    probe = (
        f"import sys; sys.argv = ['spikebench', *{words}]\nfrom bench.__main__ import main\n"
        f"try: main()\nfinally: assert not {HEAVY} & set(sys.modules), sys.modules.keys()"
    )
    assert "Usage: spikebench" in shown("-c", probe)


def test_a_verb_is_loaded_when_it_is_named() -> None:
    probe = (
        "import sys; sys.argv = ['spikebench', 'results', '--help']\nfrom bench.__main__ import main\n"
        "try: main()\nfinally: assert not {'bench.reproduce', 'bench.kernels', 'reports.__main__'} & set(sys.modules)"
    )
    assert "import-asv" in shown("-c", probe)


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_verb_is_the_command_that_python_m_starts(verb: str) -> None:
    module = COMMANDS[verb].removesuffix(".__main__")
    alone = shown("-m", module, "--help").splitlines()
    among = shown("-m", "bench", verb, "--help").splitlines()
    assert alone[0].replace(f"python -m {module}", f"spikebench {verb}") == among[0]
    assert alone[1:] == among[1:]
    own = importlib.import_module(COMMANDS[verb]).app
    command = next(command for words, command in reference.commands() if words == f"spikebench {verb}")
    assert [p.name for p in command.params] == [p.name for p in typer.main.get_command(own).params]


def test_an_unknown_verb_is_one_sentence() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "repoduce"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: Unknown verb 'repoduce'. Did you mean 'reproduce'?")


def test_every_command_and_option_is_explained() -> None:
    for words, command in reference.commands():
        assert command.help, words
        assert command.get_short_help_str(66).endswith("."), words
        assert not command.get_short_help_str(66).endswith("..."), words
        for parameter in command.params:
            assert parameter.help, (words, parameter.name)
            assert parameter.metavar or parameter.is_flag, (words, parameter.name)


def test_the_reference_is_what_the_program_says() -> None:
    path = ROOT / "docs" / "commands.md"
    assert path.read_text(encoding="utf-8") == reference.text(), "Run: python -m bench.reference > docs/commands.md"


@pytest.mark.parametrize(
    ("parent", "words"),
    [
        (None, ["reproduce.py", "tiny", "--only", "N-MNIST avg"]),
        ("spikebench", ["spikebench", "reproduce", "tiny", "--only", "N-MNIST avg"]),
    ],
)
def test_a_run_is_stored_with_one_command_however_it_was_started(parent: str | None, words: list[str]) -> None:
    context = SimpleNamespace(parent=parent)
    with mock.patch.object(sys, "argv", words):
        assert typed("bench.reproduce", context) == "python -m bench.reproduce tiny --only 'N-MNIST avg'"  # type: ignore[arg-type]


def test_a_verb_takes_its_options() -> None:
    done = CliRunner().invoke(app, ["reproduce", "plif_tabel"])
    assert done.exit_code == 2
    assert "Unknown table 'plif_tabel'. Did you mean 'plif_table'" in done.output
