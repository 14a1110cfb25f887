"""Compiling and keeping kernels: damage, several processes, no compiler, forks, threads."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import warm
from against_eager import assert_same, drive

import neurons
from neurons.backends.fused import compiler, kernel, plan

needs_compiler = pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler")

RUN = """
import sys, time, torch, neurons, warnings
warnings.simplefilter("error")
torch.manual_seed(0)
x = torch.randn(6, 50) * 2
fused, eager = (neurons.create("lif", backend=b, tau=2.5) for b in (sys.argv[1], "torch"))
started = time.perf_counter()
spikes = fused(x)
print(round(time.perf_counter() - started, 3), neurons.backends.chosen(fused, "cpu"))
assert torch.equal(spikes, eager(x))
"""

ANSWER = 'extern "C" int answer() { return 42; }'


def python(code: str, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return warm.run(["-c", code, *args], env={**os.environ, **environment})


def kernels(folder: Path) -> list[Path]:
    return sorted((folder / "kernels").glob("*.so"))


@needs_compiler
def test_the_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    first = python(RUN, "fused", SPIKEBENCH_CACHE=str(tmp_path))
    assert first.returncode == 0, first.stderr
    (library,) = kernels(tmp_path)
    before = library.stat().st_mtime_ns
    assert python(RUN, "fused", SPIKEBENCH_CACHE=str(tmp_path)).returncode == 0
    assert library.stat().st_mtime_ns == before
    assert {p.suffix for p in library.parent.iterdir()} == {".so", ".cpp", ".json"}, "nothing unfinished is left"


@needs_compiler
@pytest.mark.parametrize("damage", ["library cut", "library empty", "note cut", "note not ours", "library gone"])
def test_a_damaged_cache_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str) -> None:
    monkeypatch.setenv("SPIKEBENCH_CACHE", str(tmp_path))
    loaded = compiler.Library
    monkeypatch.setattr(compiler, "Library", lambda path, note: path)  # not yet: it is going to change under our feet
    path = compiler.library(ANSWER)
    assert isinstance(path, Path)
    note = path.with_suffix(".json")
    if damage == "library gone":
        path.unlink()
    elif damage.startswith("library"):
        path.write_bytes(path.read_bytes()[:5000] if damage.endswith("cut") else b"")
    else:
        note.write_text(note.read_text()[:10] if damage.endswith("cut") else "[1, 2]")
    monkeypatch.setattr(compiler, "Library", loaded)
    assert compiler.library(ANSWER).functions.answer() == 42
    assert json.loads(note.read_text())["sha256"]


@needs_compiler
def test_processes_that_compile_at_once(tmp_path: Path) -> None:
    surroundings = {**os.environ, "SPIKEBENCH_CACHE": str(tmp_path)}
    processes = [warm.Process(["-c", RUN, "fused"], surroundings) for _ in range(3)]
    results = [(p.communicate()[1], p.returncode) for p in processes]
    assert [code for _, code in results] == [0, 0, 0], results
    assert len(kernels(tmp_path)) == 1


def test_without_a_compiler_there_is_one_warning_and_the_eager_path() -> None:
    code = RUN.replace('"error")', '"always")') + "fused(x)\nneurons.create('plif')(x)\n"
    done = python(code, "auto", CXX="/nonexistent/c++")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "torch"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "CXX names '/nonexistent/c++', which was not found" in done.stderr


def test_without_a_compiler_the_explicit_choice_is_an_error() -> None:
    done = python(RUN, "fused", CXX="/nonexistent/c++")
    assert done.returncode == 1
    assert "Backend 'fused' cannot run LIF on cpu: no C++ compiler" in done.stderr


def test_a_compiler_that_fails_is_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "broken++"
    broken.write_text("#!/bin/sh\necho 'out of ideas' >&2\nexit 3\n")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    done = python(RUN, "fused", CXX=str(broken), SPIKEBENCH_CACHE=str(tmp_path))
    assert done.returncode == 1
    assert "broken++ refused the kernel: out of ideas" in done.stderr


@needs_compiler
def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # below a file not even root can write
    done = python(RUN, "fused", SPIKEBENCH_CACHE=str(tmp_path / "file" / "cache"))
    assert "set SPIKEBENCH_CACHE" in done.stderr


@needs_compiler
def test_another_instruction_set_or_compiler_is_another_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPIKEBENCH_CACHE", str(tmp_path))
    first = compiler.library(ANSWER)
    assert first.functions.answer() == 42
    monkeypatch.setattr(compiler, "_cpu", lambda: "another")
    assert compiler.library(ANSWER).path != first.path
    assert len(kernels(tmp_path)) == 2


@needs_compiler
def test_a_wrong_kernel_is_never_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kernels that multiply where the neuron adds: refused with what differs, and "auto" takes the oracle."""
    from neurons.backends.fused import cpp

    monkeypatch.setenv("SPIKEBENCH_CACHE", str(tmp_path))
    monkeypatch.setitem(cpp._INFIX, "add", "-")
    monkeypatch.setattr(plan, "_plans", type(plan._plans)())
    x = drive(5, 40)
    with pytest.raises(RuntimeError, match=r"kernel of 'plif' is wrong: .* differ"):
        neurons.create("plif", backend="fused")(x)
    with pytest.warns(RuntimeWarning, match="'plif' is wrong"):
        spikes = neurons.create("plif")(x)
    assert torch.equal(spikes, neurons.create("plif", backend="torch")(x))
    monkeypatch.setattr(plan, "_plans", type(plan._plans)())


