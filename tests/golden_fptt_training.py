"""Checks of the FPTT reference vectors of training, one function a family; tolerances as published with them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from golden_fptt_neurons import Loaded, gates_of, joint, named, smnist, tensors
from torch import Tensor, nn

import models
from core.registry import unknown
from models.fptt.neurons import NEURONS
from models.network import Network
from tasks import adding
from training.fptt import FPTT
from training.last_step import last_mse
from training.regulariser import DynamicRegulariser

Arrays = dict[str, np.ndarray]


def close(found: Tensor, expected: np.ndarray, what: str, *, rtol: float = 0.0, atol: float = 0.0) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=atol, err_msg=what)


def optimizer(case: dict[str, Any]) -> dict[str, Any]:
    """The part of a scheme that a case describes."""
    name = case["optimizer"].lower()
    if name not in ("adam", "adamax", "adamw", "sgd"):
        raise unknown("optimizer of a case", name, ["adam", "adamax", "adamw", "sgd"])
    momentum = {"momentum": case["momentum"]} if case.get("momentum") else {}
    return {"name": name, "lr": case["lr"], **momentum}


def regulariser(case: dict[str, Any]) -> dict[str, Any]:
    """The options of the regulariser that a case describes."""
    return {name: case[name] for name in ("alpha", "beta", "rho", "debias") if name in case}


def check_trace(case: dict[str, Any], arrays: Arrays) -> None:
    """The regulariser on (w - target)^2 / 2, an update for each target, without clipping."""
    from training import OPTIMIZERS
    from training.parts import make

    weights = nn.Parameter(torch.from_numpy(arrays["w0"].copy()))
    weights.grad = torch.zeros_like(weights)
    descend = make(OPTIMIZERS, optimizer(case))([weights])
    traces = DynamicRegulariser(weights, **regulariser(case))
    for k, target in enumerate(torch.from_numpy(arrays["targets"])):
        weights.grad.copy_(weights.detach() - target)
        value = traces.apply(weights.grad)
        close(weights.grad, arrays["grad"][k], f"gradient of update {k}", rtol=1e-5, atol=1e-6)
        close(value, arrays["regulariser"][k], f"R of update {k}", rtol=1e-5, atol=1e-6)
        descend.step()
        traces.follow(case.get("epoch", 0))
        for name, found in (("w", weights), ("wbar", traces.average), ("lam", traces.dual)):
            close(found, arrays[name][k], f"{name} of update {k}", rtol=1e-5, atol=1e-6)
    if case.get("debias"):
        assert not arrays["dm"].any(), "with debias as released nothing is ever averaged into dm"


def check_batches(case: dict[str, Any], arrays: Arrays) -> None:
    """Batches of the adding problem, one after the other from one generator."""
    numbers = np.random.RandomState(case["seed"])
    for i in range(case["batches"]):
        x, y = adding.draw(numbers, case["N"], case["T"])
        np.testing.assert_array_equal(x, arrays[f"x{i}"], err_msg=f"inputs of batch {i}")
        np.testing.assert_allclose(y, arrays[f"y{i}"], rtol=1e-6, err_msg=f"sums of batch {i}")


class Watched(FPTT):
    """A scheme that remembers, update by update: weights, traces, what the chunks said, and the scalars."""

    def __init__(self, network: Network, parts: dict[str, list[nn.Parameter]], **options: Any) -> None:
        super().__init__(network, **options)
        self.parts, self.seen = parts, defaultdict[str, list[Tensor]](list)

    def learn(self, chunk: Tensor, labels: Tensor, p: int) -> tuple[Tensor, dict[str, Tensor]]:
        said, scalars = super().learn(chunk, labels, p)
        self.seen["logp"].append(said[-1].log_softmax(-1))
        for name, value in scalars.items():
            self.seen[name].append(value)
        for name, weights in self.named(self.flat.weights.detach()).items():
            self.seen[f"w.{name}"].append(weights)
        if self.regulariser is not None:
            for trace, vector in (("wbar", self.regulariser.average), ("lam", self.regulariser.dual)):
                for name, values in self.named(vector).items():
                    self.seen[f"{trace}.{name}"].append(values)
        return said, scalars

    def named(self, vector: Tensor) -> dict[str, Tensor]:
        """A vector of all parameters in the authors' tensors."""
        first = self.flat.weights.data_ptr()
        found = {}
        for name, ours in self.parts.items():
            pieces = []
            for parameter in ours:
                begin = (parameter.data_ptr() - first) // parameter.element_size()
                pieces.append(vector[begin : begin + parameter.numel()].view(parameter.shape))
            found[name] = torch.cat(pieces, -1) if len(pieces) > 1 else pieces[0].clone()
        return found


