"""Spikes of a run on its page: rasters, accuracy by step, bars."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from synthetic_runs import HOSTILE, run

from papers import registry
from reports import site
from reports.rasters import bars, drawn, over_time
from results import Metric, Raster, Sample, Store


def bits(*spikes: tuple[int, int], steps: int = 4, neurons: int = 2) -> str:
    found = np.zeros((steps, neurons), bool)
    for place in spikes:
        found[place] = True
    return b64encode(np.packbits(found).tobytes()).decode()


def raster(*answers: tuple[int, int], name: str = "fc.0") -> Raster:
    return Raster(3, 4, (("input", 2, 2, bits((0, 0), (3, 1))), (name, 2, 2, bits(*answers))), 0, 1)


def test_the_first_output_spike_is_marked() -> None:
    found = drawn(raster((2, 1), (2, 0), (3, 0)))
    assert (
        found.caption == "Test sample 3, of class 0: the output of class 0 fires first, at step 2; decided for class 1."
    )
    root = ElementTree.fromstring(found.svg)
    (ring,) = root.iter("circle")
    (line,) = root.iter("line")
    assert ring.get("cx") == line.get("x1") == line.get("x2")
    dots = [path.get("d", "").count("M") for path in root.iter("path")]
    assert dots == [2, 3]
    inner = drawn(replace(raster((2, 1)), output=False))  # a layer that does not answer
    assert inner.caption == "Test sample 3, of class 0; decided for class 1."
    assert "circle" not in inner.svg
    assert 'class="label"' not in inner.svg
    silent = drawn(raster())
    assert silent.caption.endswith("no output neuron fires; decided for class 1.")
    assert "circle" not in silent.svg


def test_names_are_text() -> None:
    root = ElementTree.fromstring(drawn(raster(name=HOSTILE)).svg)
    assert {element.tag for element in root.iter()} <= {"svg", "rect", "path", "circle", "line", "text"}


def test_bars_of_the_last_epoch() -> None:
    values = {"spikes_fc.2": 4.0, "spikes_fc.5.neuron": 1.0, "test_spikes_per_neuron": 2.0}
    metrics = [Metric(name, value * factor, "1", e) for name, value in values.items() for e, factor in ((0, 9), (1, 1))]
    (found,) = bars(metrics)
    assert found.caption == "Spikes of a neuron in a test sample, epoch 1"
    widths = [float(rect.get("width", "")) for rect in ElementTree.fromstring(found.svg).iter("rect")]
    assert widths == [widths[0], round(widths[0] / 4, 2), round(widths[0] / 2, 2)]
    assert bars([]) == []


def test_the_page_of_a_run_shows_them(tmp_path: Path) -> None:
    experiment = registry.get("fs_table").experiments("quick", [0])[0]
    samples = tuple(Sample(f"accuracy_{way}_by_step", t, t / 4, "fraction") for way in ("fs", "fr") for t in range(4))
    ((_, legend),) = over_time(samples)
    assert legend == (("by first spike", 0), ("by rate", 1))
    with Store(tmp_path / "s.db") as store:
        store.record(run(experiment, final=0.5, pictures=(raster((1, 1)),), samples=samples))
        (back,) = store.full_runs()
        assert back.pictures == (raster((1, 1)),)
        place = site.build(store, tmp_path).parent
    text = next((place / "runs").glob("*.html")).read_text(encoding="utf-8")
    assert text.count('<svg class="raster"') == 1
    assert "Told right by each step" in text
    assert "accuracy_fs_by_step" not in text
