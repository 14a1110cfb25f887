"""Imports within the room go one way: backends import the neurons, and what chooses among them knows their names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules() -> dict[str, Path]:
    files = (ROOT / "neurons").rglob("*.py")
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from executed(child)


def imported(module: str, path: Path, known: set[str]) -> set[str]:
    """Modules of the room that `module` imports, in functions too."""
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in executed(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
    return (found & known) - {module}


def test_no_circle() -> None:
    found = modules()
    graph = {module: imported(module, path, set(found)) for module, path in found.items()}
    assert "neurons.choice" in graph["neurons.base"]
    TopologicalSorter(graph).prepare()  # CycleError with the circle


def test_no_backend_is_imported_by_what_chooses_among_them() -> None:
    found = modules()
    for module in ("neurons.choice", "neurons.base", "neurons.backends"):
        assert not {m for m in imported(module, found[module], set(found)) if m.startswith("neurons.backends.")}
