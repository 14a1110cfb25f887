"""Pictures of a run with the boxes in them, on its page."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synthetic_runs import HOSTILE, run

from papers.plif.tables import PLIF_ABLATION
from reports import site
from reports.pictures import drawn
from results import Picture, Store

JPEG = b64encode(b"a picture").decode()
FOUND = (("dog", (40.0, 20.0, 59.0, 59.0), 0.875), ("cat", (2.5, 0.5, 11.5, 8.5), 0.5))
PICTURE = Picture(3, 64, 48, JPEG, FOUND, (("dog", (11, 21, 30, 47)),))


def test_boxes_lie_where_they_are() -> None:
    found = drawn(PICTURE)
    assert found.caption == "Test picture 3. True: dog. Found: dog 0.88, cat 0.50."
    root = ElementTree.fromstring(found.svg)
    assert (root.get("viewBox"), root.get("aria-label")) == ("0 0 64 48", found.caption)
    (image,) = root.iter("image")
    assert image.attrib == {"width": "64", "height": "48", "href": f"data:image/jpeg;base64,{JPEG}"}
    boxes = [[rect.get(name) for name in ("class", "x", "y", "width", "height")] for rect in root.iter("rect")]
    assert boxes == [
        ["true", "11", "21", "20", "27"],
        ["found", "40", "20", "20", "40"],
        ["found", "2.5", "0.5", "10", "9"],
    ]
    dog, cat = root.iter("text")
    assert (dog.text, cat.text) == ("dog 0.88", "cat 0.50")
    assert (dog.get("x"), dog.get("text-anchor")) == ("60", "end")
    assert (cat.get("x"), cat.get("text-anchor")) == ("2.5", "start")
    assert float(dog.get("y", "")) < 20  # above its box
    assert float(cat.get("y", "")) > 9.5  # there is no place above


def test_a_picture_in_which_nothing_was_found() -> None:
    assert drawn(Picture(0, 8, 8, JPEG, (), ())).caption == "Test picture 0. True: nothing. Found: nothing."


@pytest.mark.parametrize("pictures", [(PICTURE,), ()])
def test_the_page_of_a_run_shows_them(tmp_path: Path, pictures: tuple[Picture, ...]) -> None:
    experiment = PLIF_ABLATION.experiments("quick", [0])[0]
    with Store(tmp_path / "s.db") as store:
        store.record(run(experiment, final=0.5, pictures=pictures))
        place = site.build(store, tmp_path).parent
    (page,) = (place / "runs").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert ("<h2>Pictures</h2>" in text) is bool(pictures)
    assert text.count('<svg class="picture"') == len(pictures)
    assert re.search("Content-Security-Policy[^>]*img-src data:", text)


def test_what_a_class_is_called_is_text() -> None:
    found = drawn(Picture(0, 8, 8, JPEG, ((HOSTILE, (0, 0, 1, 1), 0.5),), ((HOSTILE, (0, 0, 1, 1)),)))
    assert "<script>" not in found.svg
    assert {element.tag for element in ElementTree.fromstring(found.svg).iter()} == {"svg", "image", "rect", "text"}
