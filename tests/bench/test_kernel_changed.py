"""The kernel that computed a training is a part of what the result rests on; parity checks of both clear a change."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_runs import measured

from bench import fingerprint
from bench.plan import done, plan
from bench.runner import ran
from core import sources
from core.same_code import SAME
from papers import currency, registry
from papers.evaluate import evaluate
from papers.experiment import Experiment
from papers.plif.tables import PLIF_ABLATION
from results import Parity, Standing, Store
from results.standing import LAYERS, ON_CUDA


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.db")


EXPERIMENT: Experiment = PLIF_ABLATION.experiments("quick", [2020])[0]
NOW = fingerprint.kernels(EXPERIMENT.neuron)


def computed_by(**changes: str) -> dict[str, Any]:
    """What a run of today has that the fused backend computed, with other digests."""
    return {"fused": copy.deepcopy(NOW["fused"]) | changes}


def test_all_backends_have_a_code_of_their_own_and_a_training_names_none() -> None:
    assert len({kernel["code"] for kernel in NOW.values()}) == len(NOW)
    assert len({kernel["rule"] for kernel in NOW.values()}) == 1
    followed = sources.followed({"training.loop", "models.plif", "neurons.integrate_and_fire"})
    assert "neurons.choice" in followed
    assert not [module for module in followed if module.startswith("neurons.backends.")]


def test_a_changed_kernel_makes_a_training_stale(store: Store) -> None:
    store.record(measured(EXPERIMENT, 0.9, backend="fused", kernels=computed_by(code="another code")))
    (step,) = plan(store, [EXPERIMENT], None)
    assert step.status == "stale"
    assert step.reason.startswith("kernel changed: fused computed it with other code than today's")
    assert f"python -m bench.parity {EXPERIMENT.neuron} --backend fused" in step.reason
    assert step.to_run
    assert not done(store, step)
    store.record_standing({EXPERIMENT.with_seed(0).key: step.now})
    stale = [cell.stale for cell in evaluate(store, PLIF_ABLATION, "quick").cells if cell.runs]
    assert set(stale) == {step.reason}


@pytest.mark.parametrize("kernels", [{}, computed_by(), {"a backend of a plug-in": {"code": "1"}}])
def test_the_same_kernel_or_an_unknown_one_does_not(store: Store, kernels: dict[str, Any]) -> None:
    store.record(measured(EXPERIMENT, 0.9, backend="fused", kernels=kernels))
    (step,) = plan(store, [EXPERIMENT], None)
    assert step.status == "done"
    assert done(store, step)


@pytest.mark.parametrize(
    ("green", "rule", "current"),
    [
        (("old", NOW["fused"]["proof"]), NOW["fused"]["rule"], True),
        (("old",), NOW["fused"]["rule"], False),
        ((NOW["fused"]["proof"],), NOW["fused"]["rule"], False),
        (("old", NOW["fused"]["proof"]), "weaker checks", False),
    ],
)
def test_proofs_of_both_kernels_by_the_same_checks_clear_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, green: tuple[str, ...], rule: str, current: bool
) -> None:
    asked: list[tuple[object, ...]] = []

    def proven(checks: object, *about: object) -> bool:
        asked.append(about)
        return about[4] in green

    monkeypatch.setattr(currency, "proven", proven)
    then = computed_by(code="another code", proof="old", rule=rule)
    store.record(measured(EXPERIMENT, 0.9, backend="fused", kernels=then))
    (step,) = plan(store, [EXPERIMENT], None)
    assert (step.status == "done") is current
    assert all(about[:4] == (EXPERIMENT.neuron, "fused", "float32", "cpu") for about in asked)


def test_a_training_in_bf16_needs_checks_in_bf16_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    in_bf16 = replace(EXPERIMENT, scheme_options={**EXPERIMENT.scheme_options, "precision": "bf16"})
    store.record(measured(in_bf16, 0.9, backend="fused", kernels=computed_by(code="another code")))
    for green, current in ((("float32",), False), (("float32", "bfloat16"), True)):
        monkeypatch.setattr(currency, "proven", lambda *about, green=green: about[3] in green)
        assert (plan(store, [in_bf16], None)[0].status == "done") is current


def test_checks_are_read_only_where_a_kernel_changed() -> None:
    run = measured(EXPERIMENT, 0.9, backend="fused", kernels=computed_by())
    unread: Callable[[], list[Parity]] = pytest.fail
    assert currency.stale(run, (), Standing(run.implementation, kernels=NOW), unread) == ""
    assert "code behind it" in currency.stale(run, (), Standing("other code", kernels=NOW), unread)


def test_checks_of_neurons_clear_no_change_of_passes_over_layers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(currency, "proven", lambda *about: True)
    store.record(measured(EXPERIMENT, 0.9, backend="fused", kernels=computed_by(code="another code")))
    assert plan(store, [EXPERIMENT], None)[0].status == "done"
    monkeypatch.delitem(SAME, "neurons.backends.fused.block.cpp", raising=False)  # as after a change of it
    (step,) = plan(store, [EXPERIMENT], None)
    assert step.status == "stale"
    assert step.reason == "kernel changed: fused computed it with other code than today's; measure it again"
    alone = registry.get("leaderboard").experiments("quick", [2020])[0]  # layers one by one
    assert LAYERS in fingerprint.here(EXPERIMENT)[1]["fused"]
    assert LAYERS not in fingerprint.here(alone)[1]["fused"]


def test_on_cuda_a_recurrent_network_rests_on_more(store: Store) -> None:
    """Its layers between neurons have kernels there that no implementation of a CPU names."""
    names = {module: importlib.import_module(module).ON_CUDA for module in fingerprint.BY_NAME}
    assert names == fingerprint.BY_NAME
    recurrent = registry.get("fptt_adding").experiments("quick", [2020])[0]
    now, kernels = fingerprint.here(recurrent)
    assert now == fingerprint.implementation(recurrent)
    assert set(kernels) - set(fingerprint.kernels(recurrent.neuron)) == {ON_CUDA}
    assert (ran("fused, torch", "cuda:1"), ran("fused", "cpu")) == ({"fused", "torch", ON_CUDA}, {"fused"})
    rests = {"fused": kernels["fused"], ON_CUDA: {"code": "another code"}}
    store.record(measured(recurrent, 0.9, backend="fused", device="cuda", kernels=rests))
    (step,) = plan(store, [recurrent], None)
    assert step.status == "stale"
    assert step.reason == "kernel changed: on CUDA computed it with other code than today's; measure it again"
    store.record(measured(recurrent, 0.9, backend="fused", device="cuda", kernels=kernels))
    assert plan(store, [recurrent], None)[0].status == "done"


def test_on_cuda_passes_over_layers_are_other_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = fingerprint.here(EXPERIMENT)[1]
    assert ON_CUDA not in fingerprint.here(registry.get("leaderboard").experiments("quick", [2020])[0])[1]
    for device, status in (("cuda", "stale"), ("cpu", "done")):
        rests = {name: kernels[name] for name in ran("fused", device)}
        store.record(measured(EXPERIMENT, 0.9, backend="fused", device=device, kernels=rests))
        with monkeypatch.context() as changed:
            changed.setattr(fingerprint, "own", lambda modules: "another code")
            assert plan(store, [EXPERIMENT], None)[0].status == status
        assert plan(store, [EXPERIMENT], None)[0].status == "done"
    everything = sources.package("neurons.backends.fused.block")
    assert everything > fingerprint.PASSES_ON_CUDA
    assert everything - fingerprint.PASSES_ON_CUDA < fingerprint.PASSES
