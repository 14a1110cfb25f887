"""Checks of the first-spike reference vectors of neurons, one function a kind; tolerances as published with them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import neurons
from models.first_spike.feedback import fed_back
from neurons.base import Neuron

Arrays = dict[str, np.ndarray]
Case = dict[str, Any]
PARAMETERS = {
    "pculif": {"raw_decay_mem": "p_m", "raw_decay_syn": "p_s"},
    "adlif": {"raw_decay_mem": "p_m", "raw_decay_osc": "p_osc", "a": "a", "b": "b"},
}
STATES = {"i_seq": "i", "w_seq": "w", "v_seq": "v"}


def close(found: Tensor | None, expected: Any, what: str = "") -> None:
    assert found is not None, what
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-10, err_msg=what)


def leaf(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float64)).requires_grad_()


def loaded(module: nn.Module, **values: np.ndarray) -> None:
    """Parameters of `module` from arrays of as many elements, in double precision."""
    for name, value in values.items():
        parameter = module.get_parameter(name)
        parameter.data = torch.from_numpy(np.array(value, dtype=np.float64)).reshape(parameter.shape)


def create(case: Case, arrays: Arrays) -> Neuron:
    """The neuron that a case of the SpikingJelly folder describes, in double precision."""
    params, kind = case["params"], case["kind"].split("_")[0]
    own: dict[str, Any] = {key: params[key] for key in ("v_threshold", "v_reset", "detach_reset")}
    own["tau_m"] = params["tau_mem"]
    own["tau_osc" if kind == "adlif" else "tau_s"] = params["tau_osc" if kind == "adlif" else "tau_syn"]
    if params["decay_mode"] == "m":
        own["shape"] = arrays["x_seq"].shape[-1]
    neuron = neurons.create(kind, **own)
    loaded(neuron, **{ours: arrays[theirs] for theirs, ours in PARAMETERS.get(kind, {}).items()})
    return neuron.double()


def stepped(neuron: Neuron, x: Tensor, states: list[str]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Spikes, potentials that were compared, and `states` after each step."""
    neuron.step_mode = "s"
    potentials: list[Tensor] = []
    hook = neuron.surrogate.register_forward_hook(lambda _m, args, _out: potentials.append(args[0].detach()))
    spikes, seen = [], {name: list[Tensor]() for name in states}
    for x_t in x.unbind(0):
        spikes.append(neuron(x_t))
        for name, values in seen.items():
            values.append(getattr(neuron, name).detach())
    hook.remove()
    return (
        torch.stack(spikes),
        torch.stack(potentials) + neuron.v_threshold,
        {name: torch.stack(values) for name, values in seen.items()},
    )


def check_neuron(case: Case, arrays: Arrays) -> None:
    """CuLIF, PCuLIF and AdLIF: spikes, states and gradients."""
    neuron, x = create(case, arrays), leaf(arrays["x_seq"])
    present = [key for key in STATES if key in arrays]
    spikes, potentials, seen = stepped(neuron, x, [STATES[key] for key in present])
    spikes.backward(torch.from_numpy(arrays["g"]))
    np.testing.assert_array_equal(spikes.detach(), arrays["spikes"])
    close(potentials, arrays["h_seq"], "potentials before the reset")
    for key in present:
        close(seen[STATES[key]], arrays[key], key)
    close(x.grad, arrays["grad_x"], "gradient of the input")
    names = {ours: theirs for theirs, ours in PARAMETERS.get(neuron.name, {}).items()}
    assert set(names) == {key for key, _ in neuron.named_parameters()}
    for key, parameter in neuron.named_parameters():
        close(parameter.grad, arrays[f"grad_{names[key]}"].reshape(parameter.shape), key)
        if f"{key}_clamped" in arrays:
            np.testing.assert_array_equal(parameter.detach(), arrays[f"{key}_clamped"].reshape(parameter.shape))


