"""The detector's head by hand; tests/golden_fptt_detection.py holds it against the vectors of the work's code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.ops import complete_box_iou_loss

from tasks.boxes import of_sample, table
from training import yolo, yolo_loss
from training.yolo_decision import yolo_decision

SIDE = 64
ROWS = 60  # 3 anchors in 2 x 2 cells and in 4 x 4
FAR = -20.0  # of a row that says that there is nothing


def outputs(*rows: tuple[int, list[float]], classes: int = 2) -> Tensor:
    """One step of one picture, nothing in it but what these rows say: [1, 1, 60, 5 + classes]."""
    made = torch.zeros(1, 1, ROWS, 5 + classes)
    made[..., 4] = FAR
    for row, values in rows:
        made[0, 0, row] = torch.tensor(values)
    return made


def test_rows_are_of_anchors_and_cells_line_by_line() -> None:
    corner, cells, anchor, begin = yolo.places(ROWS, torch.device("cpu"))
    assert begin == (0, 12, 60)
    assert corner[:5].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]
    assert cells.flatten().tolist() == [2.0] * 12 + [4.0] * 48
    torch.testing.assert_close(anchor[[0, 4, 8, 12, 28, 44]] * 416, torch.tensor(
        [[81.0, 82], [135, 169], [344, 319], [23, 27], [37, 58], [81, 82]]
    ))  # fmt: skip
    box, objectness, classes = yolo.decode(torch.zeros(ROWS, 7))
    assert box[3, :2].tolist() == [0.75, 0.75]
    torch.testing.assert_close(box[3, 2:] * 416, torch.tensor([81.0, 82]))
    assert objectness.unique().tolist() == classes.unique().tolist() == [0.5]


@pytest.mark.parametrize("rows", [0, 14, 45, 61])
def test_a_number_of_rows_that_no_picture_has_is_refused(rows: int) -> None:
    with pytest.raises(ValueError, match=f"{rows} rows; a detector has 15 s\\^2"):
        yolo.side(rows)


def owners(*boxes: list[float]) -> list[list[int]]:
    return yolo_loss.rows_of(yolo_loss.targets(table([list(boxes)]), SIDE), ROWS)[0].tolist()


def test_a_box_belongs_to_its_best_anchor_in_each_grid_that_owns_it() -> None:
    # Anchors at 64 pixels: 1.5x2.2, 3.5x4.2, 5.7x8.9, 12.5x12.6, 20.8x26, 52.9x49.1.
    square = [40.0, 20, 51, 31, 0, 0]  # 12 x 12 around (46, 26): anchor 3, of both grids
    assert owners(square) == [[1, 12 + 2 * 16 + 1 * 4 + 2]]
    tall = [0.0, 36, 19, 61, 0, 0]  # 20 x 26 around (10, 49): anchor 4, of the coarse grid
    assert owners(tall) == [[4 + 2, ROWS]]
    small = [0.0, 0, 3, 3, 0, 0]  # 4 x 4: anchor 1, of the fine grid
    assert owners(small) == [[ROWS, 12]]
    tiny = [0.0, 0, 0, 1, 0, 0]  # 1 x 2: the first anchor, of none
    assert owners(tiny) == [[ROWS, ROWS]]
    assert owners([*square[:5], 1]) == [[ROWS, ROWS]]  # difficult


def entropy(probability: float) -> float:
    return -math.log(probability)


THREE = math.log(3)  # the sigmoid of it is 0.75
WIDE, HIGH = 64 * 135 / 416, 64 * 169 / 416  # anchor 4 in a picture of 64 pixels
BOX = [48 - WIDE / 2, 16 - HIGH / 2, 48 + WIDE / 2 - 1, 16 + HIGH / 2 - 1]  # in the middle of the coarse cell (1, 0)
OWNER = 4 + 1  # anchor 4 is the coarse grid's second, this cell its second
AT_IT = 12 + 2 * 16 + 1 * 4 + 3  # the fine cell that begins there, with anchor 3


def summed(said: Tensor, *boxes: list[float]) -> list[float]:
    return yolo_loss.parts(said[0], table([list(boxes)])).loss.tolist()


def test_loss_by_hand() -> None:
    said = outputs((OWNER, [0, 0, 0, 0, THREE, -THREE, THREE]))
    found = yolo_loss.parts(said[0], table([[[*BOX, 1, 0]]]))
    assert found.positives.tolist() == [1, 1]  # the fine grid has none, and counts as one
    # It is where it says, and says 0.75 of object, of the class that it is, and of not the other one.
    assert found.loss.tolist() == pytest.approx([3 * entropy(0.75), 0], abs=1e-4)
    labels = table([[[*BOX, 1, 0]]])
    earlier = torch.randn_like(said)
    assert yolo_loss.yolo_loss(torch.cat([earlier, said]), labels).item() == pytest.approx(
        1.5 * entropy(0.75), abs=1e-4
    )


def test_the_distance_counts_more_for_small_boxes() -> None:
    said = outputs((OWNER, [0, 0, math.log(0.5), 0, THREE, -THREE, THREE]))  # half as wide as it is
    w, h = WIDE / 64, HIGH / 64
    v = (2 / math.pi * (math.atan(w / h) - math.atan(w / h / 2))) ** 2
    apart = 0.5 + v**2 / (0.5 + v)  # IoU is a half, and the centres are the same
    assert summed(said, [*BOX, 1, 0])[0] == pytest.approx(apart * (2 - w * h) + 3 * entropy(0.75), abs=1e-4)


def test_what_overlaps_a_box_is_no_background() -> None:
    like_it = [FAR, FAR, math.log(135 / 81), math.log(169 / 82), THREE, 0, 0]
    smaller = [FAR, FAR, 0, 0, THREE, 0, 0]  # anchor 3 has 0.29 of it
    assert summed(outputs((AT_IT, like_it)), [*BOX, 1, 0])[1] == pytest.approx(0, abs=1e-4)
    assert summed(outputs((AT_IT, like_it)), [*BOX, 1, 1]) == pytest.approx([0, 0], abs=1e-4)  # difficult, but there
    assert summed(outputs((AT_IT, smaller)), [*BOX, 1, 0])[1] == pytest.approx(entropy(0.25), abs=1e-4)


def test_of_two_boxes_in_a_row_the_last_counts_with_the_classes_of_both() -> None:
    said = outputs((OWNER, [0, 0, 0, 0, THREE, THREE, THREE]))
    moved = [BOX[0] + 3, BOX[1], BOX[2] + 3, BOX[3]]
    assert summed(said, [*moved, 0, 0], [*BOX, 1, 0])[0] == pytest.approx(3 * entropy(0.75), abs=1e-4)
    assert summed(said, [*BOX, 1, 0], [*moved, 0, 0])[0] > 3 * entropy(0.75) + 0.1


def test_a_picture_without_boxes_is_background() -> None:
    said = outputs((OWNER, [0, 0, 0, 0, THREE, 0, 0]))
    for labels in (table([[]]), table([[[-1] * 6]])):
        assert yolo_loss.yolo_loss(said, labels).item() == pytest.approx(entropy(0.25) / 2, abs=1e-4)


def test_complete_iou_is_torchvisions() -> None:
    first, second = (torch.cat([torch.rand(50, 2), 0.05 + torch.rand(50, 2)], 1) for _ in range(2))
    corners = (torch.cat([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1) for box in (first, second))
    torch.testing.assert_close(1 - yolo_loss.ciou(first, second), complete_box_iou_loss(*corners))


def test_detections_by_hand() -> None:
    sure, less = [0, 0, 0, 0, 3.0, FAR, 2.0], [0.2, 0, 0, 0, 2.0, FAR, 2.0]
    other = [0, 0, 0, 0, 1.0, 4.0, FAR]
    # Anchors 4 and 5 of the same cell overlap by a quarter; two rows of anchor 4 in the next cells do not overlap.
    said = outputs((OWNER, sure), (AT_IT, [FAR, FAR, math.log(135 / 81), math.log(169 / 82), *less[4:]]))
    said = torch.cat([outputs((0, other)), said])  # of two steps the last one counts
    found = yolo_decision(said)
    assert found.shape == (1, 1, 6)
    score = torch.tensor([3.0, 2.0]).sigmoid().prod().item()
    assert found[0, 0].tolist() == pytest.approx([BOX[0], BOX[1], BOX[2], BOX[3], 1, score], abs=1e-4)
    assert yolo_decision(said, threshold=score + 0.01).shape == (1, 0, 6)
    assert yolo_decision(said, overlap=1.0).shape == (1, 2, 6)
    both = torch.cat([said[1:], outputs((8, other))], 1)  # of two pictures; anchor 5 is larger than this quarter
    first, second = (of_sample(rows) for rows in yolo_decision(both))
    assert len(first) == len(second) == 1
    half = 32 * 344 / 416, 32 * 319 / 416
    assert second[0, :5].tolist() == pytest.approx([0, 0, 16 + half[0] - 1, 16 + half[1] - 1, 0], abs=1e-3)


def test_one_class_does_not_push_another_aside() -> None:
    said = outputs((OWNER, [0, 0, 0, 0, 3.0, FAR, 2.0]))
    said[0, 0, AT_IT] = torch.tensor([FAR, FAR, math.log(135 / 81), math.log(169 / 82), 2.0, 2.0, FAR])
    assert yolo_decision(said)[0, :, 4].tolist() == [1, 0]
