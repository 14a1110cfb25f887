"""The loop over epochs: train, evaluate, remember, checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neurons.base import Neuron

from . import checkpoint, distributed
from .clock import Clock
from .finite import Diverged as Diverged
from .finite import Finite
from .resume import History, resume

if TYPE_CHECKING:
    from tasks import Split, Task


def fit(
    scheme: Any,
    task: Task,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    device: str,
    path: Path | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    on_note: Callable[[str], None] = lambda text: None,
    clock: Clock | None = None,
) -> History:
    """Trains `scheme` on `task` and returns one record an epoch.

    A record holds train_loss, train_accuracy, test_accuracy, validation_accuracy (when the task has that split), lr,
    train_seconds, the firing rate of each spiking layer on the test set (rate_0 ...) and learned constants (tau_0 ...),
    layers counted in forward order. Accuracies are fractions. Every neuron is told of the epoch before it starts
    (`Neuron.start_epoch`); its evaluation sees the network as it was trained in it.

    With `path`, every epoch ends in a checkpoint there and a run found there is continued: on a CPU its records are
    those of an uninterrupted run, bit for bit, times aside; what it had spent is added to `clock`. A checkpoint that is
    damaged, that does not fit, or whose run saw other data is set aside: training starts anew, and `on_note` gets a
    sentence that says so. The caller seeds the global RNGs before it builds the network; the order of the samples
    depends on `seed` and the epoch alone, so that compared networks see the same batches. `on_epoch(epoch, record)` is
    called after each epoch, and once for every epoch found in the checkpoint.

    In a group of processes (training.distributed) each calls this and gets the same records, seconds aside, and
    process 0 writes the checkpoint. Raises Diverged when the loss, a parameter or a buffer is no longer finite; no
    checkpoint holds such a network.
    """
    clock = clock or Clock()
    finite = Finite(scheme.network)
    history = resume(scheme, path, task.dataset.digest, clock, on_note) if path else []
    for epoch, record in enumerate(history):
        if on_epoch:
            on_epoch(epoch, record)
    if history:  # a finished run is not trained any more, but its network may be measured
        finite.check(len(history) - 1)
        _start_epoch(scheme.network, len(history) - 1, epochs)
    for epoch in range(len(history), epochs):
        _start_epoch(scheme.network, epoch, epochs)
        record = {"lr": scheme.lr}
        record |= _train(scheme, task.train, _order(len(task.train), seed, epoch), batch_size, device)
        scheme.end_epoch()
        finite.check(epoch, record["train_loss"])
        if task.validation is not None:
            record["validation_accuracy"] = evaluate(scheme, task.validation, batch_size, device)
        with FiringRates(scheme.network) as rates:
            record["test_accuracy"] = evaluate(scheme, task.test, batch_size, device)
        record |= rates.means() | _constants(scheme.network)
        history.append(record)
        if path:
            state = {"scheme": scheme.state_dict(), "history": history, "data": task.dataset.digest}
            checkpoint.save(path, {**state, "seconds": clock.seconds()})
        if on_epoch:
            on_epoch(epoch, record)
    return history


def evaluate(scheme: Any, split: Split, batch_size: int, device: str) -> float:
    """Fraction of `split` that is predicted correctly; the batch size decides the memory, not the result."""
    scheme.network.eval()
    processes = distributed.size()
    mine = torch.arange(distributed.rank(), len(split), processes)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    with torch.inference_mode():
        for x, labels in _batches(split, mine.split(max(1, batch_size // processes)), device):
            correct += (scheme.predict(x) == labels).sum()
    return distributed.total(correct).item() / len(split)


def _train(scheme: Any, split: Split, order: Tensor, batch_size: int, device: str) -> dict[str, float]:
    if len(split) < batch_size:
        raise ValueError(f"A batch of {batch_size} is larger than the {len(split)} training samples.")
    scheme.network.train()
    start = time.perf_counter()
    # The last incomplete batch is dropped, as in the released code.
    batches = order[: len(order) // batch_size * batch_size].split(batch_size)
    shares = [distributed.share(batch) for batch in batches]
    losses, hits = zip(*(scheme.train_batch(x, y) for x, y in _batches(split, shares, device)), strict=True)
    distributed.align_buffers(scheme.network)
    # One transfer an epoch; it waits for the device.
    loss = distributed.total(torch.stack(losses).mean()).item() / distributed.size()
    seconds = time.perf_counter() - start
    seen = len(batches) * batch_size
    accuracy = distributed.total(torch.stack(hits).sum()).item() / seen
    return {"train_loss": loss, "train_accuracy": accuracy, "train_seconds": seconds, "train_samples": float(seen)}


def _order(samples: int, seed: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(samples, generator=generator)


def _batches(split: Split, indices: Any, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    for x, labels in split.batches(indices):
        yield x.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def _neurons(network: torch.nn.Module) -> list[Neuron]:
    return [module for module in network.modules() if isinstance(module, Neuron)]


def _start_epoch(network: torch.nn.Module, epoch: int, epochs: int) -> None:
    for layer in _neurons(network):
        layer.start_epoch(epoch, epochs)


def _constants(network: torch.nn.Module) -> dict[str, float]:
    layers = enumerate(_neurons(network))
    return {f"{name}_{i}": value for i, layer in layers for name, value in layer.constants().items()}


class FiringRates:
    """Mean firing rate of each spiking layer of `network` over everything it sees within the `with` block."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.layers = _neurons(network)
        self.spikes: list[Any] = [0.0] * len(self.layers)
        self.elements = [0] * len(self.layers)

    def __enter__(self) -> FiringRates:
        self.hooks = [
            layer.register_forward_hook(lambda _m, _x, out, i=i: self._add(i, out))
            for i, layer in enumerate(self.layers)
        ]
        return self

    def __exit__(self, *exc: object) -> None:
        for hook in self.hooks:
            hook.remove()

    def _add(self, i: int, spikes: Tensor) -> None:
        self.spikes[i] = self.spikes[i] + spikes.detach().sum(dtype=torch.float64)
        self.elements[i] += spikes.numel()

    def means(self) -> dict[str, float]:
        """rate_0, rate_1, ... in spikes per neuron and step."""
        spikes = distributed.total(torch.tensor([float(s) for s in self.spikes], dtype=torch.float64)).tolist()
        elements = distributed.total(torch.tensor(self.elements)).tolist()
        return {f"rate_{i}": s / n for i, (s, n) in enumerate(zip(spikes, elements, strict=True))}
