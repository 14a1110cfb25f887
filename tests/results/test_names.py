"""Names that are no text: files of such a name are used, and whatever else they are given for says so in a sentence."""

import os
import sys

import pytest
import stores
import warm
from samples import a_run

from results import Store

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("names")]  # a group: they share a plain locale's interpreter
ODD = b"\xff\xc3\xa4"
PLAIN = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def call(*words, cwd, variables):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "SPIKEBENCH_STORE": "v.db"}
    done = warm.run(["-m", *map(os.fsdecode, words)], cwd=cwd, env=environment, start=variables)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path):
    with Store(stores.with_published(tmp_path / "v.db")) as store:
        store.record(a_run())
    return tmp_path


@pytest.mark.parametrize(("name", "variables"), [(ODD, {}), ("ä".encode(), PLAIN)], ids=["no text", "plain locale"])
def test_files(name, variables, folder):
    for words, begin in (
        (["results", "merge", "v.db", "--store", name + b".db"], "sqlite:///v.db: 1 new, now in sqlite:///"),
        (["results", "merge", name + b".db"], "sqlite:///"),
        (["results", "export", name + b".jsonl"], "5 lines"),
        (["results", "import", name + b".jsonl", "--store", b"sqlite:///" + name + b"2.db"], "1 new"),
        (["results", "show", "--store", name + b"2.db"], "run"),
        (["reports", "--scale", "short", "--out", name, "--store", name + b".db"], ""),
        (["bench.reproduce", "plif_table", "--plan", "--store", name + b".db"], ""),
    ):
        status, said = call(*words, cwd=folder, variables=variables)
        assert "Traceback" not in said
        assert status == 0, said
        assert said.startswith(begin)
    made = set(os.listdir(os.fsencode(folder)))
    assert {name + b".db", name + b"2.db", name + b".jsonl", name} <= made


WRONG = [
    (["results", "show", ODD], 1),
    (["results", "show", ODD, ODD], 2),
    (["results", "show", "--store", ODD + b".db"], 1),
    (["results", "show", "--store", b"postgresql://me@127.0.0.1:1/" + ODD], 1),
    (["results", "show", "--store", b"postgresql://" + ODD + b"@127.0.0.1:1/d"], 1),
    (["results", "show", "--store", b"postgresql://me@" + ODD + b"/d"], 1),
    (["results", "show", "--store", b"postgresql://me@127.0.0.1:1/d?" + ODD + b"=" + ODD], 1),
    (["results", "show", "--store", ODD + b"://x"], 1),
    (["results", "show", "--store", b"sqlite:///v.db?" + ODD + b"=" + ODD], 1),
    (["results", "show", "--store", b"sqlite://" + ODD + b"/v.db"], 1),
    (["results", "merge", ODD], 1),
    (["results", "export", "--keys", ODD], 1),
    (["results", "import", ODD], 1),
    (["results", "import-asv", ODD], 1),
    (["results", ODD], 2),
    (["reports", "--scale", ODD], 2),
    (["bench.reproduce", ODD], 2),
    (["bench.reproduce", "plif_table", "--only", ODD], 2),
    (["bench.parity", ODD], 2),
    (["bench.kernels", ODD], 2),
    (["bench", ODD], 2),
]


@pytest.mark.parametrize(
    ("words", "status", "variables"),
    [*[(*wrong, PLAIN) for wrong in WRONG], *[(*wrong, {}) for wrong in WRONG[:3]]],
)
def test_sentences(words, status, variables, folder):
    found, said = call(*words, cwd=folder, variables=variables)
    assert "Traceback" not in said
    assert "Error: " in said
    assert found == status
    assert os.listdir(folder) == ["v.db"]
