"""A digest of the sources behind a result: equal for equal code.

Followed are the imports of modules, inside the rooms of this project that compute and, from a plug-in, inside what
belongs to it: its package, what came with it and what lies beside it. With a module count the packages it lies in.
Comments, docstrings and layout do not count, nor do our tables of names, nor what `core.same_code` lists.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from .same_code import SAME

ROOMS = ("core", "neurons", "models", "training", "tasks")  # that compute; the others plan, keep, judge and show
OURS = (*ROOMS, "papers", "bench", "reports", "results")
# They find things by name, say what is wrong and show what a layer is; no figure depends on them.
NAMING = ("core.registry", "core.errors", "neurons.options")
INSTALLED = ("site-packages", "dist-packages")


def digest(modules: Iterable[str], plugins: Iterable[EntryPoint | None] = ()) -> str:
    """12 hexadecimal digits of `modules` and what they import.

    `plugins` are the entry points that named some of the modules.
    """
    points = [point for point in plugins if point is not None]
    return _closed(
        frozenset(modules),
        frozenset(point.value for point in points),
        frozenset(top for point in points for top in _brought(point)),
    )


def own(modules: Iterable[str]) -> str:
    """12 hexadecimal digits of the code of `modules` alone, whatever `core.same_code` has them count as."""
    lines = [f"{module} {_read(module)[0]}" for module in sorted(modules)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def followed(modules: Iterable[str], brought: frozenset[str] = frozenset()) -> dict[str, str]:
    """The modules that count for a digest of `modules`, each with the digest of its own code."""
    pending = set(modules)
    seen: dict[str, str] = {}
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        found, imported = _read(module, frozenset() if _top(module) in OURS else brought)
        now, counted = SAME.get(module, (None, None))
        if found == now:
            if counted is None:
                continue
            found = counted
        seen[module] = found
        pending |= imported
        if above := module.rpartition(".")[0]:
            pending.add(above)  # importing a module runs the package first
    return seen


@functools.cache
def package(name: str, without: tuple[str, ...] = ()) -> frozenset[str]:
    """The module called `name`, or of a package all its modules but those whose last name is in `without`."""
    path = _path(name)
    if path is None or path.stem != "__init__":
        return frozenset({name})
    return frozenset({name, *_inside(name, path.parent, without)})


def _inside(name: str, folder: Path, without: Collection[str]) -> Iterator[str]:
    """The modules in the folder of a package, those of packages within it, too."""
    for file in folder.rglob("*.py"):
        parts = file.relative_to(folder).with_suffix("").parts
        inner = parts[:-1] if parts[-1] == "__init__" else parts
        if inner and inner[-1] not in without:
            yield ".".join((name, *inner))


@functools.cache
def _closed(modules: frozenset[str], entries: frozenset[str], brought: frozenset[str]) -> str:
    parts = followed(modules, brought)
    lines = [*sorted(entries), *(f"{module} {digest}" for module, digest in sorted(parts.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _top(module: str) -> str:
    return module.partition(".")[0]


def _brought(point: EntryPoint) -> set[str]:
    """Top-level names of the distribution that an entry point belongs to, where it lists them."""
    if point.dist is None:
        return set()
    listed = (point.dist.read_text("top_level.txt") or "").split()
    files = {file.parts[0].removesuffix(".py") for file in point.dist.files or () if file.suffix == ".py"}
    return {*listed, *files}


@functools.cache
def _read(module: str, brought: frozenset[str] = frozenset()) -> tuple[str, frozenset[str]]:
    """Digest of a module's code and the modules that it imports and that count; their packages go without saying."""
    path = _path(module)
    if path is None:
        return "", frozenset()
    content = path.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # compiled, or broken: whatever it is, another content is another code
        return hashlib.sha256(content).hexdigest(), frozenset()
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            imported |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and _top(module) not in OURS:
            imported |= _by_name(node, package)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    if _top(module) in OURS:
        tree.body = [node for node in tree.body if not _is_table(node)]
    own = {name for name in imported if _counts(name, module, brought) and _path(name) is not None}
    inner = {name for name in own if not any(other.startswith(f"{name}.") for other in own)}
    return hashlib.sha256(_dumped(tree).encode()).hexdigest(), frozenset(inner)


def _dumped(tree: ast.Module) -> str:
    """The code as one text, which is that of Python 3.11 on all later ones: results of one count on the others."""
    for node in ast.walk(tree):
        if getattr(node, "type_params", None) == []:
            delattr(node, "type_params")  # 3.12 and later
    everything: dict[str, Any] = {"show_empty": True} if sys.version_info >= (3, 13) else {}
    return ast.dump(tree, **everything)


def _by_name(call: ast.Call, package: str) -> set[str]:
    """What a call of import_module or __import__ within `package` imports: all that its top level holds where the name
    is computed."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in ("import_module", "__import__"):
        return set()
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    if isinstance(name, str):
        with suppress(ImportError):  # beyond the top level of the package
            return {importlib.util.resolve_name(name, package) if package else name}
    top = _top(package)
    inside = {file.relative_to(place) for place in _places(top) for file in place.rglob("*.py")}
    return {".".join((top, *file.with_suffix("").parts)).removesuffix(".__init__") for file in inside}


def _is_table(node: ast.stmt) -> bool:
    """Whether a statement makes a registry: a new name in it changes nothing for the others."""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "Registry"
    )


def _counts(name: str, importer: str, brought: frozenset[str]) -> bool:
    """Whether the module `name` is code of ours or of the plug-in that `importer`, which imports it, belongs to."""
    top, own = _top(name), _top(importer)
    if top in OURS or own in OURS:
        return top in ROOMS and name not in NAMING
    return top == own or top in brought or _beside(top, own)


def _beside(top: str, own: str) -> bool:
    """Whether two top-level modules lie in one folder, which is not where packages are installed."""
    if top in sys.stdlib_module_names:
        return False
    folder = _folder(own)
    return folder is not None and folder.name not in INSTALLED and folder == _folder(top)


def _folder(top: str) -> Path | None:
    places = _places(top)  # also those of a package without an __init__
    path = _path(top)
    return places[0].parent if places else path and path.parent


def _places(top: str) -> list[Path]:
    """The folders of a top-level package; none for a module that is one file."""
    try:
        spec = importlib.util.find_spec(top) if top else None
    except (ImportError, ValueError):
        return []
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


@functools.cache
def _path(module: str) -> Path | None:
    """The file of a module or of a package's `__init__`, found without importing anything; None where there is none."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        # By its own name: where packages have no __init__, the whole one asks for parents that nobody imported.
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path if path is not None and path.is_file() else None
