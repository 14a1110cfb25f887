"""Export, import and merge: the same bytes for the same results, a union that loses and doubles nothing."""

import codecs
import gzip
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import a_parity, a_run, parities, plans, runs

from results import lines, reading
from results.errors import StoreError
from results.run import Metric
from results.store import Store

some_runs = st.lists(runs(), max_size=3, unique_by=lambda run: run.id)
some_parities = st.lists(parities(), max_size=2, unique_by=lambda parity: parity.id)
some_plans = st.lists(plans, max_size=2)


def filled(records, checks=(), plans=(), url="sqlite://"):
    store = Store(url)
    store.record_all(records, checks, plans)
    return store


def parsed(name, byte_lines):
    return everything(reading.parse([reading.Source(name, lambda: byte_lines)]))


def everything(records):
    found, checks, plans = records
    return list(found), checks, plans


def imported(text_lines, url="sqlite://"):
    store = Store(url)
    store.record_all(*parsed("lines", [line.encode() for line in text_lines]))
    return store


@settings(max_examples=15)
@given(some_runs, some_parities, some_plans)
def test_export_import_export_gives_the_same_bytes(records, checks, plans):
    with filled(records, checks, plans) as store:
        first = lines.dump(store)
        with imported(first) as copy:
            assert lines.dump(copy) == first
            assert copy.full_runs() == store.full_runs()
            assert copy.parity() == store.parity()
            assert copy.planned() == store.planned()
    assert first == sorted(set(first))
    assert all(
        line.isascii() and json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) == line for line in first
    )


@settings(max_examples=10)
@given(some_runs, some_runs, some_runs)
def test_merging_is_a_union(mine, yours, shared):
    ids = {run.id for run in shared}
    mine = [run for run in mine if run.id not in ids]
    yours = [run for run in yours if run.id not in ids | {run.id for run in mine}]
    with filled(mine + shared) as a, filled(yours + shared) as b, Store("sqlite://") as ab, Store("sqlite://") as ba:
        for source in (a, b):
            lines.merge(ab, source)
        for source in (b, a):
            lines.merge(ba, source)
        once = lines.dump(ab)
        assert lines.dump(ba) == once
        assert set(once) == set(lines.dump(a)) | set(lines.dump(b))
        assert lines.merge(ab, a) == lines.merge(ab, b) == lines.merge(ab, ba) == 0
        assert lines.dump(ab) == once


def test_the_database_makes_no_difference(store):
    """Names whose order by letter and by byte differ, and every kind of record."""
    metrics = (Metric("b", 1e-308, "1"), Metric("B", 1 / 3, "s"), Metric("ä", None, "s"))
    records = [a_run(experiment={"name": name}, metrics=metrics) for name in ("b", "A", "ä", "_")]
    store.record_all(records, [a_parity()])
    with imported(lines.dump(store)) as copy:
        assert lines.dump(copy) == lines.dump(store)
        with Store("sqlite://") as merged:
            assert lines.merge(merged, store) == 5
            assert lines.dump(merged) == lines.dump(store)
            assert lines.merge(store, merged) == 0


def test_a_conflict_is_refused_and_changes_nothing():
    run = a_run()
    with filled([run]) as mine, filled([a_run(id=run.id, seed=99), a_run()]) as yours:
        with pytest.raises(StoreError, match="already recorded with another seed"):
            lines.merge(mine, yours)
        assert mine.full_runs() == [run]


def test_a_key_of_another_experiment_is_not_merged():
    with filled([a_run(experiment_key="0" * 20)]) as source, Store("sqlite://") as mine:
        with pytest.raises(StoreError, match=r"experiment key .0{20}. does not belong to the experiment, whose key is"):
            lines.merge(mine, source)
        assert mine.full_runs() == []


def test_a_line_of_many_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST", 1000)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 10_000_000))
    with pytest.raises(StoreError, match=r"bomb.jsonl.gz has a line of more than 0 MiB. Nothing was imported"):
        reading.read([path])


def test_one_experiment():
    wanted, other = a_run(experiment={"a": 1}), a_run(experiment={"a": 2}, machine={"cpu": "another"})
    with filled([wanted, other], [a_parity()]) as store:
        with imported(lines.dump(store, [wanted.experiment_key])) as copy:
            assert copy.full_runs() == [wanted]
            assert copy.parity() == []
        with pytest.raises(StoreError, match="No run of experiment nosuch"):
            lines.dump(store, ["nosuch"])


