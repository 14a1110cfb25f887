"""Places as they are typed: a ~ is the user's folder everywhere, and half a URL is refused."""

import os
from pathlib import Path

import pytest
import warm
from samples import a_run
from typer.testing import CliRunner

from results.__main__ import app
from results.errors import StoreError
from results.store import Store


@pytest.fixture
def home(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    return home


@pytest.mark.parametrize("url", ["~/x.db", "sqlite:///~/x.db"])
def test_a_store(url, home, monkeypatch):
    with Store(url) as store:
        store.record(a_run())
    assert (home / "x.db").exists()
    monkeypatch.setenv("SPIKEBENCH_STORE", url)
    for arguments in (
        ["show"],
        ["show", f"--store={url}"],
        ["merge", url],
        ["export", "~/x.jsonl"],
        ["import", "~/x.jsonl"],
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
    assert {file.name for file in home.iterdir()} == {"x.db", "x.jsonl"}
    assert os.listdir() == []


def test_folders_of_other_commands(home):
    Store("~/x.db").close()
    command = ["-m", "reports", "--store=~/x.db", "--out=~/y"]
    done = warm.run(command)
    assert (done.returncode, done.stdout) == (0, f"{home}/y/report/index.html\n")
    command = ["-m", "bench.reproduce", "plif_table", "--store=~/x.db", "--data=~/data", "--plan"]
    (home / "data").mkdir()
    done = warm.run(command)
    assert done.returncode == 0, done.stderr
    assert os.listdir() == []


def test_variables(home, monkeypatch):
    from neurons.backends.fused import compiler
    from tasks.source import Published

    monkeypatch.setenv("SPIKEBENCH_CACHE", "~/cache")
    assert compiler.folder() == home / "cache" / "kernels"
    monkeypatch.delenv("SPIKEBENCH_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert compiler.folder() == home / ".cache" / "spikebench" / "kernels"
    monkeypatch.setenv("SPIKEBENCH_DATA", "~/data")
    (home / "data").mkdir()
    assert Published("a set", "Set", "https://example.org", "").place(None) == home / "data" / "Set"


@pytest.mark.parametrize("option", ["reports", "bench.kernels", "bench.reproduce plif_table"])
def test_a_file_is_no_folder(option, home):
    Store("x.db").close()
    kept = Path("x.db").read_bytes()
    command = ["-m", *option.split(), "--store", "x.db", "--out", "x.db"]
    done = warm.run(command)
    assert done.returncode == 2
    assert "is a file; give a folder" in done.stderr
    assert Path("x.db").read_bytes() == kept


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("sqlite:/x/y.db", "sqlite:////folder/x.db"),
        ("sqlite:y.db", "sqlite:///x.db"),
        ("SQLite:y.db", "sqlite:///x.db"),
        ("file:y.db", "sqlite:///x.db"),
        ("postgresql:/me:s3cret@host/db", "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("postgresql+psycopg:me:s3cret@host/db", "postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE"),
    ],
)
def test_half_a_url(url, form, home):
    with pytest.raises(StoreError, match="holds no ://") as caught:
        Store(url)
    assert form in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert os.listdir() == []


@pytest.mark.parametrize("name", ["run:1.db", "./sqlite:x.db", "1:2.db"])
def test_a_file_with_a_colon(name, home):
    Store(name).close()
    assert os.listdir() == [Path(name).name]


@pytest.mark.parametrize("url", ["~nosuch/x.db", "sqlite:///~nosuch/x.db", "sqlite:///~nosuch/x.db?timeout=1"])
def test_the_folder_of_nobody(url, home):
    with pytest.raises(StoreError, match=r"no user nosuch.*\./~nosuch"):
        Store(url)
    assert os.listdir() == []


@pytest.mark.parametrize(
    "words",
    [
        "results export ~nosuch/x.jsonl",
        "results import ~nosuch/x.jsonl",
        "results import-asv ~nosuch/x.json",
        "reports --out ~nosuch",
        "bench.kernels --out ~nosuch/x",
        "bench.reproduce plif_table --out ~nosuch",
        "bench.reproduce plif_table --data ~nosuch",
    ],
)
def test_a_place_of_nobody(words, home):
    Store("~/x.db").close()
    command = ["-m", *words.split(), "--store", "~/x.db"]
    done = warm.run(command)
    assert done.returncode == 2
    assert "no user nosuch" in " ".join(done.stderr.split())
    assert os.listdir() == []


def test_variables_of_nobody(home, monkeypatch):
    from neurons.backends.fused import compiler

    for name in ("XDG_CACHE_HOME", "SPIKEBENCH_CACHE"):
        monkeypatch.setenv(name, "~nosuch/cache")
        with pytest.raises(compiler.CompilationError, match=f"{name} names ~nosuch/cache, but there is no such user"):
            compiler.folder()


def test_a_file_that_begins_with_a_tilde(home):
    Store("./~nosuch.db").close()
    assert os.listdir() == ["~nosuch.db"]


@pytest.mark.parametrize(
    "option",
    ["password=x", "mode=ro", "uri=true&pasword=x", "uri=1&mode=rw&name=v", "timeout=1&timout=2", "uri=false&mode=ro"],
)
def test_options_that_sqlite_does_not_know(option, home):
    for read_only in (True, False):
        with pytest.raises(StoreError, match="option") as caught:
            Store(f"sqlite:///s.db?{option}", read_only=read_only)
        assert "x" not in str(caught.value).split("password")[-1].partition("s.db")[0]
    assert os.listdir() == []


@pytest.mark.parametrize("option", ["timeout=long", "uri=perhaps", "detect_types=x"])
def test_options_whose_value_cannot_be_used(option, home):
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(f"sqlite:///s.db?{option}")
    assert os.listdir() == []


def test_options_that_sqlite_knows(home):
    Store("sqlite:///s.db?timeout=2&check_same_thread=true&cached_statements=9").close()
    Store("sqlite:///file:s.db?uri=true&mode=rw&cache=private").close()
    Store("sqlite:///s.db?timeout=2", read_only=True).close()
    assert os.listdir() == ["s.db"]


def test_an_account_without_a_scheme_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="without ://") as told:
        Store("bob:s3cr@localhost/db")
    assert "s3cr" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("pipe", "is a pipe or a device, which cannot hold one"),
        ("/dev/null", "is a pipe or a device"),
        ("a" * 300, "cannot be opened: File name too long"),
    ],
)
def test_what_can_hold_no_store_is_told_at_once(tmp_path, monkeypatch, place, sentence):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    for read_only in (True, False):
        with pytest.raises(StoreError, match=sentence):
            Store(place, read_only=read_only)
