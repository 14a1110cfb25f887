"""Keys of experiments: results that were stored long ago are found under them, so no new field may change one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from papers import registry
from papers.experiment import USUAL, Experiment

# Of the keys of a table at a scale, seeds 0 and 2020, in table order: as they were before any field was added.
KEYS = {
    "plif_table quick": "46d3285f3683",
    "plif_table short": "f69dce55ed93",
    "plif_table paper": "3531a1c43284",
    "plif_ablation quick": "8bda50f10018",
    "plif_ablation short": "0d3ec38c2410",
    "plif_ablation paper": "2fd6f383e0dd",
    "psn_sequential quick": "845842b62845",
    "psn_sequential short": "bb0e29888d82",
    "psn_sequential paper": "aa5081b3a4c1",
    "psn_order quick": "eb457d5ad0e5",
    "psn_order short": "bff7b9a380a8",
    "psn_order paper": "19a41384fbce",
    "psn_cifar10 quick": "f4f57240ab67",
    "psn_cifar10 short": "d021f06fd94b",
    "psn_cifar10 paper": "d099415a97a0",
    "psn_cifar10dvs quick": "834321a53fa7",
    # The last, incomplete batch of an epoch is trained on, as in the authors' logs; at first it was dropped.
    "psn_cifar10dvs short": "c62f0f0c8d75",
    "psn_cifar10dvs paper": "4e6c12a151e2",
    "psn_imagenet quick": "0f5e27d9fbd1",
    "psn_imagenet short": "283bbca81e0a",
    "psn_imagenet paper": "f309053ff567",
}


@pytest.mark.parametrize("place", KEYS)
def test_the_keys_of_every_table_stay(place: str) -> None:
    name, scale = place.split()
    keys = [experiment.key for experiment in registry.get(name).experiments(scale, [0, 2020])]
    assert hashlib.sha256(" ".join(keys).encode()).hexdigest()[:12] == KEYS[place]


OLD = Experiment(
    task="digits", model="plif_mnist", neuron="plif", scheme="bptt", epochs=2, batch_size=16, scale="quick", seed=0
)
CHANGES: list[dict[str, Any]] = [
    {"kind": "memory"},
    {"measures": ("accuracy",)},
    {"batching": {"shuffle": False}},
    {"updates": 100},
    {"evaluation": {"repeats": 8}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_later_field_counts_where_it_is_said(change: dict[str, Any]) -> None:
    new = dataclasses.replace(OLD, **change)
    assert new.key != OLD.key
    assert new.document() == {**OLD.document(), **change}
    assert Experiment.of(json.loads(json.dumps(new.document()))) == new


def test_a_later_field_at_its_default_is_left_out() -> None:
    said = dataclasses.replace(
        OLD, batching={"shuffle": True, "drop_last": True}, evaluation={"repeats": 1}, measures=USUAL
    )
    assert said.document() == OLD.document()
    assert set(OLD.document()) == {field.name for field in dataclasses.fields(Experiment)[:12]}
    half = dataclasses.replace(OLD, batching={"shuffle": False, "drop_last": True})
    assert half.document()["batching"] == {"shuffle": False}


def test_checks_are_asked_for_and_describe_nothing() -> None:
    checked = dataclasses.replace(OLD, checks=("psn_identities",))
    assert checked.key == OLD.key
    assert Experiment.of(json.loads(json.dumps(dataclasses.asdict(checked)))) == checked
    assert all(e.checks for e in registry.get("psn_order").experiments("quick", [0]))


def test_a_document_of_another_kind_of_program_is_refused() -> None:
    with pytest.raises(TypeError):
        Experiment.of({**OLD.document(), "never_heard_of": 1})
