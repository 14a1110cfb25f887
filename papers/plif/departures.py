"""The numbered departures from the PLIF work; tables name those that bear on them, docs/plif.md lists all."""

from __future__ import annotations

from ..departures import Departure

SORTED_FILES = Departure(
    1,
    "N-MNIST and Gesture files are taken in sorted order, which decides their validation part; the authors' order came "
    "from an unsorted directory listing.",
)
ALL_SEGMENTS = Departure(
    2, "Gesture is trained on all 1,176 segments; the authors' converter kept 936, and which ones is not known."
)
WHOLE_VALIDATION = Departure(
    3, "The whole validation set is evaluated; the authors drop its last incomplete batch of 16."
)
RANDOM_NUMBERS = Departure(
    4, "Random numbers are drawn in another order, so runs agree in distribution, not sample by sample."
)
QUICK = Departure(
    5,
    "At quick scale an embedded data set stands in, the network is narrow, the learning rate is 1e-2 for 24 epochs, "
    "and one training with a validation part of 15 % gives accuracy A and B. Claims look at the mean of the last three "
    "epochs.",
)
ALL = (SORTED_FILES, ALL_SEGMENTS, WHOLE_VALIDATION, RANDOM_NUMBERS, QUICK)
