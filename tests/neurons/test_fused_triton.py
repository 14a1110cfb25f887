"""Triton of the fused kernels: interpreted, compiled for sm_90, and run on a CUDA device where there is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import device_kernels
import pytest
import torch
from against_eager import drive
from device_kernels import COMPILED, POINTWISE, WITHOUT_FUNCTIONS, kernel
from torch import Tensor

import neurons
from neurons.backends import fused
from neurons.backends.fused import triton as emitter
from neurons.backends.fused.graph import COMPARISONS, FUNCTIONS, LOGIC, Graph
from neurons.backends.fused.triton_kernel import TritonKernel

triton = pytest.importorskip("triton")
TRAINING = {"forward": (True, False), "backward": (True, False, False)}
INFERENCE = (False, False)
INTERPRETED = ("interpreted_triton.py", "interpreted_recurrence.py")


@pytest.mark.compilers
def test_the_cases_with_tritons_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *INTERPRETED],
        cwd=Path(__file__).parent,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\b[1-9]\d* passed", done.stdout) or re.search(r"^\.{20,}", done.stdout), done.stdout


def compiled(made: TritonKernel, way: str, wide: bool, switches: tuple[bool, ...]) -> Any:
    from triton.backends.compiler import GPUTarget

    return made.compile(way, wide, switches, GPUTarget("cuda", device_kernels.ARCHITECTURE, 32))


@pytest.mark.parametrize(("name", "checkpoint"), COMPILED)
def test_compiles_for_sm_90_with_128_bit_accesses_ahead(name: str, checkpoint: bool) -> None:
    made = kernel(TritonKernel, neurons.create(name), checkpoint=checkpoint)
    for way, switches in TRAINING.items():
        built = compiled(made, way, True, switches)
        ptx = built.asm["ptx"]
        assert built.asm["cubin"].startswith(b"\x7fELF")
        assert "st.global.v4" in ptx
        # Loads of the input go through shared memory, 16 bytes at a time, steps before they are used.
        copies = re.findall(r"cp\.async\.c\w\.shared\.global[^;]*, 0x10,|cp\.async\.cg\.shared\.global", ptx)
        assert len(copies) >= emitter.STAGES - 1
        assert "cp.async.ca" not in ptx, "a copy of less than 16 bytes"
        assert not re.search(r"div\.(full|approx)|sqrt\.approx|(add|sub|mul|div)\.\w+\.ftz", ptx)
        if name in WITHOUT_FUNCTIONS:
            assert "fma" not in ptx, "a product and a sum were contracted"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["lif", "plif"])
def test_16_bit_types_compile_with_128_bit_accesses(name: str, dtype: torch.dtype) -> None:
    made = kernel(TritonKernel, neurons.create(name), dtype)
    for way, switches in TRAINING.items():
        ptx = compiled(made, way, True, switches).asm["ptx"]
        assert "cp.async.cg.shared.global" in ptx
        assert "st.global.v4" in ptx
        assert not re.search(r"st\.global(\.v2)?\.b16", ptx)


def test_any_number_of_neurons_compiles() -> None:
    made = kernel(TritonKernel, neurons.create("plif"))
    for way, switches in TRAINING.items():
        assert ".v4" not in compiled(made, way, False, switches).asm["ptx"]


def test_inference_moves_8_bytes_per_element() -> None:
    made = kernel(TritonKernel, neurons.create("lif"))
    stores = {keep: _stores(compiled(made, "forward", True, (keep, False)).asm["ptx"]) for keep in (False, True)}
    assert stores[False] == 2  # spikes, and the state once at the end
    assert stores[True] == 3  # and the charged potential


def test_lif_keeps_one_value_and_reads_two() -> None:
    made = kernel(TritonKernel, neurons.create("lif"))
    assert len(made.program.saved) == 1
    assert not made.reads_x
    assert not made.program.reads_spikes


def test_steps_and_neurons_are_run_time_values() -> None:
    made = kernel(TritonKernel, neurons.create("lif"))
    for way, names in made.names.items():
        built = compiled(made, way, True, TRAINING[way])
        constant = {built.src.fn.arg_names[place[0]] for place in built.src.constants}
        assert constant == set(emitter.SWITCHES[way])
        assert {"T", "N"} <= set(names)


def test_every_operation_compiles() -> None:
    graph = Graph()
    x = graph.input("x")
    for op in sorted(set(emitter.OPERATIONS) - set(LOGIC) - set(COMPARISONS) - {"where"}):
        two = op in ("pow", "add", "sub", "mul", "div", "max", "min")
        x = graph.add(op, *([x, graph.input("gy")] if two else [x]))
    tests = [graph.add(op, x, graph.input("gy")) for op in COMPARISONS]
    both = graph.add("not", graph.add("or", graph.add("and", tests[0], tests[1]), tests[2]))
    last = graph.add("where", both, x, graph.input("gy"))
    lines = emitter._statements(graph, graph.ancestors([last]), {})
    text = _kernel_text(lines, last)
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from neurons.backends.fused.triton_kernel import load

    types = {**dict.fromkeys(("x", "gy", "y"), "*fp32"), **dict.fromkeys(("T", "t", "x_row", "first"), "i64")}
    built = triton.compile(
        ASTSource(load(text)["use"], {**types, "BLOCK": "constexpr"}, {"BLOCK": 128}),
        target=GPUTarget("cuda", device_kernels.ARCHITECTURE, 32),
        options=emitter.OPTIONS,
    )
    assert "cubin" in built.asm
    assert set(FUNCTIONS) | set(COMPARISONS) | set(LOGIC) <= set(emitter.OPERATIONS)


def _kernel_text(lines: list[str], last: int) -> str:
    body = [
        "lane = tl.arange(0, BLOCK)",
        "m = lane < T",
        "gy_t = tl.load(gy + lane)",
        *lines,
        f"tl.store(y + lane, n{last})",
    ]
    functions = [f"f_{name} = libdevice.{name}" for name in FUNCTIONS]
    head = "def use(x, gy, y, T, t, x_row, first, BLOCK: tl.constexpr):"
    return "\n".join([*emitter._HEAD, *functions, "@triton.jit", head, *(f"    {line}" for line in body), ""])


def test_an_unknown_operation_is_named() -> None:
    graph = Graph()
    node = graph.add("gamma", graph.input("x"))
    with pytest.raises(KeyError, match="gamma"):
        emitter._expression(graph, node)


def _stores(ptx: str) -> int:
    return len(re.findall(r"st\.global", ptx))


# On a device ------------------------------------------------------------------------------------------------------

on_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
backends = pytest.mark.parametrize("backend", ["fused", "cupy"])


def device_run(neuron: Any, backend: str, x: Tensor) -> list[Tensor]:
    """Spikes, states, gradient of x and of the parameters, on the CPU, for fixed weights."""
    if backend == "cupy" and "cupy" not in neurons.backends(neuron.name, "cuda"):
        pytest.skip(neurons.backends(neuron.name, "cuda").refused["cupy"])
    neuron.backend = backend
    neuron.reset()
    neuron.zero_grad(set_to_none=True)
    leaf = x.detach().requires_grad_()
    spikes = neuron(leaf)
    weight = torch.linspace(-1, 1, spikes.numel(), dtype=torch.float64).reshape(spikes.shape).to(spikes)
    states = [value for name in neuron.states if isinstance(value := getattr(neuron, name), Tensor)]
    ((spikes * weight).sum() + sum((s.sum() for s in states), torch.zeros(())).to(spikes)).backward()
    found = [spikes, *states, leaf.grad, *(p.grad for p in neuron.parameters() if p.grad is not None)]
    return [t.detach().float().cpu() for t in found]


def assert_close(ours: list[Tensor], theirs: list[Tensor], allowed: float = 0.0) -> None:
    """The rest can only agree where the spikes do, of which the fraction `allowed` may differ."""
    flips = int((ours[0] != theirs[0]).sum())
    assert flips <= allowed * ours[0].numel(), f"{flips} of {ours[0].numel()} spikes differ"
    if flips:
        return
    for a, b in zip(ours[1:], theirs[1:], strict=True):  # eager PyTorch adds up a parameter's gradient in float32
        torch.testing.assert_close(a, b, rtol=5e-3, atol=1e-5 * max(1.0, float(b.abs().max())))


class TestOnDevice:
    pytestmark = on_gpu

    @backends
    @pytest.mark.parametrize("name", POINTWISE)
    @pytest.mark.parametrize("steps", [1, 4, 63, 1000])
    def test_every_neuron_agrees_with_the_cpu(self, name: str, steps: int, backend: str) -> None:
        neuron, x = neurons.create(name), drive(steps, 4, 60)
        expected = device_run(neuron, "torch", x)
        # Their exp is rounded otherwise on a device than on the CPU; all others are exact.
        allowed = 1e-3 if name in ("glif", "ltc", "alif", "pculif", "adlif", "cuadlif", "eif") else 0.0
        assert_close(device_run(neuron.cuda(), backend, x.cuda()), expected, allowed)

    @backends
    @pytest.mark.parametrize("every", [1, 4, 100])
    def test_checkpoints(self, every: int, backend: str) -> None:
        neuron, x = neurons.create("plif").cuda(), drive(50, 1000).cuda()
        expected = device_run(neuron, backend, x)
        with fused.checkpoint(every):
            assert_close(device_run(neuron, backend, x), expected)

    @backends
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_16_bit_storage(self, dtype: torch.dtype, backend: str) -> None:
        neuron, x = neurons.create("plif").cuda(), drive(63, 512).cuda().to(dtype)
        ours = device_run(neuron, backend, x)
        assert torch.equal(ours[0], device_run(neuron, "torch", x.float())[0])

    @backends
    @pytest.mark.parametrize("count", [1, 60, 1000, 4096, 65537])
    def test_gradients_repeat_exactly(self, count: int, backend: str) -> None:
        neuron, x = neurons.create("plif").cuda(), drive(20, count).cuda()
        first, second = (device_run(neuron, backend, x) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))

    def test_compiled_at_most_twice_over_steps_and_neurons(self) -> None:
        neuron = neurons.create("lif", backend="fused")
        built = set()
        for steps in (4, 7, 16, 100, 1000):
            for count in (16, 64, 100, 4096, 5001):
                neuron.reset()
                neuron(drive(steps, count).cuda().requires_grad_()).sum().backward()
                made = fused.find(neuron, drive(steps, count).cuda().requires_grad_())
                built |= set(made.compiled._compiled)
        ways = [key[1] for key in built if key[3] in (*TRAINING.values(),)]
        assert {way: ways.count(way) for way in TRAINING} == dict.fromkeys(TRAINING, 2)  # aligned rows or not

    @backends
    def test_a_cuda_graph_captures_it(self, backend: str) -> None:
        neuron, x = neurons.create("plif").cuda(), drive(16, 4096).cuda()
        expected = device_run(neuron, backend, x)  # compiles
        still = x.clone().requires_grad_()

        def step() -> Tensor:
            neuron.reset()
            spikes = neuron(still)
            spikes.sum().backward()
            return spikes

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        neuron.zero_grad(set_to_none=True)
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream().wait_stream(stream)
        wanted = [still.grad.clone(), neuron.w.grad.clone()]
        still.grad = neuron.w.grad = None
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            spikes = step()
        found = [spikes.detach(), still.grad, neuron.w.grad]
        for value in found:
            value.zero_()
        graph.replay()
        assert torch.equal(found[0].cpu(), expected[0])
        assert all(torch.equal(a, b) for a, b in zip(found[1:], wanted, strict=True))

    @backends
    def test_a_state_follows_its_input(self, backend: str) -> None:
        neuron, x = neurons.create("lif"), drive(20, 60)
        device_run(neuron, backend, x.cuda())  # skips where the backend is missing
        neuron.backend = "torch"
        neuron.reset()
        whole = neuron(x)
        neuron.reset()
        first = neuron(x[:9])
        neuron.backend = backend
        second = neuron(x[9:].cuda())
        assert torch.equal(torch.cat([first, second.cpu()]), whole)

    @backends
    def test_another_stream(self, backend: str) -> None:
        neuron, x = neurons.create("plif").cuda(), drive(63, 4096).cuda()
        expected = device_run(neuron, backend, x)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            found = device_run(neuron, backend, x)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))

    @backends
    @pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
    def test_a_device_that_is_not_the_current_one(self, backend: str) -> None:
        neuron, x = neurons.create("plif").cuda(), drive(63, 4096).cuda()
        expected = device_run(neuron, backend, x)
        found = device_run(neuron.to("cuda:1"), backend, x.to("cuda:1"))
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))

    @backends
    def test_more_elements_than_32_bits_count(self, backend: str) -> None:
        steps, count, tail = 9, 2**28, 4096
        if torch.cuda.mem_get_info()[0] < 5 * steps * count * 2:
            pytest.skip("needs 24 GB of free device memory")
        neuron = neurons.create("lif", backend=backend)
        x = torch.zeros(steps, count, device="cuda", dtype=torch.bfloat16)
        x[:, -tail:] = drive(steps, tail).cuda()
        ours = device_run(neuron, backend, x[:, -tail:].contiguous())
        neuron.reset()
        with torch.no_grad():
            assert torch.equal(neuron(x)[:, -tail:].float().cpu(), ours[0])

    @pytest.mark.parametrize("name", ["psn", "masked_psn", "sliding_psn"])
    def test_products_over_time_agree_with_the_cpu(self, name: str) -> None:
        neuron = neurons.create(name, **neurons.registry.get(name).example(8))
        x = drive(8, 4, 60)
        expected = device_run(neuron, "torch", x)
        assert_close(device_run(neuron.cuda(), "fused", x.cuda()), expected, 1e-3)
        assert neuron.ran == "fused"

    def test_it_stays_in_compiled_graphs(self) -> None:
        neuron, x = neurons.create("plif", backend="fused").cuda(), drive(16, 512).cuda()
        expected = device_run(neuron, "fused", x)

        def layer(value: Tensor) -> Tensor:
            neuron.reset()
            return neuron(value * 1.0)

        assert torch.equal(torch.compile(layer, fullgraph=True)(x).cpu(), expected[0])

    def test_float64_is_refused(self) -> None:
        with pytest.raises(RuntimeError, match="compute in float32"):
            neurons.create("lif", backend="fused").cuda()(drive(4, 8).double().cuda())
