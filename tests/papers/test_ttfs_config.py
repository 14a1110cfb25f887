"""JSON configurations of the T2FSNN code, read as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import within

from bench.reproduce import app
from core.errors import UsageError
from core.registry import UnknownName
from papers import registry
from papers.ttfs import config

TABLE = registry.get("ttfs_table")
BATCH_256 = {  # the second shipped configuration (spec, section 8)
    "epochs": 1000, "batch_size": 256, "lr": 1e-4, "annealing": 0.999, "w_decay": 0.1, "grad_clip": 1.0,
    "use_adam": True, "early_stopping": 25,
}  # fmt: skip


def written(folder: Path, **fields: Any) -> Path:
    place = folder / "asked.json"
    place.write_text(json.dumps(fields))
    return place


def test_the_shipped_file_asks_for_the_rows_of_the_table(tmp_path: Path) -> None:
    asked = TABLE.configured(TABLE, written(tmp_path, **BATCH_256)).cells("paper")
    usual = [cell for cell in TABLE.cells("paper") if cell.row.endswith("released")]
    assert [cell.experiment.key for cell in asked] == [cell.experiment.key for cell in usual]
    assert {cell.protocol.name for cell in asked} == {cell.protocol.name for cell in usual}


def test_every_field_counts(tmp_path: Path) -> None:
    least = {"epochs": 3, "batch_size": 20}
    assert config.read(written(tmp_path, **least)) == {
        **least, "lr": 1e-4, "annealing": 1.0, "w_decay": 0.0, "grad_clip": 1.0, "use_adam": True, "early_stopping": 25,
        "w_ei": False,
    }  # fmt: skip
    changed = {"lr": 0.01, "annealing": 0.9, "w_decay": 0.2, "grad_clip": 5, "use_adam": False, "early_stopping": 4,
               "w_ei": True}  # fmt: skip
    cell = TABLE.configured(TABLE, written(tmp_path, **least, **changed)).cells("short")[0]
    made = cell.experiment
    assert (made.epochs, made.batch_size, made.batching["shuffle"]) == (3, 20, False)
    assert made.scheme_options == {
        "optimizer": {"name": "sgd_then_decay", "lr": 0.01, "weight_decay": 0.2},
        "schedule": {"name": "exponential", "factor": 0.9},
        "constraint": {"name": "fixed_signs"},
    }
    assert (made.model_options["clip"], made.model_options["fixed_signs"]) == (5.0, True)
    assert cell.protocol.name == "stopped-4"
    quick = TABLE.configured(TABLE, written(tmp_path, **least, **changed)).cells("quick")[0]
    assert quick.protocol.name == "last"
    assert "nothing is held out to stop early by" in quick.not_comparable


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"epochs": 1, "batch_size": 2, "lrate": 1}, UnknownName, "'lrate'"),
        ({"batch_size": 2}, UsageError, "no 'epochs'"),
        ({"epochs": True, "batch_size": 2}, UsageError, "'epochs' .* whole number from 1 to 1,000,000,000, got True"),
        ({"epochs": 10**30, "batch_size": 2}, UsageError, "'epochs' .* from 1 to 1,000,000,000"),
        ({"epochs": 1, "batch_size": 10**30}, UsageError, "'batch_size' .* from 1 to 1,000,000,000"),
        ({"epochs": 1, "batch_size": 2, "lr": 10**400}, UsageError, "'lr' .* positive number"),
        ({"epochs": 1, "batch_size": 2, "w_decay": 10**400}, UsageError, "'w_decay' .* at least 0"),
        ({"epochs": 1.5, "batch_size": 2}, UsageError, "got 1.5"),
        ({"epochs": 1, "batch_size": 2, "lr": "high"}, UsageError, "positive number, got 'high'"),
        ({"epochs": 1, "batch_size": 2, "use_adam": 1}, UsageError, "true or false, got 1"),
        ({"epochs": 1, "batch_size": 2, "w_decay": -1}, UsageError, "at least 0, got -1"),
    ],
)
def test_what_is_wrong_is_said_by_name(
    fields: dict[str, Any], error: type[Exception], says: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says):
        config.read(written(tmp_path, **fields))


def test_files_that_are_none(tmp_path: Path) -> None:
    place = tmp_path / "list.json"
    for text, says in (("[1]", "holds a list"), ("{", "cannot be read"), ("[" * 99_999, "cannot be read")):
        place.write_text(text)
        with pytest.raises(UsageError, match=says):
            config.read(place)
    with pytest.raises(UsageError, match="cannot be read"):
        config.read(tmp_path / "none.json")


def test_the_command_reads_it(tmp_path: Path) -> None:
    store = f"--store={tmp_path / 's.db'}"
    place = written(tmp_path, epochs=2, batch_size=32)
    done = within(app, "ttfs_table", "--config", str(place), "--plan", store)
    assert done.returncode == 0
    assert "2 of 2 experiments to run" in " ".join(done.stdout.split())
    for table, says in (
        ("plif_table", "takes no such file"),
        ("fs_table", "It takes the arguments of"),
        ("ttfs_speed", "has no training"),
    ):
        refused = within(app, table, "--config", str(place), "--plan", store)
        assert refused.returncode == 2
        assert says in " ".join(refused.stderr.split())
    refused = within(app, "ttfs_table", "--config", str(written(tmp_path, epochs=2, batch=3)), "--plan", store)
    assert refused.returncode == 2
    assert "'batch'" in refused.stderr
