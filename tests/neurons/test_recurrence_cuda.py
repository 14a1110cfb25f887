"""Kernels of recurrent layers for CUDA devices: compiled for sm_90, refused with a reason, tried on a device.

What they compute is tried by `interpreted_recurrence`.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import device_kernels
import pytest
import torch
from torch import Tensor, nn

import neurons
from core import sources
from core.compare import relative
from models.fptt.neurons import NEURONS
from models.recurrent import Recurrent
from neurons.backends import liquid_step_cuda, recurrence_cuda
from neurons.backends.between import between
from neurons.backends.fused import plan

pytest.importorskip("triton")
WIDTH = 32


def layer(network: str, **options: Any) -> Recurrent:
    name, usual = NEURONS[network]
    neuron = neurons.create(name, **{**usual, "shape": (WIDTH,), "v_start": 0.0, **options})
    return Recurrent(neuron, nn.Linear(WIDTH, WIDTH))


def kernel(network: str) -> recurrence_cuda.Kernel:
    neuron: Any = layer(network).neuron
    step = between(neuron) if network != "adding_asrnn" else neuron
    found = plan.find(step, torch.float32, (4, WIDTH), "cuda")
    assert isinstance(found, plan.Plan)
    return recurrence_cuda.Kernel(found, 3, 0)


@pytest.mark.parametrize(("network", "wide"), [("sequential", True), ("adding_asrnn", False)])
def test_compiles_for_sm_90(network: str, wide: bool) -> None:
    from triton.backends.compiler import GPUTarget

    made = kernel(network)
    for way, switches in {"forward": (True,), "backward": (True, True)}.items():
        built = made.compile(way, wide, switches, GPUTarget("cuda", device_kernels.ARCHITECTURE, 32))
        ptx = built.asm["ptx"]
        assert built.asm["cubin"].startswith(b"\x7fELF")
        assert not re.search(r"mma|tf32", ptx), "products of less than float32"
        assert "fma.rn.f32" in ptx
        assert not re.search(r"div\.(full|approx)|(add|sub|mul|div)\.\w+\.ftz", ptx)
        assert built.metadata.shared < 48 * 1024  # what every device has
        if wide:
            assert re.search(r"cp\.async\.c\w\.shared\.global[^;]*, 0x10,|cp\.async\.cg\.shared\.global", ptx)


def test_gates_that_do_not_act_and_states_that_stay_cost_nothing() -> None:
    made = kernel("adding")
    assert made.acting == [0]
    assert made.layer.rows == (True, False, False)
    assert kernel("sequential").layer.rows == (True, True, True)
    assert kernel("adding_asrnn").layer.gates == ()


def test_results_of_a_cpu_do_not_rest_on_it() -> None:
    followed = sources.followed({"models.recurrent", "models.fptt.sequential"})
    assert "neurons.backends.recurrence" in followed
    assert not [name for name in followed if name.endswith(("_cuda", "recurrence_triton", "between"))]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"backend": "torch"}, "backend 'torch' was asked for"),
        ({"gates": {"name": "conv", "dense": {}}, "shape": (WIDTH, 1, 1)}, "diagonal or dense gates"),
    ],
)
def test_what_no_kernel_is_for_is_refused_with_a_reason(options: dict[str, Any], reason: str) -> None:
    made = layer("sequential", **options)
    refused = recurrence_cuda.sequence(made.neuron, made.feedback, torch.zeros(2, 3, WIDTH))
    assert reason in getattr(refused, "reason", "")
    assert reason.split(" or ")[-1] in getattr(liquid_step_cuda.step(made.neuron, torch.zeros(3, WIDTH)), "reason", "")


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (torch.zeros(2, 3, WIDTH, dtype=torch.float64), "of torch.float64"),
        (torch.zeros(2, 3, 4, WIDTH), "inputs [T, N, C]"),
        (torch.zeros(2, 0, WIDTH), "[2, 0, 32]"),
        (torch.zeros(2, 3, 16), "as wide as the layer"),
    ],
)
def test_other_inputs_are_refused_with_a_reason(x: Tensor, reason: str) -> None:
    made = layer("adding")
    assert reason in getattr(recurrence_cuda.sequence(made.neuron, made.feedback, x), "reason", "")


def test_hooks_on_parts_are_refused_and_other_neurons() -> None:
    made = layer("adding")
    made.feedback.register_forward_hook(lambda *_: None)
    x = torch.zeros(2, 3, WIDTH)
    assert "has hooks" in getattr(recurrence_cuda.sequence(made.neuron, made.feedback, x), "reason", "")
    lif = neurons.create("lif")
    assert "it is for ALIF" in getattr(recurrence_cuda.sequence(lif, nn.Linear(WIDTH, WIDTH), x), "reason", "")


def test_without_a_device_a_warning_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = layer("adding")
    monkeypatch.setattr(recurrence_cuda.cuda_kernel, "missing", lambda: "no CUDA device in this test")
    with pytest.warns(RuntimeWarning, match="no CUDA device in this test"):
        assert recurrence_cuda.find(made.neuron, made.feedback, torch.zeros(2, 3, WIDTH)) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("network", ["adding", "sequential", "adding_asrnn"])
@pytest.mark.parametrize(("T", "N"), [(1, 1), (10, 128), (7, 33)])
def test_a_layer_on_a_device_is_its_steps(network: str, T: int, N: int) -> None:
    fast, x = layer(network).cuda(), torch.randn(T, N, WIDTH, device="cuda")
    plain = copy.deepcopy(fast)
    plain.neuron.backend = "torch"
    found = []
    for made in (fast, plain):
        leaf = x.clone().requires_grad_()
        spikes = made(leaf)
        spikes.sum().backward()
        found.append([spikes.detach(), leaf.grad, *(p.grad for p in made.parameters() if p.grad is not None)])
    assert fast.neuron.ran == "fused"
    if torch.equal(found[0][0], found[1][0]):  # else a potential was within rounding of the threshold
        assert all(relative(a, b) < 2e-4 for a, b in zip(*found, strict=True))
