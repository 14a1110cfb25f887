"""Blocks for CUDA devices: with Triton's interpreter, compiled for sm_90, and on a device where there is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from test_chain import apart, drive, layers, outcome
from torch import Tensor, nn

import neurons
from core.compare import relative, tolerance
from models.layers import AvgPool2d, BatchNorm2d, MaxPool2d, StepBatchNorm2d
from neurons.backends.fused import block, plan
from neurons.backends.fused.block import triton_kernel
from neurons.backends.fused.block.triton import SWITCHES, arguments, kind

pytest.importorskip("triton")
HERE = Path(__file__).parent
SIZES = {
    "moments": (4, 256),
    "coefficients": (True, 4, 256, 128),
    "forward": (1, False, False, 64, 4, 8),
    "backward": (1, False, False, True, False, False, True, False, 64, 4, 8),
    "shares": (128,),
    "correct": (False, 4, 256),
}


@pytest.mark.compilers
def test_the_cases_with_tritons_interpreter() -> None:
    helpers = str(HERE.parent / "neurons")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "interpreted_chain.py"],
        cwd=HERE,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": helpers},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"\b[1-9]\d* passed", done.stdout) or re.search(r"^\.{20,}", done.stdout), done.stdout


def made(name: str, dtype: torch.dtype = torch.float32, normalised: bool = True) -> triton_kernel.Kernel:
    found = plan.find(neurons.create(name), dtype, (2, 3, 4, 4), "cuda")
    assert isinstance(found, plan.Plan)
    return triton_kernel.Kernel(found.trace, dtype, found.trainable, normalised)


def compiled(kernel: triton_kernel.Kernel, way: str, *switches: Any) -> Any:
    from triton.backends.compiler import GPUTarget

    return kernel.compile(way, switches or SIZES[way], GPUTarget("cuda", 90, 32))


@pytest.mark.compilers
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("way", SWITCHES)
def test_compiles_for_sm_90(way: str, dtype: torch.dtype) -> None:
    built = compiled(made("plif", dtype), way)
    assert built.asm["cubin"].startswith(b"\x7fELF")
    ptx = built.asm["ptx"]
    assert not re.search(r"div\.(full|approx)|sqrt\.approx|(add|sub|mul|div)\.\w+\.ftz", ptx)
    assert not re.search(r"fma\.\w+\.f32", ptx), "a product and a sum were contracted"


@pytest.mark.compilers
@pytest.mark.parametrize("name", ["culif", "glif", "izhikevich"])
@pytest.mark.parametrize("pooling", [0, 2])
def test_all_that_a_call_may_ask_for_compiles(name: str, pooling: int) -> None:
    kernel = made(name, normalised=pooling == 0)
    P, K = (256, 1) if pooling == 0 else (16, 16)
    assert compiled(kernel, "forward", pooling, True, True, P, K, 8).asm["cubin"]
    every = (pooling, True, True, True, True, True, True, True, P, K, 8)
    assert compiled(kernel, "backward", *every).asm["cubin"]


def test_every_argument_has_a_kind() -> None:
    program = made("glif").program
    seen = {name: kind(name) for way in SWITCHES for name in arguments(program, way)}
    assert {seen[name] for name in ("c0", "rest0", "eps")} == {"number"}
    assert {seen[name] for name in ("chunks", "p0_each", "C", "T")} == {"int"}
    assert {seen[name] for name in ("p0", "of_step", "s0_in", "squares", "totals", "k0")} == {"computed"}
    assert {seen[name] for name in ("x", "gx", "weight", "running_var")} == {"stored"}
    assert (seen["sum0"], seen["x_row"]) == ("double", "long")


class Thought:
    """An input on a CUDA device that is not there."""

    device = torch.device("cuda")

    def __init__(self, dtype: torch.dtype) -> None:
        self._x = torch.empty(2, 2, 3, 64, 64, dtype=dtype, device="meta")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._x, name)

    def __getitem__(self, place: Any) -> Tensor:
        return self._x[place]


def reason(neuron: Any, dtype: torch.dtype = torch.float32, pool: block.Pool | None = None) -> Any:
    return block.find(neuron, Thought(dtype), None, False, pool or block.Pool("max", (2, 2)))  # type: ignore[arg-type]


def test_it_says_why_there_is_none() -> None:
    assert "float32 and 16 bits on a CUDA device" in reason(neurons.create("lif"), torch.float64)
    assert reason(neurons.create("lif"), pool=block.Pool("mean", (40, 40))) == "a window of the pooling is too large"
    assert "are for the CPU" in reason(neurons.create("psn", T=2))
    assert "step by step or on another backend" in reason(neurons.create("lif", backend="cupy"))


def test_who_computes_what() -> None:
    assert block._tools("cuda") == (triton_kernel.Kernel, triton_kernel.verdict)
    found = plan.find(neurons.create("lif"), torch.float32, (2, 3, 4, 4), "cuda")
    assert isinstance(found, plan.Plan)
    assert block._every(found) == plan.CHECKPOINTS
    named = block.Block(neurons.create("lif"), found, None, None, False, block.Pool("max", (2, 2)))
    assert named.name == "Triton, with pooling"


def test_a_first_use_inside_a_cuda_graph_is_refused_and_forgotten() -> None:
    found = plan.find(neurons.create("lif"), torch.float32, (4,), "cuda")
    assert isinstance(found, plan.Plan)
    with (
        mock.patch.object(block, "_kernels", {}),
        mock.patch.object(block, "_apart", side_effect=lambda make: make()),
        mock.patch.object(torch.cuda, "is_initialized", return_value=True),
        mock.patch.object(torch.cuda, "is_current_stream_capturing", side_effect=[True, False]),
    ):
        assert "CUDA graph cannot capture" in block._kernel(found, True, lambda: "made")
        assert block._kernel(found, True, lambda: "made") == "made"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnDevice:
    @pytest.mark.parametrize("norm", [StepBatchNorm2d, BatchNorm2d, None])
    @pytest.mark.parametrize("pool", [MaxPool2d(2), AvgPool2d(2)])
    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize("name", ["lif", "plif", "culif"])
    def test_it_agrees_with_the_layers(self, name: str, norm: Any, pool: nn.Module, training: bool) -> None:
        chain = layers(norm, pool, 5, name).float().train(training).cuda()
        other, x = apart(chain), drive(6, 7, 5, 17, 19, dtype=torch.float32).cuda()
        one, two = outcome(chain, x, cuts=(2,)), outcome(other, x, cuts=(2,))
        assert next(part for part in chain if isinstance(part, neurons.base.Neuron)).kernel.startswith("Triton, with")
        for key, expected in two.items():
            assert relative(one[key], expected, at_least=1e-12) <= tolerance("use", torch.float32), key

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_16_bit_storage(self, dtype: torch.dtype) -> None:
        chain = layers(StepBatchNorm2d, MaxPool2d(2), 5).to(dtype).cuda()
        other, x = apart(chain), drive(6, 7, 5, 16, 16, dtype=dtype).cuda()
        one, two = outcome(chain, x), outcome(other, x)
        assert (one["y"] != two["y"]).float().mean() < 1e-2  # its input is rounded once, as between the layers

    def test_gradients_repeat_exactly(self) -> None:
        chain, x = layers(StepBatchNorm2d, MaxPool2d(2), 5).float().cuda(), drive(6, 9, 5, 32, 32).float().cuda()
        first = outcome(chain, x)
        chain[0].reset_running_stats()  # type: ignore[union-attr,operator]
        neurons.reset(chain)
        chain.zero_grad()
        second = outcome(chain, x)
        assert all(torch.equal(first[name], second[name]) for name in first)
