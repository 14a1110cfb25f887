"""`--precision`: a table in bf16 from end to end, what is refused, and the table of both precisions."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command, within

from bench.reproduce import app
from bench.settings import Settings
from papers.plif.tables import PLIF_TABLE
from results import Store


@pytest.mark.slow
def test_both_precisions_seed_by_seed(reproduce: Command, tmp_path: Path) -> None:
    small = ("--set", "epochs=1", "--set", "model.channels=3", "--seeds", "2")
    done = reproduce("precision", "--only", "PLIF net: MNIST", *small, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    for told in ("float32 bf16 bf16 - float32 finding", "float32 bf16 bf16 / float32", "2 seeds, a test needs 3"):
        assert told in said, told
    with Store(tmp_path / "store.db") as store:
        runs = store.runs()
    asked = [(run.experiment["scheme_options"].get("precision"), run.seed, run.outcome) for run in runs]
    assert sorted(asked, key=str) == sorted(
        [(precision, seed, "ok") for precision in (None, "bf16") for seed in (2020, 2021)], key=str
    )
    done = reproduce("plif_table", "--precision", "bf16", "--only", "MNIST", "--only", "accuracy-A", *small[:4])
    assert done.returncode == 0, done.stderr
    assert "[1/" not in done.stdout  # the same training
    assert "set: epochs=1, model.channels=3, scheme.precision=bf16; 8x8 digits stand in for MNIST" in " ".join(
        done.stdout.split()
    )


def test_it_is_one_setting() -> None:
    by_name = Settings(("plif_table",), precision="bf16")
    assert by_name.changes == {"scheme.precision": "bf16"}
    spelled = Settings(("plif_table",), altered=("scheme.precision=bf16",))
    assert [e.key for e in by_name.experiments()] == [e.key for e in spelled.experiments()]
    usual = Settings(("plif_table",), precision="float32")  # what it is without being said
    assert [e.key for e in usual.experiments()] == [e.key for e in PLIF_TABLE.experiments("quick", [2020])]
    (table,) = usual.tables
    assert (table.claims, table.notes) == (PLIF_TABLE.claims, PLIF_TABLE.notes)  # nothing was changed
    assert not by_name.tables[0].claims


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plif_table", "--precision", "bf17"), "Unknown precision 'bf17'. Did you mean 'bf16'"),
        (("plif_table", "--set", "scheme.precision=bf17"), "Unknown precision 'bf17'. Did you mean 'bf16'"),
        (("plif_table", "--set", "scheme.precision=16"), "Unknown precision '16'."),
        (
            ("fptt_rates", "--precision", "bf16"),
            "A precision was asked for, but these trainings of fptt_rates have no such setting (scheme: none). "
            "Leave it out, or name what is trained by bptt.",
        ),
        (
            ("ttfs_table", "--precision", "bf16", "--only", "corrected"),
            "A precision was asked for, but these trainings of ttfs_table have no such setting (scheme: ttfs).",
        ),
        (
            ("plif_table", "--precision", "bf16", "--set", "scheme.precision=fp16"),
            "--precision and the setting scheme.precision were given; give one of the two.",
        ),
        (
            ("precision", "--precision", "bf16"),
            "precision trains everything in float32 and in bf16, so that no precision",
        ),
        (("parity", "--precision", "bf16"), "Settings were given, but parity is measured and has no training."),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], says: str) -> None:
    done = within(app, *arguments, "--plan")
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
