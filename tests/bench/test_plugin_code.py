"""A plug-in's results are those of its code, wherever that stands; a name it cannot have costs nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from conftest import Command

from bench import fingerprint
from results import Store


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The fingerprint of an entry point in `tmp_path`, as a new process sees it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def clear() -> None:
        importlib.invalidate_caches()
        for cached in (fingerprint._closed, fingerprint._read, fingerprint._path):
            cached.cache_clear()

    def of(value: str, point: metadata.EntryPoint | None = None) -> str:
        clear()
        return fingerprint._digest([value.partition(":")[0]], [point or metadata.EntryPoint("mine", value, "things")])

    yield of
    clear()


def write(folder: Path, **files: str) -> None:
    """Writes own_x__y="..." to own_x/y.py, where y may be init."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path = path.with_name("__init__.py") if path.stem == "init" else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


EMPTY = {"own_x__init": "", "own_x__deep__init": ""}


@pytest.mark.parametrize(
    ("entry", "files", "changed"),
    [
        ("own_x:N", {"own_x__init": "GAIN = {}"}, "own_x__init"),
        ("own_x.deep.n:N", {**EMPTY, "own_x__init": "GAIN = {}", "own_x__deep__n": ""}, "own_x__init"),
        ("own_x.deep.n:N", {**EMPTY, "own_x__deep__init": "GAIN = {}", "own_x__deep__n": ""}, "own_x__deep__init"),
        ("own_x:N", {"own_x__init": "from .help import gain", "own_x__help": "gain = {}"}, "own_x__help"),
        ("own_x:N", {"own_x__init": "from . import help", "own_x__help": "gain = {}"}, "own_x__help"),
        ("own_x:N", {"own_x__init": "from .help import *", "own_x__help": "gain = {}"}, "own_x__help"),
        ("own_x.n:N", {**EMPTY, "own_x__n": "import own_x.deep.h", "own_x__deep__h": "gain = {}"}, "own_x__deep__h"),
        ("own_x.n:N", {**EMPTY, "own_x__n": "import own_x.deep.h as h", "own_x__deep__h": "g = {}"}, "own_x__deep__h"),
        (
            "own_x.n:N",
            {**EMPTY, "own_x__n": "from own_x import deep", "own_x__deep__init": "g = {}"},
            "own_x__deep__init",
        ),
        ("own_x.deep.n:N", {**EMPTY, "own_x__deep__n": "from ..h import g", "own_x__h": "g = {}"}, "own_x__h"),
        ("own_x.deep:N", {**EMPTY, "own_x__deep__init": "from .. import h", "own_x__h": "g = {}"}, "own_x__h"),
        (
            "own_x:N",
            {"own_x__init": "if 1:\n  try:\n    from . import h\n  except E: h = 0", "own_x__h": "g = {}"},
            "own_x__h",
        ),
        ("own_x:N", {"own_x__init": "def f():\n  from . import h", "own_x__h": "g = {}"}, "own_x__h"),
        (
            "own_x:N",
            {"own_x__init": "from .h import a", "own_x__h": "from .i import a", "own_x__i": "a = {}"},
            "own_x__i",
        ),
        ("own_y:N", {"own_y": "GAIN = {}"}, "own_y"),
        ("own_y:N", {"own_y": "import own_z", "own_z": "GAIN = {}"}, "own_z"),  # two files, side by side
        ("own_w.n:N", {"own_w__n": "from . import h", "own_w__h": "GAIN = {}"}, "own_w__h"),  # a namespace package
        ("own_x:N", {"own_x__init": "this is no {} Python"}, "own_x__init"),
        ("own_w.n:N", {"own_w__n": "from own_u import h", "own_u__h": "GAIN = {}"}, "own_u__h"),  # two, side by side
        ("own_w.n:N", {"own_w__n": "from own_w.deep import h", "own_w__deep__h": "GAIN = {}"}, "own_w__deep__h"),
        ("own_x:N", {"own_x__init": "import_module('.h', __package__)", "own_x__h": "g = {}"}, "own_x__h"),
        ("own_x:N", {"own_x__init": "import_module('..h')", "own_x__h": "g = {}"}, "own_x__h"),
        ("own_y:N", {"own_y": "import importlib as i; i.import_module('own_z')", "own_z": "g = {}"}, "own_z"),
        ("own_x:N", {"own_x__init": "h = __import__('own_x.' + 'h')", "own_x__h": "g = {}"}, "own_x__h"),
        ("own_w.n:N", {"own_w__n": "import_module(f'own_w.{x}')", "own_w__deep__h": "g = {}"}, "own_w__deep__h"),
        ("own_x:N", {"own_x__init": "import_module(name)", "own_x__deep__init": "g = {}"}, "own_x__deep__init"),
    ],
)
def test_every_part_of_a_plug_in_counts(
    digest: Callable[..., str], tmp_path: Path, entry: str, files: dict[str, str], changed: str
) -> None:
    found = []
    for gain in ("0.8", "0.0"):
        write(tmp_path, **{**files, changed: files[changed].replace("{}", gain)})
        found.append(digest(entry))
    assert found[0] != found[1]
    write(tmp_path, **{**files, changed: files[changed].replace("{}", "0.8")})
    assert digest(entry) == found[0]


