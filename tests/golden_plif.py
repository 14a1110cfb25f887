"""Checks of the PLIF reference vectors, one function a level; tolerances as published with the vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

import models
import neurons
from models import plif
from models.layers import SharedDropout
from models.network import Network
from neurons.base import Neuron
from neurons.surrogate import ATan
from tasks import frames, splits
from training.bptt import BPTT
from training.losses import rate_mse
from training.measures import FiringRates

Arrays = dict[str, np.ndarray]


def means(rates: FiringRates) -> list[float]:
    return [reading.value for reading in rates.values().values()]


def check_neuron(case: dict[str, Any], arrays: Arrays, backend: str = "torch") -> None:
    neuron = neurons.create(
        case["neuron"],
        **{"tau" if case["neuron"] == "lif" else "init_tau": case["tau"]} if case["neuron"] != "if" else {},
        v_threshold=case["v_threshold"],
        v_reset=case["v_reset"],
        detach_reset=case["detach_reset"],
        surrogate=ATan(case["alpha"], learnable=case.get("alpha_learnable", False)),
        backend=backend,
    ).train()
    if "w" in arrays:
        assert neuron.w.item() == torch.tensor(-math.log(case["tau"] - 1)).item()
        np.testing.assert_allclose(neuron.w.item(), arrays["w"], atol=1e-6)
    distances: list[torch.Tensor] = []
    neuron.surrogate.register_forward_hook(lambda _m, args, _out: distances.append(args[0].detach()))
    x = torch.from_numpy(arrays["x_seq"]).requires_grad_()
    neuron.v = torch.full_like(x[0], case["initial_v"], requires_grad=False)
    neuron.step_mode = "s"
    spikes, potentials = [], []
    for x_t in x.unbind(0):
        spikes.append(neuron(x_t))
        potentials.append(neuron.v.detach())
    out = torch.stack(spikes)
    loss = (out * torch.from_numpy(arrays["g"])).sum()
    loss.backward()
    np.testing.assert_array_equal(out.detach(), arrays["spikes"])
    np.testing.assert_allclose(torch.stack(distances) + case["v_threshold"], arrays["h_seq"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(torch.stack(potentials), arrays["v_seq"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(x.grad, arrays["grad_x"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loss.item(), arrays["loss"], rtol=1e-4, atol=1e-4)
    if "grad_w" in arrays:
        np.testing.assert_allclose(neuron.w.grad, arrays["grad_w"], rtol=1e-4, atol=1e-4)
    if "grad_alpha" in arrays:
        np.testing.assert_allclose(neuron.surrogate.alpha.grad, arrays["grad_alpha"], rtol=1e-4, atol=1e-4)
    _check_sequence(case, arrays, neuron)


def _check_sequence(case: dict[str, Any], arrays: Arrays, neuron: Any) -> None:
    """The multi-step form gives what the single steps gave, as a whole and cut in two."""
    neuron.step_mode = "m"
    neuron.zero_grad()
    x = torch.from_numpy(arrays["x_seq"]).requires_grad_()
    g = torch.from_numpy(arrays["g"])
    for cut in (len(x), len(x) // 2):
        neuron.reset()
        neuron.v = torch.full_like(x[0], case["initial_v"], requires_grad=False)
        out = torch.cat([neuron(part) for part in (x[:cut], x[cut:]) if len(part)])
        np.testing.assert_array_equal(out.detach(), arrays["spikes"])
        np.testing.assert_allclose(neuron.v.detach(), arrays["v_seq"][-1], atol=1e-5, rtol=0)
        (grad,) = torch.autograd.grad((out * g).sum(), x)
        np.testing.assert_allclose(grad, arrays["grad_x"], rtol=1e-4, atol=1e-5)


ARCHITECTURES = {
    "mnist": plif.mnist,
    "fashionmnist": plif.mnist,
    "cifar10": plif.cifar10,
    "nmnist": plif.nmnist,
    "cifar10dvs": plif.cifar10dvs,
    "dvs128gesture": plif.dvs128gesture,
}


def check_network(case: dict[str, Any], arrays: Arrays) -> None:
    # A learned slope belongs to the layer's surrogate; there the module has another name.
    arrays = {re.sub(r"\.(surrogate_function\.)?alpha$", ".surrogate.alpha", key): v for key, v in arrays.items()}
    net = _network(case, arrays)
    x = torch.from_numpy(arrays["x"]).float()
    labels = torch.from_numpy(arrays["labels"])

    net.eval()
    with torch.no_grad(), FiringRates(net) as rates:
        out = net.run(x)
    np.testing.assert_allclose(out.sum(0), arrays["eval/out"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(means(rates), arrays["eval/layer_rates"], atol=1e-6, rtol=0)

    models.reset(net)
    net.train()
    dropouts = [module for module in net.modules() if isinstance(module, SharedDropout)]
    masks = sorted(key for key in arrays if key.startswith("dropout_mask/"))
    assert len(masks) == len(dropouts)
    for dropout, key in zip(dropouts, masks, strict=True):
        dropout.mask = torch.from_numpy(arrays[key])
    with FiringRates(net) as rates:
        out = net.run(x)
    loss = rate_mse(out, labels)
    loss.backward()
    np.testing.assert_allclose(out.detach().sum(0), arrays["train/out"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(loss.item(), arrays["train/loss"], rtol=1e-5)
    np.testing.assert_allclose(means(rates), arrays["train/layer_rates"], atol=1e-6, rtol=0)
    gradients = {name: p.grad for name, p in net.named_parameters()}
    assert {f"grad/{name}" for name in gradients} == {key for key in arrays if key.startswith("grad/")}
    for name, gradient in gradients.items():
        expected = arrays[f"grad/{name}"]
        error = np.abs(gradient.numpy() - expected).max()
        assert error <= 2e-3 * np.abs(expected).max() + 1e-7, f"{name}: error {error}, largest {np.abs(expected).max()}"
    state = net.state_dict()
    after = [key for key in arrays if key.startswith("train/after/")]
    assert after
    for key in after:
        np.testing.assert_allclose(state[key.removeprefix("train/after/")], arrays[key], rtol=1e-4, atol=1e-5)


def _network(case: dict[str, Any], arrays: Arrays) -> Network:
    def neuron(shape: tuple[int, ...]) -> Neuron:
        tau = {"tau" if case["neuron"] == "lif" else "init_tau": case["tau"]}
        surrogate = ATan(case["alpha"], learnable=case["alpha_learnable"])
        return neurons.create(case["neuron"], detach_reset=case["detach_reset"], surrogate=surrogate, **tau)

    own: dict[str, Any] = {"side": arrays["x"].shape[-1]}
    if case["hidden"] is not None:
        own["hidden"] = case["hidden"]
    if case["number_layer"] is not None:
        own["number_layer"] = case["number_layer"]
    net = ARCHITECTURES[case["arch"]](
        neuron,
        T=case["T"],
        classes=case["classes"],
        channels=case["channels"],
        inputs=arrays["x"].shape[-3],
        max_pool=case["max_pool"],
        **own,
    )
    parameters = {key.removeprefix("param/"): value for key, value in arrays.items() if key.startswith("param/")}
    net.load_state_dict({key: torch.from_numpy(value) for key, value in parameters.items()})
    return net


def check_frames(case: dict[str, Any], arrays: Arrays) -> None:
    got = frames.integrate(
        *(arrays[key] for key in "txyp"),
        frames=case["frames_num"],
        height=case["height"],
        width=case["width"],
        split_by=case["split_by"],
        normalization=None if case["normalization"] in (None, "None") else case["normalization"],
    )
    if case["normalization"] in (None, "None"):
        np.testing.assert_array_equal(got, arrays["frames"])
    else:
        np.testing.assert_allclose(got, arrays["frames"], rtol=1e-5, atol=1e-6)


def check_split(case: dict[str, Any], arrays: Arrays) -> None:
    train, validation = splits.head_split(arrays["labels"], case["val_ratio"])
    np.testing.assert_array_equal(train, arrays["train_idx"])
    np.testing.assert_array_equal(validation, arrays["val_idx"])


def check_lr(case: dict[str, Any], arrays: Arrays) -> None:
    scheme = BPTT(nn.Linear(1, 1), lr=case["base_lr"], T_max=case["T_max"])
    rates = []
    for _ in range(case["epochs"]):
        rates.append(scheme.lr)
        scheme.optimizer.step()
        scheme.end_epoch()
    np.testing.assert_allclose(rates, arrays["lr"], rtol=1e-6, atol=1e-12)


CHECKS: dict[str, Callable[[dict[str, Any], Arrays], None]] = {
    "neuron": check_neuron,
    "network": check_network,
    "frames": check_frames,
    "split": check_split,
    "lr": check_lr,
}
