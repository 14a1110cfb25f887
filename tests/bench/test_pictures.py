"""The pictures that are kept of a trained detector."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
import torch
from commands import Command
from torch import Tensor
from torchvision.io import decode_jpeg

import tasks
from bench.pictures import MOST, SHOWN, classes, shown
from models.network import Network
from results import Store

NAMES = ("square", "circle", "triangle")


class Seeing:
    """A scheme that finds the true boxes, moved by what it draws, and more that it is less sure of."""

    def __init__(self, labels: Tensor) -> None:
        self.network = Network()
        self.labels = labels

    def outputs(self, x: Tensor) -> Tensor:
        assert not self.network.training
        return self.labels[: len(x)] + torch.rand(()) * torch.tensor([1.0, 1, 1, 1, 0, 0])

    def decide(self, outputs: Tensor) -> Tensor:
        found = outputs.clone()
        found[..., 5] = 0.5
        unsure = found[:, :1].repeat(1, MOST, 1)
        unsure[..., 5] = 0.25
        return torch.cat([unsure, found], 1)


def test_the_first_pictures_with_the_boxes_that_were_found_most_surely() -> None:
    test = tasks.load("shapes", train=1, test=6).test
    x, labels = test.batch(range(6))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found = shown(Seeing(labels), test, classes("shapes"), "cpu", seed=1)  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), before)
    assert [picture.index for picture in found] == list(range(SHOWN))
    for picture, image, boxes in zip(found, x, labels, strict=False):
        true = [row for row in boxes if row[4] >= 0]
        assert list(picture.there) == [(NAMES[int(row[4])], tuple(row[:4].tolist())) for row in true]
        assert [score for _, _, score in picture.found] == ([0.5] * len(true) + [0.25] * MOST)[:MOST]
        for (kind, edges, _), row in zip(picture.found, true, strict=False):
            assert kind == NAMES[int(row[4])]
            assert 0 < edges[0] - row[0] < 1
        drawn = decode_jpeg(torch.frombuffer(bytearray(b64decode(picture.jpeg)), dtype=torch.uint8))
        assert drawn.shape == image.shape
        assert (drawn.float() / 255 - image).abs().mean() < 0.05
    assert shown(Seeing(labels), test, classes("shapes"), "cpu", seed=1) == found  # type: ignore[arg-type]
    assert shown(Seeing(labels), test, classes("shapes"), "cpu", seed=2) != found  # type: ignore[arg-type]


def test_classes_without_a_name_have_a_number() -> None:
    assert classes("voc2007")(11) == "dog"
    assert classes("digits")(3) == "class 3"


@pytest.mark.slow
def test_a_detector_is_trained_its_pictures_kept_and_shown(reproduce: Command, tmp_path: Path) -> None:
    done = reproduce("detector", "--report")
    assert done.returncode == 0, done.stderr
    with Store(tmp_path / "store.db") as store:
        (run,) = store.full_runs()
    assert run.outcome == "ok"
    found = {(metric.name, metric.step) for metric in run.metrics}
    assert found >= {(f"{part}_average_precision", epoch) for part in ("train", "test") for epoch in (0, 1)}
    assert [picture.index for picture in run.pictures] == list(range(SHOWN))
    assert {kind for picture in run.pictures for kind, _ in picture.there} <= set(NAMES)
    page = tmp_path / "out" / "report" / "runs" / f"{run.id}.html"
    assert page.read_text(encoding="utf-8").count('<svg class="picture"') == SHOWN
