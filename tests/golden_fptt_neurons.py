"""Checks of the FPTT reference vectors of neurons and networks, one function a family; tolerances as published.

The authors keep one weight matrix for input and own spikes, [input; spikes]; here input and feedback have one each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import models
import neurons
from models.fptt.neurons import NEURONS
from models.layers import Conv2d, StepBatchNorm2d
from models.network import Network
from models.readout import leak
from models.recurrent import Recurrent
from models.steps import TimeBatchNorm1d
from neurons.adaptive_threshold import ALIF, LTC, IzhikevichLike
from neurons.gates import Maps
from neurons.surrogate import MultiGaussian

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]


def close(found: Tensor | None, expected: Any, rtol: float = 1e-3, atol: float = 1e-3) -> None:
    """An absent gradient is one of zero."""
    found = torch.zeros(np.shape(expected)) if found is None else found
    np.testing.assert_allclose(found.detach(), expected, rtol=rtol, atol=atol)


def equal(found: Tensor, expected: Any) -> None:
    np.testing.assert_array_equal(found.detach(), expected)


def leaf(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).requires_grad_()


def tensors(arrays: Arrays, prefix: str) -> dict[str, Tensor]:
    """The arrays under `prefix`, without it."""
    return {key.removeprefix(prefix): torch.from_numpy(v) for key, v in arrays.items() if key.startswith(prefix)}


# Single steps


def check_surrogate(case: Case, arrays: Arrays) -> None:
    hyper = case["hyper"]
    surrogate = MultiGaussian(
        1 / hyper["sigma"], gamma=hyper["gamma"], height=hyper["height"], scale=hyper["scale"], strict=True
    )
    x = leaf(arrays["x"])
    spike = surrogate(x)
    equal(spike, arrays["spike"])
    spike.backward(torch.from_numpy(arrays["upstream"]))
    close(x.grad, arrays["grad"], rtol=1e-5, atol=1e-6)


def neuron_of(variant: str, hyper: Case) -> neurons.base.Neuron:
    """The neuron of a variant: "ltc_fixed05", "alif_accum_b01" ...; KeyError for a rule that is not known."""
    kind, _, rule = variant.partition("_")
    options: Case = {"beta": hyper.get("beta", 1.8)}
    if rule.startswith("fixed"):
        options |= {"v_threshold": float(hyper["threshold"].split()[-1]), "adaptive": False}
    else:
        accumulate = {"accum": True, "adapt": False}[rule.partition("_")[0]]
        options |= {"v_threshold": hyper["b_j0"], "accumulate": accumulate}
    return neurons.create(kind, **options)


def check_step(case: Case, arrays: Arrays) -> None:
    """One update with given gates."""
    x, v, s, g, r, b = given = [leaf(arrays[key]) for key in ("inputs", "mem", "spike", "tau_m", "tau_adp", "b")]
    if case["variant"] == "izh":
        hyper = case["hyper"]
        broken = IzhikevichLike(v_threshold=hyper["v_peak"], v_reset=hyper["c"])
        spike, mem, after = broken.update(x, v, g, r)
    else:
        neuron = neuron_of(case["variant"], case["hyper"])
        spike, mem, after, kept = neuron.update(x, v, b, s, g, r)
        assert kept is spike
    equal(spike, arrays["out_spike"])
    tolerance = {"rtol": 1e-3, "atol": 1e-4}
    close(mem, arrays["out_mem"], **tolerance)
    close(after, arrays["out_b"], **tolerance)
    outputs = {"mem": mem, "spike": spike, "b": after}
    sum((outputs[key] * torch.from_numpy(arrays[f"cot_{key}"])).sum() for key in outputs).backward()
    for key, value in zip(("inputs", "mem", "spike", "tau_m", "tau_adp", "b"), given, strict=True):
        close(value.grad, arrays[f"g_{key}"], **tolerance)


def check_readout(case: Case, arrays: Arrays) -> None:
    x, o, k = given = [leaf(arrays[key]) for key in ("inputs", "mem", "tau_m")]
    out = leak(o, x, k)
    out.backward(torch.from_numpy(arrays["cot"]))
    close(out, arrays["out"], rtol=1e-5, atol=1e-6)
    for key, value in zip(("inputs", "mem", "tau_m"), given, strict=True):
        close(value.grad, arrays[f"g_{key}"], rtol=1e-5, atol=1e-6)


def check_demo(case: Case, arrays: Arrays) -> None:
    """Two equal liquid neurons with weights of 1 and gate biases of -5, beside a LIF neuron."""
    x = torch.from_numpy(arrays["x"])[:, None, None].expand(-1, 1, 2)
    liquid = neurons.create("ltc", gates="dense", shape=2, v_threshold=1.0, adaptive=False, step_mode="s")
    nn.init.ones_(liquid.gates.membrane.weight)
    nn.init.constant_(liquid.gates.membrane.bias, -5)
    plain = neurons.create("lif", tau=2.0, surrogate=MultiGaussian(strict=True), step_mode="s")
    seen: dict[str, list[Tensor]] = {key: [] for key in ("ltc_mem", "ltc_spk", "ltc_tau", "lif_mem", "lif_spk")}
    with torch.no_grad():
        for x_t in x:
            before = torch.zeros(1, 2) if isinstance(liquid.v, float) else liquid.v
            seen["ltc_tau"].append(liquid.mixing(x_t, before, before)[0])
            for name, neuron in (("ltc", liquid), ("lif", plain)):
                seen[f"{name}_spk"].append(neuron(x_t))
                seen[f"{name}_mem"].append(neuron.v)
    for key, values in seen.items():
        found = torch.stack(values)[:, 0, 0]
        if key.endswith("spk"):
            equal(found, arrays[key])
            assert found.sum() == case["counts"][key[:3]]
        else:
            close(found, arrays[key], rtol=0, atol=1e-5)


# Layers


def observed(neuron: ALIF | LTC) -> dict[str, list[Tensor]]:
    """What the steps of `neuron` computed: potential, adaptation, spikes and gates of each, as they come."""
    seen: dict[str, list[Tensor]] = {key: [] for key in ("mem", "b", "spk", "tau_m", "tau_adp")}
    update = neuron.update

    def watched(x: Tensor, v: Tensor, b: Tensor, s: Tensor, g: Tensor, r: Tensor | None) -> tuple[Tensor, ...]:
        out = update(x, v, b, s, g, r)
        for key, value in zip(("spk", "mem", "b"), out, strict=False):
            seen[key].append(value)
        seen["tau_m"].append(g)
        if r is not None:
            seen["tau_adp"].append(r)
        return out

    neuron.update = watched  # type: ignore[method-assign]
    return seen


def begin(neuron: ALIF | LTC, arrays: Arrays) -> None:
    neuron.v, neuron.s, neuron.b = (torch.from_numpy(arrays[key]) for key in ("mem0", "spk0", "b0"))


def check_trajectories(seen: dict[str, list[Tensor]], arrays: Arrays) -> Tensor:
    """Compares what was seen and returns the loss of the case."""
    found = {key: torch.stack(values) for key, values in seen.items() if values}
    equal(found["spk"], arrays["spk"])
    for key in found.keys() & arrays.keys() - {"spk"}:
        close(found[key], arrays[key], rtol=1e-4, atol=1e-5)
    loss = sum((found[key] * torch.from_numpy(arrays[f"cot_{key}"])).sum() for key in ("mem", "spk"))
    np.testing.assert_allclose(loss.item(), arrays["loss"], rtol=1e-4, atol=1e-3)
    return loss


def check_cell(case: Case, arrays: Arrays) -> None:
    """A fully connected layer, recurrent or not."""
    inputs, hidden = case["sizes"]["inp"], case["sizes"]["hid"]
    weights = tensors(arrays, "w.")
    options = {"v_threshold": case["b_j0"], "beta": case["beta"], "shape": hidden, "backend": "torch"}
    neuron: ALIF | LTC
    if case["kind"].startswith("ltc"):
        neuron = neurons.create("ltc", gates="dense", **options)
        ours = {name: parameter for name, (parameter,) in gates_of("layer1", neuron).items()}
    else:
        neuron = neurons.create("alif", accumulate="accum" in case["kind"], **options)
        ours = {
            next(key for key in names if key in weights): parameter
            for names, parameter in ((("layer1_tauM", "tau_m"), neuron.p_m), (("layer1_tauAdp", "tau_adp"), neuron.p_a))
        }
    linear = nn.Linear(inputs, hidden)
    feedback = nn.Linear(hidden, hidden, bias=False)
    layer = Recurrent(neuron, feedback) if case["recurrent"] else neuron
    joint = weights["layer1_x.weight"]
    linear.weight.data, linear.bias.data = joint[:, :inputs].clone(), weights["layer1_x.bias"].clone()
    for name, parameter in ours.items():
        parameter.data = weights[name].clone()
    begin(neuron, arrays)
    if case["recurrent"]:
        feedback.weight.data = joint[:, inputs:].clone()
        layer.spikes = neuron.s
    seen = observed(neuron)
    x = leaf(arrays["x"])
    layer(linear(x))
    check_trajectories(seen, arrays).backward()
    close(x.grad, arrays["g_x"])
    found = {**{name: p.grad for name, p in ours.items()}, "layer1_x.bias": linear.bias.grad}
    parts = [linear.weight.grad, *([feedback.weight.grad] if case["recurrent"] else [])]
    found["layer1_x.weight"] = torch.cat(parts, 1)
    assert found.keys() == weights.keys()
    for name, gradient in found.items():
        close(gradient, arrays[f"g.{name}"])


def convolved(weights: dict[str, Tensor]) -> tuple[Case, list[str]]:
    """Options of the gates of a convolutional layer, and its batch norms: of current, membrane and adaptation gate."""
    adapts = "conv_tauAdp.weight" in weights
    norms = sorted({name.partition(".")[0] for name in weights if name.startswith("BN")})
    adaptation = None
    if adapts:
        membrane, gate = (weights[f"conv_{name}.weight"].shape[1] for name in ("tauM", "tauAdp"))
        adaptation = "sum" if gate == membrane else "concatenated"
    assert len(norms) in (0, 2 + adapts), norms
    return {"norm": bool(norms), "adaptation": adaptation}, norms


POOLS: dict[str | None, Callable[[], nn.Module]] = {
    None: nn.Identity,
    "max": lambda: nn.MaxPool2d(2),
    "avg": lambda: nn.AvgPool2d(2),
    "up": lambda: nn.Upsample(scale_factor=2),
}


def check_conv_cell(case: Case, arrays: Arrays) -> None:
    """A convolutional layer: convolution, batch norm, pooling, neuron."""
    sizes, weights = case["sizes"], tensors(arrays, "w.")
    gates, norms = convolved(weights)
    kernel, channels = sizes["kernel"], sizes["cout"]
    main = next(name for name in ("conv1_x", "conv_x") if f"{name}.weight" in weights)
    bias = f"{main}.bias" in weights
    conv = Conv2d(sizes["cin"], channels, kernel, sizes["stride"], kernel // 2, bias=bias)
    norm = StepBatchNorm2d(channels) if norms else nn.Identity()
    pool = POOLS[case["pool"]]()
    neuron = neurons.create(
        "ltc",
        gates={"name": "conv", **gates},
        shape=Maps(channels, weights["conv_tauM.weight"].shape[-1]),
        v_threshold=1.0 if case["b_j0"] is None else case["b_j0"],
        adaptive=case["b_j0"] is not None,
        backend="torch",
    )
    parts = {main: conv, "conv_tauM": neuron.gates.membrane[0]}
    if neuron.gates.adapts:
        parts["conv_tauAdp"] = neuron.gates.adaptation[0]
    found = [norm, neuron.gates.membrane[1], *([neuron.gates.adaptation[1]] if neuron.gates.adapts else [])]
    parts |= dict(zip(norms, found, strict=False))
    ours = {f"{name}.{key}": p for name, part in parts.items() for key, p in part.named_parameters()}
    assert ours.keys() == weights.keys()
    for name, parameter in ours.items():
        parameter.data = weights[name].clone()
    seen = observed(neuron)

    def run(x: Tensor) -> None:
        begin(neuron, arrays)
        for values in seen.values():
            values.clear()
        current = norm(conv(x))
        neuron(pool(current.flatten(0, 1)).unflatten(0, current.shape[:2]))

    x = leaf(arrays["x"])
    run(x)
    check_trajectories(seen, arrays).backward()
    gradients = {"g_x": x.grad, **{f"g.{name}": p.grad for name, p in ours.items()}}
    for name, gradient in gradients.items():
        close(gradient, arrays[name], rtol=0, atol=1e-3 * max(1.0, np.abs(arrays[name]).max()))
    for name in norms:
        for key, value in parts[name].named_buffers():
            if key != "num_batches_tracked":
                close(value, arrays[f"buf.{name}.{key}"], rtol=1e-4, atol=1e-5)
    for part in (norm, neuron):
        part.eval()
    with torch.no_grad():
        run(x)
    equal(torch.stack(seen["spk"]), arrays["eval_spk"])
    close(torch.stack(seen["mem"]), arrays["eval_mem"], rtol=1e-4, atol=1e-5)


# Networks


class Loaded:
    """Our parameters by the authors' names; those that are parts of one joint matrix under its name, in order."""

    def __init__(self, weights: dict[str, Tensor], parts: dict[str, list[nn.Parameter]]) -> None:
        self.parts = parts
        assert parts.keys() == weights.keys(), parts.keys() ^ weights.keys()
        for name, ours in parts.items():
            widths = [p.shape[1] for p in ours] if len(ours) > 1 else [weights[name].shape[-1] if ours[0].ndim else 1]
            pieces = weights[name].split(widths, -1) if len(ours) > 1 else [weights[name]]
            for parameter, piece in zip(ours, pieces, strict=True):
                assert parameter.shape == piece.shape, name
                parameter.data = piece.clone()

    def gradients(self) -> dict[str, Tensor | None]:
        return {
            name: torch.cat([p.grad for p in ours], -1) if len(ours) > 1 else ours[0].grad
            for name, ours in self.parts.items()
        }


