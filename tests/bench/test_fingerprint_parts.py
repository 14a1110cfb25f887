"""What an experiment names beside its network counts for its fingerprint: measures, checks, parts of the scheme."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

import training
from bench import fingerprint
from core import sources
from core.registry import UnknownName
from papers.plif.tables import PLIF_TABLE

EXPERIMENT = PLIF_TABLE.cells("quick")[0].experiment


def test_what_is_named_counts() -> None:
    plain = fingerprint.implementation(EXPERIMENT)
    assert fingerprint.implementation(replace(EXPERIMENT, measures=("accuracy",))) == plain  # of the same file
    assert fingerprint.implementation(replace(EXPERIMENT, checks=("psn_identities",))) != plain
    with pytest.raises(UnknownName, match=r"Unknown measure 'acuracy'\. Did you mean 'accuracy'"):
        fingerprint.implementation(replace(EXPERIMENT, measures=("acuracy",)))


def test_a_part_of_the_scheme_that_a_plug_in_brings_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    point = metadata.EntryPoint("own", "own_loss:own", "spikebench.losses")
    monkeypatch.setattr(training.LOSSES, "_plugins", {"own": point})
    named = replace(EXPERIMENT, scheme_options={"loss": {"name": "own"}})
    found = []
    for factor in "12":
        (tmp_path / "own_loss.py").write_text(f"def own(outputs, labels):\n    return {factor} * outputs.sum()\n")
        for cached in (sources._closed, sources._read, sources._path):
            cached.cache_clear()
        found.append((fingerprint.implementation(named), fingerprint.implementation(EXPERIMENT)))
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1]
    for cached in (sources._closed, sources._read, sources._path):
        cached.cache_clear()


def test_the_parts_of_our_own_are_followed() -> None:
    for module in ("training.losses", "training.decisions", "training.optimizers", "training.schedules"):
        assert module in sources._read("training.descent")[1]
