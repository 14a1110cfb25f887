"""The page about an own neuron, executed as written: its file, its entry point, its commands."""

from __future__ import annotations

import math
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import warm

PAGE = (Path(__file__).parents[2] / "docs" / "your_own_neuron.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


AS_A_FILE, COMMANDS, RANKED = (block.splitlines() for block in blocks("shell"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `pip install` of the page's two files leaves on the path, and a store of its own."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_neurons.py").write_text(blocks("python")[0])
    project = tomllib.loads(blocks("toml")[0])["project"]
    info = folder / f"my_neurons-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in p.items()) for group, p in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    root = Path(__file__).parents[2]
    store = f"sqlite:///{folder / 'store.db'}"
    return {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{folder}",
        "SPIKEBENCH_STORE": store,
        "OMP_NUM_THREADS": "1",
    }


def warmly(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = warm.run(command, env=environment, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_neuron_is_created_by_name(environment: dict[str, str], tmp_path: Path) -> None:
    code = blocks("python")[1] + "\nassert spikes.shape == (100, 16, 32) and 0 < spikes.mean() < 1"
    assert "torch" in warmly(["-c", f"import warnings\nwarnings.simplefilter('error')\n{code}"], environment, tmp_path)


def test_the_neuron_computes_its_equation(environment: dict[str, str], tmp_path: Path) -> None:
    # A pulse of 2 rotates by a quarter turn a step, damped by 1/2: V = 1 fires at the threshold exactly, U = 0.
    code = f"""
import neurons, torch
neuron = neurons.create("resonate", omega={math.pi / 2}, d=0.5).double()
x = torch.tensor([[2.0], [0.0], [0.0]], dtype=torch.float64)
neuron.omega.data.fill_({math.pi / 2})
print(neuron(x).flatten().tolist(), abs(neuron.v.item()) < 1e-12, abs(neuron.u.item()) < 1e-12)
"""
    assert warmly(["-c", code], environment, tmp_path).strip() == "[0.0, 1.0, 0.0] True True"


@pytest.mark.walks
@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run(command: str, environment: dict[str, str], tmp_path: Path) -> None:
    words = shlex.split(command)
    assert words[:2] == ["python", "-m"]
    small = ["--shape", "4x64", "--peers", "none"] if "bench.kernels" in words else ["--backend", "torch"]
    assert "resonate" in warmly([*words[1:], "--quick", *small], environment, tmp_path)


@pytest.mark.parametrize("command", AS_A_FILE)
def test_the_file_alone_will_do(command: str, environment: dict[str, str], tmp_path: Path) -> None:
    """What is asked for is understood; the other commands of the page carry it out."""
    (tmp_path / "my_neurons.py").write_text(blocks("python")[0])
    words = shlex.split(command)[1:]
    more = ["--plan"] if "bench.reproduce" in words else ["--backend", "torch"]
    alone = {**environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert "resonate" in warmly([*words, *more], alone, tmp_path)


@pytest.mark.parametrize("command", RANKED)
def test_it_stands_among_the_others(command: str, environment: dict[str, str], tmp_path: Path) -> None:
    planned = warmly([*shlex.split(command)[1:], "--plan"], environment, tmp_path)
    assert "resonate" in planned
    assert " lif " in planned