def superspike(params: Case, width: int) -> Neuron:
    """The neuron of a layer of the SuperSpike folder."""
    own = {"tau_m": params["tau_m"], "tau_s": params["tau_s"], "v_threshold": params["theta"], "variant": "superspike"}
    return neurons.create("pculif", shape=width, **own) if params["trainable"] else neurons.create("culif", **own)


def check_superspike(case: Case, arrays: Arrays) -> None:
    """A layer of the SuperSpike folder, recurrent where it has weights V."""
    x, W = leaf(arrays["x"]), leaf(arrays["W"])
    neuron = superspike(case["params"], W.shape[1]).double()
    if case["params"]["trainable"]:
        loaded(neuron, p_m=arrays["beta"], p_s=arrays["alpha"])
    else:
        np.testing.assert_allclose(np.exp(-1 / case["params"]["tau_m"]), arrays["beta"][0], rtol=1e-12)
    drive = (x @ W).transpose(0, 1)
    if "V" in arrays:
        back = nn.Linear(W.shape[1], W.shape[1], bias=False)
        loaded(back, weight=arrays["V"].T)
        spikes = fed_back(neuron, back)(drive)
        close_of = {"V": lambda: back.weight.grad.T}
    else:
        spikes, potentials, seen = stepped(neuron, drive, ["i"])
        close(potentials.transpose(0, 1), arrays["mem_before_step"], "potentials compared")
        close(seen["i"][:-1].transpose(0, 1), arrays["syn_before_step"][:, 1:], "currents")
        close_of = {}
    np.testing.assert_array_equal(spikes.detach().transpose(0, 1), arrays["spikes"])
    spikes.backward(torch.from_numpy(arrays["g"]).transpose(0, 1))
    close_of |= {"x": lambda: x.grad, "W": lambda: W.grad}
    if case["params"]["trainable"]:
        close_of |= {"beta": lambda: neuron.p_m.grad.unsqueeze(0), "alpha": lambda: neuron.p_s.grad.unsqueeze(0)}
    assert {f"grad_{name}" for name in close_of} == {name for name in arrays if name.startswith("grad_")}
    for name, gradient in close_of.items():
        close(gradient(), arrays[f"grad_{name}"], f"gradient of {name}")


def check_recurrent(case: Case, arrays: Arrays) -> None:
    """The recurrent CuLIF layer of the SpikingJelly folder, and that of the other folder one step later (claim F2)."""
    params = case["params"]
    own = {"tau_m": params["tau_mem"], "tau_s": params["tau_syn"], "v_threshold": params["v_threshold"]}
    x, W = leaf(arrays["x_seq"]), leaf(arrays["W"])
    found = {}
    for variant in ("spikingjelly", "superspike"):
        back = nn.Linear(W.shape[0], W.shape[0], bias=False)
        loaded(back, weight=arrays["R"])
        found[variant] = fed_back(neurons.create("culif", variant=variant, **own), back)(x @ W.T)
        if variant == "spikingjelly":
            np.testing.assert_array_equal(found[variant].detach(), arrays["spikes"])
            found[variant].backward(torch.from_numpy(arrays["g"]))
            for name, gradient in (("x", x.grad), ("W", W.grad), ("R", back.weight.grad)):
                close(gradient, arrays[f"grad_{name}"], f"gradient of {name}")
    assert torch.equal(found["superspike"][1:], found["spikingjelly"][:-1])


def check_sparch(case: Case, arrays: Arrays) -> None:
    """The adLIF cell of sparch from given states."""
    Wx = leaf(arrays["Wx"])
    neuron = neurons.create("adlif", variant="sparch", shape=Wx.shape[-1], v_threshold=case["params"]["threshold"])
    names = {"alpha": "p_m", "beta": "p_osc", "a": "a", "b": "b"}
    loaded(neuron, **{ours: arrays[theirs] for theirs, ours in names.items()})
    for theirs, ours in names.items():
        np.testing.assert_allclose(neuron.SPARCH[ours], case["params"][f"{theirs}_lim"], rtol=1e-12)
    first = [torch.from_numpy(arrays[name]) for name in ("u0", "w0", "s0")]
    neuron.store_states(list(neuron.begun(*first).values()))
    spikes, potentials, seen = stepped(neuron, Wx.transpose(0, 1), ["w"])
    np.testing.assert_array_equal(spikes.detach().transpose(0, 1), arrays["spikes"])
    close(potentials.transpose(0, 1), arrays["u_seq"], "potentials")
    close(seen["w"].transpose(0, 1), arrays["w_seq"], "adaptation")
    spikes.backward(torch.from_numpy(arrays["g"]).transpose(0, 1))
    close(Wx.grad, arrays["grad_Wx"], "gradient of the input")
    for theirs, ours in names.items():
        close(neuron.get_parameter(ours).grad, arrays[f"grad_{theirs}"], f"gradient of {theirs}")