def check_addtask(case: dict[str, Any], arrays: Arrays) -> None:
    """The adding problem: each iteration trains on one batch and evaluates on the next."""
    sizes, kind = case["sizes"], case["scheme"]
    chunks = {"bptt": 1, "fptt": sizes["parts"], "online_noreg": sizes["parts"]}[kind]
    neuron, own = NEURONS["adding"]
    inputs = arrays["x"].shape[-1]
    network = models.create(
        "fptt_adding", neuron=models.factory(neuron, **own), T=sizes["T"], inputs=inputs, hidden=sizes["hid"]
    )
    linear, read = network.hidden
    parts = joint("layer1_x", linear, read.layer) | gates_of("layer1", read.layer.neuron)
    parts |= named("lin", network.readout)
    Loaded(tensors(arrays, "init."), parts)
    scheme = Watched(
        network,
        parts,
        loss={"name": "last_mse"},
        decision={"name": "last_value"},
        optimizer=optimizer(case),
        chunks=chunks,
        weights="one" if kind == "bptt" else "slip",
        last=kind == "bptt",
        regulariser=regulariser(case) if kind == "fptt" else None,
        clip=case["clip"],
    )
    x, y = (torch.from_numpy(arrays[name]) for name in "xy")
    evaluated = []
    for i in range(sizes["iterations"]):
        scheme.train_batch(x[2 * i], y[2 * i])
        with torch.no_grad():
            evaluated.append(last_mse(scheme.outputs(x[2 * i + 1]), y[2 * i + 1]))
    close(torch.stack(evaluated), arrays["eval_loss"], "evaluation losses", rtol=1e-3)
    names = {"loss": "task_loss", "gradient_norm": "grad_norm_before_clip", "regulariser": "regulariser"}
    for name, values in scheme.seen.items():
        if (theirs := names.get(name, name)) in arrays:
            exact = {"rtol": 1e-3, "atol": 1e-5} if name in names else {"rtol": 1e-3, "atol": 1e-4}
            close(torch.stack(values), arrays[theirs], theirs, **exact)
    compared = {names.get(name, name) for name in scheme.seen}
    assert {name for name in arrays if name.startswith(("w.", "wbar.", "lam.", "task", "grad"))} <= compared


def check_classes(case: dict[str, Any], arrays: Arrays) -> None:
    """Sequential MNIST with an update after each pixel, then the end of the epoch."""
    sizes, layers = case["sizes"], 2 if "init.network.layer2_x.weight" in arrays else 1
    images = {"x": arrays["x"][0], "train_logp": arrays["logp"], **_renamed(arrays)}
    network, loaded, _ = smnist(images, sizes["hid"], layers)
    classes = arrays["logp"].shape[-1]
    scheme = Watched(
        network,
        {f"network.{name}": ours for name, ours in loaded.parts.items()},
        loss={"name": "last_cross_entropy"},
        optimizer=optimizer(case),
        regulariser=regulariser(case),
        auxiliary={"classes": classes},
        clip=case["clip"],
        average_every=1,
    )
    scheme.epoch = case["epoch"]
    x, target = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["target"])
    for batch in range(sizes["batches"]):
        begin_at(network, layers, [torch.from_numpy(arrays[f"h0_{i}"][batch]) for i in range(3 * layers + 2)])
        scheme.train_batch(x[batch][:, None, None, :], target[batch])
    seen = {name: torch.stack(values) for name, values in scheme.seen.items()}
    tolerances = {"logp": 2e-4, "w": 5e-4, "wbar": 1e-3, "lam": 1e-3}
    for name in sorted(arrays.keys() & seen.keys() - {"regulariser"}):
        if not _before_norm(name):
            close(
                seen[name], arrays[name], name, atol=2e-3 if "bn1b.weight" in name else tolerances[name.split(".")[0]]
            )
    close(seen["gradient_norm"], arrays["grad_norm_before_clip"], "gradient norms", rtol=1e-2, atol=1e-4)
    ours = {name: values.numpy() for name, values in seen.items()}
    found, expected = (_regulariser(case, arrays, values) for values in (ours, arrays))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5, err_msg="R without biases before a batch norm")
    close(scheme.auxiliary.table, arrays["class_prob_table"], "P", atol=2e-4)
    scheme.end_epoch()
    for name, ours in scheme.named(scheme.flat.weights.detach()).items():
        if not _before_norm(name):
            close(ours, arrays[f"final.{name}"], name, atol=2e-3 if "bn1b.weight" in name else 1e-3)


def _regulariser(case: dict[str, Any], arrays: Arrays, seen: Arrays) -> np.ndarray:
    """R at each update, less what the biases before a batch norm have in it."""
    R = seen["regulariser"].astype(np.float64)
    if case.get("debias"):
        return R
    for name in (name.removeprefix("w.") for name in arrays if name.startswith("w.") and _before_norm(name)):
        start = arrays[f"init.{name}"].astype(np.float64)
        before = {"w": start, "wbar": start, "lam": np.zeros_like(start)}
        w, average, dual = (np.stack([before[kind], *seen[f"{kind}.{name}"][:-1]]) for kind in before)
        R = R - ((case["rho"] - 1) * w * dual + case["alpha"] / 2 * (w - average) ** 2).sum(1)
    return R


def begin_at(network: Network, layers: int, states: list[Tensor]) -> None:
    """Puts the neurons and the readout of a sequential network into `states`: mem, spk, b of each layer, readout."""
    fc = list(network.fc)
    spiking = [fc[2].neuron, *([fc[4].neuron] if layers == 2 else [])]
    for layer, neuron in enumerate(spiking):
        neuron.v, neuron.s, neuron.b = states[3 * layer : 3 * layer + 3]
    fc[2].spikes, fc[-1].o = states[1], states[-2]
    if layers == 2:
        fc[3].x = states[1]


def _renamed(arrays: Arrays) -> Arrays:
    return {f"w.{name.removeprefix('init.')}": value for name, value in arrays.items() if name.startswith("init.")}


def _before_norm(name: str) -> bool:
    """A bias in front of a batch norm: its true gradient is zero, and adaptive steps make the round-off large."""
    return re.search(r"layer\d_[xr]\.bias$", name) is not None


CHECKS: dict[str, Callable[..., None]] = {
    "fptt_trace": check_trace,
    "adding_batches": check_batches,
    "fptt_addtask": check_addtask,
    "fptt_cls": check_classes,
}
