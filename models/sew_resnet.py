"""Spike-element-wise ResNets (Fang et al., NeurIPS 2021) with ADD, as the PSN work trains them (spec, section 2.4).

Differences from torchvision's ResNet, whose names the modules bear:

1. the image is shown at `T` steps, each with a learned offset `pe` (can be switched off);
2. every ReLU is a spiking layer, and it stands before the addition: a block adds spikes, so its output counts them;
3. the 1x1 convolution of the shortcut has batch norm and a spiking layer of its own;
4. the stem ends in average pooling, as released; "max" gives torchvision's.

Batch norm takes its statistics over all steps. The output is the logits of every step.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.registry import unknown
from neurons.base import Neuron
from neurons.blocks import repeat
from tasks.errors import DataDamaged, DataMissing, TaskError

from . import NeuronFactory
from .chain import Chain, run
from .layers import AvgPool2d, BatchNorm2d, Conv2d, MaxPool2d
from .network import Network

STEM_POOLS: dict[str, Callable[..., nn.Module]] = {"average": AvgPool2d, "max": MaxPool2d}


def _shortcut(neuron: NeuronFactory, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    conv = Conv2d(inputs, outputs, 1, stride=stride, bias=False)
    return Chain(conv, BatchNorm2d(outputs), neuron((outputs, 1, 1)))


class BasicBlock(nn.Module):
    """[T, N, inputs, H, W] -> [T, N, width, H / stride, W / stride]: two 3x3 convolutions, plus the shortcut."""

    expansion = 1

    def __init__(self, neuron: NeuronFactory, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.sn1 = neuron((width, 1, 1))
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.sn2 = neuron((width, 1, 1))
        self.downsample = _shortcut(neuron, inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = run((self.conv1, self.bn1, self.sn1), x)
        out = run((self.conv2, self.bn2, self.sn2), out)
        return out + self.downsample(x)


class Bottleneck(nn.Module):
    """[T, N, inputs, H, W] -> [T, N, 4 width, H / stride, W / stride]: 1x1, 3x3 and 1x1 convolution, plus shortcut."""

    expansion = 4

    def __init__(self, neuron: NeuronFactory, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = Conv2d(inputs, width, 1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.sn1 = neuron((width, 1, 1))
        self.conv2 = Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.sn2 = neuron((width, 1, 1))
        self.conv3 = Conv2d(width, outputs, 1, bias=False)
        self.bn3 = BatchNorm2d(outputs)
        self.sn3 = neuron((outputs, 1, 1))
        self.downsample = _shortcut(neuron, inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = run((self.conv1, self.bn1, self.sn1), x)
        out = run((self.conv2, self.bn2, self.sn2), out)
        out = run((self.conv3, self.bn3, self.sn3), out)
        return out + self.downsample(x)


Block = type[BasicBlock] | type[Bottleneck]


class SEWResNet(Network):
    """Images [N, inputs, H, W] -> logits [T, N, classes]; options as in `resnet18`."""

    def __init__(
        self,
        neuron: NeuronFactory,
        block: Block,
        layers: tuple[int, int, int, int],
        *,
        T: int = 4,
        inputs: int = 3,
        classes: int = 1000,
        channels: int = 64,
        pe: bool = True,
        stem_pool: str = "average",
    ) -> None:
        super().__init__()
        if stem_pool not in STEM_POOLS:
            raise unknown("stem pooling", stem_pool, STEM_POOLS)
        self.T = T
        self.pe = nn.Parameter(nn.init.trunc_normal_(torch.empty(T, 1, 1, 1, 1), std=0.02)) if pe else None
        self.conv1 = Conv2d(inputs, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(channels)
        self.sn1 = neuron((channels, 1, 1))
        self.pool = STEM_POOLS[stem_pool](3, stride=2, padding=1)
        width = channels
        for stage, count in enumerate(layers):
            blocks = []
            for i in range(count):
                blocks += [block(neuron, width, channels << stage, stride=2 if stage and not i else 1)]
                width = (channels << stage) * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def encode(self, x: Tensor) -> Tensor:
        x = repeat(x, self.T)
        return x if self.pe is None else x + self.pe

    def forward(self, sequence: Tensor) -> Tensor:
        x = run((self.conv1, self.bn1, self.sn1, self.pool), sequence)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # type: ignore[operator]
        return self.fc(x.mean((-2, -1)))

    def load_ann(self, path: str | Path, root: str | Path | None = None) -> None:
        """Takes over the weights of torchvision's ResNet of the same depth; spiking layers and `pe` keep theirs.

        `path` of a state_dict as torchvision publishes it, if relative under `root`, the data root, else under
        SPIKEBENCH_DATA where that is set. Raises DataMissing for a file that is not there, DataDamaged for one that
        cannot be read, TaskError for one that does not fit.
        """
        path = Path(root or os.path.expanduser(os.environ.get("SPIKEBENCH_DATA", ""))) / path
        if not path.is_file():
            raise DataMissing(
                f"The ANN weights are missing: nothing at {path}; they are published at "
                "https://download.pytorch.org/models/ (resnet18-f37072fd.pth, resnet34-b627a593.pth); put the file "
                "there, or leave ann_checkpoint out to start from random weights."
            )
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as problem:  # PyTorch fails in many ways, and advises to load the file unsafely
            what = f"it cannot be read as weights ({type(problem).__name__})"
            raise DataDamaged(path, "its content", what) from problem
        if not isinstance(weights, dict):
            weights = {}
        own = self.state_dict()
        spiking = tuple(f"{name}." for name, module in self.named_modules() if isinstance(module, Neuron))
        needed = {key for key in own if key != "pe" and not key.startswith(spiking)}
        # Checkpoints from before PyTorch 0.4.1 do not count batches.
        wrong = {str(key) for key in needed ^ weights.keys() if not str(key).endswith(".num_batches_tracked")}
        wrong |= {key for key in needed & weights.keys() if own[key].shape != getattr(weights[key], "shape", None)}
        if wrong:
            raise TaskError(
                f"{path} is no ResNet of this depth and width: {len(wrong)} entries differ, the first is {min(wrong)}."
            )
        self.load_state_dict(weights, strict=False)


def _resnet(
    neuron: NeuronFactory,
    block: Block,
    layers: tuple[int, int, int, int],
    ann_checkpoint: str | None,
    root: str | None,
    **options: Any,
) -> SEWResNet:
    network = SEWResNet(neuron, block, layers, **options)
    if ann_checkpoint is not None:
        network.load_ann(ann_checkpoint, root)
    return network


def resnet18(
    neuron: NeuronFactory, *, ann_checkpoint: str | None = None, root: str | None = None, **options: Any
) -> SEWResNet:
    """SEW ResNet-18, 20 spiking layers.

    `channels` is the width of the stem; `pe` and `stem_pool` ("average", "max") as above; `ann_checkpoint` and
    `root` as in SEWResNet.load_ann.
    """
    return _resnet(neuron, BasicBlock, (2, 2, 2, 2), ann_checkpoint, root, **options)


def resnet34(
    neuron: NeuronFactory, *, ann_checkpoint: str | None = None, root: str | None = None, **options: Any
) -> SEWResNet:
    """SEW ResNet-34, 36 spiking layers; options as in `resnet18`."""
    return _resnet(neuron, BasicBlock, (3, 4, 6, 3), ann_checkpoint, root, **options)


def resnet50(
    neuron: NeuronFactory, *, ann_checkpoint: str | None = None, root: str | None = None, **options: Any
) -> SEWResNet:
    """SEW ResNet-50, 53 spiking layers; options as in `resnet18`."""
    return _resnet(neuron, Bottleneck, (3, 4, 6, 3), ann_checkpoint, root, **options)
