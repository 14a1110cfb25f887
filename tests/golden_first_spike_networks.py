"""Checks of the first-spike reference vectors of networks and trainings; tolerances as published with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.first_spike.layers import EventNet
from models.recurrent import Recurrent
from training import first_spike
from training.descent import Descent
from training.spike_timing import SpikeCounts

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]
Parts = dict[str, tuple[nn.Parameter | Tensor, bool]]  # by the authors' name, and whether theirs is transposed


def close(found: Any, expected: Any, what: str, rtol: float = 1e-6) -> None:
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-9, err_msg=what)


def neuron_of(params: Case, **options: Any) -> Case:
    return {"tau_m": params["tau_m"], "v_threshold": params["theta"], **options}


def dense(params: Case, shape: tuple[int, int, int], hidden: list[int], superspike: bool) -> tuple[EventNet, Parts]:
    """The fully connected network of a folder for `shape` [inputs, T, classes], and where the authors' tensors are."""
    inputs, T, classes = shape
    first, last = params["neuron_params1"], params["neuron_params2"]
    form = {"variant": "superspike"} if superspike else {}
    output = {"name": "culif", **neuron_of(last, tau_s=last["tau_s"], **form)}
    common: Case = {
        "T": T,
        "inputs": inputs,
        "classes": classes,
        "hidden": hidden,
        "output": output,
        "potentials": True,
    }
    parts: Parts = {}
    if superspike:
        made = models.factory("pculif", shape="channels", **neuron_of(first, tau_s=first["tau_s"], **form))
        network = models.create("fs_recurrent", neuron=made, **common).double()
        layers = list(network.fc)
        for i in range(len(hidden)):
            linear, layer = layers[2 * i : 2 * i + 2]
            parts[f"fc_layers.{i}.w"] = linear.weight, True
            parts[f"fc_layers.{i}.v"] = layer.feedback.weight, True
            parts[f"fc_layers.{i}.alpha"] = layer.neuron.p_s, False
            parts[f"fc_layers.{i}.beta"] = layer.neuron.p_m, False
        parts[f"fc_layers.{len(hidden)}.w"] = layers[-2].weight, True
        return network, parts
    made = models.factory("adlif", shape="channels", **neuron_of(first))
    network = models.create("fs_feed_forward", neuron=made, dropout=0.0, **common).double()
    layers = list(network.fc)
    for i in range(len(hidden)):
        linear, norm, neuron = layers[3 * i : 3 * i + 3]
        parts[f"fc_layers.{i}.0.0.weight"] = linear.weight, False
        for name in ("weight", "bias", "running_mean", "running_var"):
            parts[f"fc_layers.{i}.0.1.{name}"] = getattr(norm, name), False
        for theirs, ours in (("decay_mem", "p_m"), ("decay_osc", "p_osc"), ("a", "a"), ("b", "b")):
            parts[f"fc_layers.{i}.1.{theirs}"] = getattr(neuron, ours), False
    parts[f"fc_layers.{len(hidden)}.0.weight"] = layers[-2].weight, False
    return network, parts


def load(parts: Parts, values: dict[str, np.ndarray]) -> None:
    """The authors' tensors; what is fixed with them (thresholds, decays of the output) is no tensor here."""
    fixed = {name for name in values if name not in parts}
    assert all(name.rpartition(".")[2] in ("th", "alpha", "beta") for name in fixed), fixed
    assert set(parts) <= set(values)
    for name, (ours, transposed) in parts.items():
        value = torch.from_numpy(np.array(values[name], dtype=np.float64))
        ours.data = (value.T if transposed else value).reshape(ours.shape).contiguous()


