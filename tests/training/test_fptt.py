"""Forward propagation through time against the work's rules written out, parameter by parameter in plain PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import models
import neurons
import tasks
from core.registry import UnknownName
from models.network import Network
from training.auxiliary import WrongPredictions
from training.descent import Descent
from training.flat import Flat
from training.fptt import FPTT, WEIGHTS
from training.loop import fit
from training.measures import Accuracy
from training.regulariser import DynamicRegulariser
from training.squared_error import SquaredError

SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
TRACES = {"alpha": 0.4, "beta": 0.3, "rho": 0.25}


class Small(Network):
    """Sequences [N, T, 2] -> [T, N, out]; with `learned` the encoding has a parameter of its own."""

    def __init__(self, T: int = 7, out: int = 3, neuron: nn.Module | None = None, learned: bool = False) -> None:
        super().__init__()
        self.T = T
        self.gain = nn.Parameter(torch.ones(()), requires_grad=learned)
        self.layers = nn.Sequential(nn.Linear(2, 6), neuron or neurons.create("plif"), nn.Linear(6, out))

    def encode(self, x: Tensor) -> Tensor:
        return x.transpose(0, 1) * self.gain

    def forward(self, sequence: Tensor) -> Tensor:
        return self.layers(sequence)


def network(**options: Any) -> Small:
    torch.manual_seed(5)
    return Small(**options).double()


def batches(count: int = 3, T: int = 7, classes: int = 3) -> list[tuple[Tensor, Tensor]]:
    numbers = torch.Generator().manual_seed(6)
    return [
        (
            3 * torch.rand(5, T, 2, generator=numbers, dtype=torch.double),
            torch.randint(classes, (5,), generator=numbers),
        )
        for _ in range(count)
    ]


def scheme(net: Small, **options: Any) -> FPTT:
    return FPTT(net, **{"loss": {"name": "last_cross_entropy"}, "optimizer": SGD, **options})


def by_hand(
    net: Small, chunks: int, weights: str, last: bool, clip: float | None, traces: dict[str, float] | None, aux: bool
) -> list[dict[str, Tensor]]:
    """The parameters after each batch, by the rules of the work."""
    parameters = {name: p for name, p in net.named_parameters() if p.requires_grad}
    descent = torch.optim.SGD(parameters.values(), lr=SGD["lr"], momentum=SGD["momentum"])
    average = {name: p.detach().clone() for name, p in parameters.items()}
    dual = {name: torch.zeros_like(p) for name, p in parameters.items()}
    step, table, found = net.T // chunks, torch.zeros(3, chunks, 3, dtype=torch.double), []
    for x, labels in batches():
        for p in range(chunks if last else chunks - 1):
            neurons.detach(net)
            end = net.T if p == chunks - 1 else (p + 1) * step
            logits = net(net.encode(x)[p * step : end])[-1]
            c = {"linear": (p + 1) / chunks, "slip": p + 1 / chunks, "one": 1.0}[weights]
            loss = c * F.cross_entropy(logits, labels)
            if aux:
                q = torch.stack([table[label, p] for label in labels])
                loss = loss + (1 - (p + 1) / chunks) * (-q * logits.log_softmax(1)).mean()
                if p < chunks - 1:
                    seen = set()
                    for said, label in zip(logits.detach().softmax(1), labels.tolist(), strict=True):
                        if said.argmax() != label and label not in seen:
                            seen.add(label)
                            table[label, p] = said
            if traces:
                for name, w in parameters.items():
                    loss = loss + (traces["rho"] - 1) * (w * dual[name]).sum()
                    loss = loss + traces["alpha"] / 2 * (w - average[name]).square().sum()
            descent.zero_grad()
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(parameters.values(), clip)
            descent.step()
            with torch.no_grad():
                for name, w in parameters.items() if traces else ():
                    dual[name] -= traces["alpha"] * (w - average[name])
                    beta = traces["beta"]
                    average[name] = (1 - beta) * average[name] + beta * w - beta / traces["alpha"] * dual[name]
        neurons.reset(net)
        found.append({name: w.detach().clone() for name, w in parameters.items()})
    return found


@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("traces", [TRACES, None])
@pytest.mark.parametrize(
    ("chunks", "weights", "last", "clip", "learned"),
    [
        (3, "slip", False, 1.0, False),
        (3, "linear", True, None, True),
        (7, "linear", True, 1.0, False),
        (1, "one", True, 0.5, False),
        (2, "one", True, 0.5, True),
    ],
)
def test_it_learns_by_the_rules_of_the_work(
    chunks: int, weights: str, last: bool, clip: float | None, learned: bool, traces: dict[str, float] | None, aux: bool
) -> None:
    expected = by_hand(network(learned=learned), chunks, weights, last, clip, traces, aux)
    net = network(learned=learned)
    learner = scheme(
        net, chunks=chunks, weights=weights, last=last, clip=clip, regulariser=traces,
        auxiliary={"classes": 3} if aux else None,
    )  # fmt: skip
    for (x, labels), after in zip(batches(), expected, strict=True):
        update = learner.train_batch(x, labels)
        assert len(update.outputs) == (7 if last else 4)
        for name, w in net.named_parameters():
            if name in after:
                torch.testing.assert_close(w.detach(), after[name], rtol=1e-6, atol=1e-9, msg=name)
    assert not isinstance(net.layers[1].v, Tensor)  # at rest


def test_one_chunk_without_regulariser_is_a_descent() -> None:
    found = []
    for make in (lambda net: scheme(net, chunks=1, weights="one"), lambda net: Descent(
        net, loss={"name": "last_cross_entropy"}, optimizer=SGD, decision={"name": "last"}
    )):  # fmt: skip
        net = network()
        learner = make(net)
        losses = [learner.train_batch(x, labels).scalars["loss"] for x, labels in batches()]
        found.append([*losses, *[p.detach() for p in net.parameters()]])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_the_form_of_the_base_paper() -> None:
    """With beta = 1/2: W_bar = (W_bar + W) / 2 - lambda / (2 alpha)."""
    weights = torch.randn(4, dtype=torch.double)
    traces = DynamicRegulariser(weights, alpha=0.1)
    for _ in range(4):
        weights += torch.randn(4)
        before = traces.average.clone()
        traces.follow()
        torch.testing.assert_close(traces.average, (before + weights) / 2 - traces.dual / 0.2)


def test_the_traces_may_have_an_alpha_of_their_own() -> None:
    weights = torch.tensor([2.0])
    traces = DynamicRegulariser(weights, alpha=0.1, trace_alpha=0.5)
    weights += 1
    traces.follow()
    assert traces.dual.item() == pytest.approx(-0.5)
    assert traces.average.item() == pytest.approx(2.5 + 0.5)
    gradient = torch.zeros(1)
    traces.weights += 1  # 4, one above the average
    assert traces.apply(gradient).item() == pytest.approx(0.5 * 4 + 0.05)
    assert gradient.item() == pytest.approx(0.5 + 0.1)


def test_the_average_takes_the_place_of_the_weights() -> None:
    learner = scheme(network(), regulariser=TRACES, average_every=2)
    for epoch in range(2):
        for x, labels in batches():
            learner.train_batch(x, labels)
        before = learner.flat.weights.detach().clone()
        learner.end_epoch()
        expected = learner.regulariser.average if epoch else before
        assert torch.equal(learner.flat.weights, expected)
        assert torch.equal(learner.network.layers[0].weight.flatten(), expected[:12])
    assert learner.regulariser.dual.any()  # lambda goes on


@pytest.mark.parametrize("when", ["epoch", "sequence"])
def test_traces_may_begin_anew(when: str) -> None:
    learner = scheme(network(), regulariser=TRACES, forget=when)
    learner.train_batch(*batches()[0])
    left = learner.regulariser.dual.clone()
    assert left.any()
    learner.end_epoch()
    assert learner.regulariser.dual.any() != (when == "epoch")
    learner.train_batch(*batches()[0])
    assert learner.regulariser.dual.any()


def test_until_an_epoch_the_auxiliary_distribution_is_uniform() -> None:
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    auxiliary = WrongPredictions(4, logits, classes=3, uniform=1)
    found = auxiliary.loss(logits, labels, 1, epoch=0)
    torch.testing.assert_close(found, -logits.log_softmax(1).mean() / 3 / 2)
    whole = WrongPredictions(4, logits, classes=3, uniform=1, mean="samples")
    torch.testing.assert_close(whole.loss(logits, labels, 1, epoch=0), 3 * found)


def test_the_first_wrong_sample_of_a_class_is_kept() -> None:
    logits = torch.eye(3)[[1, 0, 2, 2, 1]].requires_grad_()  # what is said
    labels = torch.tensor([0, 0, 0, 1, 1])
    auxiliary = WrongPredictions(2, logits.detach(), classes=3)
    assert auxiliary.loss(logits, labels, 0, 0) == 0  # nothing was in the table when it was asked
    said = logits.detach().softmax(1)
    torch.testing.assert_close(auxiliary.table[:, 0], torch.stack([said[0], said[3], torch.zeros(3)]))
    assert not auxiliary.table[:, 1].any()


def test_a_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    task = tasks.load("digits")

    def train(epochs: int, path: Path | None) -> list[dict[str, float]]:
        torch.manual_seed(3)
        net = models.create("sequential_fc", neuron=models.factory("plif"), order="rows", side=8, hidden=12)
        learner = FPTT(
            net, loss={"name": "last_cross_entropy"}, optimizer={"name": "adamax", "lr": 3e-3}, chunks=4, clip=1.0,
            regulariser={"alpha": 0.1}, auxiliary={"uniform": 1}, average_every=1,
            schedule={"name": "milestones", "at": [2], "factor": 0.1},
        )  # fmt: skip
        history = fit(
            learner, task, epochs=epochs, batch_size=256, seed=1, device="cpu", path=path, measures=[Accuracy]
        )
        return [{name: value for name, value in record.items() if name != "train_seconds"} for record in history]

    whole = train(3, None)
    train(1, tmp_path / "run.pt")
    assert train(3, tmp_path / "run.pt") == whole
    assert {"train_loss", "train_regulariser", "train_gradient_norm"} <= whole[0].keys()


def test_the_adding_problem_is_learned_from_fresh_samples() -> None:
    task = tasks.load("adding", T=6, train=640, test=200)
    torch.manual_seed(1)
    net = Small(6, 1)
    learner = FPTT(
        net, loss={"name": "last_mse"}, decision={"name": "last_value"}, optimizer={"name": "adam", "lr": 0.02},
        chunks=3, weights="slip", last=False, clip=1.0, regulariser={"alpha": 0.5},
    )  # fmt: skip
    history = fit(learner, task, epochs=3, batch_size=64, seed=1, device="cpu", measures=[SquaredError])
    assert history[-1]["test_mse"] < history[0]["test_mse"] < 2
    assert history.units["test_mse"] == "1"


def test_an_error_needs_values_and_predictions_of_their_shape() -> None:
    with pytest.raises(ValueError, match=r"needs a task of values, this one has Classes"):
        SquaredError(tasks.Classes(10))
    error = SquaredError(tasks.Values(1))
    error.update(torch.zeros(2, 3, 1), torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [1.0]]))
    error.update(torch.zeros(2, 1, 1), torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    assert error.value() == pytest.approx((1 + 4 + 1) / 3)
    with pytest.raises(ValueError, match="choose a decision that tells values, such as 'last_value'"):
        error.update(torch.zeros(2, 3, 1), torch.zeros(3, dtype=torch.int64), torch.zeros(3, 1))


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ValueError, match=r"layers\.1 is whole and cannot be cut"):
        scheme(Small(neuron=neurons.create("psn", T=7)))
    scheme(Small(neuron=neurons.create("psn", T=7)), chunks=1)
    with pytest.raises(ValueError, match="7 steps was to be cut into 9 chunks; choose 1 to 7"):
        scheme(network(), chunks=9)
    with pytest.raises(ValueError, match="no chunk but the last"):
        scheme(network(), chunks=1, last=False)
    with pytest.raises(ValueError, match="leave average_every and forget out"):
        scheme(network(), average_every=1)
    with pytest.raises(ValueError, match="give one above 0"):
        scheme(network(), regulariser={"alpha": 0.0})
    for options in ({"weights": "sliip"}, {"forget": "epochs"}, {"auxiliary": {"mean": "sample"}}):
        with pytest.raises(UnknownName, match="Did you mean"):
            scheme(network(), **options)
    mixed = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).double())
    with pytest.raises(ValueError, match=r"torch\.float32 on cpu, torch\.float64 on cpu"):
        Flat(mixed)


def test_the_weights_of_chunks() -> None:
    assert [WEIGHTS["linear"](p, 4) for p in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert [WEIGHTS["slip"](p, 4) for p in range(4)] == [0.25, 1.25, 2.25, 3.25]
