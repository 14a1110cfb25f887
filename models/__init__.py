"""Networks built from neurons (models.network.Network): of each paper in one file or a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import neurons
from core.registry import Registry
from neurons import detach as detach
from neurons import reset as reset

if TYPE_CHECKING:
    from torch import nn

    from .network import Network

NeuronFactory = Callable[[tuple[int, ...]], "nn.Module"]
"""Makes one spiking layer, given the shape of its channel-wise parameters, broadcast against one step [N, ...]:
(C, 1, 1) after a 2-d convolution, (C, 1) after a 1-d one, (C,) after a linear layer."""

registry = Registry(
    "model",
    {
        "plif_mnist": "models.plif:mnist",
        "plif_cifar10": "models.plif:cifar10",
        "plif_nmnist": "models.plif:nmnist",
        "plif_cifar10dvs": "models.plif:cifar10dvs",
        "plif_dvs128gesture": "models.plif:dvs128gesture",
        "psn_sequential": "models.psn:sequential",
        "psn_cifar10": "models.psn:cifar10",
        "psn_cifar10dvs": "models.vgg:psn",
        "vggsnn": "models.vgg:tebn",
        "sew_resnet18": "models.sew_resnet:resnet18",
        "sew_resnet34": "models.sew_resnet:resnet34",
        "sew_resnet50": "models.sew_resnet:resnet50",
        "sequential_fc": "models.sequences:sequential_fc",
        "fptt_adding": "models.fptt.adding:adding",
        "fptt_adding_lstm": "models.fptt.adding:lstm",
        "fptt_adding_rnn": "models.fptt.adding:rnn",
        "fptt_sequential": "models.fptt.sequential:sequential",
        "fptt_images": "models.fptt.maps:images",
        "fptt_cifar10": "models.fptt.maps:cifar10",
        "fptt_gesture": "models.fptt.streams:gesture",
        "fptt_spyv4": "models.fptt.spyv4:spyv4",
        "fptt_gesture_conv": "models.fptt.maps:gesture",
        "fs_feed_forward": "models.first_spike.dense:feed_forward",
        "fs_feed_forward_sparse": "models.first_spike.fast:sparse_feed_forward",
        "fs_recurrent": "models.first_spike.dense:fed_back",
        "fs_recurrent_whole": "models.first_spike.whole:whole_fed_back",
        "fs_gesture": "models.first_spike.maps:gesture",
        "fs_plane": "models.first_spike.maps:plane",
        "ttfs": "models.ttfs.networks:network",
        "ttfs_relu": "models.ttfs.networks:relu",
        "nir": "models.nir_graph:network",
        "budgeted": "models.budgeted:budgeted",
    },
    group="spikebench.models",
)


def names() -> list[str]:
    """Names of all networks."""
    return registry.names()


def create(name: str, **params: Any) -> Network:
    """A network by name; `params` as in its builder, among them `neuron`, the factory of its spiking layers.

    What a neuron draws when it is built leaves the other layers, and what is drawn later, as they are (models.apart).
    Raises UnknownName for an unknown network and TypeError for a builder whose network does not encode its input.
    """
    from .apart import apart
    from .network import Network

    if "neuron" in params:
        params["neuron"] = apart(params["neuron"])
    network = registry.get(name)(**params)
    if not isinstance(network, Network):
        raise TypeError(
            f"The builder of {name!r} made a {type(network).__name__}; a network derives from models.network.Network, "
            "with encode(x), which makes the sequence [T, N, ...], and forward(sequence)."
        )
    return network


def factory(name: str, **options: Any) -> NeuronFactory:
    """What makes the spiking layers of a network: neurons.create(`name`, **`options`) for every layer anew.

    An option whose value is "channels" takes the shape of the layer's channel-wise parameters:
    factory("glif", shape="channels") learns one value per channel.
    """
    per_channel = [key for key, value in options.items() if value == "channels"]
    return lambda shape: neurons.create(name, **{**options, **dict.fromkeys(per_channel, shape)})