def under(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def theirs(ours: Tensor, transposed: bool) -> np.ndarray:
    found = ours.detach()
    return (found.T if transposed else found).numpy()


def loss_options(params: Case, penalty: bool = True) -> Case:
    loss = params["loss"]
    treg = {f"treg_{name}": loss["treg"][name] for name in ("lambda", "beta")}
    return {**loss["FS"], **(treg if penalty else {"treg_lambda": 0.0})}


def batch_major(x: np.ndarray) -> Tensor:
    """[B, ..., T] as [B, T, ...]."""
    return torch.from_numpy(np.array(x, dtype=np.float64)).movedim(-1, 1)


def check_outputs(network: EventNet, arrays: Arrays, options: Case) -> Tensor:
    """Spikes, times, rates, counts and loss, which is returned."""
    counts = SpikeCounts(network)
    with counts.watching():
        outputs = network.run(batch_major(arrays["x"]))
    spikes = outputs[:, :, 0]
    np.testing.assert_array_equal(spikes.detach().permute(1, 2, 0), arrays["out_spikes"])
    times = first_spike.first_times(outputs, D=options["D"], A=options["A"])
    close(times.detach(), arrays["first_times"], "first times", 1e-9)
    close(spikes.detach().mean(0), arrays["rates"], "rates", 1e-9)
    per_sample = [float(spikes) / len(arrays["x"]) for spikes in counts.spikes]
    close(per_sample, arrays["spike_counts"], "spikes of the layers", 1e-6)
    loss = first_spike.first_spike_loss(outputs, torch.from_numpy(arrays["labels"]), **options)
    close(loss.detach(), arrays["loss"], "loss", 1e-9)
    return loss


def check_dense(case: Case, arrays: Arrays) -> None:
    params = case["params"]
    shape = params["input"], params["T"], params["out"]
    network, parts = dense(params, shape, params["hidden"], case["kind"] == "net_superspike_fc")
    load(parts, under(arrays, "param/"))
    training = params.get("train_mode", True)
    loss = check_outputs(network.train(training), arrays, loss_options(params, penalty=training))
    loss.backward()
    count = params["param_count_trainable"] if "param_count_trainable" in params else params["param_count"]
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    gradients = under(arrays, "grad/")
    if not training:  # the released output layer passes no gradient on in evaluation
        assert not any(gradient.any() for gradient in gradients.values())
        return
    assert set(gradients) == {name for name, (ours, _) in parts.items() if isinstance(ours, nn.Parameter)}
    for name, expected in gradients.items():
        ours, transposed = parts[name]
        close(theirs(ours.grad, transposed).reshape(expected.shape), expected, name)
    for name, expected in under(arrays, "buffer_after/").items():
        close(parts[name][0], expected, name)


def check_maps(case: Case, arrays: Arrays) -> None:
    """A convolutional network from drawn weights: norms and first entries of the gradients."""
    params = case["params"]
    superspike = case["kind"] == "net_cnn_ss_plane"
    form = {"variant": "superspike"} if superspike else {}
    first, last = params["neuron_params1"], params["neuron_params2"]
    network = models.create(
        "fs_plane" if superspike else "fs_gesture",
        neuron=models.factory("culif", **neuron_of(first, tau_s=first["tau_s"], **form)),
        T=params["T"],
        empty=0,
        size=(params["H"], params["W"]),
        classes=params["out"],
        pool="average" if superspike else "max",
        output={"name": "culif", **neuron_of(last, tau_s=last["tau_s"], **form)},
        potentials=True,
    ).double()
    convolutions = [layer.weight for layer in network.conv if isinstance(layer, nn.Conv2d)]
    (back,) = [layer.feedback.weight for layer in network.fc if isinstance(layer, Recurrent)]
    matrices = [layer.weight for layer in network.fc if isinstance(layer, nn.Linear)]
    order = [*convolutions, *((matrices[0], back) if superspike else (back, matrices[0])), matrices[1]]
    assert sum(parameter.numel() for parameter in network.parameters()) == params["param_count_trainable"]
    numbers = np.random.RandomState(int(params["weights"]["generator"].split("(")[1].split(")")[0]))
    parts: Parts = {}
    for ours, (name, kind, scale, shape) in zip(order, params["weights"]["order"], strict=True):
        assert kind == "normal"
        parts[name] = ours, superspike and ours.ndim == 2
        load({name: parts[name]}, {name: numbers.standard_normal(shape) * scale})
    check_outputs(network, arrays, loss_options(params)).backward()
    for name, (ours, transposed) in parts.items():
        gradient = theirs(ours.grad, transposed)
        close(np.linalg.norm(gradient), arrays[f"gradnorm/{name}"], f"norm of {name}")
        close(gradient.ravel()[:16], arrays[f"gradhead/{name}"], name)


def check_training(case: Case, arrays: Arrays) -> None:
    """Updates with gradients that are cleared, and that are not."""
    params, superspike = case["params"], case["kind"] == "train_steps_ss"
    start = under(arrays, "param/")
    classes, width = next(
        reversed([v.T.shape if superspike else v.shape for n, v in start.items() if n.endswith(("w", "0.weight"))])
    )
    shape = arrays["x"].shape[2], arrays["x"].shape[3], classes
    x, labels = (torch.from_numpy(arrays[name]) for name in ("x", "labels"))
    for name, accumulate in (("zeroed", False), ("accumulated", True)):
        network, parts = dense(params, shape, [width], superspike)
        load(parts, start)
        scheme = Descent(
            network.train(),
            loss={"name": "first_spike", **loss_options(params)},
            decision={"name": "first_spike"},
            optimizer={"name": "adam", "lr": params["lr"], "weight_decay": 1e-4, "amsgrad": True},
            clip=params["clip_norm"],
            accumulate=accumulate,
            constraint={"name": "decays"} if superspike else None,
        )
        losses = []
        for step in range(params["steps"]):
            i = step % len(x)
            losses.append(scheme.train_batch(x[i].movedim(-1, 1), labels[i]).scalars["loss"].item())
        close(losses, arrays[f"loss_{name}"], f"losses, {name}")
        final = under(arrays, f"final_{name}/")
        for key, (ours, transposed) in parts.items():
            close(theirs(ours, transposed).reshape(final[key].shape), final[key], f"{key}, {name}")


CHECKS: dict[str, Callable[[Case, Arrays], None]] = {
    **dict.fromkeys(("net_fcnet_adlif", "net_superspike_fc"), check_dense),
    **dict.fromkeys(("net_cnn_sj_gesture", "net_cnn_ss_plane"), check_maps),
    **dict.fromkeys(("train_steps_sj", "train_steps_ss"), check_training),
}
