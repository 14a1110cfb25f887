"""Pages that few stores have: of measurements and checks, ranks, rates, commits, spikes, pictures, and a comparison."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import board_runs
import pytest
from synthetic_runs import run

from core.imports import ROOT
from papers.calibration.rates import SHARE, Rate, document
from papers.differences import compare
from papers.plif.tables import PLIF_ABLATION
from papers.sides import side
from reports import differences, site
from results import Metric, Picture, Raster, Run, Sample, Store, content_key, new_id
from results.reading import read

ARCHIVED = ("first-spike-speed-cpu", "parity-glif-cpu")
KINDS = (
    "kernels", "kernels of a neuron", "parity", "ranks", "calibration", "commits", "spikes", "pictures", "comparison",
)  # fmt: skip
OPERATIONS = (("ops_samples", "count"), ("ops_ac_1", "op"), ("ops_mac_1", "op"))
SPIKES = Raster(3, 4, (("input", 2, 2, "pQ=="), ("fc.0", 2, 2, "Qg==")), 0, 1)
BOXES = Picture(3, 64, 48, b64encode(b"a picture").decode(), (("dog", (40.0, 20.0, 59.0, 59.0), 0.9),), ())


def built(folder: Path) -> dict[str, Path]:
    """The pages by what they show, one of each of KINDS."""
    path = board_runs.filled(folder / "store.db", without=("if", "adding"))
    plain, spiking, seeing = (run(experiment, final=0.5) for experiment in PLIF_ABLATION.experiments("quick", [0])[:3])
    counted = tuple(Metric(name, 1000.0, unit) for name, unit in OPERATIONS)
    samples = tuple(Sample(f"accuracy_{way}_by_step", t, t / 4, "fraction") for way in ("fs", "fr") for t in range(4))
    spiking = replace(spiking, pictures=(SPIKES,), samples=samples, metrics=(*spiking.metrics, *counted))
    seeing = replace(seeing, pictures=(BOXES,))
    with pytest.MonkeyPatch.context() as patched, Store(path) as store:
        store.record_all(*read([Path(ROOT, "results", "archive", f"{name}.jsonl") for name in ARCHIVED]))
        store.record_all([spiking, seeing, _rates(plain), _benchmark(plain, 0.002), _benchmark(plain, 0.003)])
        patched.setattr("papers.registry.get", lambda name: board_runs.SMALL)
        patched.setattr("papers.registry.names", lambda: ["leaderboard"])
        place = site.build(store, folder).parent
        first, second = (side(store, name, lambda one, odd=odd: one.seed % 2 == odd) for odd, name in enumerate("AB"))
        compared = differences.write(compare(first, second), folder)
    return {
        "kernels": place / "kernels.html",
        "kernels of a neuron": place / "kernels-culif.html",
        "parity": place / "parity.html",
        "ranks": place / "leaderboard-quick-board.html",
        "calibration": place / "calibration.html",
        "commits": place / "commits.html",
        "spikes": place / "runs" / f"{spiking.id}.html",
        "pictures": place / "runs" / f"{seeing.id}.html",
        "comparison": compared,
    }


def _rates(plain: Run) -> Run:
    what = document([Rate("verdict", "perfect replication: inside", 0.95, 0.942, 500)])
    return _other(plain, what, samples=(Sample(SHARE, 0, 0.942, "fraction"),))


def _benchmark(plain: Run, seconds: float) -> Run:
    what = {"kind": "asv", "benchmark": "neurons.Speed.time_forward", "parameters": {"layer": "lif torch"}}
    return _other(plain, what, metrics=(Metric("time_forward", seconds, "s"),))


def _other(plain: Run, what: dict[str, object], **changes: object) -> Run:
    """A run of another kind."""
    given = {"metrics": (), "datasets": (), **changes}
    return replace(plain, id=new_id(), experiment=what, experiment_key=content_key(what), **given)
