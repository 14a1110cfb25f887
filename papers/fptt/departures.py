"""The numbered departures from the FPTT work; tables name those that bear on them, docs/fptt.md lists all."""

from __future__ import annotations

from ..departures import Departure

STORED_DETECTIONS = Departure(
    1,
    "The detector is not run: neither its weights nor the pictures of VOC 2007 are used. What is measured is the "
    "average precision of the detections that the authors stored.",
)
SHAPES = Departure(
    2,
    "At quick scale generated pictures of coloured shapes stand in for VOC 2007; the network has an eighth of the "
    "channels and 4 steps.",
)
EVALUATED = Departure(
    3,
    "On the adding problem the authors evaluate one fresh batch after every update and average 25 of them for a point "
    "of the curve; here 25 fresh batches are evaluated after every 25 updates, by the network as it is then.",
)
AVERAGED = Departure(
    4,
    "On the adding problem the authors put the average of the weights in their place once, after the last update and "
    "the last recorded evaluation; here it is not done.",
)
SETTINGS = Departure(
    5,
    "Of the adding runs the README tells the settings for T = 1000 (learning rate 3e-3) and T = 200 (1e-3); T = 500 "
    "has those of T = 1000. Whether the stored runs had them is not recorded.",
)
ALIF_OF_CURVES = Departure(
    6,
    "ALIF on the adding problem is the network that the released file holds as a comment; which settings the authors' "
    "three series of runs had is not recorded.",
)
OWN_ROWS = Departure(
    7,
    "Rows of our own: online learning without the regulariser, and FPTT corrected, without the slips of the released "
    "scripts: on the adding problem the weights (p + 1) / K of the chunks, the last one trained; with classes an "
    "auxiliary loss that is not averaged over classes, and traces that begin anew with each sequence.",
)
JOINT_MATRIX = Departure(
    8,
    "Input and own spikes of a layer have a matrix each, in the work one together: 1,024 bytes less are kept on the "
    "adding network, and T = 50 rounds to 8.93 MiB where the work's has 8.94.",
)
TWO_LAYERS = Departure(
    9,
    "Sequential MNIST is learned with two layers, as the script does as released, in which the second layer is fed "
    "back the spikes of the first; in the corrected row its own. The README describes one layer.",
)
ROWS_AS_RECALLED = Departure(
    10,
    "Row by row MNIST is announced and has no script: 28 steps of 28 pixels, with the settings of sequential MNIST.",
)
ALIF_OF_CLASSES = Departure(
    11,
    "The release has no ALIF for sequences of pixels. Here it has the threshold and the starts of the LTC neurons of "
    "that network.",
)
SHOWN_AS_OFTEN = Departure(
    12,
    "A constant image is shown 20 times, in training and at the test; the released script trains on 100 and tests on "
    "20.",
)
DEFAULTS = Departure(
    13,
    "Networks for constant images are trained with the defaults of the script; no command for them is recorded.",
)
QUICK = Departure(
    14,
    "At quick scale 8x8 digits stand in for MNIST, with one layer of 64 neurons or two narrow convolutions, Adamax "
    "1e-2 and 20 epochs; longer sequences have two or three rows alone.",
)
RECIPE = Departure(
    15,
    "The training script of the detector is missing. Data, optimiser, learning rate, batches, epochs and the draw of "
    "the first weights are ours; difficult boxes are neither learned nor background.",
)
PIXELS = Departure(
    16,
    "Detections of ours are not rounded to whole pixels, and a saturation is changed towards the grey of a picture; in "
    "the work boxes are whole numbers and colours are changed in the space of hue, saturation and value.",
)
ALL = (
    STORED_DETECTIONS, SHAPES, EVALUATED, AVERAGED, SETTINGS, ALIF_OF_CURVES, OWN_ROWS, JOINT_MATRIX, TWO_LAYERS,
    ROWS_AS_RECALLED, ALIF_OF_CLASSES, SHOWN_AS_OFTEN, DEFAULTS, QUICK, RECIPE, PIXELS,
)  # fmt: skip
