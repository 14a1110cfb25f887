"""`python -m bench.parity` end to end, on neurons and backends of a plug-in."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import warm
from commands import within
from rich.console import Console

from bench import fingerprint
from bench.fingerprint import kernel_implementation
from bench.parity import green, record
from bench.parity.__main__ import app
from bench.parity.checks import Check, Refusal
from bench.parity.rule import Verdict
from core.parity_rule import WHOLE, closed, closing, compared
from core.registry import UnknownName
from core.sources import package
from papers import trust
from reports import parity_terminal
from results import Parity, Store, environment

PLUGIN = """
from neurons.base import ThresholdNeuron

class Half(ThresholdNeuron):
    name = "half"

    def step(self, x, v):
        h = v / 2 + x
        s = self.fire(h)
        return s, self.after_spike(h, s)
"""
WRONG_SEQUENCE = """
    def sequence(self, x):
        return super().sequence(x.flip(0))
"""
BROKEN = """
    def step(self, x, v):
        raise RuntimeError("this neuron is not finished")
"""
pytestmark = pytest.mark.xdist_group("parity command")
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def _command(folder: Path) -> Command:
    """The command in a process that knows the neurons `half`, `wrong` and `broken`, with a store in `folder`."""
    wrong = PLUGIN.replace("Half", "Wrong").replace('"half"', '"wrong"') + WRONG_SEQUENCE
    (folder / "half_plugin.py").write_text(PLUGIN)
    (folder / "wrong_plugin.py").write_text(wrong)
    (folder / "broken_plugin.py").write_text(PLUGIN.replace("half", "broken") + BROKEN)
    info = folder / "half_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[spikebench.neurons]\nhalf = half_plugin:Half\nwrong = wrong_plugin:Wrong\nbroken = broken_plugin:Half\n"
    )

    def run(*arguments: str, columns: int = 130) -> subprocess.CompletedProcess[str]:
        command = ["-m", "bench.parity", *arguments, "--store", str(folder / "store.db")]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SPIKEBENCH_")}
        environment = {**kept, "PYTHONPATH": str(folder), "COLUMNS": str(columns), "OMP_NUM_THREADS": "1"}
        return warm.run(command, env=environment)

    return run


@pytest.fixture
def parity(tmp_path: Path) -> Command:
    return _command(tmp_path)


class Half(NamedTuple):
    """What the command found about `half`, and said at a width of 80: first of a part of the grid, then of all."""

    part: subprocess.CompletedProcess[str]
    whole: subprocess.CompletedProcess[str]
    checks: list[Parity]


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Half:
    folder = tmp_path_factory.mktemp("half")
    command = _command(folder)
    part = command("half", "--quick", "--backend", "torch", "--device", "cpu", columns=80)
    whole = command("half", "--backend", "torch", "--device", "cpu")
    with Store(folder / "store.db", read_only=True) as store:
        return Half(part, whole, store.parity())


def test_a_plug_in_neuron_gets_its_proof(half: Half) -> None:
    assert half.part.returncode == 0, half.part.stderr
    assert "32 checks, 0 red; 0 combinations not checked." in half.part.stdout
    assert "These are a part of the grid, so their kernels stay unchecked" in half.part.stdout
    checks = half.checks[:32]
    assert {check.kernel for check in checks if check.step_mode == "m"} == {"the plain sequence"}
    assert all(check.green and check.implementation and check.machine and check.environment for check in checks)
    line = next(line for line in half.whole.stdout.splitlines() if line.startswith("half"))
    assert line.split()[:3] == ["half", "torch", str(sum(check.case != WHOLE for check in half.checks[32:]))]
    assert line.rstrip().endswith("green")


def test_a_narrow_window_cuts_no_cell(half: Half) -> None:
    pieces = [line.split() for line in half.part.stdout.splitlines() if line.startswith("half")]
    assert len(pieces) == 2  # the same neuron twice, each time with other columns
    assert {(piece[0], piece[1], piece[-1]) for piece in pieces} == {("half", "torch", "green")}
    assert pieces[0][2] == "32"  # 2 dtypes x 2 detach modes x (5 cases + 3 single-step)
    assert "\N{HORIZONTAL ELLIPSIS}" not in half.part.stdout


def test_a_wrong_sequence_is_red_with_status_3(parity: Command, tmp_path: Path) -> None:
    done = parity("half", "wrong", "--quick", "--backend", "torch", "--device", "cpu")
    assert done.returncode == 3, done.stderr
    assert "RED wrong · torch · float32 · m · not detached · random ran the plain sequence:" in done.stdout
    with Store(tmp_path / "store.db", read_only=True) as store:
        red = [check for check in store.parity() if not check.green]
    assert red
    assert {(check.neuron, check.step_mode) for check in red} == {("wrong", "m")}
    assert all(check.reason for check in red)


def test_what_a_green_check_left_out_is_shown_and_stored() -> None:
    verdict = Verdict(flips=0, grad_error=1e-7, note="gradients of 3 of 120 elements left out")
    made = Check("glif", "fused", "m", "float32", True, "ties", "fused", verdict)
    stream = io.StringIO()
    stored = record._recorder("cpu")(made)
    parity_terminal.show(Console(file=stream, width=130), [stored], {stored.id: 0.5}, [], [])
    assert "note glif · fused · float32 · m · detached · ties: gradients of 3 of 120 elements" in stream.getvalue()
    assert "1 checks, 0 red" in stream.getvalue()
    assert stored.green
    assert stored.reason == "gradients of 3 of 120 elements left out"


def test_a_neuron_that_raises_costs_only_its_own_proof(parity: Command, tmp_path: Path) -> None:
    done = parity("broken", "half", "--quick", "--backend", "torch", "--device", "cpu")
    assert done.returncode == 1, done.stderr
    assert "FAILED broken raised RuntimeError: this neuron is not finished (" in done.stdout
    assert "broken_plugin.py, line 13)" in done.stdout
    assert "32 checks, 0 red" in done.stdout
    assert "Traceback" not in done.stderr
    with Store(tmp_path / "store.db", read_only=True) as store:
        assert {check.neuron for check in store.parity()} == {"half"}


def test_wrong_usage_has_status_2(tmp_path: Path) -> None:
    for arguments, what in (
        (("lfi",), "Unknown neuron 'lfi'. Did you mean"),
        (("lif", "--backend", "trch"), "Unknown backend 'trch'. Did you mean 'torch'"),
        (("lif", "--device", "tpu"), "Unknown device 'tpu'"),
    ):
        done = within(app, *arguments, "--store", str(tmp_path / "store.db"))
        assert done.returncode == 2, done.stderr
        assert what in done.stderr
        assert "Traceback" not in done.stderr


def test_a_proof_that_was_asked_for_and_cannot_be_had_is_a_failure(parity: Command) -> None:
    done = parity("half", "klif", "--quick", "--backend", "cupy", "--device", "cpu")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not checked half, klif · cupy: " in done.stdout
    assert "0 checks, 0 red" in done.stdout
    assert "Nothing that was asked for could be checked; the reasons stand above." in done.stderr
    done = parity("half", "--quick", "--backend", "cupy", "--backend", "torch", "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr


def test_peers_are_checked_or_said_to_be_absent(parity: Command) -> None:
    done = parity("if", "klif", "--quick", "--backend", "snntorch", "--device", "cpu")
    if any(
        line.startswith("not checked if, klif · snntorch: snntorch does not import")
        for line in done.stdout.splitlines()
    ):
        assert done.returncode == 1, done.stdout + done.stderr
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not checked klif · snntorch: only if, lif and plif are mapped to snntorch" in done.stdout
    assert "green" in done.stdout


def test_only_the_whole_grid_proves_a_kernel(half: Half) -> None:
    assert half.whole.returncode == 0, half.whole.stderr
    assert "a part of the grid" not in half.whole.stdout
    stored = half.checks
    code, machine = stored[-1].implementation, stored[-1].machine

    def proof(dtype: str, checks: list[Parity]) -> trust.Proof:
        return trust.proof(checks, "half", "torch", dtype, "cpu", code, machine)

    closings = {check.dtype: check.reason for check in stored if check.case == WHOLE}
    assert set(closings) == {"float64", "float32", "bfloat16", "float16"}
    for dtype, reason in closings.items():
        count = sum(check.dtype == dtype and check.case != WHOLE for check in stored[32:])
        assert closed(reason) == count
        assert compared(reason) == sum(
            record.STEPS[c.case] for c in stored[32:] if c.dtype == dtype and c.case != WHOLE
        )
        assert proof(dtype, stored) == trust.Proof("green")
        assert proof(dtype, stored[:32]).state == "unchecked"
        assert proof(dtype, [check for check in stored if check.case != "long"]).state == (
            "unchecked" if dtype == "float32" else "green"
        )


def test_an_interrupted_set_closes_no_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Check("lif", "fused", "m", "float32", True, "ties", "fused", Verdict(flips=0))

    def interrupted(*_: object) -> Iterator[Check]:
        yield made
        raise KeyboardInterrupt

    monkeypatch.setattr(record, "check", interrupted)
    with Store(tmp_path / "store.db") as store:
        with pytest.raises(KeyboardInterrupt):
            record.carry_out(store, ["lif"], ["fused"], "cpu", False, lambda *_: None)
        assert [check.case for check in store.parity()] == ["ties"]
        monkeypatch.setattr(record, "check", lambda *_: iter([made]))
        record.carry_out(store, ["lif"], ["fused"], "cpu", True, lambda *_: None)
        assert [check.case for check in store.parity()] == ["ties", "ties"]
        found = record.carry_out(store, ["lif"], ["fused"], "cpu", False, lambda *_: None)
        assert [check.case for check in found.checks] == ["ties"]
        assert [check.case for check in store.parity()] == ["ties", "ties", "ties", WHOLE]
        assert green(store, "lif", "fused", "float32", "cpu") is True


def test_a_refusal_in_the_middle_leaves_the_grid_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Check("lif", "fused", "m", "float32", True, "ties", "fused", Verdict(flips=0))
    other = replace(made, dtype="float64")
    refusal = Refusal("lif", "fused", "out of memory while compiling", "float32")
    monkeypatch.setattr(record, "check", lambda *_: iter([made, other, refusal, replace(refusal, dtype="bfloat16")]))
    with Store(tmp_path / "store.db") as store:
        found = record.carry_out(store, ["lif"], ["fused"], "cpu", False, lambda *_: None)
        assert [(check.case, check.dtype) for check in store.parity()] == [
            ("ties", "float32"), ("ties", "float64"), (WHOLE, "float64"),
        ]  # fmt: skip
    assert found.refusals == [replace(refusal, dtype="")]  # said once


def parity_of(implementation: str, number: int, *, green: bool = True, case: str = "random", dtype: str = "float32"):
    return Parity(
        id=f"00000000-0000-0000-0000-{number:012d}",
        started=f"2026-01-01T00:00:{number:02d}.000000Z",
        neuron="lif",
        backend="torch",
        step_mode="m",
        dtype=dtype,
        device="cpu",
        detach_reset=False,
        case=case,
        flips=0,
        first_step=None,
        threshold_distance=None,
        state_error=0.0,
        grad_error=0.0,
        kernel="torch",
        green=green,
        reason="" if green else "wrong",
        implementation=implementation,
        machine=environment.machine(),
    )


def test_green_asks_the_newest_checks_of_the_present_code(tmp_path: Path) -> None:
    present = kernel_implementation("lif", "torch")
    with Store(tmp_path / "store.db") as store:
        assert green(store, "lif", "torch", "float32", "cpu") is None
        store.record_all(parities=[parity_of("older code", 1)])
        assert green(store, "lif", "torch", "float32", "cpu") is None
        store.record_all(parities=[parity_of(present, 2, green=False), parity_of(present, 3, case="silent")])
        assert green(store, "lif", "torch", "float32", "cpu") is False
        store.record_all(parities=[parity_of(present, 4)])  # the red one, repeated
        assert green(store, "lif", "torch", "float32", "cpu") is None  # nothing says that these two are all
        store.record_all(parities=[replace(parity_of(present, 5, case=WHOLE), reason=closing(2))])
        assert green(store, "lif", "torch", "float32", "cpu") is True
        assert green(store, "lif", "torch", "bfloat16", "cpu") is None
        assert green(store, "lif", "torch", "float32", "cuda") is None
        with pytest.raises(UnknownName, match="Unknown neuron 'lfi'"):
            green(store, "lfi", "torch", "float32", "cpu")
        with pytest.raises(UnknownName, match="Unknown backend 'trch'"):
            green(store, "lif", "trch", "float32", "cpu")


def test_the_fingerprint_of_a_kernel_leaves_out_how_parity_is_stored_and_shown() -> None:
    followed = package("bench.parity", without=fingerprint.SHOWING)
    assert {"bench.parity.rule", "bench.parity.checks", "bench.parity.cases", "bench.parity.runs"} <= followed
    assert not {"bench.parity.record", "bench.parity.__main__"} & followed


def test_the_fingerprint_of_a_kernel_follows_neuron_and_backend() -> None:
    found = {(n, b): kernel_implementation(n, b) for n in ("lif", "klif") for b in ("torch", "fused", "snntorch")}
    assert len(set(found.values())) == len(found)
    assert kernel_implementation("if", "torch") == found["lif", "torch"]  # one file holds both
