"""A plug-in's results are those of its code, wherever that stands; a name it cannot have costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import warm
from commands import Command

from results import Store


def write(folder: Path, **files: str) -> None:
    """Writes own_x__y="..." to own_x/y.py, where y may be init."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path = path.with_name("__init__.py") if path.stem == "init" else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


OWN = """
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.table import Cell, Table
from neurons.integrate_and_fire import LIF
from .gain import GAIN

class Mine(LIF):
    name = "mine"
    def step(self, x, v):
        return super().step(GAIN * x, v)

CELL = Cell("one", "digits", ACCURACY, Experiment(
    task="digits", model="plif_mnist", neuron="mine", scheme="bptt", epochs=1, batch_size=128, scale="quick", seed=0,
    model_options={"side": 8, "channels": 3, "hidden": 12, "T": 3}, scheme_options={"lr": 0.01},
))
TABLE = Table("own", "own", "a table", lambda scale: [CELL])
"""
POINTS = """
[spikebench.neurons]
mine = own_plugin:Mine
plif = own_plugin:Mine

[spikebench.tables]
own = own_plugin:TABLE
"""
REFUSED = (
    "Warning: The neuron 'plif' of the plug-in own_plugin:Mine is refused, for neurons.integrate_and_fire:PLIF has "
    "that name already. Rename it there or uninstall the plug-in.\n"
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A plug-in whose class stands in the `__init__` of its package, and that brings one name too many."""
    folder = tmp_path / "own"
    write(folder, own_plugin__init=OWN, own_plugin__gain="GAIN = 0.8")
    info = folder / "own_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return folder


@pytest.mark.slow
def test_an_edited_plug_in_is_measured_anew(reproduce: Command, own: Path, tmp_path: Path) -> None:
    first = reproduce("own", PYTHONPATH=str(own))
    assert (first.returncode, first.stderr) == (0, REFUSED)
    assert reproduce("own", "--plan", PYTHONPATH=str(own)).stdout.startswith("done ")
    write(own, own_plugin__gain="GAIN = 0.0")
    assert reproduce("own", "--plan", PYTHONPATH=str(own)).stdout.startswith("stale ")
    write(own, own_plugin__gain="GAIN = 0.8", own_plugin__init=OWN.replace("GAIN * x", "0.0 * x"))
    assert reproduce("own", "--plan", PYTHONPATH=str(own)).stdout.startswith("stale ")
    assert reproduce("own", PYTHONPATH=str(own)).returncode == 0
    with Store(tmp_path / "store.db") as store:
        rates = [m.value for run in store.runs() for m in store.run(run.id).metrics if m.name == "rate_conv.4"]
    assert len(rates) == 2
    assert rates[0] != rates[1] == 0


def test_a_taken_name_disables_no_command(environment: dict[str, str], reproduce: Command, own: Path) -> None:
    assert reproduce("tiny", "--plan", PYTHONPATH=f"{own}:{environment['PYTHONPATH']}").stderr == REFUSED
    for command in (["bench.kernels", "--help"], ["bench.parity", "nosuch"], ["reports", "--help"]):
        done = warm.run(["-m", *command], env={**environment, "PYTHONPATH": str(own)})
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if "nosuch" in command else 0)
