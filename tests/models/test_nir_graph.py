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


def saved(tmp_path: Path, graph: Any) -> dict[str, Any]:
    path = tmp_path / "graph.nir"
    nir.write(path, graph)
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "T": T, "dt": DT}


def written(tmp_path: Path, **nodes: Any) -> dict[str, Any]:
    """The options of a network of these nodes, one after the other."""
    return saved(tmp_path, nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)), type_check=False))


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
        (nir.LI(full(4e-3), full(1.0), full(0.5)), "'neuron', LI: it leaks to another value than 0"),
        (nir.LI(full(5e-4), full(1.0), full(0.0)), "'neuron', LI: tau has to be longer than a step of 0.001 s"),
        (nir.I(full(1.0)), "'neuron' is of the kind I, which is not read. Known: Input"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, neuron: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        models.create("nir", **written(tmp_path, **chain(neuron)))


def recurrent(nested: bool) -> tuple[Any, np.ndarray, Any]:
    """A layer that gets its own spikes through `back` one step later, as a graph, with `back` and its neurons."""
    nodes, back = chain(NEURONS["LIF"]()), RANDOM.randn(5, 5)
    neuron, loop = nodes["neuron"], nir.Linear(back)
    if not nested:
        edges = [*zip(nodes, list(nodes)[1:], strict=False), ("neuron", "back"), ("back", "neuron")]
        return nir.NIRGraph({**nodes, "back": loop}, edges, type_check=False), back, nodes
    inner = nir.NIRGraph(
        {"input": nir.Input({"input": np.array([5])}), "cell": neuron, "back": loop,
         "output": nir.Output({"output": np.array([5])})},
        [("input", "cell"), ("cell", "back"), ("back", "cell"), ("cell", "output")],
        type_check=False,
    )  # fmt: skip
    outer = {**nodes, "neuron": inner}
    return nir.NIRGraph(outer, list(zip(outer, list(outer)[1:], strict=False)), type_check=False), back, nodes


@pytest.mark.parametrize("nested", [False, True])
def test_what_is_fed_back_comes_one_step_later(tmp_path: Path, nested: bool) -> None:
    graph, back, nodes = recurrent(nested)
    network = models.create("nir", **saved(tmp_path, graph)).double()
    x = RANDOM.randn(T, 7, 3)
    affine, neuron = nodes["affine"], nodes["neuron"]
    weight, bias, back = (a.astype(np.float32).astype(float) for a in (affine.weight, affine.bias, back))
    v, s, expected = np.zeros((7, 5)), np.zeros((7, 5)), []
    for x_t in x:
        v = v + DT / neuron.tau * (-v + neuron.r * (x_t @ weight.T + bias + s @ back.T))
        s = (v > neuron.v_threshold).astype(float)
        v = np.where(s > 0, 0, v)
        expected.append(s)
    with torch.no_grad():
        found = network.run(torch.from_numpy(x).transpose(0, 1)).numpy()
    assert 0.02 < np.mean(expected) < 0.8
    np.testing.assert_array_equal(found, np.stack(expected))
    models.reset(network)
    with torch.no_grad():
        pieces = [network(part).numpy() for part in torch.from_numpy(x).split([13, T - 13])]
    np.testing.assert_array_equal(np.concatenate(pieces), np.stack(expected))


def test_what_several_nodes_send_is_added(tmp_path: Path) -> None:
    one, other = RANDOM.randn(4, 3), RANDOM.randn(4, 3)
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "one": nir.Linear(one),
        "other": nir.Linear(other),
        "sum": nir.Scale(full(1.0, 4)),
        "readout": nir.LI(np.arange(1, 5) * 4e-3, full(2.0, 4), full(0.0, 4)),
        "output": nir.Output({"output": np.array([4])}),
    }
    edges = [
        ("input", "one"), ("input", "other"), ("one", "sum"), ("other", "sum"), ("sum", "readout"),
        ("readout", "output"),
    ]  # fmt: skip
    network = models.create("nir", **saved(tmp_path, nir.NIRGraph(nodes, edges, type_check=False))).double()
    x = RANDOM.randn(T, 2, 3)
    v, expected = np.zeros((2, 4)), []
    for x_t in x:
        v = v + DT / nodes["readout"].tau * (-v + 2 * x_t @ (one + other).T)
        expected.append(v)
    with torch.no_grad():
        found = network.run(torch.from_numpy(x).transpose(0, 1)).numpy()
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-5, atol=1e-6)  # the file's numbers are single


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        ([("input", "one"), ("one", "output"), ("alone", "one")], "begins at input, input_alone and ends at output"),
        ([("input", "one"), ("one", "output"), ("one", "alone")], "begins at input and ends at output, output_alone"),
        ([("input", "one"), ("one", "output"), ("alone", "alone")], "Nothing leads from the input to alone"),
    ],
)
def test_other_graphs_are_refused(tmp_path: Path, edges: list[tuple[str, str]], says: str) -> None:
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "one": nir.Linear(RANDOM.randn(3, 3)),
        "alone": nir.Linear(RANDOM.randn(3, 3)),
        "output": nir.Output({"output": np.array([3])}),
    }
    with pytest.raises(ValueError, match=says):
        models.create("nir", **saved(tmp_path, nir.NIRGraph(nodes, edges, type_check=False)))


