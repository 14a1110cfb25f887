"""Tables of plug-ins that cannot be used: each costs itself."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

import papers
from bench import reproduce, settings
from core.registry import PluginError, PluginWarning, Registry

BROKEN = {
    "raises": "from papers.table import Table\n\ndef cells(scale):\n    raise ValueError('boom')\n\n"
    "T = Table('raises', 'mine', 'Mine', cells)\n",
    "ends": "raise SystemExit(3)\n",
    "number": "T = 3\n",
}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """One table of the suite, and plug-ins that have a module each, as their own file of published values."""
    for name, text in BROKEN.items():
        monkeypatch.delitem(sys.modules, f"broken_{name}", raising=False)  # that of the test before
        (tmp_path / f"broken_{name}.py").write_text(text, encoding="utf-8")
        (tmp_path / f"broken_{name}.toml").write_text("paper =", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    points = [metadata.EntryPoint(name, f"broken_{name}:T", "things") for name in BROKEN]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points)
    made = Registry("table", {"plif_table": "papers.plif.tables:PLIF_TABLE"}, "things")
    for module in (papers, settings, reproduce):
        monkeypatch.setattr(module, "registry", made)
    return made


@pytest.mark.parametrize(("name", "why"), [("raises", "ValueError: boom"), ("ends", "SystemExit: 3"), ("number", "")])
def test_what_is_wrong_with_one_is_a_sentence(registry: Registry, name: str, why: str) -> None:
    said = f"The table '{name}' comes from a plug-in, broken_{name}:T, that cannot be (used|loaded): {why}"
    with pytest.raises(PluginError, match=said):
        settings.Settings((name,))


def test_the_others_are_run(registry: Registry) -> None:
    with pytest.warns(PluginWarning, match="cannot be (used|loaded)") as warned:
        every = settings.Settings(("all",), only=("MNIST",))
    assert len(warned) == len(BROKEN)
    assert [table.name for table in every.tables] == ["plif_table"]


def test_published_values_are_read_of_what_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    assert reproduce._beside_plugins(["plif_table", "kernels"]) == []
    assert reproduce._beside_plugins(["plif_table", "raises"]) == [tmp_path / "broken_raises.toml"]