@needs_compiler
def test_a_proof_that_cannot_be_written_down_is_still_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared cache that others may only read, with a kernel proven under another PyTorch."""

    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(path)

    neurons.create("qif", backend="fused")(drive(2, 3))
    monkeypatch.setattr(torch, "__version__", "another")
    monkeypatch.setattr(compiler, "_write", refuse)
    monkeypatch.setattr(plan, "_plans", type(plan._plans)())
    assert_same(neurons.create("qif"), drive(5, 40))


def test_a_compiler_that_does_not_run_is_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "broken++"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    done = python(RUN, "fused", CXX=str(broken), SPIKEBENCH_CACHE=str(tmp_path))
    assert "Backend 'fused' cannot run LIF on cpu" in done.stderr
    assert "broken++ does not run" in done.stderr


def train(x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """The gradient of `x`; no operator of PyTorch's own sees as many elements as would make it use threads."""
    leaf = x.detach().requires_grad_()
    neurons.create("lif", backend="fused")(leaf).backward(g)
    assert leaf.grad is not None
    return leaf.grad


def _in_child(x: torch.Tensor, g: torch.Tensor, queue: Any, expected: torch.Tensor) -> None:
    queue.put(all(torch.equal(a, b) for a, b in zip(train(x, g), expected, strict=True)))


@needs_compiler
def test_a_forked_child_computes_after_its_parent_has() -> None:
    """In a process of its own: forking after a backward pass under torch.compile is more than PyTorch itself can do."""
    code = "import test_fused_compiler as tests; tests.fork_after_training()"
    folder = Path(__file__).parent
    done = warm.run(["-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, folder.parent)))})
    assert done.returncode == 0, done.stderr


def fork_after_training() -> None:
    """The parent's thread pool does not survive the fork; a child that waited for it would wait for ever."""
    torch.set_num_threads(2)
    x, g = drive(20, 2000), torch.randn(20, 2000)
    expected = train(x, g)
    assert kernel._used_threads, "or this proves nothing"
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(x, g, queue, expected))
    child.start()
    child.join(60)
    alive = child.is_alive()
    if alive:
        child.kill()
    assert not alive, "the child hangs"
    assert child.exitcode == 0
    assert queue.get() is True


@needs_compiler
def test_threads_of_python_compute_at_once() -> None:
    x, g = drive(20, 3000), torch.randn(20, 3000)
    expected, results = train(x, g), list[torch.Tensor]()
    threads = [threading.Thread(target=lambda: results.append(train(x, g))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(torch.equal(r, expected) for r in results)


@pytest.mark.parametrize("mode", ["inference", "no grad", "autocast"])
@needs_compiler
def test_a_first_call_in_any_mode_makes_a_sound_kernel(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_plans", type(plan._plans)())
    contexts = {
        "inference": torch.inference_mode(),
        "no grad": torch.no_grad(),
        "autocast": torch.autocast("cpu", dtype=torch.bfloat16),
    }
    neuron, x = neurons.create("ltc", backend="fused"), drive(5, 30)
    with contexts[mode]:
        neuron(x)
    neuron.reset()
    spikes = neuron(x)
    neuron.backend = "torch"
    neuron.reset()
    assert torch.equal(spikes, neuron(x))


@pytest.mark.parametrize(
    ("neurons_", "threads", "most", "expected"),
    [
        (100, 2, 4096, (128, 1)),  # too few to share
        (4096, 2, 4096, (2048, 2)),
        (10_000, 2, 4096, (2560, 2)),  # 3 blocks would leave a thread idle: 4
        (1 << 20, 2, 4096, (4096, 2)),
        (1, 8, 512, (64, 1)),
    ],
)
def test_blocks_are_equal_shares(neurons_: int, threads: int, most: int, expected: tuple[int, int]) -> None:
    assert kernel.blocks(neurons_, threads, most) == expected
