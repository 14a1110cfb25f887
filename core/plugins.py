"""Plug-ins that are single files: the names that they bring, found without importing them.

`SPIKEBENCH_PLUGINS` names the files, parted as in PATH; `--plugin` adds one. Of a file count its neurons, which are
classes with a `name`, and what its table PLUGINS lists, by the kinds that packages have entry point groups for:

    PLUGINS = {"tasks": {"spirals": "SPIRALS"}, "tables": {"my_table": "TABLE"}}
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

from .errors import UsageError
from .places import NoHome, at_home

VARIABLE = "SPIKEBENCH_PLUGINS"
TABLE = "PLUGINS"
ABSTRACT = {"Neuron", "ThresholdNeuron"}  # bases that have no step
PREFIX = "spikebench."
TAKEN = ("bench", "core", "models", "neurons", "papers", "reports", "results", "tasks", "training", "torch", "numpy")
KINDS = (
    "neurons", "models", "tasks", "schemes", "losses", "decisions", "optimizers", "schedules", "constraints",
    "measures", "tables",
)  # fmt: skip


class PluginWarning(UserWarning):
    """What a plug-in brings and is refused; the message says which, why and what counts."""


def use(files: Iterable[Path]) -> None:
    """Adds files to those of this process and of all that it starts. UsageError for one that cannot be used."""
    named = [*_named(), *(Path(file).absolute() for file in files)]
    for file in named:
        if os.pathsep in str(file):
            raise UsageError(f"The plug-in {file} has {os.pathsep!r} in its path, which parts files. Rename it.")
        _found(file)
    if named:
        os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(map(str, named)))


def points(group: str) -> Iterator[EntryPoint]:
    """The entry points of a group that files bring; a file that cannot be used costs a warning and itself."""
    for file in _named():
        try:
            found = _found(file)
        except UsageError as error:
            _warn(str(error))
        else:
            yield from (point for point in found if point.group == group)


def _named() -> list[Path]:
    """The files of the environment. UsageError for a ~ of nobody."""
    try:
        return [Path(at_home(text)).absolute() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    except NoHome as error:
        raise UsageError(f"{VARIABLE}: {error}") from None


@functools.cache
def _warn(sentence: str) -> None:
    """Once, however many kinds of names are looked for."""
    warnings.warn(sentence, PluginWarning, stacklevel=6)


def _found(file: Path) -> tuple[EntryPoint, ...]:
    """What a file brings, which from now on can be imported. UsageError where another file would be."""
    entries = _entries(file)
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # the last, so that nothing beside the file takes another's place
    spec = find_spec(file.stem)
    if spec is None or spec.origin is None or not file.samefile(spec.origin):
        first = spec.origin if spec is not None and spec.origin else "something else"
        raise UsageError(f"The plug-in {file} has the name of {first}, which is found first. Rename the file.")
    return entries


@functools.cache
def _entries(file: Path) -> tuple[EntryPoint, ...]:
    module = file.stem
    if file.suffix != ".py" or not module.isidentifier():
        raise UsageError(f"The plug-in {file} is no Python file that can be imported; name it like my_neurons.py.")
    if module in sys.stdlib_module_names or module in TAKEN:
        raise UsageError(f"The plug-in {file} has the name of another module, {module}. Rename the file.")
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except OSError as error:
        raise UsageError(f"The plug-in {file} cannot be read: {error.strerror}. Name a file with --plugin.") from None
    except (RecursionError, MemoryError):
        said = f"The plug-in {file} is nested too deeply to be read. Write it in shorter expressions."
        raise UsageError(said) from None
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UsageError(f"The plug-in {file}{where} is no valid Python: {getattr(error, 'msg', error)}.") from None
    found: dict[tuple[str, str], str] = {}
    for kind, name, attribute in (*(("neurons", *own) for own in _neurons(file, tree)), *_listed(file, tree)):
        if not name.strip() or ":" in name:
            raise UsageError(f"The plug-in {file} calls {attribute} {name!r}; give it a name without a colon.")
        if (kind, name) in found:
            first = found[kind, name]
            raise UsageError(f"The plug-in {file} calls both {first} and {attribute} {name!r}; rename one of them.")
        found[kind, name] = attribute
    if not found:
        raise UsageError(
            f'The plug-in {file} brings nothing: no class of a neuron with name = "...", and no {TABLE} = {{...}}.'
        )
    return tuple(EntryPoint(name, f"{module}:{value}", PREFIX + kind) for (kind, name), value in found.items())


def _neurons(file: Path, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Name and class of each neuron; one without a `name` or without a `step` is told what it lacks."""
    seen: set[str] = set()
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        above = {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}
        if not (seen & above or any(base.endswith("Neuron") for base in above)):
            continue
        seen.add(node.name)
        own = {part.name for part in node.body if isinstance(part, ast.FunctionDef)} & {"step", "sequence"}
        name = next((text for part in node.body if (text := _string(part, "name")) is not None), None)
        where = f"The class {node.name} of the plug-in {file}, line {node.lineno},"
        if name is None and own and above <= ABSTRACT:
            raise UsageError(f'{where} has no name. Write name = "{node.name.lower()}" in it.')
        if name is not None and not own and above <= ABSTRACT:
            raise UsageError(f"{where} has no step. Write def step(self, x, ...), which returns spikes and states.")
        if name is not None:
            yield name, node.name


def _string(node: ast.stmt, name: str) -> str | None:
    """The text that a statement gives to `name`."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or not _gives_to(node, name):
        return None
    given = node.value.value if isinstance(node.value, ast.Constant) else None
    return given if isinstance(given, str) else None


def _gives_to(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _listed(file: Path, tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Kind, name and attribute of each entry of the table PLUGINS."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None or not _gives_to(node, TABLE):
            continue
        where = f"{TABLE} of the plug-in {file}, line {node.lineno},"
        try:
            table = ast.literal_eval(node.value)
            entries = [(kind, name, value) for kind, names in table.items() for name, value in names.items()]
            if not all(isinstance(text, str) for entry in entries for text in entry):
                raise ValueError
        except (ValueError, TypeError, AttributeError):
            raise UsageError(f'{where} is not written as {{"tasks": {{"name": "OBJECT"}}}}, texts alone.') from None
        for kind, name, value in entries:
            if kind not in KINDS:
                raise UsageError(f"{where} has the kind {kind!r}. Known: {', '.join(KINDS)}.")
            yield kind, name, value
