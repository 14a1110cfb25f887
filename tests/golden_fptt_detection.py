"""Checks of the FPTT reference vectors of the detector, one function a family; tolerances as published with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from golden_fptt_neurons import observed
from torch import Tensor

import models
from models.fptt.neurons import NEURONS
from models.fptt.spyv4 import CSPBlock
from tasks.boxes import table
from training import average_precision as ap
from training import yolo, yolo_decision, yolo_loss
from training.average_precision import Marks

Arrays = dict[str, np.ndarray]


def check_voc_map(case: dict[str, Any], arrays: Arrays) -> None:
    """All stored detections of VOC 2007 against all of its objects; in percentage points."""

    def marks(prefix: str, rank: np.ndarray) -> Marks:
        picture, kind = (arrays[f"{prefix}_{name}"].astype(np.int64) for name in ("image", "class"))
        return Marks(picture, kind, arrays[f"{prefix}_box"].astype(float), rank.astype(float))

    found, objects = marks("det", arrays["det_score_e4"]), marks("gt", arrays["gt_difficult"])
    names, pictures = case["classes"], int(max(found.picture.max(), objects.picture.max())) + 1
    for percent in (50, 75):
        expected = case.get(f"expected_ap{percent}")
        if expected is None:
            continue
        by_class = ap.rankings(found, objects, pictures=pictures, classes=len(names), overlap=percent / 100)
        values = 100 * np.stack([ap.precision(ranking) for ranking in by_class])
        np.testing.assert_allclose(values[:, 0], [expected[name] for name in names], atol=0.01, rtol=0)
        np.testing.assert_allclose(ap.mean(values)[0], case[f"expected_map{percent}"], atol=0.01, rtol=0)
        if percent == 50 and "counts" in case:
            told = [case["counts"][name] for name in names]
            assert [int(r.objects.sum()) for r in by_class] == [count["gt"] for count in told]
            assert [int(r.hit.sum()) for r in by_class] == [count["true_positives"] for count in told]
            assert np.bincount(found.kind).tolist() == [count["detections"] for count in told]


def check_block(case: dict[str, Any], arrays: Arrays) -> None:
    """A block of the detector, in training."""
    neuron, options = NEURONS["spyv4"]
    block = CSPBlock(models.factory(neuron, **options), case["sizes"]["cin"], case["sizes"]["planes"])
    cells = [block.whole, block.first, block.second, block.joined]
    ours: dict[str, torch.nn.Parameter] = {}
    for number, (conv, norm, layer) in enumerate(cells, 1):
        gate, gate_norm = layer.gates.membrane
        for name, part in {"conv1_x": conv, "BN": norm, "conv_tauM": gate, "BN1": gate_norm}.items():
            ours |= {f"conv{number}.{name}.{key}": p for key, p in part.named_parameters()}
        layer.v, layer.s = (torch.from_numpy(arrays[f"h0_{2 * number - i}"]) for i in (2, 1))
        layer.b = torch.zeros_like(layer.v)
    assert {f"w.{name}" for name in ours} == {name for name in arrays if name.startswith("w.")}
    for name, parameter in ours.items():
        parameter.data = torch.from_numpy(arrays[f"w.{name}"]).clone()
    seen = [observed(cell[-1]) for cell in cells]
    with torch.no_grad():
        out, feature = block.both(torch.from_numpy(arrays["x"]))
    np.testing.assert_array_equal(out, arrays["out"])
    np.testing.assert_array_equal(feature, arrays["feat"])
    for number, of_cell in enumerate(seen):
        np.testing.assert_allclose(of_cell["mem"][-1], arrays[f"hT_{2 * number}"], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(of_cell["spk"][-1], arrays[f"hT_{2 * number + 1}"])


def rows(maps: Tensor, fields: int) -> Tensor:
    """The output [N, 3 fields, H, W] of one head as rows."""
    return maps.unflatten(1, (3, fields)).movedim(2, -1).flatten(1, 3)


def labels(arrays: Arrays, pictures: int, side: int) -> Tensor:
    """The targets, centre and size as shares of the picture and class, as boxes in pixels."""
    found = []
    for picture in range(pictures):
        x, y, w, h, kind = arrays[f"target{picture}"].astype(float).T
        corners = ((x - w / 2) * side, (y - h / 2) * side, (x + w / 2) * side - 1, (y + h / 2) * side - 1)
        found.append(np.stack([*corners, kind, np.zeros_like(kind)], 1).tolist())
    return table(found)


def check_yolo_head(case: dict[str, Any], arrays: Arrays) -> None:
    """Loss and gradient, decoding, the boxes that are left, and the complete IoU."""
    near = {"rtol": 1e-4, "atol": 1e-4}
    sizes, height, width = case["sizes"], *case["image_shape"]
    heads = [torch.from_numpy(arrays[f"out{i}"]).requires_grad_() for i in range(2)]
    outputs = torch.cat([rows(head, 5 + sizes["classes"]) for head in heads], 1)
    assert yolo.side(outputs.shape[1]) == sizes["input"]
    np.testing.assert_allclose(np.array(yolo.ANCHORS) * sizes["input"], arrays["anchors"], **near)
    truth = labels(arrays, sizes["bs"], sizes["input"])
    of_grids = yolo_loss.parts(outputs, truth)
    for i in range(2):
        np.testing.assert_allclose(of_grids.loss[i].item(), arrays[f"loss{i}"], **near)
        assert of_grids.positives[i] == arrays[f"num_pos{i}"]
    earlier = torch.randn_like(outputs)  # of two steps the last one counts
    loss = yolo_loss.yolo_loss(torch.stack([earlier, outputs]), truth)
    np.testing.assert_allclose(loss.item(), arrays["loss"], **near)
    loss.backward()
    for i, head in enumerate(heads):
        np.testing.assert_allclose(head.grad, arrays[f"g_out{i}"], **near)
    outputs = outputs.detach()
    box, objectness, classes = yolo.decode(outputs)
    told = torch.cat([box, objectness[..., None], classes], -1)
    np.testing.assert_allclose(told, np.concatenate([arrays["decoded0"], arrays["decoded1"]], 1), **near)
    found = yolo_decision.found(outputs, threshold=case["conf_thres"], overlap=case["nms_iou"])
    for picture, ours in enumerate(found):
        top, left, lower, right, of_object, of_class, kind = arrays[f"nms{picture}"].T
        theirs = np.stack([left / width, top / height, right / width, lower / height, kind, of_object * of_class], 1)
        order, other = (np.lexsort((row[:, 5], row[:, 4])) for row in (ours.numpy(), theirs))
        np.testing.assert_allclose(ours[order], theirs[other], **near)
    boxes = (torch.from_numpy(arrays[f"ciou_b{i}"]) for i in (1, 2))
    np.testing.assert_allclose(yolo_loss.ciou(*boxes), arrays["ciou"], **near)


CHECKS: dict[str, Callable[..., None]] = {
    "voc_map": check_voc_map,
    "spyv4_block": check_block,
    "yolo_head": check_yolo_head,
}
