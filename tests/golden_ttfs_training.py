"""Checks of the T2FSNN reference vectors of training, one function a family; tolerances as published with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from golden_ttfs_layers import Arrays, Case, put, same, tensor, types
from torch import nn

import models
from models.ttfs.layers import EarliestPool2d, Linear, Weighted
from models.ttfs.networks import SpikeTimes
from training import DECISIONS, LOSSES
from training.descent import Descent
from training.parts import make
from training.ttfs import TTFS


def check_loss(case: Case, arrays: Arrays) -> None:
    potentials = case["params"]["no_spk"]
    loss = make(LOSSES, {"name": "last_cross_entropy" if potentials else "earliest_cross_entropy"})
    decide = make(DECISIONS, {"name": "last" if potentials else "earliest"})
    labels = torch.from_numpy(arrays["labels"])
    for kind, dtype in types(arrays):
        outputs = tensor(arrays["outputs"], dtype).requires_grad_()
        value = loss(outputs[None], labels)
        same(value, case, arrays, "loss", kind)
        (gradient,) = torch.autograd.grad(value, outputs)
        same(gradient if potentials else -gradient, case, arrays, "dY", kind)  # theirs is that of minus the times
        np.testing.assert_array_equal(decide(outputs[None]), arrays["pred"])


def _scheme(optimiser: dict[str, Any]) -> dict[str, Any]:
    name = "adam_then_decay" if optimiser["use_adam"] else "sgd_then_decay"
    return {
        "optimizer": {"name": name, "lr": optimiser["lr"], "weight_decay": optimiser["w_decay"]},
        "schedule": {"name": "exponential", "factor": optimiser["annealing"]},
    }


class One(models.network.Network):
    """A layer whose gradients are given."""

    T = 1

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.layer = Linear(weights.shape[1], weights.shape[0])
        put(self.layer, weights)


def check_optimiser(case: Case, arrays: Arrays) -> None:
    """Weights after each update, by given gradients."""
    params = case["params"]
    assert (params["betas"], params["eps"]) == ([0.9, 0.999], 1e-8)
    clip = params["w_clip"]
    constraint = {"name": "weight_range", "low": clip[0], "high": clip[1]} if clip else None
    for kind, dtype in types(arrays):
        network = One(tensor(arrays["init_weights"], dtype))
        options = _scheme(params["optimiser"])
        scheme = Descent(network, loss={"name": "last_cross_entropy"}, constraint=constraint, **options)
        found = []
        for gradient, lr in zip(tensor(arrays["grads"], dtype), arrays["lr_used"], strict=True):
            np.testing.assert_allclose(scheme.lr, lr)
            network.layer.weight.grad = gradient.clone()
            scheme.optimizer.step()
            if scheme.constraint is not None:
                with torch.no_grad():
                    scheme.constraint(network)
            scheme.end_epoch()
            found.append(network.layer.weight.detach().clone())
        same(torch.stack(found), case, arrays, "weights_after", kind)


_FORMS = {"conv": "{0}C{1}", "maxpool": "P{0}", "fc": "{0}F"}


def _network(params: dict[str, Any]) -> SpikeTimes:
    """The network that a case describes: "conv[4, 3]", "maxpool[2]", "fc[10]"."""
    tokens = []
    for layer in params["layers"]:
        kind, numbers = re.fullmatch(r"(\w+)\[(.*)\]", layer).groups()  # type: ignore[union-attr]
        tokens.append(_FORMS[kind].format(*(int(n) for n in numbers.split(","))))
    inputs, height, width = params["input_shape"]
    assert height == width
    assert tokens[-1] == f"{params['classes']}F"
    made = models.create(
        "ttfs",
        architecture=" - ".join(tokens[:-1]),
        classes=params["classes"],
        side=height,
        inputs=inputs,
        output={"potential": "potential", "spiking": "time"}[params["last_layer"]],
        numerics="released",
        clip=params["optimiser"]["grad_clip"],
    )
    assert isinstance(made, SpikeTimes)
    return made


def check_network(case: Case, arrays: Arrays) -> None:
    """Forward passes, gradients, and weights after updates."""
    params = case["params"]
    assert params["encoding"] == "t=(1-x), exactly 1 -> +inf"
    assert params["anneal_called_after_every_step"]
    images, labels = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])
    for kind, dtype in types(arrays):
        network = _network(params)
        layers = dict(enumerate(layer for layer in network.layers if not isinstance(layer, nn.Flatten)))
        for i, layer in layers.items():
            if isinstance(layer, Weighted):
                put(layer, tensor(arrays[f"init_weights{i}"], dtype))
                if params["w_ei"]:
                    layer.hold_signs()
            else:
                assert isinstance(layer, EarliestPool2d)
        scheme = TTFS(network, constraint={"name": "fixed_signs"} if params["w_ei"] else None,
                      **_scheme(params["optimiser"]))  # fmt: skip
        outputs: dict[int, torch.Tensor] = {}
        hooks = [
            layer.register_forward_hook(lambda _m, _x, out, i=i, seen=outputs: seen.__setitem__(i, out))
            for i, layer in layers.items()
        ]
        compared = set()

        def check(found: torch.Tensor, key: str, kind: str = kind, compared: set[str] = compared) -> None:
            if f"{key}_{kind}" in arrays:
                same(found, case, arrays, key, kind)
                compared.add(f"{key}_{kind}")

        for step in range(params["steps"]):
            update = scheme.train_batch(images[step].to(dtype), labels[step])
            np.testing.assert_array_equal(scheme.decide(update.outputs), arrays[f"pred_step{step}"])
            check(update.outputs[0], f"final_out_step{step}")
            check(update.scalars["loss"], f"loss_step{step}")
            for i, layer in layers.items():
                check(outputs[i], f"out{i}_step{step}")
                if isinstance(layer, Weighted):
                    assert layer.weight.grad is not None
                    check(layer.weight.grad, f"dW{i}_step{step}")
                    check(layer.weight, f"weights{i}_after{step + 1}")
            scheme.end_epoch()
        assert compared == {key for key in arrays if key.endswith(f"_{kind}")}
        for hook in hooks:
            hook.remove()


CHECKS: dict[str, Callable[..., None]] = {
    "loss": check_loss,
    "optimiser": check_optimiser,
    "network": check_network,
}
