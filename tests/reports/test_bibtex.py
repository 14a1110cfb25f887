"""The BibTeX of a report: exactly the works whose tables it shows, with the facts that the published values name."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from commands import within
from finished_runs import measured

from papers import cited, registry
from reports import site
from reports.__main__ import app
from results import Store, content_key

ROOT = Path(__file__).parents[2]
WORKS = {registry.get(name).paper for name in registry.names()} - {""}  # of no work: across works


def entries(text: str) -> list[str]:
    return re.findall(r"^@\w+\{(\w+),$", text, re.M)


def plain(text: str) -> str:
    return re.sub(r"\W+", " ", re.sub(r"[{}\\']", "", text)).casefold()


@pytest.mark.parametrize("work", sorted(WORKS))
def test_every_work_is_cited_as_its_published_values_name_it(work: str) -> None:
    text, unknown = cited.bibtex([work])
    assert unknown == []
    known = tomllib.loads((ROOT / "results" / "published" / f"{work}.toml").read_text(encoding="utf-8"))
    names = re.findall(r"[A-Z][a-z]+(?=,|;| and| et)", known["reference"])
    assert names
    assert all(plain(name) in plain(text) for name in names)
    assert all(year in text for year in re.findall(r"\b20\d\d\b(?!\.)", known["reference"]))
    for number in re.findall(r"arXiv (\d+\.\d+)|17:(\d+)", known["reference"]):
        assert max(number) in text
    if work != "ttfs":  # whose title is that of the suite's page
        assert plain(known["title"]) in plain(text)
    for entry in re.split(r"\n\n", text):
        assert re.fullmatch(r"@\w+\{\w+,\n(  \w+ += \{.*\},?\n)+\}", entry)
        assert entry.count("{") == entry.count("}")


def test_exactly_the_works_that_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(path) as store:
        for table in ("plif_table", "ttfs_table"):
            store.record(measured(registry.get(table).experiments("quick", [2020])[0], 0.9))
    done = within(app, "--bibtex", "--store", str(path), "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    assert entries(done.stdout) == ["fang2021plif", "goupy2025t2fsnn", "wei2023dynamic"]
    assert not (tmp_path / "out").exists()
    none = within(app, "--bibtex", "--scale", "paper", "--store", str(path))
    assert (none.returncode, none.stdout) == (0, "")
    assert "nothing to cite" in none.stderr


def test_a_table_of_speeds_is_one_of_its_work(tmp_path: Path) -> None:
    job = {
        "kind": "kernel", "what": "psn", "neuron": "psn", "options": {}, "contender": "psn fused", "differs": "",
        "base": "psn fused", "size": {"T": 4, "N": 64}, "dtype": "float32", "threads": 1, "allocator": "pooled",
    }  # fmt: skip
    run = measured(registry.get("plif_table").experiments("quick", [0])[0], 0.9)
    with Store(tmp_path / "store.db") as store:
        store.record(replace(run, experiment=job, experiment_key=content_key(job)[:20], metrics=()))
        assert site.works(store) == ["psn"]


def test_a_work_of_a_plug_in_is_told() -> None:
    assert cited.bibtex(["psn", "../plif", "nosuch"])[1] == ["../plif", "nosuch"]


def test_the_suite_names_its_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {project['version']}\nlicense: {project['license']}\n" in text
    assert f"abstract: {project['description']}\n" in text