def test_what_is_no_part_of_it_does_not(digest: Callable[..., str], tmp_path: Path) -> None:
    found = set()
    for gain in "12":
        write(
            tmp_path,
            own_x__init='"""Says {gain}."""\nimport torch, math, neurons, own_missing, random',
            own_x__other=f"GAIN = {gain}",  # which nobody imports
            random=f"GAIN = {gain}",  # hidden by the standard library's
        )
        found.add(digest("own_x:N"))
    assert len(found) == 1


def test_what_a_distribution_lists_belongs_to_its_plug_in(
    digest: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    info = installed / "own-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[things]\nmine = own_n:N\n")
    (info / "RECORD").write_text("own_n.py,,\nown_h.py,,\nown-1.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(str(installed))
    (point,) = metadata.entry_points(group="things")
    found = []
    for own, foreign in ((1, 1), (2, 1), (2, 2)):
        write(installed, own_n="import own_h, foreign", own_h=f"GAIN = {own}", foreign=f"GAIN = {foreign}")
        found.append(digest("own_n:N", point))
    assert found[0] != found[1] == found[2]


def test_another_entry_is_other_code(digest: Callable[..., str], tmp_path: Path) -> None:
    write(tmp_path, own_y="A, B = 1, 2")
    assert digest("own_y:A") != digest("own_y:B")


def test_a_package_of_ours_counts_but_for_its_table_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from bench.registry import Registry\nregistry = Registry('x', {{{}}})\ndef reset(): return {}\n"
    monkeypatch.setattr(fingerprint, "OURS", ("own_v",))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for names, value in (("", 1), ("1: 2", 1), ("1: 2", 2)):
        write(tmp_path, own_v__init=text.format(names, value))
        fingerprint._read.cache_clear()
        found.append(fingerprint._read("own_v")[0])
    assert found[0] == found[1] != found[2]
    fingerprint._read.cache_clear()


def test_the_choice_of_a_backend_counts_without_what_it_chooses_from() -> None:
    digest, imported = fingerprint._read("neurons.backends")
    assert digest
    assert not imported


OWN = """
from bench.experiment import Experiment
from bench.table import Cell, Table
from neurons.integrate_and_fire import LIF
from .gain import GAIN

class Mine(LIF):
    name = "mine"
    def step(self, x, v):
        return super().step(GAIN * x, v)

CELL = Cell("one", "digits", "A", Experiment(
    task="digits", model="plif_mnist", neuron="mine", scheme="bptt", epochs=1, batch_size=128, scale="quick", seed=0,
    model_options={"side": 8, "channels": 3, "hidden": 12, "T": 3}, scheme_options={"lr": 0.01},
), "accuracy_a", ())
TABLE = Table("own", "own", "a table", "%", lambda scale: [CELL])
"""
POINTS = """
[spikebench.neurons]
mine = own_plugin:Mine
plif = own_plugin:Mine

[spikebench.tables]
own = own_plugin:TABLE
"""
REFUSED = (
    "Warning: The neuron 'plif' of the plug-in own_plugin:Mine is refused, for neurons.integrate_and_fire:PLIF has "
    "that name already. Rename it there or uninstall the plug-in.\n"
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A plug-in whose class stands in the `__init__` of its package, and that brings one name too many."""
    folder = tmp_path / "own"
    write(folder, own_plugin__init=OWN, own_plugin__gain="GAIN = 0.8")
    info = folder / "own_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return folder


@pytest.mark.slow
def test_an_edited_plug_in_is_measured_anew(reproduce: Command, own: Path, tmp_path: Path) -> None:
    first = reproduce("own", PYTHONPATH=str(own))
    assert (first.returncode, first.stderr) == (0, REFUSED)
    assert reproduce("own", "--plan", PYTHONPATH=str(own)).stdout.startswith("done ")
    write(own, own_plugin__gain="GAIN = 0.0")
    assert reproduce("own", "--plan", PYTHONPATH=str(own)).stdout.startswith("stale ")
    write(own, own_plugin__gain="GAIN = 0.8", own_plugin__init=OWN.replace("GAIN * x", "0.0 * x"))
    assert reproduce("own", "--plan", PYTHONPATH=str(own)).stdout.startswith("stale ")
    assert reproduce("own", PYTHONPATH=str(own)).returncode == 0
    with Store(tmp_path / "store.db") as store:
        rates = [m.value for run in store.runs() for m in store.run(run.id).metrics if m.name == "rate_1"]
    assert len(rates) == 2
    assert rates[0] != rates[1] == 0


def test_a_taken_name_disables_no_command(environment: dict[str, str], reproduce: Command, own: Path) -> None:
    assert reproduce("tiny", "--plan", PYTHONPATH=f"{own}:{environment['PYTHONPATH']}").stderr == REFUSED
    for command in (["bench.kernels", "--help"], ["bench.parity", "nosuch"], ["reports", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env={**environment, "PYTHONPATH": str(own)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if "nosuch" in command else 0)
