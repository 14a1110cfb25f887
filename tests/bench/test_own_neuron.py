"""What a user's neuron is told before anything is trained with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from commands import Command
from torch import Tensor

import neurons
from bench.own_neuron import tried
from core.errors import UsageError
from neurons.base import Neuron, ThresholdNeuron
from papers.own_rows import Own, parsed
from results import Store


class Spikes(ThresholdNeuron):
    states = ("v",)

    def step(self, x: Tensor, v: Tensor):
        return self.fire(v + x)


class TooMany(Spikes):
    def step(self, x: Tensor, v: Tensor):
        return self.fire(v + x), v, v


class Summed(Spikes):
    def step(self, x: Tensor, v: Tensor):
        return self.fire(v + x), v.sum()


class Numbers(Spikes):
    def step(self, x: Tensor, v: Tensor):
        return self.fire(v + x), 0.0


class Stateless(Spikes):
    def step(self, x: Tensor):
        return (self.fire(x),)


class Forgetful(Neuron):
    states = ("v",)

    def step(self, x: Tensor, v: Tensor):
        return x, v


class Late(Forgetful):
    def __init__(self, tau: float = 2.0, **common) -> None:
        self.tau = torch.nn.Parameter(torch.tensor(tau))
        super().__init__(**common)
        self.reset()


class Broken(Spikes):
    def __init__(self, **common: object) -> None:
        self.half = 1 / 0


class Confused(Spikes):
    def step(self, x, v):
        return self.fire(x + "v"), v


class Unfinished(Spikes):
    def step(self, x, v):
        return self.leak(x), v


@pytest.mark.parametrize(
    ("neuron", "says"),
    [
        (Spikes, "The step of the neuron own returns one value; write return spikes, v."),
        (TooMany, "The step of the neuron own returns 3 values; write return spikes, v."),
        (Summed, "returns v of shape Tensor for an input of [2, 3]; each value has the shape of the input."),
        (Numbers, "returns v of shape float for an input of [2, 3]"),
        (Stateless, "The step of the neuron own cannot be called with x and 1 states: "),
        (Forgetful, "The neuron own begins without 'v'. Write self.reset() at the end of its constructor."),
        (Late, "Its constructor begins with super().__init__(**common)."),
        (Broken, "The neuron own cannot be made: ZeroDivisionError: division by zero (test_own_neuron.py, line"),
        (Confused, "The step of the neuron own fails: TypeError: unsupported operand"),
        (Unfinished, "fails: AttributeError: 'Unfinished' object has no attribute 'leak' (test_own_neuron.py, line"),
    ],
)
def test_what_beginners_forget(neuron: type[Neuron], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurons.registry, "get", lambda name: neuron)
    with pytest.raises(UsageError, match=re.escape(says)):
        tried(Own("own"))


def test_what_is_no_neuron_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurons.registry, "get", lambda name: 3)
    with pytest.raises(UsageError, match="The neuron own cannot be made: 3 is not a callable object"):
        tried(Own("own"))

    def ends(name: str) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(neurons.registry, "get", ends)
    with pytest.raises(UsageError, match="its file ends the program when it is imported"):
        tried(Own("own"))


@pytest.mark.parametrize("text", ["lif", "psn:T=8", "ltc", "glif:shape=channels", "alif", "adlif", "izhikevich"])
def test_neurons_of_the_suite_pass(text: str) -> None:
    tried(parsed(text))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--with", "lif:tua=3"], "Unknown lif option 'tua'. Did you mean 'tau'?"),
        (["--with", "lif:tau=0.5"], "The neuron lif tau=0.5 cannot be made"),
        (["--with", "life"], "Unknown neuron 'life'. Did you mean 'lif'"),
        (["--with", "psn"], "The neuron psn cannot be made"),
        (["--with", "lif:tau=2,5"], 'tau was set to "2,5"; give a finite number, as in tau=2.0.'),
        (["--with", "lif:detach_reset=no"], 'detach_reset was set to "no"; give true or false, as in'),
        (["--plugin", "absent.py"], "cannot be read: No such file or directory"),
    ],
)
def test_the_command_line_tells_it(reproduce: Command, words: list[str], says: str) -> None:
    done = reproduce("plif_ablation", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_settings_of_ones_own_are_trained_and_shown(reproduce: Command, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("epochs = 2\nlr = 0.5\n", encoding="utf-8")
    done = reproduce("tiny", "--config", str(tmp_path / "run.toml"), "--set", "epochs=1", "--only", "one")
    assert done.returncode == 0, done.stderr
    assert "set: epochs=1, lr=0.5" in " ".join(done.stdout.split())
    with Store(tmp_path / "store.db") as store:
        (run,) = store.runs()
    assert (run.experiment["epochs"], run.experiment["scheme_options"]["lr"]) == (1, 0.5)
    wrong = reproduce("tiny", "--set", "model.chanels=3")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Did you mean 'model.channels'" in wrong.stderr
