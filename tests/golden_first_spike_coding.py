"""Checks of the first-spike reference vectors of times, losses and measures; tolerances as published with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from golden_first_spike_neurons import close, leaf
from torch import Tensor, nn
from torch.nn import functional as F

from models.network import Network
from neurons.base import Neuron
from tasks import Classes
from training import first_spike, spike_timing

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]


def time_major(array: np.ndarray) -> Tensor:
    """[B, N, T] as [T, B, N], in double precision."""
    return torch.from_numpy(np.array(array, dtype=np.float64)).permute(2, 0, 1)


def check_times(case: Case, arrays: Arrays) -> None:
    """First-spike times and their hand-made gradient; sample 0 has no output spike (claim F4)."""
    params = case["params"]
    spikes, potentials = time_major(arrays["spikes"]).requires_grad_(), time_major(arrays["potentials"])
    outputs = torch.stack([spikes, potentials], 2)
    times = first_spike.first_times(outputs, D=params["D"], A=params["A"])
    close(times, arrays["first_times"], "first times")
    times.backward(torch.from_numpy(arrays["g"]))
    close(spikes.grad.permute(1, 2, 0), arrays["grad_spikes"], "gradient of the spikes")
    close(first_spike.window(params["T"], params["D"]), arrays["kernel"], "window")
    fired = spikes.detach().any(0)
    np.testing.assert_array_equal(~fired, arrays["dead"])
    error = first_spike.spread_error(torch.from_numpy(arrays["g"]), fired, spikes.detach().argmax(0), params["T"])
    close(error.permute(1, 2, 0), arrays["time_error"], "error at the steps")
    decisions = first_spike.first_spike(outputs.detach())
    assert not fired[0].any()
    assert decisions[0] == potentials[:, 0].amax(0).argmax()
    # per-step times: those of the spikes, else T, the place of the neuron and 0.01 times that of the step
    steps = arrays["output_times"].min(2)
    np.testing.assert_array_equal(decisions, steps.argmin(1))


def check_losses(case: Case, arrays: Arrays) -> None:
    """FS loss with and without the penalty, FR loss, and both decisions."""
    params, labels = case["params"], torch.from_numpy(arrays["labels"])
    options = {"T": params["step"], "alpha": params["alpha_fs"]}
    late = {name: params[name] for name in ("treg_lambda", "treg_beta")}
    for which, more in (("train", late), ("test", {})):
        times = leaf(arrays["first_times"])
        loss = first_spike.loss_of_times(times, labels, **options, **more)
        close(loss, arrays[f"fs_loss_{which}"], which)
        loss.backward()
        close(times.grad, arrays[f"grad_first_times_{which}"], which)
        by_share = first_spike.loss_of_times(times, F.one_hot(labels, times.shape[1]).double(), **options, **more)
        close(by_share, arrays[f"fs_loss_{which}"], f"{which}, labels as distributions")
    np.testing.assert_array_equal(times.detach().argmin(1), arrays["pred_fs"][:, 0])
    rates = leaf(arrays["rates"])
    loss = F.cross_entropy(params["alpha_fr"] * rates, labels)
    close(loss, arrays["fr_loss"], "FR")
    loss.backward()
    close(rates.grad, arrays["grad_rate"], "FR")
    # the same loss of spikes that have these rates
    percent = (arrays["rates"] * 100).round().astype(int)
    spikes = torch.from_numpy((np.arange(100)[:, None, None] < percent).astype(np.float64))
    expected = F.cross_entropy(params["alpha_fr"] * torch.from_numpy(percent / 100), labels)
    close(first_spike.firing_rate_loss(spikes, labels, alpha=params["alpha_fr"]), expected)
    correct = first_spike.firing_rate(spikes) == labels
    if np.array_equal(percent / 100, arrays["rates"]):
        assert correct.sum() == arrays["correct_fr"]


def check_metrics(case: Case, arrays: Arrays) -> None:
    """Accuracy over time, time delays and spikes per neuron."""
    measures = {
        "td50_fs": spike_timing.FirstSpikeDelay50,
        "td90_fs": spike_timing.FirstSpikeDelay90,
        "td50_fr": spike_timing.FiringRateDelay50,
        "td90_fr": spike_timing.FiringRateDelay90,
    }
    for name, measure in measures.items():
        found = measure(Classes(arrays["out_spikes"].shape[2]))
        for spikes, labels in zip(arrays["out_spikes"], arrays["labels"], strict=True):
            outputs = time_major(spikes)
            found.update(outputs, outputs.sum(0).argmax(1), torch.from_numpy(labels))
        np.testing.assert_allclose(
            (100 * found.over_time()).round(decimals=2), arrays[f"acc_with_time_{name[-2:]}"], atol=1e-9
        )
        assert found.value() == arrays[name], name
    check_counts(case["params"], arrays)


class Counted(Neuron):
    """Fires as often as it is told."""

    name = "counted"
    states = ()

    def forward(self, x: Tensor) -> Tensor:
        return x


class Layers(Network):
    def __init__(self, T: int, many: int) -> None:
        super().__init__()
        self.layers, self.T = nn.ModuleList(Counted() for _ in range(many)), T


def check_counts(params: Case, arrays: Arrays) -> None:
    """Spikes per neuron from the counts of each batch and layer, which are sums over a sample, averaged."""
    samples, T = arrays["out_spikes"].shape[1], params["T"]
    network = Layers(T, len(params["layers"]))
    counts = spike_timing.SpikeCounts(network)
    with counts.watching():
        for batch in arrays["spike_counts_per_batch"]:
            for layer, neurons, count in zip(network.layers, params["layers"], batch, strict=True):
                layer(torch.full((T, samples, neurons), count / (T * neurons), dtype=torch.float64))
    found = {name: reading.value for name, reading in counts.values().items()}
    assert found.pop("test_spikes_per_neuron") == pytest.approx(float(arrays["avg_spikes_per_neuron"]), rel=1e-9)
    np.testing.assert_allclose(list(found.values()), arrays["avg_spikes_per_neuron_per_layer"], rtol=1e-9)


CHECKS: dict[str, Callable[[Case, Arrays], None]] = {
    "first_spike_time": check_times,
    "losses": check_losses,
    "metrics": check_metrics,
}