def named(name: str, layer: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a layer that has one of ours for each of theirs."""
    return {f"{name}.{key}": [p] for key, p in layer.named_parameters()}


def gates_of(name: str, neuron: LTC) -> dict[str, list[nn.Parameter]]:
    return {**named(f"{name}_tauM", neuron.gates.membrane), **named(f"{name}_tauAdp", neuron.gates.adaptation)}


def joint(name: str, linear: nn.Linear, layer: nn.Module) -> dict[str, list[nn.Parameter]]:
    """A linear layer and the feedback to the neurons behind it, where there is one."""
    fed_back = [layer.feedback.weight] if isinstance(layer, Recurrent) else []
    return {f"{name}.weight": [linear.weight, *fed_back], f"{name}.bias": [linear.bias]}


def check_adding_model(case: Case, arrays: Arrays) -> None:
    T, _, inputs = arrays["x"].shape
    neuron, options = NEURONS["adding"]
    network = models.create(
        "fptt_adding", neuron=models.factory(neuron, **options), T=T, inputs=inputs, hidden=case["sizes"]["hid"]
    )
    linear, read = network.hidden
    liquid = read.layer.neuron
    parts = joint("layer1_x", linear, read.layer) | gates_of("layer1", liquid) | named("lin", network.readout)
    loaded = Loaded(tensors(arrays, "w."), parts)
    out = network.run(torch.from_numpy(arrays["x"]).transpose(0, 1))
    assert out.shape == (1, arrays["x"].shape[1], 1)
    loss = (out[0].squeeze(1) - torch.from_numpy(arrays["y"]).squeeze(1)).square().mean()
    np.testing.assert_allclose(loss.item(), arrays["loss"], rtol=1e-5)
    close(out[0].squeeze(1), arrays["out_T"], rtol=1e-4, atol=1e-5)
    for state, value in (("mem_T", liquid.v), ("b_T", liquid.b)):
        close(value, arrays[state], rtol=1e-4, atol=1e-5)
    equal(liquid.s, arrays["spk_T"])
    loss.backward()
    for name, gradient in loaded.gradients().items():
        close(gradient, arrays[f"g.{name}"], atol=1e-5)


def smnist(arrays: Arrays, hidden: int, layers: int) -> tuple[Network, Loaded, dict[str, TimeBatchNorm1d]]:
    """Our network with the weights of a case, and its batch norms by the authors' names."""
    neuron, own = NEURONS["sequential"]
    T = arrays["x"].shape[1]
    shape = {"side": 1, "width": T, "classes": arrays["train_logp"].shape[-1], "hidden": hidden}
    network = models.create("fptt_sequential", neuron=models.factory(neuron, **own), layers=layers, answer=T, **shape)
    fc = list(network.fc)
    (linear, norm), first = fc[1], fc[2]
    parts = named("layer1_x", linear) | named("layer1_r", first.feedback[0]) | gates_of("layer1", first.neuron)
    norms = {"bn1a": norm, "bn1b": first.feedback[1], "bn2": fc[-2][1]}
    slopes = {"act1": first.neuron.gates.squash_membrane, "act2": first.neuron.gates.squash_adaptation}
    if layers == 2:
        (direct, lagged), second = (fc[3].direct, fc[3].lagged), fc[4].neuron
        parts |= named("layer2_x", direct[0]) | named("layer2_r", lagged[0]) | gates_of("layer2", second)
        norms |= {"bn2a": direct[1], "bn2b": lagged[1]}
        slopes = {"act1m": slopes["act1"], "act1a": slopes["act2"]}
        slopes |= {"act2m": second.gates.squash_membrane, "act2a": second.gates.squash_adaptation}
    slopes["act3"] = fc[-1].squash
    parts |= named("layer3_x", fc[-2][0]) | named("layer3_tauM", fc[-1].mixing)
    parts |= {f"{name}.alpha": [slope.a] for name, slope in slopes.items()}
    for name, norm in norms.items():
        parts |= named(name, norm)
    return network, Loaded(tensors(arrays, "w.network."), parts), norms


def check_smnist(case: Case, arrays: Arrays) -> None:
    layers = case["layers"]
    network, loaded, norms = smnist(arrays, case["sizes"]["hid"], layers)
    fc = list(network.fc)
    first, readout = fc[2], fc[-1]
    spiking = [first.neuron, *([fc[4].neuron] if layers == 2 else [])]
    states = [torch.from_numpy(arrays[f"h0_{i}"]) for i in range(3 * layers + 2)]
    x = torch.from_numpy(arrays["x"])[:, None, None, :]

    def run() -> Tensor:
        """Log-probabilities of all steps from the initial states of the case."""
        models.reset(network)
        for layer, neuron in enumerate(spiking):
            neuron.v, neuron.s, neuron.b = states[3 * layer : 3 * layer + 3]
        first.spikes, readout.o = states[1], states[-2]
        if layers == 2:
            fc[3].x = states[1]  # the slip of the released network
        return network.run(x).log_softmax(-1)

    seen = observed(first.neuron)
    out = run()
    equal(torch.stack(seen["spk"]), arrays["train_spk1"])
    close(torch.stack(seen["mem"]), arrays["train_mem1"], rtol=1e-4, atol=1e-4)
    close(out, arrays["train_logp"], rtol=1e-4, atol=1e-4)
    loss = nn.functional.nll_loss(out[-1], torch.from_numpy(arrays["target"]).long())
    close(loss, arrays["loss"], rtol=1e-4, atol=1e-4)
    loss.backward()
    for name, gradient in loaded.gradients().items():
        expected = arrays[f"g.network.{name}"]
        if re.fullmatch(r"layer\d_[xr]\.bias", name):  # before a batch norm: zero, and what is there is round-off
            weight = arrays[f"g.network.{name.replace('bias', 'weight')}"]
            assert gradient is not None
            assert gradient.abs().max() <= 1e-3 * np.abs(weight).max() + 1e-4
        else:  # gradients grow to 1e8 through the batch norm of a constant, the fed back spikes of the first step
            close(gradient, expected, rtol=1e-2, atol=1e-4 + 1e-5 * np.abs(expected).max())
    for name, norm in norms.items():
        for key in ("running_mean", "running_var"):
            close(getattr(norm, key), arrays[f"bn.network.{name}.{key}"], rtol=1e-4, atol=1e-5)
    network.eval()
    with torch.no_grad():
        close(run(), arrays["eval_logp"], rtol=1e-4, atol=1e-4)


def check_gesture_net(case: Case, arrays: Arrays) -> None:
    """The network of two streams, in evaluation."""
    weights = tensors(arrays, "w.network.")
    hidden, layers = (
        case["sizes"]["hid"],
        sum(re.fullmatch(r"snn\d\.layer1_x\.bias", name) is not None for name in weights),
    )
    neuron, options = NEURONS["gesture"]
    network = models.create(
        "fptt_gesture",
        neuron=models.factory(neuron, **options),
        T=case["sizes"]["T"],
        side=arrays["x"].shape[-1],
        classes=arrays["logp"].shape[-1],
        hidden=hidden,
        deep=layers == 4,
    ).eval()
    _, front = network.conv
    behind = list(network.fc)
    pairs = [(front.first[0], front.first[1]), (front.second[0], front.second[1])]
    pairs += [(behind[i], behind[i + 1]) for i in range(0, 2 * (layers - 2), 2)]
    parts: dict[str, list[nn.Parameter]] = {"tau_m_o": [behind[-1].p], **named("layer3_x", behind[-2])}
    liquid: list[LTC] = []
    for i, (linear, layer) in enumerate(pairs):
        liquid.append(layer.neuron if isinstance(layer, Recurrent) else layer)
        names = joint("layer1_x", linear, layer) | gates_of("layer1", liquid[-1])
        parts |= {f"snn{i + 1}.{name}": ours for name, ours in names.items()}
    Loaded({name: w for name, w in weights.items() if not re.search(r"snn\d\.tau_", name)}, parts)
    states = [torch.from_numpy(arrays[f"h0_{i}"]) for i in range(3 * layers + 1)]
    for i, (_, layer) in enumerate(pairs):
        liquid[i].v, liquid[i].s, liquid[i].b = states[3 * i : 3 * i + 3]
        if isinstance(layer, Recurrent):
            layer.spikes = liquid[i].s
    behind[-1].o = states[-1]
    seen = [observed(layer) for layer in liquid]
    with torch.no_grad():
        out = network.run(torch.from_numpy(arrays["x"]).float())
    for i, of_layer in enumerate(seen):
        equal(torch.stack(of_layer["spk"]), arrays[f"spk{i + 1}"])
    close(out.log_softmax(-1), arrays["logp"], rtol=0, atol=1e-4)


CHECKS: dict[str, Callable[[Case, Arrays], None]] = {
    "surrogate": check_surrogate,
    "step": check_step,
    "readout": check_readout,
    "ltc_demo": check_demo,
    "cell": check_cell,
    "conv_cell": check_conv_cell,
    "addtask_model": check_adding_model,
    "smnist": check_smnist,
    "gesture_net": check_gesture_net,
}
