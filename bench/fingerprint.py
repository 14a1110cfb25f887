"""Which code computed a result: a digest of the sources behind an experiment, so that a change makes it stale.

Followed are the imports, inside this project, of the modules that define task, model, neuron and scheme. Comments,
docstrings and layout do not count; package `__init__` files only list names and are left out.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

from core.registry import unknown
from papers.experiment import Experiment

SHOWING = ("__main__", "report")  # modules of a package that print what the others find out
ROOMS = ("neurons", "models", "training", "tasks")


def implementation(experiment: Experiment) -> str:
    """12 hexadecimal digits: equal for equal code behind `experiment`. UnknownName for names this version lacks."""
    import models
    import neurons
    import tasks
    import training

    return _digest(
        frozenset(
            {
                tasks.module(experiment.task),
                models.registry.module(experiment.model),
                neurons.registry.module(experiment.neuron),
                training.registry.module(experiment.scheme),
                "training.loop",
            }
        )
    )


def kernel_implementation(neuron: str, backend: str) -> str:
    """12 hexadecimal digits: equal for equal code behind a neuron, the way `backend` computes it and its parity rule.

    `backend` is a backend or a peer library. UnknownName for names this version lacks.
    """
    import neurons

    from . import peers

    if backend in neurons.backends.MODULES:
        computed = _modules(neurons.backends.MODULES[backend])
    elif backend in peers.names():
        computed = {"bench.peers"}
    else:
        raise unknown("backend", backend, [*neurons.backends.MODULES, *peers.names()])
    return _digest(frozenset({neurons.registry.module(neuron), *computed, *_modules("bench.parity")}))


@functools.cache
def _digest(modules: frozenset[str]) -> str:
    pending = set(modules)
    seen: dict[str, str] = {}
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        seen[module], imported = _read(module)
        pending |= imported
    text = "\n".join(f"{module} {digest}" for module, digest in sorted(seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def _read(module: str) -> tuple[str, frozenset[str]]:
    """Digest of a module's code and the project's modules that it imports."""
    path = _path(module)
    if path is None:
        return "", frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            imported |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    own = frozenset(name for name in imported if name.split(".")[0] in ROOMS and _path(name) is not None)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), own


def _modules(name: str) -> set[str]:
    """The module, or all modules of the package but those of SHOWING, called `name`."""
    if _path(name) is not None:
        return {name}
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    folders = [Path(folder, *rest) for folder in (spec.submodule_search_locations or ())] if spec else []
    return {f"{name}.{file.stem}" for folder in folders for file in folder.glob("*.py") if file.stem not in SHOWING}


@functools.cache
def _path(module: str) -> Path | None:
    """The file of a module, found without importing its parents (which would import torch); None for packages."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not rest:
        return None if spec.submodule_search_locations or not spec.origin else Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *rest).with_suffix(".py")
        if path.is_file():
            return path
    return None
