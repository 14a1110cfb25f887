"""Every reference vector under SPIKEBENCH_GOLDEN (default tests/golden), whatever its name, seed, shape or parameters."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import golden_plif

ROOT = Path(os.environ.get("SPIKEBENCH_GOLDEN") or Path(__file__).parent / "golden")
PAPERS = {"plif": golden_plif.CHECKS}
CASES = sorted(ROOT.glob("*/*.json"))


def test_there_are_cases() -> None:
    assert CASES, f"no reference vectors under {ROOT}"


@pytest.mark.golden
@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    check = PAPERS.get(path.parent.name, {}).get(case.get("level"))
    if check is None:
        pytest.fail(f"no check knows the kind {case.get('level')!r} of {path.parent.name} cases")
    with np.load(path.with_suffix(".npz")) as arrays:
        check(case, dict(arrays))


@pytest.mark.golden
@pytest.mark.parametrize(
    "path", [p for p in CASES if p.parent.name == "plif" and p.stem.startswith("neuron")], ids=lambda path: path.stem
)
def test_peer_gives_the_golden_spikes(path: Path) -> None:
    """SpikingJelly behind our interface passes the same vectors, where its surrogate is mapped."""
    case = json.loads(path.read_text(encoding="utf-8"))
    if case.get("alpha_learnable"):
        pytest.skip("SpikingJelly's ATan has no learnable alpha")
    with np.load(path.with_suffix(".npz")) as arrays:
        golden_plif.check_neuron(case, dict(arrays), backend="spikingjelly")
