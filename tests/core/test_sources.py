"""A digest changes with the code behind a result, of a plug-in, too, wherever that stands, and with nothing else."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from core import sources
from core.same_code import SAME


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The digest of an entry point in `tmp_path`, as a new process sees it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def clear() -> None:
        importlib.invalidate_caches()
        for cached in (sources._closed, sources._read, sources._path):
            cached.cache_clear()

    def of(value: str, point: metadata.EntryPoint | None = None) -> str:
        clear()
        return sources.digest([value.partition(":")[0]], [point or metadata.EntryPoint("mine", value, "things")])

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
    text = "from core.registry import Registry\nregistry = Registry('x', {{{}}})\ndef reset(): return {}\n"
    monkeypatch.setattr(sources, "OURS", ("own_v",))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for names, value in (("", 1), ("1: 2", 1), ("1: 2", 2)):
        write(tmp_path, own_v__init=text.format(names, value))
        sources._read.cache_clear()
        found.append(sources._read("own_v")[0])
    assert found[0] == found[1] != found[2]
    sources._read.cache_clear()


def write_room(folder: Path, text: str) -> None:
    (folder / "rooms").mkdir(exist_ok=True)
    (folder / "rooms" / "__init__.py").write_text("")
    (folder / "rooms" / "layer.py").write_text("WIDTH = 3\n")
    (folder / "rooms" / "net.py").write_text(text)


def test_a_digest_sees_code_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sources, "ROOMS", ("rooms",))
    seen = []
    for text in (
        "from . import layer\ndef f(): return 1\n",
        '"""Doc."""\nfrom . import layer\n# a reason\ndef f():\n    """Words."""\n    return 1\n',
        "from . import layer\ndef f(): return 2\n",
    ):
        write_room(tmp_path, text)
        sources._read.cache_clear()
        sources._path.cache_clear()
        seen.append(sources._read("rooms.net"))
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[2][0]
    assert seen[0][1] == {"rooms.layer"}


def test_a_digest_is_the_same_on_every_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12 has more in its trees, and 3.13 writes less of them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "class A(B):\n    async def f(self):\n        pass\n\n\ndef g(*, a=1):\n    return [a, f'{a!r:>4}']\n"
    write(tmp_path, own_y=code)
    sources._path.cache_clear()
    assert sources._read("own_y")[0] == "ed8601cd78f47e95428fcd057c5108b3655991fb96f6ce2b8e2f021cb276fed2"


def test_what_forgives_counts_and_what_names_does_not() -> None:
    assert "core.compare" in sources._read("bench.parity.rule")[1]
    assert "core.memory" in sources._read("training.resume")[1]
    assert not {"core.registry", "core"} & sources._read("neurons")[1]


def test_a_package_is_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write(tmp_path, own_p__init="", own_p__a="", own_p__report="", own_q="")
    (tmp_path / "own_p" / "within").mkdir()
    for name in ("__init__", "b"):
        (tmp_path / "own_p" / "within" / f"{name}.py").touch()
    sources._path.cache_clear()
    assert sources.package("own_p", without=("report",)) == {"own_p", "own_p.a", "own_p.within", "own_p.within.b"}
    assert sources.package("own_q") == {"own_q"}
    sources._path.cache_clear()


def test_a_change_that_changes_no_value_counts_as_what_it_was(
    digest: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, own_x__init="from . import h", own_x__h="gain = 1")
    before, was = digest("own_x:N"), sources._read("own_x.h")[0]
    write(tmp_path, own_x__h="gain = 2 - 1")
    assert digest("own_x:N") != before
    monkeypatch.setitem(SAME, "own_x.h", (sources._read("own_x.h")[0], was))
    assert digest("own_x:N") == before
    write(tmp_path, own_x__h="gain = 2")
    assert digest("own_x:N") != before


def test_a_module_that_changes_no_value_counts_as_if_it_was_not_there(
    digest: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, own_x__init="from . import h", own_x__h="gain = 1")
    before, was = digest("own_x:N"), sources._read("own_x.h")[0]
    write(tmp_path, own_x__h="from . import i\ngain = 1", own_x__i="from . import j", own_x__j="one = 1")
    assert digest("own_x:N") != before
    for module, counted in (("own_x.h", was), ("own_x.i", None)):
        monkeypatch.setitem(SAME, module, (sources._read(module)[0], counted))
    assert digest("own_x:N") == before
    write(tmp_path, own_x__j="one = 2")  # which it alone imports
    assert digest("own_x:N") == before
    write(tmp_path, own_x__i="from . import j as k")
    assert digest("own_x:N") != before


@pytest.mark.parametrize("module", SAME)
def test_no_entry_outlives_the_code_that_it_speaks_of(module: str) -> None:
    assert sources._read(module)[0] == SAME[module][0]