def check_libraries(case: Case, arrays: Arrays) -> None:
    """CuLIF against other libraries one step later: their stored spikes, and those of the ones that are installed."""
    params = case["params"]
    own = {"tau_m": params["tau_mem"], "tau_s": params["tau_syn"], "v_threshold": params["v_threshold"]}
    x = torch.from_numpy(arrays["x_seq"])
    spikes, potentials, seen = stepped(neurons.create("culif", **own), x, ["i"])
    np.testing.assert_array_equal(spikes, arrays["spikes"])
    close(potentials, arrays["h_seq"], "potentials")
    close(seen["i"], arrays["i_seq"], "currents")
    np.testing.assert_array_equal(spikes[1:], arrays["other_spikes"][:-1])
    for library in LIBRARIES:
        try:
            theirs = library(params, x)
        except (ImportError, AttributeError):  # not installed, or a release without this neuron
            continue
        np.testing.assert_array_equal(theirs, arrays["other_spikes"], err_msg=library.__name__)


def spikingjelly(params: Case, x: Tensor) -> Tensor:
    """CUBALIFNode."""
    node = importlib.import_module("spikingjelly.activation_based.neuron").CUBALIFNode(
        c_decay=params["decay_syn"],
        v_decay=params["decay_mem"],
        v_threshold=params["v_threshold"] / (1 - params["decay_mem"]),
        v_reset=0.0,
    )
    return torch.stack([node(x_t) for x_t in x])


def snntorch(params: Case, x: Tensor) -> Tensor:
    """Synaptic."""
    layer = importlib.import_module("snntorch").Synaptic(
        alpha=params["decay_syn"],
        beta=params["decay_mem"],
        threshold=params["v_threshold"] / (1 - params["decay_mem"]),
        reset_mechanism="zero",
        reset_delay=False,
    )
    current, potential, spikes = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for x_t in x:
        spike, current, potential = layer(x_t, current, potential)
        spikes.append(spike)
    return torch.stack(spikes)


def norse(params: Case, x: Tensor) -> Tensor:
    """lif_feed_forward_step."""
    lif = importlib.import_module("norse.torch.functional.lif")
    values = {
        "tau_mem_inv": 1 - params["decay_mem"],
        "tau_syn_inv": 1 - params["decay_syn"],
        "v_leak": 0.0,
        "v_reset": 0.0,
        "v_th": params["v_threshold"],
    }
    p = lif.LIFParameters(**{name: torch.tensor(value, dtype=x.dtype) for name, value in values.items()})
    state = lif.LIFFeedForwardState(v=torch.zeros_like(x[0]), i=torch.zeros_like(x[0]))
    spikes = []
    for x_t in x:
        spike, state = lif.lif_feed_forward_step(x_t, state, p, dt=1.0)
        spikes.append(spike)
    return torch.stack(spikes)


LIBRARIES = (spikingjelly, snntorch, norse)
CHECKS: dict[str, Callable[[Case, Arrays], None]] = {
    **dict.fromkeys(("culif", "pculif_m", "pculif_s", "adlif_m", "adlif_s"), check_neuron),
    **dict.fromkeys(("superspike_ff", "superspike_recurrent"), check_superspike),
    "recurrent_culif": check_recurrent,
    "sparch_adlif": check_sparch,
    "culif_crosslib": check_libraries,
}
