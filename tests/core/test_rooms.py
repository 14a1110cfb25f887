"""Imports go one way: a room imports those before it, and within a room no circle is left, in functions neither."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = (
    ("core",),
    ("results",),
    ("neurons", "tasks"),
    ("models",),
    ("training",),
    ("papers",),
    ("reports",),
    ("bench",),
)
BEFORE = {room: [r for rooms in ORDER[:i] for r in rooms] for i, rooms in enumerate(ORDER) for room in rooms}


@cache
def imports() -> Mapping[str, set[str]]:
    """The modules of the project that each of them imports, in functions and for type checkers, too."""
    files = [file for room in BEFORE for file in (ROOT / room).rglob("*.py")]
    names = {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}
    return {name: imported(name, file, names.keys()) for name, file in names.items()}


def imported(module: str, file: Path, known: Mapping[str, Path] | set[str]) -> set[str]:
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {inner if (inner := f"{base}.{alias.name}") in known else base for alias in node.names}
    return {name for name in found if name in known} - {module}


def room(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("importing", BEFORE)
def test_a_room_imports_those_before_it(importing: str) -> None:
    allowed = {importing, *BEFORE[importing]}
    pairs = [(module, name) for module, names in imports().items() if room(module) == importing for name in names]
    wrong = [(module, name) for module, name in pairs if room(name) not in allowed]
    assert not wrong


# The neurons' type hints name the layers that call them; `tests/neurons` looks at what that room executes.
@pytest.mark.parametrize("name", [name for name in BEFORE if name != "neurons"])
def test_a_room_has_no_circle(name: str) -> None:
    within = {
        module: {other for other in names if room(other) == name}
        for module, names in imports().items()
        if room(module) == name
    }
    assert list(TopologicalSorter(within).static_order())  # CycleError names the circle


def test_imports_are_seen() -> None:
    assert "bench.worker" in imports()["bench.start"]  # in a function
    assert "core.registry" in imports()["neurons"]
    assert "bench.speed.child" in imports()["bench.speed.layer"]  # for type checkers
