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
    "channels and 4 steps, and is trained by backpropagation through time.",
)
ALL = (STORED_DETECTIONS, SHAPES)
