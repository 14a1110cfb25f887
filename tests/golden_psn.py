"""Checks of the PSN reference vectors, one function a kind of case; tolerances as published with the vectors.

Neurons are checked on the reference backend, networks on the one that a user gets. The vectors bear the names and sign
conventions of the authors' code; `ours` translates both.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import models
import neurons
from models.network import Network
from models.sew_resnet import BasicBlock
from neurons.base import Neuron
from training.losses import tet

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]

# Leaf names of the authors' layers; fc. and 1. are wrappers of theirs.
LEAVES = {
    "threshold": "bias",
    "Vth": "p_threshold",
    "reVth": "p_subreset",
    **{name: f"p_{name}" for name in ("alpha", "beta", "gamma", "tau", "leak", "conduct")},
}


def ours(layer: Neuron, prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """The arrays under `prefix` as values (or gradients) of the parameters of `layer`, by our names."""
    theirs = {key.removeprefix(prefix): torch.from_numpy(v) for key, v in arrays.items() if key.startswith(prefix)}
    found = {}
    for key, value in theirs.items():
        leaf = key.removeprefix("1.").removeprefix("fc.")
        if leaf in ("mask0", "mask1"):  # constants of the layer
            continue
        name = LEAVES.get(leaf, leaf)
        # The conv form of the sliding PSN, known by its weight [1, 1, k], subtracts its threshold; all else adds.
        sign = -1 if leaf == "threshold" and theirs["weight"].ndim == 3 else 1
        found[name] = sign * value.reshape(layer.get_parameter(name).shape)
    return found


def close(found: Tensor, expected: Any, atol: float = 1e-5, rtol: float = 1e-4) -> None:
    np.testing.assert_allclose(found.detach(), expected, atol=atol, rtol=rtol)


def equal(found: Tensor, expected: Any) -> None:
    np.testing.assert_array_equal(found.detach(), expected)


# Neurons


def check_layer(layer: Neuron, case: Case, arrays: Arrays) -> None:
    """Spikes, gradients of input and parameters of a sequence."""
    layer.load_state_dict(ours(layer, "param.", arrays), strict=True)
    x, g = (torch.from_numpy(arrays[key]) for key in ("x_seq", "g"))
    time = 1 if case.get("layout", "").startswith("[N,T") else 0
    x.requires_grad_()
    spikes = layer(x.movedim(time, 0)).movedim(0, time)
    equal(spikes, arrays["spikes"])
    (spikes * g).sum().backward()
    close(x.grad, arrays["grad_x_seq"])
    gradients = ours(layer, "grad.", arrays)
    assert gradients.keys() == {name for name, _ in layer.named_parameters()}
    for name, expected in gradients.items():
        close(layer.get_parameter(name).grad, expected)


def check_steps(layer: Neuron, case: Case, arrays: Arrays, spikes: str = "spikes") -> None:
    """The same spikes, one step after the other."""
    time = 1 if case.get("layout", "").startswith("[N,T") else 0
    layer.reset()
    layer.step_mode = "s"
    x = torch.from_numpy(arrays["x_seq"])
    with torch.no_grad():
        equal(torch.stack([layer(x_t) for x_t in x.unbind(time)], time), arrays[spikes])


def check_psn(case: Case, arrays: Arrays) -> None:
    check_layer(neurons.create("psn", T=case["T"], backend="torch"), case, arrays)


def check_masked(case: Case, arrays: Arrays) -> None:
    layer = neurons.create("masked_psn", k=case["k"], T=case["T"], lambda_=case["lambda"], backend="torch")
    check_layer(layer, case, arrays)
    close(layer.masked_weight(), arrays["masked_weight"])
    layer.lambda_ = 1.0
    equal(layer.masked_weight(), layer.weight.detach() * torch.from_numpy(arrays["mask0"]))
    if case["lambda"] == 1:
        check_steps(layer, case, arrays)


def check_sliding(case: Case, arrays: Arrays) -> None:
    for form in ("gemm", "conv"):
        options = {"k": case["k"], "exp_init": case["exp_init"], "form": form}
        layer = neurons.create("sliding_psn", **options, backend="torch")
        check_layer(layer, case, arrays)
        check_steps(layer, case, arrays)
        if "gemm_weight" in arrays:
            equal(layer.matrix(case["T"]), arrays["gemm_weight"])


def check_masked_modes(case: Case, arrays: Arrays) -> None:
    layer = neurons.create("masked_psn", k=case["k"], T=case["T"], lambda_=case["lambda"], backend="torch")
    _check_modes(layer, case, arrays, "spikes_multi")


def check_sliding_modes(case: Case, arrays: Arrays) -> None:
    for form in ("gemm", "conv"):
        layer = neurons.create("sliding_psn", k=case["k"], form=form, backend="torch")
        _check_modes(layer, case, arrays, f"spikes_multi_{form}")


def _check_modes(layer: Neuron, case: Case, arrays: Arrays, spikes: str) -> None:
    layer.load_state_dict({key: torch.from_numpy(arrays[key]) for key in ("weight", "bias")})
    with torch.no_grad():
        equal(layer(torch.from_numpy(arrays["x_seq"])), arrays[spikes])
    check_steps(layer, case, arrays, "spikes_single")


def stated_tau(case: Case, otherwise: float = 2.0) -> float:
    """The tau that the words of a case state."""
    found = re.search(r"\btau=(\d+(?:\.\d+)?)", case["description"])
    return float(found[1]) if found else otherwise


def baseline(kind: str, options: dict[str, Any]) -> Callable[[Case, Arrays], None]:
    """A check of cases that the neuron `kind` with `options` computes."""

    def check(case: Case, arrays: Arrays) -> None:
        tau = {"tau": stated_tau(case)} if kind in ("lif", "klif") else {}
        layer = neurons.create(kind, **{**tau, **options}, backend="torch")
        check_layer(layer, case, arrays)
        check_steps(layer, case, arrays)

    return check


def check_glif(case: Case, arrays: Arrays) -> None:
    channels, *positions = arrays["x_seq"].shape[2:]
    layer = neurons.create("glif", T=case["T"], shape=(channels, *[1] * len(positions)), backend="torch")
    check_layer(layer, case, arrays)
    check_steps(layer, case, arrays)


def check_dvs_lif(case: Case, arrays: Arrays) -> None:
    """V = tau V + X is a LIF of time constant 1 / (1 - tau) without input decay; its spike is strict."""
    surrogate = {"name": "triangle", "strict": True}
    tau = 1 / (1 - stated_tau(case, 0.25))
    baseline("lif", {"tau": tau, "decay_input": False, "surrogate": surrogate})(case, arrays)


# Loss and schedule


def check_tet(case: Case, arrays: Arrays) -> None:
    labels = torch.from_numpy(arrays["labels"])
    weights = [key.removeprefix("loss_lamb") for key in arrays if key.startswith("loss_lamb")]
    assert weights
    for weight in weights:
        outputs = torch.from_numpy(arrays["outputs_NTC"]).requires_grad_()
        loss = tet(outputs.transpose(0, 1), labels, tet_lambda=float(weight), tet_means=case["means"])
        loss.backward()
        close(loss, arrays[f"loss_lamb{weight}"])
        close(outputs.grad, arrays[f"grad_lamb{weight}"])
    close(tet(outputs.transpose(0, 1), labels), arrays["tet_ce_TNC"])


def check_schedule(case: Case, arrays: Arrays) -> None:
    layer = neurons.create("masked_psn", k=1, T=2, scheduled=True)
    found = []
    for epoch in arrays["epoch"].tolist():
        layer.start_epoch(epoch, case["epochs"])
        found.append(float(layer.lambda_))
    np.testing.assert_allclose(found, arrays["lambda"], rtol=1e-6)


# Networks

SOFT = {"v_reset": None, "detach_reset": True}


def _factory(case: Case) -> models.NeuronFactory:
    T, k = case["T"], case.get("order")
    name = case["neuron"].lower()
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "psn": ("psn", {"T": T}),
        "masked": ("masked_psn", {"k": k, "T": T, "lambda_": case.get("lambda")}),
        "sliding": ("sliding_psn", {"k": k, "exp_init": case.get("exp_init")}),
        "lif": ("lif", SOFT),
        "lifnr": ("lif", {"without_reset": True}),
        "plif": ("plif", SOFT),
        "klif": ("klif", {"v_reset": None}),
        "glif": ("glif", {"T": T, "shape": "channels"}),
    }
    kind, chosen = options[name]
    return models.factory(kind, **chosen)


def translated(network: nn.Module, prefix: str, arrays: Arrays, rename: Callable[[str], str]) -> dict[str, Tensor]:
    """The arrays under `prefix` by our names: those of `rename`, and of spiking layers by `ours`."""
    renamed = {rename(key.removeprefix(prefix)): v for key, v in arrays.items() if key.startswith(prefix)}
    found: dict[str, Tensor] = {}
    layers = {name: module for name, module in network.named_modules() if isinstance(module, Neuron)}
    for name, layer in layers.items():
        found |= {f"{name}.{leaf}": value for leaf, value in ours(layer, f"{name}.", renamed).items()}
    spiking = tuple(f"{name}." for name in layers)
    return found | {key: torch.from_numpy(value) for key, value in renamed.items() if not key.startswith(spiking)}


def check_network(
    network: nn.Module,
    arrays: Arrays,
    *,
    rename: Callable[[str], str] = str,
    read: Callable[[Tensor], Tensor] = lambda out: out.mean(0),
    atol: float = 1e-5,
) -> None:
    """Output in evaluation; output, all gradients and running statistics of one training step.

    `rename` maps the authors' state names to ours, `read` our output to theirs.
    """
    state = translated(network, "state.", arrays, rename)
    x, g = (torch.from_numpy(arrays[key]) for key in ("x", "g"))
    run = network.run if isinstance(network, Network) else network  # a part of a network takes sequences
    network.load_state_dict(state, strict=True)
    network.eval()
    with torch.no_grad():
        close(read(run(x)), arrays["out_eval"], atol=atol, rtol=0)

    models.reset(network)
    network.load_state_dict(state, strict=True)
    network.train()
    x.requires_grad_()
    out = read(run(x))
    close(out, arrays["out_train"], atol=atol, rtol=0)
    (out * g).sum().backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    expected = translated(network, "grad.", arrays, rename)
    assert gradients.keys() == expected.keys()
    for name, gradient in {**gradients, "x": x.grad}.items():
        reference = torch.from_numpy(arrays["grad_x"]) if name == "x" else expected[name]
        error, scale = (gradient - reference).abs().max(), reference.abs().max()
        floor = 1e-7 if name == "x" else 1e-5
        assert error <= 1e-3 * scale + floor, f"gradient of {name}: error {error}, largest {scale}"
    after = translated(network, "after.", arrays, rename)
    assert after
    for name, value in after.items():
        close(network.state_dict()[name], value)


def check_sequential(case: Case, arrays: Arrays) -> None:
    network = models.create(
        "psn_sequential",
        neuron=_factory(case),
        channels=case["channels"],
        classes=case["classes"],
        inputs=arrays["x"].shape[1],
        side=arrays["x"].shape[-1],
    )
    assert case["T"] == network.T
    check_network(network, arrays)


def check_static(case: Case, arrays: Arrays) -> None:
    network = models.create(
        "psn_cifar10",
        neuron=_factory(case),
        T=case["T"],
        channels=case["channels"],
        classes=arrays["g"].shape[-1],
        inputs=arrays["x"].shape[1],
        side=arrays["x"].shape[-1],
    )
    check_network(network, arrays, rename=lambda key: key.removeprefix(case["key_prefix"].split()[-1]))


def check_dvs(case: Case, arrays: Arrays) -> None:
    widths = iter(case["channels"])
    parts = [part for part in case["layers"].split(", ") if not part.startswith("linear")]
    network = models.create(
        "psn_cifar10dvs",
        neuron=models.factory("sliding_psn", k=case["k"], exp_init=case["exp_init"]),
        T=case["T"],
        channels=["P" if part.startswith("avgpool") else next(widths) for part in parts],
        classes=arrays["g"].shape[-1],
        inputs=arrays["x"].shape[2],
        side=arrays["x"].shape[-1],
        dropout=0.0,
    )

    def rename(key: str) -> str:
        return key.replace(".fwd.module.", ".").replace("classifier.0.module.", "classifier.2.")

    check_network(network, arrays, rename=rename, read=lambda out: out.transpose(0, 1))


def check_sew(case: Case, arrays: Arrays) -> None:
    neuron = models.factory("psn", T=case["T"])
    widths = (case["in"], case["out"])
    network = nn.Sequential(BasicBlock(neuron, *widths, stride=2), BasicBlock(neuron, case["out"], case["out"]))

    def rename(key: str) -> str:
        return re.sub(r"^b(\d+)", lambda m: str(int(m[1]) - 1), key).replace("downsample_sn", "downsample.2")

    check_network(network, arrays, rename=rename, read=lambda out: out, atol=0)


CHECKS: dict[str, Callable[[Case, Arrays], None]] = {
    "PSN": check_psn,
    "MaskedPSN": check_masked,
    "SlidingPSN": check_sliding,
    "MaskedPSN mode equality": check_masked_modes,
    "SlidingPSN mode equality": check_sliding_modes,
    "if_soft": baseline("if", SOFT),
    "if_hard": baseline("if", {}),
    **{
        f"{name}_{reset}_{detach}": baseline(name, {"v_reset": v_reset, "detach_reset": detach == "detach"})
        for name, (reset, v_reset), detach in itertools.product(
            ("if", "lif", "plif", "klif"), (("soft", None), ("hard", 0.0)), ("detach", "nodetach")
        )
    },
    "lifnr": baseline("lif", {"without_reset": True}),
    "glif_cw": check_glif,
    "dvs_lif": check_dvs_lif,
    "TET loss": check_tet,
    "progressive masking schedule": check_schedule,
    "sequential CIFAR network": check_sequential,
    "static CIFAR10 network": check_static,
    "cut-down CIFAR10-DVS VGG with sliding PSN (no dropout)": check_dvs,
    "two SEW ADD basic blocks (first one strided with 1x1 down-sampling followed by its own spiking neuron)": check_sew,
}