def test_files(tmp_path):
    path = tmp_path / "results.jsonl"
    run = a_run()
    with filled([run]) as store:
        assert lines.write(store, path) == 5  # machine, environment, experiment, dataset, run
    content = path.read_bytes()
    assert content.endswith(b"}\n")
    assert everything(reading.read([path, path])) == ([run, run], [], [])
    with filled([run]) as store, pytest.raises(StoreError, match=r"cannot be written to .*: No such file"):
        lines.write(store, tmp_path / "nowhere" / "results.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["results.jsonl"]
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        reading.read([tmp_path / "nosuch.jsonl"])


def test_packed_files_are_read(tmp_path):
    run, path = a_run(), tmp_path / "results.jsonl"
    with filled([run]) as store:
        lines.write(store, path)
    text = path.read_bytes()
    for content in (gzip.compress(text), gzip.compress(text[:99]) + gzip.compress(text[99:]), codecs.BOM_UTF8 + text):
        path.write_bytes(content)
        assert everything(reading.read([path])) == ([run], [], [])
    packed = gzip.compress(text)
    for content in (packed[:50], packed[:-4], packed[:30] + bytes(9) + packed[39:], packed + b"more"):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=r"results\.jsonl cannot be unpacked: .*Nothing was imported"):
            reading.read([path])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_is_no_text_is_told_by_its_kind(tmp_path, pack):
    path = tmp_path / "results"
    Store(tmp_path / "store.db").close()
    for content, sentence in (
        ((tmp_path / "store.db").read_bytes(), "database, no exported lines.* results merge FILE"),
        ('{"record":1}\n'.encode("utf-16"), "UTF-16.* results export FILE .* results merge"),
        ('{"record":1}\n'.encode("utf-16-le"), "UTF-16"),
        ('{"record":1}\n'.encode("utf-16-be"), "UTF-16"),
    ):
        path.write_bytes(pack(content))
        with pytest.raises(StoreError, match=sentence):
            reading.read([path])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_text_given_as_a_store_is_told_by_its_kind(tmp_path, pack):
    path = tmp_path / "results"
    with filled([a_run()]) as store:
        content = pack("".join(f"{line}\n" for line in lines.dump(store)).encode())
    path.write_bytes(content)
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"is exported text and no database.* results import FILE"):
            Store(path, read_only=read_only)
    assert path.read_bytes() == content


def damaged(change):
    """The lines of one run and one parity check with one record changed by `change(record)`, and its line number."""
    with filled([a_run()], [a_parity()]) as store:
        text_lines = lines.dump(store)
    for number, line in enumerate(text_lines, 1):
        record = json.loads(line)
        if change(record) is not None:
            text_lines[number - 1] = json.dumps(record)
            return number, text_lines
    raise AssertionError("nothing was changed")


def put(kind, **values):
    def change(record):
        return record.update(values) or record if record["record"] == kind else None

    return change


def drop(kind, name):
    return lambda record: record.pop(name) if record["record"] == kind else None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("run", record="walk"), "unknown record 'walk'; perhaps a newer spikebench wrote it"),
        (put("run", color="red"), "'color' is unknown; perhaps a newer"),
        (put("run", outcome="fine"), "Unknown outcome 'fine'"),
        (put("run", metrics=[["loss", 0, 1.0]]), "not enough values to unpack"),
        (put("run", metrics=[["loss", 0, 1.0, "furlong"]]), "Unknown unit 'furlong'"),
        (put("run", metrics=[["loss", 0, "1.0", "1"]]), "is a text"),
        (put("run", metrics=[["loss", 0, float("nan"), "1"]]), "NaN is no value; write null"),
        (put("run", metrics=None), "not iterable"),
        (put("run", pictures=[[0, {"jpeg": "AA"}]]), "missing 4 required positional arguments"),
        (
            put("run", pictures=[[0, {"width": 1, "height": 1, "jpeg": "A=", "found": [], "there": []}]]),
            "picture 0 is not in base64",
        ),
        (
            put(
                "run",
                pictures=[[0, {"width": 1, "height": 1, "jpeg": "AAEC", "found": [], "there": [["cat", [1, 2, 3]]]}]],
            ),
            "expected 4",
        ),
        (put("run", seed="seven"), "seed 'seven' is no whole number"),
        (put("run", machine="nobody"), "its machine 'nobody' is not in the file"),
        (put("run", datasets=["nothing"]), "its dataset 'nothing' is not in the file"),
        (drop("run", "reason"), "'reason' is missing"),
        (drop("run", "environment"), "'environment' is missing"),
        (put("machine", document={"cpu": "another"}), "does not belong to the content"),
        (put("dataset", complete=False), "does not belong to the content"),
        (drop("experiment", "document"), "'document' is missing"),
        (put("experiment", document={"seed": 7}), "experiment key .* does not belong to the experiment"),
        (put("run", backend="fu\0sed"), "backend 'fu.x00sed' holds a NUL"),
        (put("run", metrics=[["loss\ud800", 0, 1.0, "1"]]), "metric name .* holds a NUL or half a character"),
        (put("parity", green=True, flips=-1), "flips -1 is out of range"),
    ],
)
def test_a_damaged_record_is_located(change, reason):
    number, text_lines = damaged(change)
    with pytest.raises(StoreError, match=f"^archive.jsonl, line {number}: .*{reason}.*Nothing was imported"):
        parsed("archive.jsonl", [line.encode() for line in text_lines])


@pytest.mark.parametrize("line", [b"{", b"[]", b"7", b"null", b"\xff\xfe", b'{"record":[]}', b"[" * 100_000])
def test_a_line_that_is_no_record(line):
    with pytest.raises(StoreError, match=r"^x, line 2: .*Nothing was imported; mend or drop the line\.$"):
        parsed("x", [b"", line])


def test_every_truncation_of_a_file_is_noticed_or_harmless(tmp_path):
    """Cut anywhere, a file is either refused or holds fewer whole runs; never a run with less to it."""
    with filled([a_run(seed=seed, metrics=(Metric("loss", seed, "1"),)) for seed in (1, 2)]) as store:
        whole = store.full_runs()
        path = tmp_path / "results.jsonl"
        lines.write(store, path)
    content = path.read_bytes()
    outcomes = set()
    for end in itertools.chain(range(0, len(content), 7), [len(content) - 1]):
        try:
            found, _, _ = parsed("cut", content[:end].splitlines())
        except StoreError:
            outcomes.add("refused")
        else:
            assert all(run in whole for run in found)
            outcomes.add(len(found))
    assert "refused" in outcomes
    assert 2 in outcomes  # only the last line end is missing
