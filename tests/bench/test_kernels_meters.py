"""Memory meters on allocations of known size, and the search for the frontier."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
import warm
from hypothesis import given
from hypothesis import strategies as st

import neurons
from bench.speed import contenders, frontier, meters, roofline
from bench.speed.job import Job
from bench.speed.priority import Undisturbed
from neurons.backends.fused import plan
from neurons.computation import Refusal

pytestmark = pytest.mark.xdist_group("processes")
MIB = 2**20


def test_saved_counts_each_storage_once_and_leaves_out_what_was_there() -> None:
    x = torch.randn(1000, requires_grad=True)
    assert meters.saved(lambda: x * x, (x,)) == 0
    assert meters.saved(lambda: x * x) == 4000
    assert meters.saved(lambda: x.exp(), (x,)) == 4000  # its result
    assert meters.saved(lambda: x.exp() * x.exp(), (x,)) == 8000  # two results, each also saved by the product
    assert meters.saved(lambda: x + 1) == 0


def test_live_peak_is_what_is_held_at_one_time() -> None:
    def one_after_the_other() -> None:
        torch.empty(MIB, dtype=torch.uint8)
        torch.empty(3 * MIB, dtype=torch.uint8)

    def together() -> None:
        first, second = torch.empty(MIB, dtype=torch.uint8), torch.empty(3 * MIB, dtype=torch.uint8)
        del first, second

    assert meters.live_peak(one_after_the_other) == 3 * MIB
    assert meters.live_peak(together) == 4 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_process_peak_sees_pages_that_are_touched_and_given_back() -> None:
    def touch() -> None:
        torch.ones(64 * MIB, dtype=torch.uint8)

    found = meters.process_peak(touch)
    assert found is not None
    assert 60 * MIB <= found <= 80 * MIB
    assert (meters.process_peak(lambda: None) or 0) < 8 * MIB


KEPT = """
import torch
from bench.speed import child, meters

child.keep_freed_memory()
torch.ones(64 * 2**20, dtype=torch.uint8)
print(meters.process_peak(lambda: torch.ones(32 * 2**20, dtype=torch.uint8)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_process_peak_counts_pages_that_the_c_library_had_kept() -> None:
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 30 * MIB <= int(done.stdout) <= 48 * MIB


@given(st.integers(0, 10**6), st.integers(1, 5000))
def test_the_frontier_is_found_to_its_precision(limit: int, start: int) -> None:
    tries: list[int] = []

    def fits(value: int) -> bool:
        tries.append(value)
        return value <= limit

    found = frontier.largest(fits, start)
    assert found <= limit
    assert limit - found <= max(1, frontier.PRECISION * found)
    assert len(tries) <= 60
    most = limit // 2 + 1
    assert frontier.largest(lambda value: value <= limit, 1, most) <= most


def test_the_roofline_is_of_the_usual_layer_on_the_jobs_device(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = classmethod(lambda cls, T: {"v_threshold": float(T)})
    monkeypatch.setattr(neurons.registry.get("plif"), "example", usual)
    monkeypatch.setattr(neurons.backends, "chosen", lambda *_: "fused")
    layers = []

    def find(layer: Any, *_: object) -> Refusal:
        layers.append(layer)
        return Refusal("seen enough")

    monkeypatch.setattr(plan, "find", find)
    job = Job("roofline", "plif", ("fused-kernel",), ((3, 8),), device="meta")
    with pytest.raises(contenders.Unfit, match="seen enough"):
        roofline._trials(job, *(torch.empty(3, 8, device="meta") for _ in range(2)))
    (layer,) = layers
    assert layer.w.device.type == "meta"
    assert layer.v_threshold == 3


PRECISION = """
import io, json, sys, types
from bench.speed import child
from bench.speed.job import Job

sys.modules["probe"] = probe = types.ModuleType("probe")
def measure(job, emitter):
    import torch
    emitter.note(f"{torch.backends.cudnn.allow_tf32} {torch.get_float32_matmul_precision()}")
probe.measure = measure
child.MODULES["network"] = "probe"
sys.stdin = io.StringIO(json.dumps(Job("network", "plif", ("torch",), ((2, 4),), device="cuda").document()))
child.main()
"""


def test_a_gpu_computes_in_float32_where_float32_is_compared() -> None:
    done = warm.run(["-c", PRECISION])
    assert done.returncode == 0, done.stderr
    assert done.stdout == '{"note": "False highest"}\n'


TRIES = """
from bench.speed import frontier
from bench.speed.job import Job

job = Job("frontier", "lif", ("torch",), ((2, 8),), options={"detach_reset": True}, limit=64 * 2**20)
print(frontier.attempt(job, "torch", {"T": 4, "batch": 2, "width": 16}))
print(frontier.attempt(job, "torch", {"T": 2, "batch": 2, "width": 4096}))
print(frontier.attempt(job, "nobody", {"T": 2, "batch": 2, "width": 4}))
net = Job("frontier", "plif", ("torch",), ((2, 4),), options={"network": "plif_mnist"}, limit=64 * 2**20)
print(frontier.attempt(net, "torch", {"T": 2, "batch": 2, "width": 4}))
print(frontier.attempt(net, "torch", {"T": 2, "batch": 400, "width": 16}))
import torch
torch.ones(128 * 2**20, dtype=torch.uint8)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_try_fits_or_not_and_leaves_the_parent_unlimited() -> None:
    # A process of its own: one that has used OpenMP threads must not fork.
    done = warm.run(["-c", TRIES])
    assert done.returncode == 0, done.stderr
    # 4096 x 4096 weights take all of the 64 MiB, their gradient as much again.
    layer = (frontier.FITS, frontier.TOO_LARGE, frontier.CANNOT_RUN)
    assert done.stdout.split() == [str(s) for s in (*layer, frontier.FITS, frontier.TOO_LARGE)]


def test_urgent_threads_are_ordinary_again_afterwards() -> None:
    before = os.sched_getscheduler(0), os.nice(0)
    with Undisturbed() as window:
        assert window.kind in ("real-time", "nice", "ordinary")
        if window.kind == "real-time":
            assert os.sched_getscheduler(0) == os.SCHED_RR
    assert (os.sched_getscheduler(0), os.nice(0)) == before
