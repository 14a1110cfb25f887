"""Plug-ins that are single files: what they bring, and what is wrong with those that bring nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core import plugins
from core.errors import UsageError
from core.registry import PluginWarning, Registry

NEURON = "class Mine(ThresholdNeuron):\n    name = 'mine'\n    def step(self, x, v): ...\n"
STEPPED = "class {}(Neuron):\n    name = '{}'\n    def step(self, x): ...\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a plug-in; the process is afterwards as it was."""
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def made(text: str, name: str = "plugin_of_a_test.py") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    yield made
    plugins._entries.cache_clear()
    plugins._warn.cache_clear()


def found(kind: str) -> dict[str, str]:
    return {point.name: point.value for point in plugins.points(f"spikebench.{kind}")}


def test_neurons_are_found_by_their_name_and_the_rest_by_a_table(write: Write) -> None:
    file = write(
        "from neurons import base\n"
        + NEURON
        + "class Heir(Mine):\n    name: str = 'heir'\n"
        + "class Other(neurons.LIF): name = 'no neuron by its bases'\n"
        + "class Own(base.Neuron):\n    name = 'own'\n    def sequence(self, x): ...\n"
        + "class Task: name = 'task'\n"
        + "PLUGINS: dict = {'tasks': {'spirals': 'SPIRALS'}, 'neurons': {'lif2': 'Other'}}\n"
        + "raise RuntimeError('never run')\n"
    )
    plugins.use([file])
    module = file.stem
    assert found("neurons") == {
        "mine": f"{module}:Mine", "heir": f"{module}:Heir", "own": f"{module}:Own", "lif2": f"{module}:Other",
    }  # fmt: skip
    assert found("tasks") == {"spirals": f"{module}:SPIRALS"}
    assert found("models") == {}
    assert sys.path[-1] == str(file.parent)
    assert os.environ[plugins.VARIABLE] == str(file)
    plugins.use([file])
    assert os.environ[plugins.VARIABLE] == str(file)


def test_a_registry_has_them_and_keeps_its_own(write: Write) -> None:
    named = "class A(Neuron):\n    name = 'json'\n    def step(self, x): ...\n"
    plugins.use([write(named + "PLUGINS = {'neurons': {'here': 'HERE'}}\n")])
    registry = Registry("neuron", {"json": "json:dumps"}, group="spikebench.neurons")
    with pytest.warns(PluginWarning, match="'json' of the plug-in plugin_of_a_test:A is refused"):
        assert registry.names() == ["json", "here"]
    assert registry.module("here") == "plugin_of_a_test"
    assert registry.plugin("here") is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "brings nothing: no class of a neuron with name"),
        ("def step(:\n", "line 1 is no valid Python"),
        ("class Mine(ThresholdNeuron):\n    def step(self, x, v): ...\n", 'has no name. Write name = "mine" in it.'),
        ("class Mine(Neuron):\n    name = 'mine'\n", "class Mine .*, line 1, has no step. Write def"),
        ("PLUGINS = {'task': {'a': 'A'}}\n", "has the kind 'task'. Known: neurons, models, tasks"),
        ("PLUGINS = {'tasks': [1]}\n", "is not written as"),
        ("PLUGINS = {'tasks': {'a': A}}\n", "is not written as"),
        ("\0", "is no valid Python"),
        pytest.param(f"x = {'-' * 100_000}1\n", "is nested too deeply", id="deep"),
        (STEPPED.format("One", "a") + STEPPED.format("Two", "a"), "calls both One and Two 'a'; rename one"),
        (STEPPED.format("One", "a:b"), "calls One 'a:b'; give it a name without a colon"),
        (STEPPED.format("One", ""), "calls One ''"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(write: Write, text: str, says: str) -> None:
    file = write(text)
    with pytest.raises(UsageError, match=says):
        plugins.use([file])
    assert os.environ[plugins.VARIABLE] == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("my-neurons.py", "name it like my_neurons.py"),
        ("my_neurons.txt", "name it like my_neurons.py"),
        ("json.py", "has the name of another module, json. Rename the file."),
        ("neurons.py", "has the name of another module, neurons. Rename the file."),
    ],
)
def test_names_of_files(write: Write, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plugins.use([write(NEURON, name)])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        plugins.use([tmp_path / "absent.py"])


def test_one_bad_file_costs_itself(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = write("x = 1\n", "bad_one.py"), write(NEURON, "good_one.py")
    monkeypatch.setenv(plugins.VARIABLE, os.pathsep.join(map(str, (bad, good))))
    with pytest.warns(PluginWarning, match="bad_one.py brings nothing") as said:
        assert [found(kind) for kind in ("neurons", "tasks")] == [{"mine": "good_one:Mine"}, {}]
    assert len(said) == 1


def test_a_file_whose_name_another_module_has_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"alembic.py has the name of .*alembic/__init__.py, which is found first"):
        plugins.use([write(NEURON, "alembic.py")])
    first = write(NEURON, "twice_named.py")
    (tmp_path / "other").mkdir()
    second = write(NEURON, "other/twice_named.py")
    plugins.use([first])
    with pytest.raises(UsageError, match=r"other/twice_named.py has the name of .*/twice_named.py, which"):
        plugins.use([second])


def test_places_in_the_variable(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(NEURON, "at_home.py")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(plugins.VARIABLE, "~/at_home.py")
    assert found("neurons") == {"mine": "at_home:Mine"}
    monkeypatch.setenv(plugins.VARIABLE, "~nobody-of-this-name/at_home.py")
    with pytest.raises(UsageError, match="SPIKEBENCH_PLUGINS: ~nobody-of-this-name"):
        found("neurons")


def test_a_path_that_the_variable_cannot_hold(write: Write, tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    with pytest.raises(UsageError, match="has ':' in its path, which parts files"):
        plugins.use([write(NEURON, "a:b/parted.py")])
