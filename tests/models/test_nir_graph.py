"""Networks from NIR files, against the equations of NIR in a plain loop."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import models

nir = pytest.importorskip("nir")
T, DT = 40, 1e-3
RANDOM = np.random.RandomState(0)


def full(value: float, size: int = 5) -> np.ndarray:
    return np.full(size, value)


def written(tmp_path: Path, **nodes: Any) -> dict[str, Any]:
    """The options of a network of these nodes, one after the other."""
    graph = nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)), type_check=False)
    path = tmp_path / "graph.nir"
    nir.write(path, graph)
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "T": T, "dt": DT}


def chain(neuron: Any, size: int = 5) -> dict[str, Any]:
    weight, bias = RANDOM.randn(size, 3), RANDOM.randn(size)
    return {
        "input": nir.Input({"input": np.array([3])}),
        "affine": nir.Affine(weight, bias),
        "neuron": neuron,
        "output": nir.Output({"output": np.array([size])}),
    }


def simulated(nodes: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """The spikes of such a chain [T, N, size], state by state from those of the step before."""
    affine, neuron = nodes["affine"], nodes["neuron"]
    v = np.zeros((x.shape[1], len(affine.bias))) + (0 if neuron.v_reset is None else neuron.v_reset)
    i = np.zeros_like(v)
    spikes = []
    for x_t in x:
        drive = x_t @ affine.weight.T + affine.bias
        if isinstance(neuron, nir.IF):
            v = v + DT * neuron.r * drive
        elif isinstance(neuron, nir.LIF):
            v = v + DT / neuron.tau * (neuron.v_leak - v + neuron.r * drive)
        else:
            before = i
            i = i + DT / neuron.tau_syn * (-i + neuron.w_in * drive)
            v = v + DT / neuron.tau_mem * (neuron.v_leak - v + neuron.r * before)
        s = (v > neuron.v_threshold).astype(float)
        v = np.where(s > 0, neuron.v_reset, v)
        spikes.append(s)
    return np.stack(spikes)


NEURONS = {
    "IF": lambda: nir.IF(full(300.0), full(1.0), full(0.0)),
    "LIF": lambda: nir.LIF(full(4e-3), full(3.0), full(0.0), full(1.0), full(0.0)),
    "LIF at rest elsewhere": lambda: nir.LIF(full(4e-3), full(3.0), full(-0.3), full(0.7), full(-0.3)),
    "CubaLIF": lambda: nir.CubaLIF(full(3e-3), full(5e-3), full(4.0), full(0.0), full(0.6), full(0.0), w_in=full(1.5)),
}


@pytest.mark.parametrize("name", NEURONS)
def test_the_spikes_are_those_of_the_equations(tmp_path: Path, name: str) -> None:
    nodes = chain(NEURONS[name]())
    network = models.create("nir", **written(tmp_path, **nodes)).double()
    x = RANDOM.randn(T, 7, 3)
    with torch.no_grad():
        found = network.run(torch.from_numpy(x).transpose(0, 1)).numpy()
    expected = simulated(nodes, x)
    assert 0.02 < expected.mean() < 0.8
    np.testing.assert_array_equal(found, expected)
    models.reset(network)
    with torch.no_grad():
        pieces = [network(part).numpy() for part in torch.from_numpy(x).split([13, T - 13])]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


def test_pictures_go_through_convolutions_and_poolings(tmp_path: Path) -> None:
    weight, bias = RANDOM.randn(4, 2, 3, 3), RANDOM.randn(4)
    linear = RANDOM.randn(6, 4 * 2 * 2)
    options = written(
        tmp_path,
        input=nir.Input({"input": np.array([2, 8, 8])}),
        conv=nir.Conv2d((8, 8), weight, 1, (1, 1), 1, 1, bias),
        sums=nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        means=nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        flat=nir.Flatten({"input": np.array([4, 2, 2])}, 0),
        linear=nir.Linear(linear),
        scale=nir.Scale(full(0.5, 6)),
        output=nir.Output({"output": np.array([6])}),
    )
    network = models.create("nir", still=True, **options).double()
    x = torch.from_numpy(RANDOM.randn(3, 2, 8, 8))
    found = network.run(x)
    assert found.shape == (T, 3, 6)
    maps = torch.nn.functional.conv2d(x, *(torch.from_numpy(a).float().double() for a in (weight, bias)), padding=1)
    pooled = torch.nn.functional.avg_pool2d(maps, 4) * 4
    expected = pooled.flatten(1) @ torch.from_numpy(linear).float().double().T * 0.5
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[-1], expected)


@pytest.mark.parametrize(
    ("neuron", "says"),
    [
        (nir.LIF(np.arange(1, 6) * 4e-3, full(1.0), full(0.0), full(1.0), full(0.0)), "'neuron', LIF: tau differs"),
        (nir.LIF(full(4e-3), full(1.0), full(0.1), full(1.0), full(0.0)), "leaks to 0.1 and is reset to 0"),
        (nir.LIF(full(5e-4), full(1.0), full(0.0), full(1.0), full(0.0)), "longer than a step of 0.001 s"),
        (nir.LI(full(4e-3), full(1.0), full(0.0)), "'neuron' is of the kind LI, which is not read. Known: Input"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, neuron: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        models.create("nir", **written(tmp_path, **chain(neuron)))


def test_what_is_fed_back_is_refused(tmp_path: Path) -> None:
    nodes = chain(NEURONS["LIF"]())
    edges = [*zip(nodes, list(nodes)[1:], strict=False), ("neuron", "back"), ("back", "affine")]
    nodes["back"] = nir.Linear(RANDOM.randn(3, 5))
    path = tmp_path / "graph.nir"
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    with pytest.raises(ValueError, match="The graph is no chain: neuron has several neighbours"):
        models.create("nir", path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), T=T)


def test_another_file_is_refused(tmp_path: Path) -> None:
    options = written(tmp_path, **chain(NEURONS["IF"]()))
    with pytest.raises(ValueError, match="asked for was '00000000'"):
        models.create("nir", **{**options, "sha256": "00000000"})
    with pytest.raises(ValueError, match="asked for was ''"):
        models.create("nir", **{**options, "sha256": ""})
