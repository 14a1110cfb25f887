"""The passes over the weights after a gradient leave the bits that PyTorch's operations do, or are not used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import Adam, Adamax, Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from models.network import Network
from training import update_pass, update_pass_cpp
from training.decay_after import adam_then_decay
from training.fptt import FPTT
from training.optimizers import adam, adamax
from training.regulariser import DynamicRegulariser
from training.weight_update import plain

pytestmark = pytest.mark.skipif(not update_pass._sound("adam", 64, 1), reason="no passes here")
Traces = dict[str, Any] | None


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Case:
    """A vector that learns from drawn gradients of sizes from 1e-12 to 1e12, with zeros among them."""

    def __init__(self, name: str, numbers: int, traces: Traces, clip: float | None, lr: float, seed: int) -> None:
        self.draw = torch.Generator().manual_seed(seed)
        self.weights = nn.Parameter(torch.randn(numbers, generator=self.draw))
        self.optimizer = update_pass.MAKERS[name]([self.weights], lr=lr)
        self.regulariser = None if traces is None else DynamicRegulariser(self.weights, **traces)
        self.clip, self.scalars = clip, [torch.zeros(())]

    def learn(self, fast: bool, epoch: int) -> None:
        def drawn() -> Tensor:
            return torch.randn(self.weights.numel(), generator=self.draw)

        self.weights.grad = drawn() * 10 ** (4 * drawn()).clamp(-12, 12) * (drawn() > -1)
        update = update_pass.update if fast else plain
        self.scalars += update(self.weights.grad, self.optimizer, self.regulariser, self.clip, epoch).values()

    def left(self) -> list[Tensor]:
        left = [self.weights.detach(), *self.optimizer.state[self.weights].values(), *self.scalars]
        return left if self.regulariser is None else [*left, *self.regulariser.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Bit for bit, -0 apart from 0; any NaN for any other."""
    return all(
        bool(((a.view(torch.int32) == b.view(torch.int32)) | (a.isnan() & b.isnan())).all())
        for a, b in zip(one, other, strict=True)
    )


REGULARISERS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"alpha": st.floats(1e-3, 3), "beta": st.floats(0, 1), "rho": st.floats(-1, 2)},
        optional={"trace_alpha": st.floats(1e-3, 3), "debias": st.booleans()},
    ),
)


@given(
    name=st.sampled_from(["adam", "adamax"]),
    numbers=st.integers(1, 40).map(lambda k: 16 * k),
    traces=REGULARISERS,
    clip=st.one_of(st.none(), st.floats(1e-3, 1e6)),
    lr=st.floats(1e-5, 1),
    epochs=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    seed=st.integers(0, 999),
)
def test_it_leaves_the_bits_of_the_plain_way(
    name: str, numbers: int, traces: Traces, clip: float | None, lr: float, epochs: list[int], seed: int
) -> None:
    ours, theirs = (Case(name, numbers, traces, clip, lr, seed) for _ in range(2))
    for case, fast in ((ours, True), (theirs, False)):
        case.learn(False, 0)
        for epoch in epochs:
            case.learn(fast, epoch)
    assert same(ours.left(), theirs.left())


@pytest.mark.parametrize("name", ["adam", "adamax"])
@pytest.mark.parametrize(("numbers", "threads"), [(65552, 1), (65552, 2), (65568, 2), (65568, 3)])
def test_where_it_is_used_on_several_threads_it_leaves_those_bits(name: str, numbers: int, threads: int) -> None:
    traces = {"alpha": 0.1, "beta": 0.5}
    with on_threads(threads):
        ours, theirs = (Case(name, numbers, traces, 1.0, 1e-3, 0) for _ in range(2))
        for case in (ours, theirs):
            case.learn(False, 0)
            used = update_pass.find(case.optimizer, case.regulariser) is not None
            case.learn(used and case is ours, 0)
        assert used or threads > 1
        assert same(ours.left(), theirs.left())


