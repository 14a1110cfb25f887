"""CUDA C of the fused kernels: the cases on the CPU, threads one after the other, and compiled by NVRTC for sm_90."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

import device_kernels
import pytest
import torch
from device_cases import *  # noqa: F403
from device_kernels import COMPILED, WITHOUT_FUNCTIONS, OnHost, kernel

import neurons
from neurons.backends import cupy
from neurons.backends.fused import compiler, cuda, cuda_kernel, layout, plan
from neurons.backends.fused.cuda_arguments import kind
from neurons.backends.fused.cupy_kernel import CupyKernel
from neurons.backends.fused.graph import COMPARISONS, FUNCTIONS, LOGIC, Graph
from neurons.backends.fused.loop import Loop

pytestmark = pytest.mark.compilers
OPTIONS = (*cuda.OPTIONS, "-ftz=true", "--device-as-default-execution-space")  # CuPy adds the last two
OFF = "gradient of w is off by 0.1 of its largest value"
needs_nvrtc = pytest.mark.skipif(
    device_kernels.nvrtc_path() is None, reason="needs NVRTC, which comes with PyTorch's CUDA wheels"
)


@pytest.fixture(autouse=True)
def _on_host(request: pytest.FixtureRequest) -> Iterator[None]:
    if "device_cases" not in request.node.function.__module__:
        yield
        return
    if compiler.missing():
        pytest.skip("needs a C++ compiler")
    with device_kernels.kernels(OnHost):
        yield


@needs_nvrtc
@pytest.mark.parametrize(("name", "checkpoint"), COMPILED)
def test_compiles_for_sm_90_with_128_bit_accesses(name: str, checkpoint: bool) -> None:
    ptx = device_kernels.nvrtc(
        kernel(CupyKernel, neurons.create(name), checkpoint=checkpoint).source, *OPTIONS, "-DV=4"
    )
    forward, backward = _entries(ptx)
    for text in (forward, backward):
        assert "st.global.v4" in text
        assert "ld.global.v4" in text
        assert not re.search(r"st\.global(\.L\w+)*\.[fbu]", text), "a store of less than 16 bytes"
    assert not re.search(r"div\.(approx|full)|sqrt\.approx", ptx)
    if name in WITHOUT_FUNCTIONS:
        assert not re.search(r"fma\.\w+\.f32", ptx), "a product and a sum were contracted"


@needs_nvrtc
def test_the_language_is_named_where_cupy_has_an_older_default() -> None:
    options = OPTIONS if any("-std=" in option for option in OPTIONS) else (*OPTIONS, "--std=c++14")  # as CuPy 13 does
    assert "forward" in device_kernels.nvrtc(kernel(CupyKernel, neurons.create("lif")).source, *options, "-DV=4")


@needs_nvrtc
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_types_compile_with_128_bit_accesses(dtype: torch.dtype) -> None:
    ptx = device_kernels.nvrtc(kernel(CupyKernel, neurons.create("plif"), dtype).source, *OPTIONS, "-DV=8")
    assert all("st.global.v4" in text and "ld.global.v4" in text for text in _entries(ptx))
    assert not re.search(r"st\.global\.[fbu]", ptx)


@needs_nvrtc
def test_any_number_of_neurons_compiles() -> None:
    ptx = device_kernels.nvrtc(kernel(CupyKernel, neurons.create("glif", shape=(7,))).source, *OPTIONS, "-DV=1")
    assert ".v4" not in ptx


@needs_nvrtc
def test_every_operation_compiles() -> None:
    source = cuda._HEAD.replace("@STORAGE@", "float").replace("@AHEAD@", "1")
    arity = {"pow": 2, "where": 3, "not": 1, **dict.fromkeys(("and", "or"), 2)}
    for op, text in cuda.OPERATIONS.items():
        names = ("a", "b", "c")[: arity.get(op, text.count("{"))]
        kinds = ["bool" if op in LOGIC or (op == "where" and n == "a") else "C" for n in names]
        result = "bool" if op in LOGIC or op in COMPARISONS else "C"
        args = ", ".join(f"{k} {n}" for k, n in zip(kinds, names, strict=True))
        source += f"__device__ {result} op_{op}({args}) {{ return {text.format(*names)}; }}\n"
    source += 'extern "C" __global__ void use(C* p) { *p = op_pow(op_exp(*p), op_erf(*p)); }\n'
    assert "use" in device_kernels.nvrtc(source, *OPTIONS, "-DV=1")
    assert set(FUNCTIONS) | set(COMPARISONS) | set(LOGIC) <= set(cuda.OPERATIONS)


def test_an_unknown_operation_is_named() -> None:
    graph = Graph()
    node = graph.add("gamma", graph.input("x"))
    with pytest.raises(KeyError, match="gamma"):
        cuda._expression(graph, node, {})


def test_wide_accesses_where_the_neurons_allow_them() -> None:
    for count, widths in ((64, {4}), (67, {1})):
        with device_kernels.kernels(OnHost):
            made = kernel(OnHost, neurons.create("lif"))
            x = torch.randn(3, count)
            made.forward(x, layout.of_sequence(x)[1], [None], [0.0], {}, made.trace.constants, True, 1)
        assert made.widths == widths


@pytest.mark.parametrize("version", [13, 14])
def test_what_cupy_is_given(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, given = SimpleNamespace(cuda_stream=77, __cuda_stream__=lambda: (0, 77)), mock.MagicMock()
    if version == 13:
        given.cuda.Stream = object
    monkeypatch.setitem(sys.modules, "cupy", given)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    made = kernel(CupyKernel, neurons.create("plif"))
    x, w = torch.randn(3, 64), torch.tensor(0.3)
    for _ in range(2):
        made.forward(x, layout.of_sequence(x)[1], [None], [0.0], {"w": w}, made.trace.constants, True, 1)
    if version == 13:
        given.cuda.ExternalStream.assert_called_with(77)
    else:
        given.cuda.Stream.from_external.assert_called_with(stream)
        given.cuda.ExternalStream.assert_not_called()
    given.RawModule.assert_called_once_with(code=made.source, options=(*cuda.OPTIONS, "-DV=4"))
    grid, block, args = given.RawModule().get_function().call_args[0]
    assert (grid, block) == ((1,), (cuda.THREADS,))
    sizes = {"number": 4, "int": 4, "long": 8, "stored": 8, "computed": 8}
    assert [arg.itemsize for arg in args] == [sizes[kind(name)] for name in made.names["forward"]]
    assert args[made.names["forward"].index("N")] == 64


def test_a_full_device_is_no_fault_of_the_kernel() -> None:
    with (
        mock.patch.object(CupyKernel, "forward", side_effect=torch.OutOfMemoryError("full")),
        mock.patch.object(cuda_kernel, "_moved", lambda value, device: value),
        pytest.raises(torch.OutOfMemoryError),
    ):
        cuda_kernel.verdict(kernel(CupyKernel, neurons.create("lif")), neurons.create("lif"))


def test_gradients_of_parameters_may_cancel_once_but_not_twice() -> None:
    made = kernel(CupyKernel, neurons.create("plif"))
    for found, expected in (
        ([OFF, None], None),
        ([OFF, OFF], OFF),
        (["3 of 335 spikes differ", None], "3 of 335 spikes differ"),
    ):
        with mock.patch.object(cuda_kernel.parity, "_compare", side_effect=found):
            verdict = cuda_kernel.verdict(made, neurons.create("plif"))
        assert verdict is None if expected is None else str(verdict).endswith(expected)


def test_what_runs_has_the_name_of_the_backend_that_was_asked() -> None:
    if compiler.missing():
        pytest.skip("needs a C++ compiler")
    neuron, x = neurons.create("lif"), torch.randn(3, 64)
    with device_kernels.kernels(OnHost):
        found = cupy.find(neuron, x)
    assert (found.backend, found.kernel) == ("cupy", "CUDA C")


def test_the_backend_says_why_it_cannot() -> None:
    assert "CUDA devices alone" in neurons.backends("lif", "cpu").refused["cupy"]
    with pytest.raises(RuntimeError, match="'cupy' cannot run LIF on cpu: CuPy computes on CUDA devices alone"):
        neurons.create("lif", backend="cupy")(torch.zeros(2, 3))
    if not torch.cuda.is_available():
        assert cupy.missing() == "no CUDA device was found"


def _entries(ptx: str) -> tuple[str, str]:
    """The text of forward and of backward."""
    parts = re.split(r"\.entry (\w+)\(", ptx)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return found["forward"], found["backward"]


def test_a_first_use_inside_a_cuda_graph_is_refused_and_forgotten() -> None:
    neuron = neurons.create("lif")
    found = plan.find(neuron, torch.float32, (4,), "cuda")
    assert isinstance(found, plan.Plan)
    with (
        mock.patch.object(plan, "_tools", return_value=(OnHost, lambda kernel, neuron: None)),
        mock.patch.object(plan, "_apart", side_effect=lambda make: make()),
        mock.patch.object(torch.cuda, "is_initialized", return_value=True),
        mock.patch.object(torch.cuda, "is_current_stream_capturing", side_effect=[True, False]),
    ):
        with pytest.raises(RuntimeError, match="call the layer once, forward and backward, before capturing"):
            found.loop(neuron, True, True)
        loop = found.loop(neuron, True, True)
        assert isinstance(loop, Loop)
        assert isinstance(loop.compiled, OnHost)


def test_what_is_made_in_another_thread_is_made_on_this_ones_device() -> None:
    calls = []
    with (
        mock.patch.object(torch.cuda, "is_initialized", return_value=True),
        mock.patch.object(torch.cuda, "current_device", return_value=3),
        mock.patch.object(torch.cuda, "set_device", side_effect=lambda n: calls.append((n, threading.get_ident()))),
    ):
        maker = plan._apart(threading.get_ident)
    assert calls == [(3, maker)]
    assert maker != threading.get_ident()
