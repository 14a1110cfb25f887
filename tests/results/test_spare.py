"""No command writes over a store or the files beside it, however it is named."""

import os
import subprocess
import sys

import pytest
from samples import a_run
from sqlalchemy import text
from typer.testing import CliRunner

from results import lines
from results.__main__ import app
from results.errors import StoreError
from results.spare import require_no_store
from results.store import Store


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "v.db"
    with Store(path) as store:
        store.record(a_run())
    return path


def export(target, store):
    return CliRunner().invoke(app, ["export", str(target), "--store", str(store)])


@pytest.mark.parametrize(
    ("name", "store"),
    [
        *(
            (name, "v.db")
            for name in ("./v.db", "sub/../v.db", "soft", "hard", "other.db", "{}/v.db", "soft-folder/v.db")
        ),
        *(("v.db", store) for store in ("v.db", "sqlite:///v.db", "sqlite:///file:v.db?uri=true", None)),
    ],
)
def test_export_spares_every_store(name, store, path, tmp_path, monkeypatch):
    """The one that is read, and any other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIKEBENCH_STORE", "v.db")
    (tmp_path / "sub").mkdir()
    (tmp_path / "soft").symlink_to("v.db")
    (tmp_path / "soft-folder").symlink_to(".")
    os.link(path, tmp_path / "hard")
    Store(tmp_path / "other.db").close()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    done = CliRunner().invoke(app, ["export", name.format(tmp_path), *(["--store", store] if store else [])])
    assert done.exit_code == 1
    assert "is never written over" in done.output
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before
    assert (tmp_path / "soft").is_symlink()


def test_the_default_store_is_spared(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPIKEBENCH_STORE", raising=False)
    (tmp_path / "results").mkdir()
    place = path.rename(tmp_path / "results" / "spikebench.db")
    done = CliRunner().invoke(app, ["export", "results/spikebench.db"])
    assert (done.exit_code, place.read_bytes()[:6]) == (1, b"SQLite")


def test_the_files_beside_a_store_are_spared(path, tmp_path):
    """While they are there, by whatever name, and their places while they are not."""
    for ending in ("-wal", "-shm", "-journal"):
        done = export(f"{path}{ending}", path)
        assert done.exit_code == 1
        assert not (tmp_path / f"v.db{ending}").exists()
    with Store(path) as writer, writer.engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT 1 FROM machine")).all()
        writer.record(a_run())
        for ending in ("-wal", "-shm"):
            os.link(f"{path}{ending}", tmp_path / f"hard{ending[1:]}")
            (tmp_path / f"soft{ending[1:]}").symlink_to(f"{path}{ending}")
            for target in (f"{path}{ending}", tmp_path / f"hard{ending[1:]}", tmp_path / f"soft{ending[1:]}"):
                assert export(target, path).exit_code == 1
    with Store(path) as store:
        assert len(store.runs()) == 2


def test_the_files_beside_a_store_are_no_stores(path, tmp_path):
    kept = path.read_bytes()
    for ending in ("-wal", "-shm", "-journal"):
        for options in ({}, {"read_only": True}):
            with pytest.raises(StoreError, match="beside a database"):
                Store(f"{path}{ending}", **options)
    assert path.read_bytes() == kept
    assert os.listdir(tmp_path) == ["v.db"]


def test_other_files_are_written(path, tmp_path):
    (tmp_path / "old.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to("old.jsonl")
    with Store(path) as store:
        whole = "".join(f"{line}\n" for line in lines.dump(store))
    for name in ("new.jsonl", "old.jsonl", "notes-wal", "link.jsonl"):
        assert export(tmp_path / name, path).exit_code == 0
        assert (tmp_path / name).read_text() == whole
    assert (tmp_path / "link.jsonl").is_symlink()  # what it leads to was replaced


def test_devices_pipes_and_folders(path, tmp_path):
    for target, sentence in (("/dev/full", "No space left on device"), (tmp_path, "Is a directory")):
        done = export(target, path)
        assert done.exit_code == 1
        assert sentence in done.output
    assert not os.path.isfile("/dev/full")
    command = [sys.executable, "-m", "results", "export", "/dev/stdout", "--store", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with Store(path) as store:
        assert done.stdout.splitlines()[:5] == lines.dump(store)


@pytest.mark.parametrize("page", ["index.html", "style.css", "plif_table.csv"])
def test_a_report_spares_a_store_in_the_place_of_a_page(page, path, tmp_path):
    from reports import folder

    site = tmp_path / "report"
    site.mkdir()
    (site / page).symlink_to(path)
    kept = path.read_bytes()
    with Store(path, read_only=True), pytest.raises(StoreError, match="never written over"):
        folder.write(site, {page: "a page"}, {}, folder.earlier(site))
    folder.write(
        site, {"other.html": "a page"}, {}, folder.earlier(site)
    )  # the list of the first build names the store as one of the site's
    assert path.read_bytes() == kept
    assert (site / page).exists()


ENDINGS = ("-wal", "-shm", "-journal")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("form", ["v.db{}", "sqlite:///v.db{}", "sqlite:///file:v.db{}?uri=true", "link"])
def test_no_store_is_made_where_sqlite_keeps_a_log(form, beside, ending, path, tmp_path, monkeypatch):
    """The database beside it may come later, and would delete it."""
    monkeypatch.chdir(tmp_path)
    assert export("a.jsonl", path).exit_code == 0
    (tmp_path / "link").symlink_to(f"v.db{ending}")
    if not beside:
        path.unlink()
    for arguments in (["import", "a.jsonl"], ["show"]):
        done = CliRunner().invoke(app, [*arguments, "--store", form.format(ending)])
        assert done.exit_code == 1
        assert "-wal, -shm or -journal" in done.output
    assert not (tmp_path / f"v.db{ending}").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_store_in_the_place_of_a_log_is_kept_and_can_be_read(ending, path, tmp_path):
    """As an older version made them."""
    lost = path.rename(tmp_path / f"w.db{ending}")
    for target in (tmp_path / "w.db", tmp_path / "link.db"):
        (tmp_path / "link.db").unlink(missing_ok=True)
        (tmp_path / "link.db").symlink_to("w.db")
        for read_only in (True, False):
            with pytest.raises(StoreError, match="would be deleted"):
                Store(target, read_only=read_only)
    done = CliRunner().invoke(app, ["merge", str(lost), "--store", str(tmp_path / "rescued.db")])
    assert done.exit_code == 0, done.output
    with Store(tmp_path / "rescued.db") as store:
        assert len(store.runs()) == 1


def test_exported_text_in_the_place_of_a_log_is_kept(path, tmp_path):
    assert export(tmp_path / "notes-wal", path).exit_code == 0
    kept = (tmp_path / "notes-wal").read_bytes()
    with pytest.raises(StoreError, match="would be deleted"):
        Store(tmp_path / "notes")
    assert (tmp_path / "notes-wal").read_bytes() == kept


def test_a_report_is_refused_before_a_file_of_it_is_written(path, tmp_path):
    from reports import folder

    site = tmp_path / "report"
    folder.write(site, {"a.html": "old", "z.html": "old", "stale.html": "old"}, {}, folder.earlier(site))
    (site / "z.html").unlink()
    (site / "z.html").symlink_to(path)
    before = {file.name: file.read_bytes() for file in site.iterdir()}
    with pytest.raises(StoreError, match="never written over"):
        folder.write(site, {"a.html": "new", "z.html": "new"}, {}, folder.earlier(site))
    assert {file.name: file.read_bytes() for file in site.iterdir()} == before


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_report_never_removes_a_log(ending, path, tmp_path):
    """Even one whose content is not known as such, where the list of an earlier build names it."""
    from reports import folder

    site = tmp_path / "report"
    folder.write(
        site, {"index.html": "a page", f"v.db{ending}": "a page", f"notes{ending}": "a page"}, {}, folder.earlier(site)
    )
    path.rename(site / "v.db")
    folder.write(site, {"index.html": "a page"}, {}, folder.earlier(site))
    assert (site / f"v.db{ending}").exists()
    assert not (site / f"notes{ending}").exists()


def test_a_file_of_no_database_passes(tmp_path):
    (tmp_path / "text-wal").write_text("text")
    for name in ("text-wal", "nothing", "nothing-wal"):
        require_no_store(tmp_path / name)
