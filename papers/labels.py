"""Names of experiments, such as "digits · plif_mnist max pooling · plif init_tau=2 · 15 % held out", all different.

A name says task, network and neuron with the values that everyone asks for first. Of experiments that are shown
together and have these three in common, it says all in which they differ.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .experiment import Experiment
from .measures import USUAL, shown

PARTS = ("task", "model", "neuron")
ALWAYS = (
    "task_options.T",
    "neuron_options.tau",
    "neuron_options.init_tau",
    "neuron_options.k",
    "neuron_options.without_reset",
)
POOLING = {True: "max pooling", False: "average pooling"}
OWN_WORDS = {
    "task_options.validation": lambda value: (
        f"{shown(value, 'fraction')[0]:g} % held out" if value else "nothing held out"
    ),
    "epochs": lambda value: f"{value} epochs",
    "batch_size": lambda value: f"batches of {value}",
    "scale": lambda value: f"{value} scale",
    "scheme": lambda value: f"trained by {value}",
}
Values = dict[str, Any]  # what an experiment consists of besides its parts and its seed, by dotted name


def labels(experiments: Iterable[Experiment]) -> dict[str, str]:
    """The name of each experiment by its key; experiments that differ in nothing but the seed share it."""
    shown = list(experiments)
    groups: dict[tuple[str, ...], dict[str, Values]] = defaultdict(dict)
    for experiment in shown:
        parts = (experiment.task, experiment.model, experiment.neuron)
        if experiment.template not in groups[parts]:
            groups[parts][experiment.template] = _values(experiment)
    names = {key: name for parts, group in groups.items() for key, name in _names(parts, group).items()}
    return {experiment.key: names[experiment.template] for experiment in shown}


def label(experiment: Experiment) -> str:
    """The name of an experiment that is shown alone."""
    return labels([experiment])[experiment.key]


def _values(experiment: Experiment) -> Values:
    found: Values = {}
    for name, value in experiment.document().items():
        if name.endswith("_options"):
            found |= {f"{name}.{option}": setting for option, setting in value.items()}
        elif name not in (*PARTS, "seed"):
            found[name] = value
    return found


def _names(parts: tuple[str, ...], group: dict[str, Values]) -> dict[str, str]:
    """The names of experiments with the same task, network and neuron, by key."""
    words: dict[str, list[tuple[str, str]]] = {key: [] for key in group}
    told = set()
    every = {name for values in group.values() for name in values}
    for name in sorted(every, key=lambda name: (name not in ALWAYS, not name.startswith("task"), name)):
        exact = [_exact(values[name]) if name in values else "" for values in group.values()]
        if len(set(exact)) == 1 and not _asked_for(name, next(iter(group.values()))[name]):
            continue
        if (name.rpartition(".")[2], *exact) in told:  # the steps of the task are those of the network, too
            continue
        told.add((name.rpartition(".")[2], *exact))
        found = {key: _words(name, values[name]) for key, values in group.items() if name in values}
        if len(set(found.values())) < len(set(exact) - {""}):  # rounded in words, they would be equal
            found = {key: f"{name}={_exact(group[key][name])}" for key in found}
        for key, text in found.items():
            words[key].append((name, text))
    return {key: _joined(parts, of_one) for key, of_one in words.items()}


def _asked_for(name: str, value: Any) -> bool:
    return name in ALWAYS or (name.startswith("model_options.") and isinstance(value, bool))


def _words(name: str, value: Any) -> str:
    own = name.rpartition(".")[2]
    if name in OWN_WORDS and isinstance(value, str if name in ("scale", "scheme") else (int, float)):
        return OWN_WORDS[name](value)
    if name == "measures" and (beyond := [measure for measure in value if measure not in USUAL]):
        return f"{', '.join(beyond)} measured"
    if own == "max_pool" and isinstance(value, bool):
        return POOLING[value]
    if isinstance(value, bool):
        return own.replace("_", " ") if value else f"no {own.replace('_', ' ')}"
    return f"{own}={value:g}" if isinstance(value, float) else f"{own}={_exact(value)}".replace('"', "")


def _exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _joined(parts: tuple[str, ...], words: list[tuple[str, str]]) -> str:
    """Options stand beside the task, network or neuron that they belong to, the rest behind."""
    lines = {part: [value] for part, value in zip(PARTS, parts, strict=True)}
    rest: list[str] = []
    for name, text in words:
        owner = name.partition("_options.")[0]
        (lines[owner] if owner in lines and name not in OWN_WORDS else rest).append(text)
    return " · ".join([*filter(None, (" ".join(line) for line in lines.values())), *rest])
