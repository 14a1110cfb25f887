"""The buffer pool never hands out memory that anything can still see."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import neurons
from neurons.backends.fused import compiler, pool

SIZE = pool.SMALLEST // 4  # floats


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    before = pool.enabled()
    pool.enable(True)
    pool.clear()
    gc.freeze()  # the tests collect garbage, and need not look for it among all that was imported
    yield
    gc.unfreeze()
    pool.enable(before)
    pool.clear()


def take(floats: int = SIZE) -> Tensor:
    return pool.empty((floats,), (1,), torch.float32)


def test_memory_comes_back_when_its_tensor_is_gone() -> None:
    tensor = take()
    place = tensor.data_ptr()
    assert take().data_ptr() != place
    del tensor
    gc.collect()
    assert place in {t.data_ptr() for t in (take(), take())}


HOLDERS = {
    "view": lambda t: t[3:7],
    "detached": lambda t: t.detach(),
    "storage": lambda t: t.untyped_storage(),
    "numpy": lambda t: t.numpy(),
    "numpy of a view": lambda t: t.view(2, -1)[1].numpy()[::2],
    "dlpack": lambda t: torch.utils.dlpack.to_dlpack(t),
    "graph": lambda t: torch.ones_like(t).requires_grad_() * t,
    "parameter": lambda t: torch.nn.Parameter(t),
    "memory view": lambda t: memoryview(t.numpy()),
}


@pytest.mark.parametrize("holder", list(HOLDERS))
def test_whatever_still_sees_the_memory_keeps_it(holder: str) -> None:
    tensor = take().fill_(1)
    place, held = tensor.data_ptr(), HOLDERS[holder](tensor)
    del tensor
    gc.collect()
    assert place not in {t.data_ptr() for t in [take() for _ in range(3)]}
    del held
    gc.collect()
    assert place in {t.data_ptr() for t in [take() for _ in range(5)]}


def test_a_resized_or_shared_buffer_is_never_used_again() -> None:
    tensor = take()
    tensor.resize_(4 * SIZE)
    del tensor
    shared = take().share_memory_()
    place = shared.data_ptr()
    del shared
    assert all(t.data_ptr() != place for t in [take() for _ in range(3)])


@settings(deadline=None, max_examples=30)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["take", "view", "drop"]), st.integers(0, 7), st.sampled_from([1, 2, 3])), max_size=40
    )
)
def test_living_tensors_never_overlap(steps: list[tuple[str, int, int]]) -> None:
    living: list[Tensor] = []
    marks: list[float] = []
    for number, (what, which, factor) in enumerate(steps):
        if what == "take":
            living.append(take(factor * SIZE).fill_(number))
            marks.append(number)
        elif living and what == "view":
            living.append(living[which % len(living)][7:19])
            marks.append(marks[which % len(marks)])
        elif living:
            living.pop(which % len(living))
            marks.pop(which % (len(marks)))
        assert all(bool((t == mark).all()) for t, mark in zip(living, marks, strict=True))


def test_threads_never_get_the_same_buffer() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            tensors = [take().fill_(number) for _ in range(3)]
            if not all(bool((t == number).all()) for t in tensors):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_all_buffers_stay_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "limit", lambda: 4 * pool.SMALLEST)
    held = [take() for _ in range(10)]
    assert pool.held() <= 4 * pool.SMALLEST
    assert len({t.data_ptr() for t in held}) == 10
    held.clear()
    other = take(3 * SIZE)
    assert other.nbytes <= pool.held() <= 4 * pool.SMALLEST, "idle buffers make room for another size"


def test_the_switch() -> None:
    pool.enable(False)
    take()
    assert pool.held() == 0
    pool.enable(True)
    take()
    assert pool.held() >= pool.SMALLEST


def test_small_tensors_are_left_to_the_allocator() -> None:
    take(10)
    assert pool.held() == 0


@pytest.mark.skipif(compiler.missing() is not None, reason="needs a C++ compiler")
def test_results_are_the_same_with_and_without_the_pool() -> None:
    x, results = torch.randn(8, SIZE) * 2, []
    for on in (True, False):
        pool.enable(on)
        neuron, leaf = neurons.create("lif", backend="fused"), x.clone().requires_grad_()
        kept = []
        for _ in range(3):
            spikes = neuron(leaf)
            kept.append(spikes)
        torch.stack(kept).sum().backward()
        results.append((torch.stack(kept).detach(), leaf.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
