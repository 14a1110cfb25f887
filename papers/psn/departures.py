"""The numbered departures from the PSN work; tables name those that bear on them, docs/psn.md lists all."""

from __future__ import annotations

from ..departures import Departure

RANDOM_NUMBERS = Departure(
    1,
    "All random generators are seeded; the sequential and static CIFAR runs of the authors seeded Python's alone. Runs "
    "agree in distribution, not number by number.",
)
SLIDING_START = Departure(
    2,
    "The weights of sliding PSN on sequential CIFAR start uniformly, the default of the script; how they started in "
    "the authors' logged runs is not recorded.",
)
ONE_DEVICE = Departure(
    3,
    "On CIFAR10-DVS the authors train on two GPUs, whose batch norm sees half a batch each; one device sees all 32 "
    "samples.",
)
EIGHT_DEVICES = Departure(
    4,
    "On ImageNet the authors train on eight GPUs with a batch norm each (64 or 32 samples). The total batch is the "
    "same here, and --processes 8 gives the same share to each.",
)
ONE_PIECE = Departure(5, "SEW ResNet-34 is trained in one piece; the authors resumed their run after 15 epochs.")
NO_TOP5 = Departure(6, "Top-5 accuracy is not measured.")
OWN_TASKS = Departure(
    7,
    "Pixel digits and digit recall, at quick scale, are tasks of our own that ask for a longer memory. In digit recall "
    "a network cannot know what lies further back than the order of its three neuron layers allows, unless the mask is "
    "open.",
)
QUICK = Departure(
    8,
    "At quick scale an embedded data set stands in, the network is narrow, every neuron is trained with AdamW 5e-3, "
    "cosine annealing and no augmentation for 30 epochs, and claims look at the mean of the last three.",
)
LAST_BATCH = Departure(
    9,
    "Whether the authors train on the last, incomplete batch of an epoch is not recorded for CIFAR10 shown at four "
    "steps and for ImageNet; here it is left out (390 batches, 2,502 or 5,004). On CIFAR10-DVS it is kept and on "
    "sequential CIFAR left out, as in the work.",
)
ALL = (RANDOM_NUMBERS, SLIDING_START, ONE_DEVICE, EIGHT_DEVICES, ONE_PIECE, NO_TOP5, OWN_TASKS, QUICK, LAST_BATCH)
