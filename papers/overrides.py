"""Settings of a user's own in place of a table's: `epochs=50`, `lr=3e-4`, `model.channels=64`.

A changed setting is a part of the experiment, so it is trained for itself; its cells are not comparable and say why,
and no claim of the work is decided by them. Where the precision alone was changed a cell may still be judged
(papers.usual).
"""

from __future__ import annotations

import copy
import inspect
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.registry import unknown

from .experiment import SCALES, Experiment
from .own_rows import require_alike, require_plain, value
from .table import Cell, Table
from .usual import OPTION, precision_alone, precision_of

NUMBERS = ("epochs", "batch_size", "updates")  # of an experiment itself
GROUPS = ("task", "model", "neuron", "scheme")  # that have options
PRECISION = f"scheme.{OPTION}"
Changes = Mapping[str, Any]  # by dotted name


def parsed(texts: Iterable[str]) -> dict[str, Any]:
    """The changes that "name=value" says, values as JSON or else text. UsageError for anything else."""
    found = {}
    for text in texts:
        name, equals, given = text.partition("=")
        if not name.strip() or not equals:
            raise UsageError(f"--set was given {text!r}; write NAME=VALUE, such as epochs=50 or model.channels=64.")
        if name.strip() in found:
            raise UsageError(f"--set was given {name.strip()} twice; give it once.")
        found[name.strip()] = value(given.strip())
    return found