def test_another_file_is_refused(tmp_path: Path) -> None:
    options = written(tmp_path, **chain(NEURONS["IF"]()))
    with pytest.raises(ValueError, match="asked for was '00000000'"):
        models.create("nir", **{**options, "sha256": "00000000"})
    with pytest.raises(ValueError, match="asked for was ''"):
        models.create("nir", **{**options, "sha256": ""})


@pytest.mark.parametrize(
    ("start", "end", "shape"), [(0, -1, [24]), (1, -1, [4, 6]), (0, 1, [8, 3]), (1, 2, [4, 6]), (-2, -1, [4, 6])]
)
def test_what_is_flattened_are_dimensions_of_a_sample(tmp_path: Path, start: int, end: int, shape: list[int]) -> None:
    options = written(
        tmp_path,
        input=nir.Input({"input": np.array([4, 2, 3])}),
        flat=nir.Flatten({"input": np.array([4, 2, 3])}, start, end),
        output=nir.Output({"output": np.array(shape)}),
    )
    x = torch.randn(2, 4, 2, 3)
    found = models.create("nir", still=True, **options).run(x)
    torch.testing.assert_close(found[0], x.reshape(2, *shape))


def test_weights_that_are_no_matrix_are_refused(tmp_path: Path) -> None:
    options = written(
        tmp_path,
        input=nir.Input({"input": np.array([2, 3])}),
        linear=nir.Linear(RANDOM.randn(2, 4, 3)),
        output=nir.Output({"output": np.array([2, 4])}),
    )
    with pytest.raises(
        ValueError, match=r"'linear', Linear: its weight has the shape \[2, 4, 3\], not that of a matrix"
    ):
        models.create("nir", **options)


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    def ends() -> dict[str, Any]:
        return {"input": nir.Input({"input": np.array([3])}), "output": nir.Output({"output": np.array([3])})}

    inner = {**ends(), "double": nir.Scale(full(2.0, 3))}
    graph = nir.NIRGraph(inner, [("input", "double"), ("double", "output")], type_check=False)
    outer = {**ends(), "part": graph, "part.double": nir.Scale(full(10.0, 3))}
    edges = [("input", "part"), ("part", "part.double"), ("part.double", "output")]
    with pytest.raises(ValueError, match=r"Two nodes have the name 'part\.double'"):
        models.create("nir", **saved(tmp_path, nir.NIRGraph(outer, edges, type_check=False)))


def test_what_is_no_file_of_nir_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    with pytest.raises(ValueError, match=r"net\.nir cannot be read: No such file"):
        models.create("nir", path=str(path), sha256="0" * 64, T=T)
    path.write_text("no graph")
    sha256 = hashlib.sha256(b"no graph").hexdigest()
    with pytest.raises(ValueError, match=r"net\.nir is no file of NIR"):
        models.create("nir", path=str(path), sha256=sha256, T=T)
