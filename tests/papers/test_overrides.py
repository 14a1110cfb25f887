"""Settings of a user's own in place of a table's."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UsageError
from papers import registry
from papers.fptt.adding import FPTT_ADDING
from papers.overrides import overridden, parsed, read
from papers.plif.tables import PLIF_ABLATION, PLIF_TABLE

CELLS = PLIF_ABLATION.cells("paper")


def test_what_is_set_is_a_part_of_the_experiment() -> None:
    table = overridden(PLIF_ABLATION, {"epochs": 2, "lr": 3e-4, "model.channels": 7, "neuron.tau": 3.0})
    for before, after in zip(CELLS, table.cells("paper"), strict=True):
        made = after.experiment
        assert (made.epochs, made.scheme_options["lr"]) == (2, 3e-4)
        assert made.neuron_options.get("tau") == (3.0 if made.neuron == "lif" else None)
        assert made.key != before.experiment.key
        also = [name for name in ("model.channels=7", "neuron.tau=3.0") if name in after.not_comparable]
        assert after.not_comparable.startswith(", ".join(["set: epochs=2, lr=0.0003", *also]))
        assert ("neuron.tau=3.0" in also, "model.channels=7" in also) == (
            made.neuron == "lif", "channels" in made.model_options,
        )  # fmt: skip
        assert (after.row, after.column, after.sources, after.log) == (before.row, before.column, before.sources, "")
    assert table.claims == ()
    assert "(epochs=2, lr=0.0003, model.channels=7, neuron.tau=3.0)" in table.notes[0]
    assert "lr" not in CELLS[0].not_comparable  # the table itself is as it was
    assert CELLS[0].experiment.key == PLIF_ABLATION.cells("paper")[0].experiment.key


def test_what_a_change_does_not_reach_stays_comparable() -> None:
    cells = {cell.row: cell for cell in overridden(PLIF_ABLATION, {"neuron.tau": 3.0}).cells("paper")}
    assert cells["PLIF 2 max"] in CELLS
    assert cells["LIF 2 max"].not_comparable.startswith("set: neuron.tau=3.0")


def test_nested_settings() -> None:
    table = overridden(FPTT_ADDING, parsed(["scheme.optimizer.lr=0.5", "clip=2", "task.train=64"]))
    schemes = [cell.experiment.scheme_options for cell in table.cells("quick")]
    assert {options["optimizer"]["lr"] for options in schemes} == {0.5}
    assert {options["clip"] for options in schemes} == {2}


@pytest.mark.parametrize("name", registry.names())
def test_without_changes_a_table_is_itself(name: str) -> None:
    table = registry.get(name)
    assert overridden(table, {}) is table


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epochs", "write NAME=VALUE"),
        ("=3", "write NAME=VALUE"),
        ("epochs=0", "epochs was set to 0; give a whole number, at least 1."),
        ("epochs=1.5", "give a whole number"),
        ("batch_size=true", "give a whole number"),
        ("model.chanels=3", "Unknown setting 'model.chanels'. Did you mean 'model.channels'"),
        ("chanels=3", "Unknown setting 'chanels'."),
        ("scheme.lr.value=3", "Unknown setting 'scheme.lr.value'. Did you mean 'scheme.lr'"),
        ("T=3", "T is an option of several parts; write task.T or model.T."),
        ("loss=3", "Unknown setting 'loss'. Did you mean 'scheme.loss'?"),
        ("LR=3", "Unknown setting 'LR'. Did you mean 'scheme.lr'?"),
        ("lr=0,001", 'lr was set to "0,001"; give a finite number, as in lr=0.001.'),
        ("lr=true", "lr was set to true; give a finite number"),
        ("model.max_pool=no", 'model.max_pool was set to "no"; give true or false, as in model.max_pool=true.'),
        ("model.max_pool=0", "model.max_pool was set to 0; give true or false"),
        ("neuron.detach_reset=off", 'neuron.detach_reset was set to "off"; give true or false'),
        ("seed=3", "Unknown setting 'seed'."),
        ("lr=NaN", "lr was set to nan; give a finite number"),
    ],
)
def test_what_no_training_takes_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace(".", r"\.")):
        overridden(PLIF_TABLE, parsed([text])).cells("paper")


def test_a_setting_that_is_given_twice_is_told() -> None:
    with pytest.raises(UsageError, match="--set was given epochs twice"):
        parsed(["epochs=1", "lr=2", "epochs = 3"])


def test_settings_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('epochs = 3\n[model]\nchannels = 4\n[scheme.optimizer]\nname = "sgd"\n', encoding="utf-8")
    assert read(file) == {"epochs": 3, "model.channels": 4, "scheme.optimizer.name": "sgd"}
    file.write_text("[model]\nT = 2026-01-02\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"model\.T was set to 2026-01-02; give a finite number, a text"):
        overridden(PLIF_TABLE, read(file))
    file.write_bytes(b"\xef\xbb\xbfepochs = 4\r\n")  # as editors of Windows write it
    assert read(file) == {"epochs": 4}
    file.write_text(f"lr = {'[' * 10**5}", encoding="utf-8")
    with pytest.raises(UsageError, match="are no TOML"):
        read(file)
    file.write_text(f"epochs = {'9' * 10**4}", encoding="utf-8")
    with pytest.raises(UsageError, match="are no TOML"):
        read(file)
    file.write_text("epochs = \n", encoding="utf-8")
    with pytest.raises(UsageError, match="are no TOML"):
        read(file)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(tmp_path / "absent.toml")
