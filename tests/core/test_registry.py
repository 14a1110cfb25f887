"""Names that are not known, and names that are taken."""

from __future__ import annotations

import math
import warnings
from importlib import metadata

import pytest

from core.registry import PluginWarning, Registry, unknown


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("plfi", "Unknown neuron 'plfi'. Did you mean 'plif'? Known: lif, plif."),
        (None, "Unknown neuron None. Known: lif, plif."),
        (3, "Unknown neuron 3. Known: lif, plif."),
    ],
)
def test_what_was_asked_and_what_there_is(name: object, sentence: str) -> None:
    assert str(unknown("neuron", name, ["lif", "plif"])) == sentence


def test_upper_and_lower_case_are_near() -> None:
    found = str(unknown("row or column", "mnist", ["MNIST", "N-MNIST", "CIFAR-10"]))
    assert "Did you mean 'MNIST' or 'N-MNIST'?" in found


def plugged(monkeypatch: pytest.MonkeyPatch, *plugins: tuple[str, str]) -> Registry:
    points = [metadata.EntryPoint(name, value, "things") for name, value in plugins]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    return Registry("thing", {"lif": "math:tau"}, "things")


def test_a_taken_name_is_refused_with_one_warning_and_the_rest_works(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = plugged(monkeypatch, ("lif", "cmath:e"), ("mine", "math:e"))
    with pytest.warns(
        PluginWarning, match=r"^The thing 'lif' of the plug-in cmath:e is refused, for math:tau has"
    ) as told:
        assert registry.names() == ["lif", "mine"]
    assert len(told) == 1
    assert (registry.get("lif"), registry.get("mine")) == (math.tau, math.e)
    assert (registry.module("lif"), registry.plugin("lif")) == ("math", None)
    assert registry.plugin("mine") == metadata.EntryPoint("mine", "math:e", "things")


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_plug_ins_with_one_name_the_same_counts_everywhere(monkeypatch: pytest.MonkeyPatch, order: int) -> None:
    registry = plugged(monkeypatch, *[("mine", "math:e"), ("mine", "cmath:pi")][::order])
    with pytest.warns(PluginWarning, match="'mine' of the plug-in math:e is refused, for cmath:pi has that name"):
        assert registry.module("mine") == "cmath"


def test_a_warning_that_is_an_error_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = plugged(monkeypatch, ("lif", "cmath:e"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginWarning):
            registry.names()
        assert registry.names() == ["lif"]


def test_one_plug_in_listed_twice_is_no_quarrel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plugged(monkeypatch, ("mine", "math:e"), ("mine", "math:e")).names() == ["lif", "mine"]
