"""The numbered departures from the T2FSNN work; tables name those that bear on them, docs/ttfs.md lists all."""

from __future__ import annotations

from ..departures import Departure

ORDER = Departure(
    1,
    "The tenth held out and the order of the images are drawn once, by a seed of the data set, and are the same for "
    "all trainings; the released code draws them anew with the seed of a training.",
)
NEVER_STOPPED = Departure(
    2,
    "Training goes on to its last epoch, 1,000 at paper scale; early stopping is read from the curves. The value that "
    "counts is the released one, of the last epoch that was tested before training stops.",
)
SILENT_SAMPLE = Departure(
    3,
    "Where the last layer fires and all its neurons are silent, the released loss is not a number and spoils the "
    "weights; here all classes are as probable.",
)
OWN_ROWS = Departure(
    4,
    "Rows of our own: corrected numerics (true gradient, a new order in every epoch), other clips of the local "
    "factors, a constant threshold, and the same network of rectified linear units.",
)
QUICK = Departure(
    5,
    "At quick scale 8x8 digits stand in for MNIST, in 16C3 - P2 - 32C3 - P2 and 20 epochs with batches of 32 and a "
    "learning rate of 1e-3; nothing is held out and the last epoch counts.",
)
DRAWS = Departure(
    6,
    "Augmentation draws from PyTorch's generator, the released one from those of Python and NumPy.",
)
ACTIVITY = Departure(
    7,
    "Spikes per neuron are counted over the whole test set, without the last layer and without pooling; the released "
    "activity divides by one batch too few, counts pooled maps as layers and the last layer as firing.",
)
ROUNDING = Departure(
    8,
    "A spike time is computed relative to the start of its window, (1 + I - S) / (1 + S), and released numerics refuse "
    "pooling whose fields overlap, which the released code learns wrongly.",
)
NARROW = Departure(
    9,
    "At short scale trainings have 4 epochs, and rows of our own divide the channels of VGG7 by 8: a training of the "
    "whole network takes hours on a core.",
)
ALL = (ORDER, NEVER_STOPPED, SILENT_SAMPLE, OWN_ROWS, QUICK, DRAWS, ACTIVITY, ROUNDING, NARROW)