class Small(Network):
    """Sequences [N, T, 5] -> [T, N, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.T = 4
        self.layers = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))

    def encode(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence)


def learner(optimizer: str = "adam", **options: Any) -> FPTT:
    torch.manual_seed(1)
    return FPTT(
        Small(), loss={"name": "last_cross_entropy"}, optimizer={"name": optimizer, "lr": 0.01}, chunks=2, **options
    )  # fmt: skip


def trained(scheme: FPTT, epochs: int = 3) -> list[Any]:
    """Scalars of each epoch and the whole state after it."""
    found: list[Any] = []
    for epoch in range(epochs):
        draw = torch.Generator().manual_seed(epoch)
        x, labels = torch.randn(6, 4, 5, generator=draw), torch.randint(3, (6,), generator=draw)
        found.append(scheme.train_batch(x, labels).scalars)
        scheme.end_epoch()
    return [*found, scheme.state_dict()]


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


OPTIONS: list[dict[str, Any]] = [
    {"regulariser": {"alpha": 0.1}, "clip": 1.0, "average_every": 2, "forget": "epoch"},
    {"regulariser": {"alpha": 0.1, "debias": True}, "schedule": {"name": "milestones", "at": [1], "factor": 0.1}},
    {"clip": 0.01},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("optimizer", ["adam", "adamax"])
def test_a_training_with_it_is_one_without_it(
    optimizer: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(learner(optimizer, **options))  # and proves the passes
    called: list[str] = []
    call = update_pass._call

    def watched(name: str, *rest: Any) -> None:
        called.append(name)
        call(name, *rest)

    monkeypatch.setattr(update_pass, "_call", watched)
    ours = trained(learner(optimizer, **options))
    assert sum(name.startswith(optimizer) for name in called) == 5  # the first update is PyTorch's
    monkeypatch.setattr(update_pass, "find", lambda *_: None)
    assert_equal(ours, trained(learner(optimizer, **options)))


@pytest.mark.parametrize("optimizer", ["adam", "adamax"])
def test_it_goes_on_from_a_state(optimizer: str) -> None:
    whole, begun, resumed = (learner(optimizer, **OPTIONS[0]) for _ in range(3))
    trained(whole, 3)
    trained(begun, 3)
    resumed.load_state_dict(begun.state_dict())
    assert_equal(trained(resumed, 2), trained(whole, 2))


def stepped(optimizer: Optimizer) -> Optimizer:
    for weights in optimizer.param_groups[0]["params"]:
        weights.grad = torch.ones_like(weights)
    optimizer.step()
    return optimizer


def weights(numbers: int = 64, **options: Any) -> nn.Parameter:
    return nn.Parameter(torch.zeros(numbers, **options))


def test_what_it_does_not_know_is_left_to_pytorch() -> None:
    one = weights()
    assert update_pass.find(stepped(adam([one], lr=0.1)), DynamicRegulariser(one, alpha=0.1)) is not None
    assert update_pass.find(stepped(adamax([one], lr=0.1)), None) is not None
    for other in (
        torch.optim.SGD([one], 0.1),
        torch.optim.AdamW([one], 0.1),
        adam([one], lr=0.1, weight_decay=0.1),
        adamax([one], lr=0.1, weight_decay=0.1),
        adam([one], lr=0.1, amsgrad=True),
        adam_then_decay([one], lr=0.1, weight_decay=0.1),
        Adam([one], 0.1),
        Adam([one], torch.tensor(0.1), fused=True),
        Adamax([one], 0.1, maximize=True),
        Adamax([one], 0.1, foreach=True),
        Adamax([one, weights()], 0.1),
        Adamax([{"params": [one]}, {"params": [weights()]}], 0.1),
        adamax([weights(dtype=torch.float64)], lr=0.1),
        adamax([weights(65)], lr=0.1),
    ):
        assert update_pass.find(stepped(other), None) is None, other
    assert update_pass.find(adam([one], lr=0.1), None) is None  # PyTorch makes the state
    for register in (register_optimizer_step_pre_hook, register_optimizer_step_post_hook):
        hook = register(lambda *_: None)  # of all optimisers
        assert update_pass.find(stepped(adam([one], lr=0.1)), None) is None
        hook.remove()


def test_a_wrong_pass_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """One that rounds once where PyTorch does twice."""
    monkeypatch.setenv("SPIKEBENCH_CACHE", str(tmp_path))
    source = update_pass_cpp.source().replace("w = w + rate * m / s;", "w = fma(rate / s, m, w);")
    monkeypatch.setattr(update_pass_cpp, "source", lambda: source)
    update_pass._library.cache_clear()
    update_pass._sound.cache_clear()
    try:
        assert update_pass.find(stepped(adamax([weights()], lr=0.1)), None) is None
        assert update_pass.find(stepped(adam([weights()], lr=0.1)), None) is not None  # where it is right
    finally:
        update_pass._library.cache_clear()
        update_pass._sound.cache_clear()


def test_a_proof_is_remembered_beside_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert update_pass._sound("adamax", 64, 1)
    monkeypatch.setattr(update_pass, "_agrees", lambda *_: pytest.fail("proven again"))
    assert update_pass._sound.__wrapped__("adamax", 64, 1)
    with pytest.raises(pytest.fail.Exception, match="proven again"):
        update_pass._sound.__wrapped__("adamax", 48, 17)


def test_without_a_compiler_pytorch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    update_pass._library.cache_clear()
    try:
        assert not update_pass._sound.__wrapped__("adam", 64, 1)
    finally:
        update_pass._library.cache_clear()
