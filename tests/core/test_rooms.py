"""The rooms of the code: which may import which, no circles, and what a measure is called stands in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = (("core", "results"), ("neurons", "tasks"), ("models",), ("training",), ("papers",), ("reports",), ("bench",))
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def sources(root: Path) -> dict[str, Path]:
    """Every module below `root`, by its dotted name."""
    found = {}
    for room in LEVEL:
        for path in sorted((root / room).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Everything below `node` that runs, which what stands under TYPE_CHECKING does not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield other
                yield from _statements(other)
        else:
            yield child
            yield from _statements(child)


def _asked(module: str, path: Path) -> Iterator[str]:
    """The dotted names that a module imports: `from a import b` asks for a.b, which may be a module or not."""
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            of = [*base, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*of, alias.name]) for alias in node.names)


def graph(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """The modules of the rooms that each module imports, anywhere in it."""
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        found[module] = set()
        for name in _asked(module, path):
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if name and name != module:
                found[module].add(name)
    return found


def against_the_order(imports: Mapping[str, set[str]]) -> list[str]:
    """Imports of a room from one that is not strictly below it; core is open to all."""

    def wrong(importing: str, imported: str) -> bool:
        return importing != imported and imported != "core" and LEVEL[imported] >= LEVEL[importing]

    return sorted(
        f"{module} imports {other}"
        for module, others in imports.items()
        for other in others
        if wrong(module.partition(".")[0], other.partition(".")[0])
    )


def circles(imports: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """The sets of modules that all lead to each other (strongly connected, more than one), each sorted."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [*imports[start]]
        while ahead:
            module = ahead.pop()
            if module not in seen:
                seen.add(module)
                ahead += imports[module]
        return seen

    leads = {module: reached(module) for module in imports}
    found = {tuple(sorted(m for m in leads[module] if module in leads[m])) for module in imports}
    return sorted(circle for circle in found if len(circle) > 1)


def test_a_room_imports_only_rooms_below_it() -> None:
    assert against_the_order(graph(sources(ROOT))) == []


def test_modules_import_in_no_circle() -> None:
    assert circles(graph(sources(ROOT))) == []


def test_wrong_imports_are_found(tmp_path: Path) -> None:
    for room in LEVEL:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
    (tmp_path / "papers" / "a.py").write_text(
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "import numpy, results.b\n"
        "from . import c\n"
        "if TYPE_CHECKING:\n    import reports.d\nelse:\n    import bench.e\n"
        "def f():\n    from reports.d import g\n"
    )
    (tmp_path / "papers" / "c.py").write_text("def f():\n    from .a import f\n")
    (tmp_path / "results" / "b.py").write_text("from core import errors\nfrom neurons.x import y\n")
    (tmp_path / "reports" / "d.py").touch()
    (tmp_path / "bench" / "e.py").touch()
    imports = graph(sources(tmp_path))
    assert against_the_order(imports) == [
        "papers.a imports bench.e",
        "papers.a imports reports.d",
        "results.b imports neurons",
    ]
    assert circles(imports) == [("papers.a", "papers.c")]


# The name of a measure, of its curves and its unit belong to papers.measures; papers of their own name what they
# measure. Which of those three (word, string, factor) still stand where is listed here in full.
NEUTRAL = ("core/**/*.py", "papers/*.py", "reports/**/*.py", "bench/**/*.py", "training/**/*.py")
ALLOWED = {
    "papers/measures.py": {"accuracy"},  # where they belong
    "reports/tables.py": {"test_..."},  # the number of test samples, a column of the CSV
    "training/measures.py": {"accuracy"},
    "training/spike_timing.py": {"accuracy", "test_..."},  # of two readings; spikes are counted at the test
}


def spoken(tree: ast.AST) -> set[str]:
    """What of a measure a source says: the word accuracy, a string that begins with test_, or the factor 100.

    Docstrings and comments say what they like.
    """
    words: set[str] = set()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            sides = (node.left, node.right)
            if any(isinstance(side, ast.Constant) and side.value == 100 for side in sides):
                words.add("100")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            words |= {"accuracy"} if "accuracy" in node.value.lower() else set()
            words |= {"test_..."} if node.value.startswith("test_") else set()
        named = [getattr(node, name, None) for name in ("id", "attr", "name", "arg")]
        words |= {"accuracy"} if any("accuracy" in name.lower() for name in named if isinstance(name, str)) else set()
    return words


def test_measures_are_named_in_one_place() -> None:
    found = {}
    for pattern in NEUTRAL:
        for path in sorted(ROOT.glob(pattern)):
            if words := spoken(ast.parse(path.read_text(encoding="utf-8"))):
                found[path.relative_to(ROOT).as_posix()] = words
    assert found == ALLOWED


def test_what_is_said_of_a_measure_is_found() -> None:
    def said(text: str) -> set[str]:
        return spoken(ast.parse(text))

    assert said('"""accuracy, test_accuracy"""\nx = 1  # 100 * accuracy\n') == set()
    assert said('def f():\n    """test_ accuracy"""\n    return 10 * 100.5\n') == set()
    assert said("def f(accuracy_a): pass") == said("from p import ACCURACY") == said("x.accuracy") == {"accuracy"}
    assert said('x = "mean_accuracy"') == said('f"{y} Accuracy"') == {"accuracy"}
    assert said("x = 'test_loss'") == said('f"test_{x}"') == {"test_..."}
    assert said("f'{100 * x:.1f} %'") == said("x * 100") == said("x * 100.0") == said("x / 100") == {"100"}
