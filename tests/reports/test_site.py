"""The pages: same bytes for the same store, nothing unescaped, no broken link, the right numbers in them."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
import uuid
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import stores
import synthetic_runs as invented
from sqlalchemy import text
from synthetic_runs import HOSTILE, STEERING, cell, contents, filled

import papers
from core.registry import PluginError, Registry, UnknownName
from papers import registry
from papers.experiment import SCALES
from papers.fptt.memory import FPTT_MEMORY
from papers.plif.tables import PLIF_TABLE
from papers.read_once import ReadOnce
from reports import ReportError, build, curves, kept, site, wording
from results import Dataset, Metric, Run, Sample, Store

TABLES = ["plif_ablation", "plif_table"]  # those of the invented runs, where what is built of others is of no concern


class Page(HTMLParser):
    """Links, ids and text of a page; fails on tags that do not close."""

    VOID = ("meta", "br", "path", "line", "use", "rect", "circle")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text())
        assert self._open == [], path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "href" and value:
                self.hrefs.append(value)
            if name == "id" and value:
                self.ids.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += f" {data}"


def claim(page: str, statement: str) -> str:
    """The article of the claim with that statement."""
    return next(article for article in page.split('<article class="claim">')[1:] if statement in article)


def test_building_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = build(store, tmp_path, ["short"], TABLES).parent
    times = {path: path.stat().st_mtime_ns for path in first.rglob("*.html")}
    build(store, tmp_path, ["short"], TABLES)
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*.html")} == times


def test_every_link_leads_somewhere_and_stays_inside(built: Path) -> None:
    pages = {path: Page(path) for path in built.rglob("*.html")}
    links = 0
    for path, page in pages.items():
        for href in page.hrefs:
            name, _, fragment = href.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_relative_to(built.resolve()), href
            assert target.is_file(), (path, href)
            if fragment:
                assert fragment in Page(target).ids if target not in pages else fragment in pages[target].ids, (
                    path,
                    href,
                )
            links += 1
    assert links > 100


def test_ids_are_unique_and_nothing_is_loaded_from_outside(built: Path) -> None:
    for path in built.rglob("*.html"):
        page = Page(path)
        assert len(page.ids) == len(set(page.ids)), path
        assert page.tags.count("script") == 1  # ours, which the policy of the page names by its digest
        assert not {"img", "iframe", "object", "link"} & set(page.tags), path
        assert not re.search(r"url\((?!#)", path.read_text()), path


def test_hostile_text_is_escaped_everywhere(built: Path) -> None:
    shown = 0
    for path in built.rglob("*.html"):
        text = path.read_text()
        assert text.count("<script") == 1
        assert "49" not in re.findall(r"\[31m (\S+)", text)  # {{ 7*7 }} was not evaluated
        shown += "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;quoted&#34;" in text
    assert shown == 3  # the table's page, the list of runs, the run's own page


def test_no_file_steers_hides_or_turns_round_anything(built: Path) -> None:
    for path, content in contents(built).items():
        assert STEERING.findall(content.decode()) == [], path


def test_all_that_a_run_stores_is_shown_safely(empty_store: Store, tmp_path: Path) -> None:
    known = invented.run(cell("PLIF 2 max", "MNIST").experiment)
    data = Dataset("ab" * 32, HOSTILE, False, {HOSTILE: 1}, HOSTILE)
    samples = (Sample(HOSTILE, 0, 1.0, "s"),)
    metrics = (Metric(HOSTILE, 1.0, "1"), *(Metric(f"rate_{HOSTILE}", 0.5, "1", epoch) for epoch in range(3)))
    changes = {"device": HOSTILE, "backend": HOSTILE, "command": HOSTILE, "reason": HOSTILE, "metrics": metrics}
    documents = {"experiment": {HOSTILE: HOSTILE}, "machine": {"cpu": HOSTILE}, "environment": {HOSTILE: [HOSTILE]}}
    empty_store.record(dataclasses.replace(known, datasets=(data,), samples=samples, **changes, **documents))
    asv = {"kind": "asv", "benchmark": HOSTILE, "parameters": {"layer": HOSTILE}}
    empty_store.record(dataclasses.replace(known, id=str(uuid.uuid4()), experiment=asv, experiment_key="k" * 20))
    for path, content in contents(build(empty_store, tmp_path, table_names=["plif_table"]).parent).items():
        assert STEERING.findall(content.decode()) == [], path
        assert content.count(b"<script") == path.endswith(".html"), path


def test_interval_is_wilsons_for_the_size_of_the_test_set(tmp_path: Path) -> None:
    with Store(filled(tmp_path / "one.db", invented.runs_of([PLIF_TABLE.cells("quick")[0]]))) as one:
        page = Page(build(one, tmp_path, ["quick"], ["plif_table"]).parent / "plif_table-quick.html")
    # p = 0.95, n = 360, z = 1.959964: centre (p + z^2/2n) / (1 + z^2/n) = 0.94525, half width
    # z / (1 + z^2/n) sqrt(p (1 - p)/n + z^2/4n^2) = 1.93927 sqrt(0.000131944 + 0.000007410) = 0.02289.
    words = " ".join(page.text.split())
    assert "97.72 / 99.72 95.0 [92.2, 96.8] not comparable seed 0" in words


def test_sources_that_disagree_are_both_named(built: Path) -> None:
    words = " ".join(Page(built / "plif_table-quick.html").text.split())
    assert "The sources disagree: 97.72 and 99.72." in words
    assert "97.72 READMEs of the authors' repository, first table" in words


def test_a_failed_run_shows_its_outcome_reason_and_page(built: Path) -> None:
    text = (built / "plif_ablation-quick.html").read_text()
    run_id = invented.failed(cell("LIF 16 max", "N-MNIST").experiment, "diverged", "x").id
    assert "missing (diverged)" in text
    assert f'href="runs/{run_id}.html"' in text
    assert "diverged" in Page(built / f"runs/{run_id}.html").text


def test_coverage_counts_what_is_there(built: Path) -> None:
    words = " ".join(Page(built / "index.html").text.split())
    # Of the ablation at quick scale: five rows of MNIST, Fashion-MNIST (the same runs) and, from plif_table, the row
    # PLIF 2 max of the other four columns; one cell failed; the rest of the 30 was not run.
    shared = len({c.experiment.key for c in PLIF_TABLE.cells("quick")})
    assert shared == 5
    assert "14 of 30 measured 14 not comparable 1 failed 15 not run" in words
    assert "12 of 12 measured" in words


def test_claims_are_shown_as_they_are(tmp_path: Path, built: Path) -> None:
    better = "PLIF is more accurate than LIF at tau 2"
    page = (built / "plif_ablation-quick.html").read_text()
    assert "w-undecided" in claim(page, better)  # 1 point, and so much do the seeds differ
    partly = claim(page, "PLIF is more accurate than LIF at tau 16")
    assert "w-undecided" in partly  # one task of several was measured
    assert "shown in 1 of " in partly
    plif, lif = (cell(row, "MNIST").experiment for row in ("PLIF 2 max", "LIF 2 max"))
    one_seed = [invented.run(plif), invented.run(lif)]
    with Store(filled(tmp_path / "few.db", one_seed)) as few:
        page = (
            build(few, tmp_path / "few", ["quick"], ["plif_ablation"]).parent / "plif_ablation-quick.html"
        ).read_text()
    assert "w-undecided" in claim(page, better)
    assert "--seeds 3" in page
    reverse = [invented.run(e, seed, final=f - 0.01 * seed) for seed in range(3) for e, f in ((plif, 0.8), (lif, 0.9))]
    with Store(filled(tmp_path / "worse.db", reverse)) as worse:
        page = (
            build(worse, tmp_path / "w", ["quick"], ["plif_ablation"]).parent / "plif_ablation-quick.html"
        ).read_text()
    assert "w-not-shown" in claim(page, better)
    assert "-9.6 [-11.8, -7.4] points (3 seeds)" in claim(page, better)
    assert "The authors&#39; own numbers do not support this: " in claim(page, better)
    assert "small tasks and networks stand in" in page
    index = (tmp_path / "w" / "report" / "index.html").read_text()
    assert "on stand-ins:" in index
    assert "w-fails" not in index.partition("</style>")[2]


def test_curves_stand_beside_the_authors(built: Path) -> None:
    quick = " ".join(Page(built / "plif_table-quick.html").text.split())
    assert "The authors' runs on MNIST; not the same experiment" in quick  # theirs were on no stand-in
    assert "Authors, CIFAR-10, accuracy-A; not the same experiment" in quick
    assert "Time constant of each layer by epoch. Ours, accuracy-A and accuracy-B, seed 0" in quick
    short = " ".join(Page(built / "plif_ablation-short.html").text.split())
    assert "The authors' runs on MNIST, first 4 epochs" in short
    # The authors' curve is cut where ours ends: epochs 0 to 3 of A-MNIST-plif2-max, 0.9822 ... 0.987.
    assert "PLIF 2 max: 98.22 at first, 98.7 at last" in short


def test_a_caption_counts_the_seeds_of_each_row(empty_store: Store, tmp_path: Path) -> None:
    plif, lif = (cell(row, "MNIST").experiment for row in ("PLIF 2 max", "LIF 2 max"))
    empty_store.record_all([invented.run(lif), *(invented.run(plif, seed) for seed in range(3))])
    page = build(empty_store, tmp_path, ["quick"], ["plif_ablation"]).parent / "plif_ablation-quick.html"
    words = " ".join(Page(page).text.split())
    assert "Our runs, mean (thick) and each of 1 to 3 seeds" in words
    assert "MNIST, 8x8 digits standing in; Fashion-MNIST, 8x8 digits standing in" in words


def test_what_has_no_curve_has_no_heading_of_curves(empty_store: Store, tmp_path: Path) -> None:
    experiment = FPTT_MEMORY.experiments("paper", [0])[0]
    empty_store.record(invented.run(experiment, final=0.0, metrics=(Metric("saved", 0.44, "MiB"),)))
    page = build(empty_store, tmp_path, ["paper"], ["fptt_memory"]).parent / "fptt_memory-paper.html"
    assert "1 of 12 measured" in (page.parent / "index.html").read_text()
    assert "Training curves" not in page.read_text()


def test_a_run_page_tells_how_to_repeat_it(built: Path) -> None:
    experiment = cell("PLIF 2 max", "MNIST").experiment
    words = " ".join(Page(built / f"runs/{invented.run(experiment).id}.html").text.split())
    for fact in (
        "python -m bench.reproduce plif_table",
        "scale quick",
        "seed 0",
        "device cpu",
        "backend torch",
        "time 1 min 1 s",
        "peak memory 300.0 MiB",
        "packages.torch 2.11.0",
        f"key {experiment.key}",
        "test: 3.958 at first, 95 at last",  # accuracy, %
        "parameters 12,345",
        "test 360",
        "plif_table, quick: accuracy-A, MNIST",
    ):
        assert fact in words, fact


@pytest.mark.parametrize("unit", ["epoch", "epochs"])
def test_a_run_page_names_the_epoch_that_was_chosen(empty_store: Store, tmp_path: Path, unit: str) -> None:
    known = invented.run(cell("PLIF 2 max", "MNIST").experiment)
    chosen = Metric("epoch_a", 18.0, unit)
    empty_store.record(dataclasses.replace(known, metrics=(*known.metrics, chosen)))
    words = " ".join(
        Page(build(empty_store, tmp_path, table_names=["plif_table"]).parent / f"runs/{known.id}.html").text.split()
    )
    assert "epoch_a epoch 18 (the first is 0)" in words
    assert "18 epochs" not in words


def test_a_run_of_asv_has_its_name(empty_store: Store, tmp_path: Path) -> None:
    known = invented.run(cell("PLIF 2 max", "MNIST").experiment)
    about = {"layer": "lif torch", "shape": "4x65536"}
    document = {"kind": "asv", "benchmark": "neurons.Speed.time_forward", "parameters": about}
    metrics = (Metric("time_forward", 0.0125, "s"),)
    empty_store.record(dataclasses.replace(known, experiment=document, experiment_key="k" * 20, metrics=metrics))
    folder = build(empty_store, tmp_path, table_names=["plif_table"]).parent
    name = "asv neurons.Speed.time_forward, lif torch, 4x65536"
    for page in ("runs.html", f"runs/{known.id}.html"):
        text = Page(folder / page).text
        assert name in text, page
        assert f"experiment {'k' * 20}" not in text, page
    page = " ".join(Page(folder / "commits.html").text.split())
    assert "forward, time (neurons, Speed) layer=lif torch, shape=4x65536 0.0125 s" in page


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.95, "fraction", "95.00 %"),
        (12345, "count", "12,345"),
        (0.03125, "1", "0.03125"),
        (812.5, "samples/s", "812.5 samples/s"),
        (3 * 2**20, "B", "3.0 MiB"),
        (None, "fraction", "–"),
    ],
)
def test_a_number_of_a_whole_run_has_its_unit(value: float | None, unit: str, text: str) -> None:
    assert wording.quantity(value, unit) == text


def test_an_empty_store_gives_a_page_that_says_so(empty_store: Store, tmp_path: Path) -> None:
    index = build(empty_store, tmp_path)
    assert "no runs and no published values yet" in Page(index).text
    assert sorted(contents(index.parent)) == ["files.txt", "index.html", "runs.html"]


def test_published_values_alone_make_an_uncovered_index(tmp_path: Path) -> None:
    with Store(stores.with_published(tmp_path / "store.db")) as store:
        index = build(store, tmp_path)
    words = " ".join(Page(index).text.split())
    cells = [len(registry.get(name).cells(scale)) for name in ("plif_table", "psn_sequential") for scale in SCALES]
    assert all(f"0 of {count} measured {count} not run" in words for count in cells)
    assert "93.64" in Page(index.parent / "published-plif.html").text


def test_a_page_of_a_run_is_made_again_when_it_shows_something_else_or_was_changed(
    empty_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (invented.run(cell("PLIF 2 max", "MNIST").experiment, seed) for seed in (1, 2))
    first = dataclasses.replace(first, samples=(Sample("step_seconds", 0, 1.0, "s"),))
    made: list[str] = []
    run_page = site._run_page

    def noted(render: Any, run: Run, counts: Any) -> str:
        made.append(run.id)
        return run_page(render, run, counts)

    monkeypatch.setattr(site, "_run_page", noted)
    for run, expected in ((first, [first.id]), (second, [second.id]), (second, [])):
        empty_store.record(run)
        made.clear()
        folder = build(empty_store, tmp_path, table_names=["plif_table"]).parent
        assert made == expected
    page = folder / "runs" / f"{first.id}.html"
    whole = page.read_text()
    page.write_text(whole.replace("MNIST", "CIFAR"))
    assert build(empty_store, tmp_path, table_names=["plif_table"]).parent == folder
    assert (made, page.read_text()) == ([first.id], whole)
    for change in ("UPDATE metric SET value = value + 1", "UPDATE sample SET value = 2", "DELETE FROM run_dataset"):
        made.clear()
        with empty_store.engine.begin() as connection:  # a run is never changed; somebody did it nevertheless
            connection.execute(text(f"{change} WHERE run_id = '{first.id}'"))
        build(empty_store, tmp_path, table_names=["plif_table"])
        assert made == [first.id], change
    made.clear()
    monkeypatch.setattr(kept, "_code", lambda: "of another version")
    build(empty_store, tmp_path, table_names=["plif_table"])
    assert sorted(made) == sorted([first.id, second.id])


def test_the_costs_of_operations_are_among_what_makes_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    costs = tmp_path / "papers" / "costs.toml"
    costs.parent.mkdir()
    costs.write_text("add = 0.9")
    before = kept._code.__wrapped__()
    costs.write_text("add = 0.8")
    assert kept._code.__wrapped__() != before


def test_a_page_of_a_table_is_made_again_when_it_shows_something_else(
    empty_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    groups = curves.groups

    def noted(result: Any, *others: Any) -> Any:
        drawn.append(f"{result.table.name}-{result.scale}")
        return groups(result, *others)

    monkeypatch.setattr(curves, "groups", noted)
    first, second = (invented.run(cell("PLIF 2 max", "MNIST").experiment, seed) for seed in (1, 2))
    for run, expected in ((first, ["plif_ablation-quick"]), (second, ["plif_ablation-quick"]), (second, [])):
        drawn.clear()
        empty_store.record(run)
        page = build(empty_store, tmp_path, ["quick"], ["plif_ablation"]).parent / "plif_ablation-quick.html"
        assert drawn == expected
    whole = page.read_text()
    assert second.id in whole
    drawn.clear()
    with empty_store.engine.begin() as connection:
        connection.execute(text("UPDATE metric SET value = 0.5 WHERE name = 'test_accuracy' AND step = 3"))
    build(empty_store, tmp_path, ["quick"], ["plif_ablation"])
    assert drawn == ["plif_ablation-quick"]  # a point of a curve alone
    assert page.read_text() != whole


def test_what_no_longer_belongs_is_removed_and_nothing_else(store: Store, built: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(built, tmp_path / "report")
    (folder / "notes.html").write_text("mine")
    (folder / "runs" / "mine.html").write_text("mine")
    (tmp_path / "outside.txt").write_text("mine")
    with (folder / "files.txt").open("a") as manifest:
        manifest.write("../outside.txt\n/etc/hostname\n")
    build(store, tmp_path, ["short"], TABLES)
    left = set(contents(folder))
    assert {"notes.html", "runs/mine.html"} <= left
    assert (tmp_path / "outside.txt").exists()
    assert not [name for name in left if "quick" in name or "paper" in name]
    assert len([name for name in left if name.startswith("runs/")]) == 2  # the run at short scale, and mine.html


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise RuntimeError('half <written>')", "that cannot be loaded: RuntimeError: half <written>."),
        ("raise SystemExit('half <written>')", "that cannot be loaded: SystemExit: half <written>."),
        ("class TABLE:\n    def cells(scale):\n        raise RuntimeError('half <written>')", "that cannot be used: "),
    ],
)
def test_a_plug_in_that_cannot_be_loaded_costs_its_own_table_alone(
    text: str, says: str, empty_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_store.record(invented.run(PLIF_TABLE.cells("quick")[0].experiment))
    info = tmp_path / "half_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spikebench.tables]\nmine = half_plugin:TABLE\n")
    (tmp_path / "half_plugin.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half_plugin", raising=False)
    registry = Registry("table", {"plif_table": "papers.plif.tables:PLIF_TABLE"}, "spikebench.tables")
    monkeypatch.setattr(papers, "registry", registry)
    folder = build(empty_store, tmp_path / "out", ["quick"]).parent
    assert (folder / "plif_table-quick.html").exists()
    words = " ".join(Page(folder / "index.html").text.split())
    assert f"half_plugin:TABLE, {says}" in words
    assert "half <written>. Mend the plug-in" in words
    with pytest.raises(PluginError, match="half <written>"):
        build(empty_store, tmp_path / "asked", ["quick"], ["mine"])


def test_unknown_scale_and_table_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"Unknown scale 'quik'\. Did you mean 'quick'"):
        build(store, tmp_path, scales=["quik"])
    with pytest.raises(UnknownName, match="Unknown table 'plif_tabel'"):
        build(store, tmp_path, table_names=["plif_tabel"])
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(store: Store, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file, not a folder")
    with pytest.raises(ReportError, match=r"cannot be written to .*--out"):
        build(store, tmp_path, ["short"], TABLES)


def test_a_run_of_another_version_has_a_page_too(empty_store: Store, tmp_path: Path) -> None:
    known = invented.run(cell("PLIF 2 max", "MNIST").experiment)
    foreign = dataclasses.replace(known, experiment={"kind": "unheard of"}, experiment_key="k" * 20)
    empty_store.record(foreign)
    folder = build(empty_store, tmp_path, table_names=["plif_table"]).parent
    assert f"experiment {'k' * 20}" in Page(folder / "runs.html").text
    assert "unheard of" in Page(folder / f"runs/{foreign.id}.html").text


def test_runs_of_different_experiments_have_different_names(tmp_path: Path) -> None:
    runs = invented.runs_of(PLIF_TABLE.cells("short")) + invented.runs_of(PLIF_TABLE.cells("quick"))
    with Store(invented.filled(tmp_path / "store.db", runs), read_only=True) as opened:
        report = build(opened, tmp_path / "out", table_names=["plif_table"]).parent
    pages = [(report / "runs" / f"{run.id}.html").read_text(encoding="utf-8") for run in runs]
    names = {re.sub("<.*?>", "", re.search(r"<h1>(.*)</h1>", page)[1]) for page in pages}  # type: ignore[index]
    assert len(names) == len(runs)
    assert "nmnist · plif_nmnist · plif T=10 · max pooling · init_tau=2 · nothing held out" in names


def test_values_that_were_read_once_are_what_the_store_says(store: Store) -> None:
    once = ReadOnce(store)
    ids = [run.id for run in store.runs()]
    assert sorted(once.values(ids[::2]), key=str) == sorted(store.values(ids[::2]), key=str)
    assert sorted(once.values(ids), key=str) == sorted(store.values(ids), key=str)
