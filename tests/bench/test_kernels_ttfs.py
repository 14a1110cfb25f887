"""The race of a training step of single spikes in closed form against other networks of its shape."""

from __future__ import annotations

import io
from pathlib import Path
from unittest import mock

import pytest
import torch
from rich.console import Console
from test_kernels_psn import Collector, asked, only

from bench import measured
from bench.speed import plan, record, spike_times, two_operators
from bench.speed.job import Measured
from papers.ttfs.speed import CLOSED, OPERATORS, RELU, STEPS, TWO_OPERATORS, through
from reports import measurement_tables as tables

JOB = only(plan.jobs(asked(whats=("ttfs",), quick=True)))


def test_who_takes_part() -> None:
    assert (JOB.what, JOB.neuron, JOB.base, JOB.dtype) == ("ttfs", "relpsp", CLOSED, "float32")
    assert JOB.contenders == (CLOSED, TWO_OPERATORS, RELU, *map(through, STEPS), OPERATORS)
    assert JOB.size((16, 4)) == {"batch": 16, "channels": 4}
    with mock.patch.object(measured, "_carry_out", return_value=0) as carry_out:
        measured.COMMANDS["ttfs_speed"].run("quick", "cpu", None, Path("o"))
    proof, timing = (call.args[0] for call in carry_out.call_args_list)
    assert proof == ["bench.parity", "lif", "--device", "cpu"]
    assert timing[:3] == ["bench.kernels", "--what", "ttfs"]


@pytest.fixture(scope="module")
def found() -> dict[str, Measured]:
    collector = Collector()
    names = (CLOSED, TWO_OPERATORS, RELU, through(4), OPERATORS)
    spike_times.measure(plan.replace(JOB, contenders=names, shapes=((4, 2),), repeats=3), collector)
    return {result.contender: result for result in collector.results}


def test_every_contender_is_timed_and_its_memory_taken(found: dict[str, Measured]) -> None:
    assert len(found) == 5
    for name, result in found.items():
        assert (result.outcome, result.reason) == ("ok", "")
        assert result.value("live_peak") > 0
        assert result.value("forward_seconds") > 0
        seconds = result.value("training_seconds")
        assert result.value("samples_per_second") == (None if name == OPERATORS else pytest.approx(4 / seconds))
    assert found[CLOSED].value("largest_difference") < 1e-12
    assert found[CLOSED].differs == found[TWO_OPERATORS].differs == ""
    assert found[through(4)].neuron == "lif"


def test_they_are_stored_with_their_code_and_shown(found: dict[str, Measured]) -> None:
    recorder = record.Recorder("made up")
    runs = [recorder.run(JOB, result) for result in found.values()]
    assert len(runs[0].implementation) == 12
    assert runs[0].implementation != runs[1].implementation
    console = Console(file=io.StringIO(), width=150)
    tables.show_all(console, runs, [])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "batch=4 channels=2" in text
    assert "samples/s" in text


def test_a_wrong_closed_form_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = two_operators._Convolution.backward
    monkeypatch.setattr(two_operators._Convolution, "backward", lambda self, d: 1.001 * backward(self, d))
    collector = Collector()
    spike_times.measure(plan.replace(JOB, shapes=((4, 2),)), collector)
    (result,) = collector.results
    assert result.outcome == "parity_failed"


def test_the_released_operations_train_as_the_scheme_does() -> None:
    """Three updates of both, in float64."""
    from training.decay_after import adam_then_decay

    x, labels = spike_times._images(6, "cpu")
    ours = spike_times._closed((6, 2), "cpu").double()
    other = two_operators.TwoOperators(ours, clip=1.0, lr=1e-3, weight_decay=0.1)
    optimizer = adam_then_decay(ours.parameters(), lr=1e-3, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(ours.run(x.double())[-1], labels).backward()
        optimizer.step()
        other.step(x.double(), labels)
    for parameter, layer in zip(ours.parameters(), other.weighted, strict=True):
        torch.testing.assert_close(parameter.detach(), layer.weight, rtol=1e-9, atol=1e-12)
