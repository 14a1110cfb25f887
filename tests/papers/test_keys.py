"""Experiments keep their keys: a result that is stored anywhere is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from papers import registry
from papers.experiment import SCALES, Experiment

ARCHIVE = Path(__file__).parents[2] / "results" / "archive"
KEYS = {  # by table and scale, with seed 0; a new table adds a file
    table: keys
    for file in sorted(Path(__file__).with_name("keys").glob("*.json"))
    for table, keys in json.loads(file.read_text(encoding="utf-8")).items()
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("table", registry.names())
def test_keys_of_a_table(table: str, scale: str) -> None:
    assert [experiment.key for experiment in registry.get(table).experiments(scale, [0])] == KEYS[table][scale]


@pytest.mark.parametrize("archive", ["plif-quick-cpu", "psn-quick-cpu"])
def test_archived_trainings_are_still_understood(archive: str) -> None:
    lines = (ARCHIVE / f"{archive}.jsonl").read_text(encoding="utf-8").splitlines()
    experiments = [record for record in map(json.loads, lines) if record["record"] == "experiment"]
    assert experiments
    for record in experiments:
        assert Experiment.of(record["document"]).key == record["key"]
