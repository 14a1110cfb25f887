"""The names of experiments in plans, progress lines and pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papers import registry
from papers.experiment import SCALES, Experiment
from papers.labels import label, labels
from papers.operations import counted

EXPERIMENT = Experiment(
    task="mnist",
    model="plif_mnist",
    neuron="plif",
    scheme="bptt",
    epochs=4,
    batch_size=16,
    scale="short",
    seed=0,
    task_options={"validation": 0.0},
    model_options={"T": 8, "max_pool": True},
    neuron_options={"init_tau": 2.0, "detach_reset": True},
    scheme_options={"lr": 1e-3},
)


def told_apart(*experiments: Experiment) -> list[str]:
    names = labels(experiments)
    return [names[experiment.key] for experiment in experiments]


def of_tables(scales: tuple[str, ...], tables: list[str]) -> list[Experiment]:
    found = (e for scale in scales for name in tables for e in registry.get(name).experiments(scale, [0]))
    return list({e.key: e for e in found}.values())


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", registry.names())
def test_no_two_experiments_of_a_table_have_the_same_line(name: str, scale: str) -> None:
    experiments = of_tables((scale,), [name])
    assert len(set(told_apart(*experiments))) == len(experiments)


@pytest.mark.parametrize("scales", [*[(scale,) for scale in SCALES], SCALES], ids="-".join)
def test_no_two_experiments_of_all_tables_together_have_the_same_line(scales: tuple[str, ...]) -> None:
    experiments = of_tables(scales, registry.names())
    assert len(set(told_apart(*experiments))) == len(experiments)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"task_options": {"validation": 0.15}}, ("nothing held out", "15 % held out")),
        ({"scheme": "fptt"}, ("trained by bptt", "trained by fptt")),
        ({"model_options": {"T": 8, "max_pool": False}}, ("max pooling", "average pooling")),
        ({"epochs": 1024}, ("4 epochs", "1024 epochs")),
        ({"batch_size": 64}, ("batches of 16", "batches of 64")),
        ({"scale": "paper"}, ("short scale", "paper scale")),
        ({"scheme_options": {"lr": 1e-2}}, ("lr=0.001", "lr=0.01")),
        ({"neuron_options": {"init_tau": 2.0, "detach_reset": False}}, ("detach reset", "no detach reset")),
        (
            {"neuron_options": {"init_tau": 2.0 + 1e-12, "detach_reset": True}},
            ("init_tau=2.0", "init_tau=2.000000000001"),
        ),
        ({"neuron_options": {"init_tau": 2.0, "detach_reset": True, "v_reset": None}}, ("plif", "v_reset=null")),
    ],
)
def test_what_differs_is_named(changed: dict[str, Any], words: tuple[str, str]) -> None:
    first, second = told_apart(EXPERIMENT, replace(EXPERIMENT, **changed))
    assert first != second
    assert words[0] in first
    assert words[1] in second


def test_what_is_the_same_for_all_is_not_repeated() -> None:
    assert label(EXPERIMENT) == "mnist · plif_mnist max pooling · plif init_tau=2"
    other = replace(EXPERIMENT, neuron="lif", neuron_options={"tau": 16.0})
    assert told_apart(EXPERIMENT, other) == [label(EXPERIMENT), "mnist · plif_mnist max pooling · lif tau=16"]


def test_the_steps_of_task_and_network_are_named_once() -> None:
    at = [replace(EXPERIMENT, task_options={"T": T}, model_options={"T": T}) for T in (10, 20)]
    assert told_apart(*at) == [f"mnist T={T} · plif_mnist · plif init_tau=2" for T in (10, 20)]


def test_seeds_are_not_named() -> None:
    assert len(set(told_apart(EXPERIMENT, EXPERIMENT.with_seed(1)))) == 1


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False))
OPTIONS = st.dictionaries(st.sampled_from(["T", "tau", "validation", "max_pool", "lr"]), VALUES, max_size=3)


@given(st.lists(st.fixed_dictionaries({f"{part}_options": OPTIONS for part in ("task", "model", "neuron", "scheme")})))
def test_different_experiments_have_different_lines(changes: list[dict[str, Any]]) -> None:
    experiments = {e.key: e for e in (replace(EXPERIMENT, **change) for change in changes)}
    assert len(set(labels(experiments.values()).values())) == len(experiments)


def test_an_experiment_that_is_counted_says_so() -> None:
    """Beside the one that is not, and any that measures something else."""
    others = [replace(EXPERIMENT, measures=("accuracy", *more)) for more in ((), ("mse", "operations"))]
    names = told_apart(EXPERIMENT, counted(EXPERIMENT), *others)
    assert names[1] == f"{names[0]} · operations measured"
    assert len(set(names)) == 4
