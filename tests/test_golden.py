"""Every reference vector under SPIKEBENCH_GOLDEN (default tests/golden), whatever its name, seed or shape."""

from __future__ import annotations

import json
import os
from pathlib import Path

import golden_plif
import numpy as np
import pytest

ROOT = Path(os.environ.get("SPIKEBENCH_GOLDEN") or Path(__file__).parent / "golden")
PAPERS = {"plif": golden_plif.CHECKS}
CASES = sorted(ROOT.glob("*/*.json"))


def _peer_can(path: Path) -> bool:
    if path.parent.name != "plif":
        return False
    case = json.loads(path.read_text(encoding="utf-8"))
    return case.get("level") == "neuron" and not case.get("alpha_learnable")


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
@pytest.mark.parametrize("path", [path for path in CASES if _peer_can(path)], ids=lambda path: path.stem)
def test_peer_gives_the_golden_spikes(path: Path) -> None:
    """SpikingJelly behind our interface passes the same vectors; its surrogate has no learnable slope."""
    case = json.loads(path.read_text(encoding="utf-8"))
    with np.load(path.with_suffix(".npz")) as arrays:
        golden_plif.check_neuron(case, dict(arrays), backend="spikingjelly")
