"""A store's password is shown and kept nowhere, whichever way its URL was written."""

import importlib
import shlex
import sys

import pytest
from samples import a_run
from sqlalchemy import text
from typer.testing import CliRunner

from core.masking import hidden, hidden_in_command
from results import lines, published, reading
from results.__main__ import app
from results.errors import StoreError
from results.store import Store

URLS = (
    "postgresql://me:s3cret@db.example/store",
    "postgresql://me:s3cret%40%2F@db.example:5432/store",
    "postgresql://me:a/b?c:s3cret@db.example/store",
    "postgresql://me:p@s3cret@db.example/store",
    "postgresql://me@server:s3cret@db.example/store",
    "postgresql://:s3cret@db.example/store",
    "postgresql+psycopg://db.example/store?user=me&password=s3cret",
    "postgresql://db.example/store?password=s3cret&user=me",
    "postgresql://db.example/store?p%61ssword=s3%63ret",
    "postgresql://me@db.example/store?sslpassword=s3cret",
    "mssql://?odbc_connect=DRIVER%3DX%3BPWD%3Ds3cret",
    *(
        f"postgresql://me@db.example/store?{name}=s3cret"
        for name in ("pasword", "passwrd", "psswd", "PW", "pword", "pasowrd", "Secret", "auth_token", "credential")
    ),
)


def secret_free(shown):
    return "s3cret" not in shown and "s3%63ret" not in shown


@pytest.mark.parametrize(
    "url", [*URLS, "postgresql://me:two words s3cret@host/db", "postgresql://me:it's s3cret@host/db"]
)
@pytest.mark.parametrize("form", [["--store", "{}"], ["--store={}"], ["merge", "{}"]])
def test_commands(url, form):
    words = ["bench.reproduce", *(part.format(url) for part in form), "--seeds", "2"]
    masked = hidden_in_command(shlex.join(words))
    assert secret_free(masked)
    assert "***" in masked
    assert "--seeds 2" in masked
    assert hidden_in_command(masked) == masked
    assert secret_free(a_run(command=shlex.join(words)).command)


@pytest.mark.parametrize("url", URLS)
def test_sentences(url):
    said = hidden(f"The store {url} refused.\nNothing was kept.")
    assert secret_free(said)
    assert said.endswith("\nNothing was kept.")
    assert hidden(said) == said
    assert secret_free(a_run(outcome="crashed", reason=f"The store {url} refused.").reason)


@pytest.mark.parametrize(
    ("module", "words", "status"),
    [
        ("results.__main__", ["show", "a", "{}"], 2),
        ("results.__main__", ["show", "{}"], 1),
        ("results.__main__", ["{}"], 2),
        ("results.__main__", ["merge", "--{}", "a"], 2),
        ("reports.__main__", ["{}"], 2),
        ("reports.__main__", ["--scale", "{}"], 2),
        ("bench.kernels", ["--threads={}"], 2),
        ("bench.kernels", ["--threads", "1", "--allocator={}"], 2),
        ("bench.parity.__main__", ["{}"], 2),
        ("bench.reproduce", ["plif_table", "--data", "{}"], 2),
    ],
)
def test_wrong_usage(module, words, status, monkeypatch, capsys, tmp_path):
    """A store's URL that was given where none is expected."""
    monkeypatch.setenv("SPIKEBENCH_STORE", str(tmp_path / "x.db"))
    Store(tmp_path / "x.db").close()
    app = importlib.import_module(module).app
    for url in (*URLS, "postgresql://me:two words s3cret@host/db", "postgresql:/me:s3cret@h/d"):
        monkeypatch.setattr(sys, "argv", ["python", *(word.format(url) for word in words)])
        with pytest.raises(SystemExit) as ended:
            app(prog_name="python -m it")
        said = "".join(capsys.readouterr())
        assert ended.value.code == status
        assert "Error: " in said
        assert secret_free(said), said


@pytest.mark.parametrize(
    "harmless",
    [
        "python -m bench.reproduce plif_table --store sqlite:///a@b.db",
        "python -m bench.reproduce  'plif_table'",
        "see https://example.org/a:b?page=1&x=2",
        "--store postgresql://me@db.example:5432/store?sslmode=require&options=x&application_name=y&connect_timeout=1",
        "an open ' quote at https://example.org",
    ],
)
def test_the_rest_is_left_as_it_is(harmless):
    assert hidden(harmless) == harmless
    assert hidden_in_command(harmless) == harmless


@pytest.mark.parametrize("url", URLS)
def test_errors(url):
    """Nobody is there to answer, or the URL cannot be read."""
    url = url.replace("db.example:5432", "127.0.0.1:1").replace("db.example", "127.0.0.1:1")
    with pytest.raises(StoreError) as caught:
        Store(url, read_only=True)
    assert secret_free(str(caught.value))
    for arguments in (["show", "--store", url], ["merge", url], ["show", url], ["export", "x", f"--store={url}"]):
        done = CliRunner().invoke(app, arguments, env={"SPIKEBENCH_STORE": "sqlite://"})
        assert done.exit_code == 1
        assert secret_free(done.output)


def test_what_an_older_version_stored(url, tmp_path):
    """It is masked when it is read, and the store still agrees with what was exported from it."""
    run = a_run(outcome="crashed", reason="no")
    with Store(url) as store:
        store.record(run)
        with store.engine.begin() as connection:
            connection.execute(
                text("UPDATE run SET command = :command, reason = :reason"),
                {"command": f"bench.reproduce --store={URLS[0]}", "reason": f"crashed: {URLS[0]}"},
            )
        assert secret_free(repr((store.runs(), store.full_runs(), store.run(run.id))))
        text_lines = lines.dump(store)
        assert secret_free("".join(text_lines))
        assert (
            store.record_all(*reading.parse([reading.Source("lines", lambda: [line.encode() for line in text_lines])]))
            == 0
        )
        with Store(tmp_path / "copy.db") as copy:
            assert lines.merge(copy, store) == 1
            assert lines.merge(store, copy) == 0
            with copy.engine.connect() as connection:
                assert secret_free(repr(connection.execute(text("SELECT * FROM run")).all()))


@pytest.mark.slow
def test_a_server_with_a_password(new_url, tmp_path, monkeypatch):
    plain = new_url("postgresql")
    path = tmp_path / "laptop.db"
    with Store(path) as store:
        store.record(a_run())
    monkeypatch.setattr(published, "sync", lambda store: [])  # which takes its time on a server, and holds no URL
    for url in (plain.replace("tester@", "tester:s3cret@"), f"{plain}?password=s3cret"):
        for arguments in (
            ["merge", str(path), "--store", url],
            ["show", f"--store={url}"],
            ["merge", url, "--store", str(path)],
            ["export", str(tmp_path / "x.jsonl"), "--store", url],
            ["show", "nosuch", "--store", url],
        ):
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == (1 if "nosuch" in arguments else 0)
            assert "***" in done.output
            assert secret_free(done.output)