def read(path: Path) -> dict[str, Any]:
    """The same from a TOML file, in which `[model] channels = 64` is model.channels. UsageError where it is none."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The settings {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The settings {path} are no TOML: {error}.") from None
    return dict(flat(document))


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """The values of a nested document with their dotted names."""
    for name, found in document.items():
        if isinstance(found, Mapping):
            yield from flat(found, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", found


def overridden(table: Table, changes: Changes) -> Table:
    """The table with changed settings in all of its experiments. UsageError for a change that none of them takes."""
    for name, given in changes.items():
        require_plain(name, given)
    if table.paired and any(name.rpartition(".")[2] == OPTION for name in changes):
        raise UsageError(
            f"{table.name} trains everything in {' and in '.join(table.paired)}, so that no precision can be set. "
            "Leave it out; --only shows one of the two."
        )

    def cells(scale: str) -> list[Cell]:
        found = table.cells(scale)
        made = [_changed(cell.experiment, changes) for cell in found]
        left = set(changes).difference(*(known for _, _, known in made))
        if found and left:
            raise _refused(min(left), table.name, [cell.experiment for cell in found])
        return [
            _cell(cell, experiment, taken) if taken else cell
            for cell, (experiment, taken, _) in zip(found, made, strict=True)
        ]

    if not changes or (set(changes) == {PRECISION} and _all_usual(table, changes)):
        return table
    said = ", ".join(f"{name}={given}" for name, given in changes.items())
    note = (
        f"Settings are not the work's ({said}): nothing is compared with what was published, and no claim is decided."
    )
    if set(changes) <= {PRECISION, OPTION}:
        note = (
            f"The precision was set ({said}). A cell in another one than the work's is compared with what was "
            "published only where the store has runs of equal seeds in both and a paired test finds no difference; "
            "no claim is decided."
        )
    return replace(table, cells=cells, claims=(), notes=(note, *table.notes))


def _all_usual(table: Table, changes: Changes) -> bool:
    """Whether `changes` change no training of `table`, at any scale, though some know them."""
    experiments = (cell.experiment for scale in SCALES for cell in table.cells(scale))
    made = [_changed(experiment, changes)[1:] for experiment in experiments]
    return any(known for _, known in made) and not any(taken for taken, _ in made)


def _cell(cell: Cell, made: Experiment, taken: Changes) -> Cell:
    """The cell with the changed experiment."""
    alone = not cell.not_comparable and precision_alone(cell.experiment, made)
    return replace(cell, experiment=made, not_comparable=_why(cell, taken), log="", usual=cell if alone else None)


def _why(cell: Cell, taken: Changes) -> str:
    """Why a cell is not comparable any more."""
    said = "set: " + ", ".join(f"{name}={given}" for name, given in taken.items())
    return f"{said}; {cell.not_comparable}" if cell.not_comparable else said


def _changed(experiment: Experiment, changes: Changes) -> tuple[Experiment, Changes, set[str]]:
    """The experiment with those of `changes` that change it, these, and the names of all that it knows."""
    fields: dict[str, Any] = {}
    taken: dict[str, Any] = {}
    known: set[str] = set()
    options = {group: copy.deepcopy(getattr(experiment, f"{group}_options")) for group in GROUPS}
    for name, given in changes.items():
        if name in NUMBERS:
            if not isinstance(given, int) or isinstance(given, bool) or given < 1:
                raise UsageError(f"{name} was set to {given!r}; give a whole number, at least 1.")
            fields[name] = given
        elif (place := _place(experiment, options, name)) is not None:
            inner, key, usual = place
            require_alike(name, usual, given)
            if name == PRECISION and given == precision_of(experiment):
                known.add(name)  # it has that already: one that is not named stays so, and the training the table's own
                continue
            inner[key] = given
        else:
            continue
        known.add(name)
        taken[name] = given
    made = replace(experiment, **fields, **{f"{group}_options": found for group, found in options.items()})
    return made, taken, known


Place = tuple[dict[str, Any], str, Any]  # what holds an option, its key, and what it is there or by default


def _place(experiment: Experiment, options: dict[str, dict[str, Any]], name: str) -> Place | None:
    """Where a name of options stands: "model.channels", "scheme.optimizer.lr", or "lr" alone where it stands once."""
    group, *rest = name.split(".")
    if group in GROUPS and rest:
        inner = options[group]
        for key in rest[:-1]:
            if not isinstance(inner.get(key), dict):
                return None
            inner = inner[key]
        defaults = {} if len(rest) > 1 or rest[0] in inner else parameters(group, getattr(experiment, group))
        known = {**defaults, **inner}
        return (inner, rest[-1], known[rest[-1]]) if rest[-1] in known else None
    found = dict(place for group in GROUPS for place in _named(options[group], name, group))
    if len(found) > 1:
        raise UsageError(f"{name} is an option of several parts; write {' or '.join(found)}.")
    return next(iter(found.values()), None)


def _named(options: dict[str, Any], name: str, place: str) -> Iterable[tuple[str, Place]]:
    """The options called `name`, by their dotted names."""
    if name in options:
        yield f"{place}.{name}", (options, name, options[name])
    for key, inner in options.items():
        if isinstance(inner, dict):
            yield from _named(inner, name, f"{place}.{key}")


def parameters(group: str, name: str) -> dict[str, Any]:
    """The options that a part takes, of which an experiment names those that are not as usual, with their defaults."""
    import models
    import neurons
    import tasks
    import training

    registries = {
        "task": tasks.registry, "model": models.registry, "neuron": neurons.registry, "scheme": training.registry
    }  # fmt: skip
    if not name:
        return {}
    part = registries[group].get(name)
    signatures = [part.load] if group == "task" else [part]
    if inspect.isclass(part):
        signatures = list(_handed_on(part))
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = [p for made in signatures for p in inspect.signature(made).parameters.values() if p.kind not in kinds]
    given = ("self", "root", "cache", "progress", "neuron", "network")  # not for an experiment to choose
    return {p.name: p.default for p in reversed(found) if p.name not in given}


def _handed_on(part: type) -> Iterable[Any]:
    """What makes a class and those of its bases to which options are handed on that it does not know."""
    for base in part.__mro__:
        if made := vars(base).get("__init__"):
            yield made
            if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(made).parameters.values()):
                return


def no_precision(table: str, experiments: Iterable[Experiment]) -> UsageError:
    """That none of `experiments` has a precision to be set."""
    schemes = ", ".join(sorted({one.scheme for one in experiments if one.scheme})) or "none"
    return UsageError(
        f"A precision was asked for, but these trainings of {table} have no such setting (scheme: {schemes}). "
        "Leave it out, or name what is trained by bptt."
    )


def _refused(name: str, table: str, experiments: Sequence[Experiment]) -> UsageError:
    if name == PRECISION:
        return no_precision(table, experiments)
    known = set(NUMBERS)
    for experiment in {one.template: one for one in experiments}.values():
        for group in GROUPS:
            known |= {f"{group}.{key}" for key, _ in flat(getattr(experiment, f"{group}_options"))}
            known |= {f"{group}.{key}" for key in parameters(group, getattr(experiment, group))}
    meant = sorted(one for one in known if one.rpartition(".")[2].casefold() == name.casefold())
    if meant:
        return UsageError(f"Unknown setting {name!r}. Did you mean {' or '.join(map(repr, meant))}?")
    return UsageError(str(unknown("setting", name, sorted(known))))
