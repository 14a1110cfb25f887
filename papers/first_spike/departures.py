"""The numbered departures from the first-spike work; tables name those that bear on them, docs/first_spike.md lists
all."""

from __future__ import annotations

from ..departures import Departure

CLEARED = Departure(
    1,
    "The released loops never clear the gradients, so that they add up from batch to batch; rows called corrected"
    " clear them before each batch.",
)
FIXED_DECAYS = Departure(
    2,
    "In the SuperSpike form the range [2/e, 0.995] bounds the decays that are learned; the released code also "
    "clamps those that are fixed, which are within it in every setting.",
)
EMPTY = Departure(
    3,
    "The script for SHD in the SuperSpike folder asks for no empty steps and gets 20, because a zero is ignored; "
    "20 are used here, and none in the other networks.",
)
TIES = Departure(
    4,
    "Silent output neurons with equal potentials are ordered by their number; the released sort leaves their "
    "order open.",
)
COUNTS = Departure(
    5,
    "Spikes and accuracies are means over all test samples; the released code averages the means of batches, in "
    "which a last, smaller batch weighs as much as the others.",
)
SCHEDULE = Departure(
    6,
    "The learning rate is constant; a cosine is an option of the released code that its scripts do not name.",
)
WIDE_COUNTS = Departure(
    7,
    "Counts of events in a step are exact; the released code keeps those of cameras in one byte, which wraps "
    "above 127.",
)
TEN_GESTURES = Departure(
    8,
    "Which gestures are in the ten classes of DVS Gesture is read off the names of the released files, which are not "
    "published with the code: all but the eleventh, other gestures.",
)
MANIFOLDS = Departure(
    9,
    "At quick scale single-spike manifolds stand in for the data sets: 4 classes, 24 inputs, 40 steps, one hidden"
    " layer of 48 neurons, output neurons with time constants of 20 steps and threshold 1, batches of 50, "
    "learning rate 3e-3 and 12 epochs.",
)
OWN_ROWS = Departure(
    10,
    "Other thresholds, time constants and empty steps of the output are rows of our own, at quick scale alone; "
    "which ones the work has is not known.",
)
SPOKEN = Departure(
    11,
    "Free Spoken Digits is a column of our own: 32 filters in place of a cochlea, trained as SHD is in the network of"
    " AdLIF; feed-forward CuLIF, LIF and PLIF in that network are rows of our own, gradients cleared, a decay of "
    "exp(-1/5) in each.",
)
ALL = (
    CLEARED, FIXED_DECAYS, EMPTY, TIES, COUNTS, SCHEDULE, WIDE_COUNTS, TEN_GESTURES, MANIFOLDS, OWN_ROWS,
    SPOKEN,
)  # fmt: skip
