"""python -m reports as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_runs import all_runs, contents, filled
from typer.testing import CliRunner

from reports.__main__ import app

ROOT = Path(__file__).parents[2]


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_it_prints_the_path_and_gives_the_same_bytes_in_another_process_and_order(built: Path, tmp_path: Path) -> None:
    """Of the same runs, recorded in another order; the process is a real one, which has other hashes of strings."""
    store = filled(tmp_path / "other.db", all_runs()[::-1])
    command = [sys.executable, "-m", "reports", "--store", str(store), "--out", str(tmp_path / "new" / "out")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert done.stdout == f"{tmp_path}/new/out/report/index.html\n"
    assert done.stderr == ""
    assert contents(tmp_path / "new" / "out" / "report") == contents(built)


def test_only_the_scale_asked_for(store_file: Path, tmp_path: Path) -> None:
    code, _, _ = call("--store", str(store_file), "--out", str(tmp_path), "--scale", "short")
    assert code == 0
    pages = sorted(path.name for path in (tmp_path / "report").glob("plif*.html"))
    assert pages == ["plif_ablation-short.html", "plif_table-short.html"]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--store", "no/such.db"], 1, "There is no store"),
        (["--store", "oracle://x"], 1, "The store"),
        (["--store", "STORE", "--scale", "quik"], 2, "Unknown scale 'quik'. Did you mean 'quick'?"),
        (["--store", "STORE", "--scale", "short", "--out", "BLOCKED"], 1, "cannot be written"),
    ],
)
def test_errors_are_one_sentence(
    arguments: list[str], status: int, sentence: str, store_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    names = {"STORE": str(store_file), "BLOCKED": str(tmp_path / "file" / "below")}
    code, out, err = call(*(names.get(argument, argument) for argument in arguments))
    assert code == status
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_unknown_option_is_wrong_usage() -> None:
    code, _, err = call("--colour", "red")
    assert code == 2
    assert "No such option" in err


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'pandas', 'matplotlib', 'sqlalchemy', 'jinja2', 'sklearn'}"
    code = f"import sys, reports.__main__; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
