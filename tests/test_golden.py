"""Every reference vector under SPIKEBENCH_GOLDEN (default tests/golden), whatever its name, seed or shape."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import golden_first_spike
import golden_fptt
import golden_plif
import golden_psn
import golden_ttfs
import numpy as np
import pytest

ROOT = Path(os.environ.get("SPIKEBENCH_GOLDEN") or Path(__file__).parent / "golden")
FILES = sorted(path for path in ROOT.glob("*/*.json") if path.name != "index.json")  # which lists cases and is none
# For each paper: the entry of a description that names the kind of a case, and the check of each kind.
PAPERS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "plif": ("level", golden_plif.CHECKS),
    "psn": ("kind", golden_psn.CHECKS),
    "fptt": ("family", golden_fptt.CHECKS),
    "first_spike": ("kind", golden_first_spike.CHECKS),
    "ttfs": ("family", golden_ttfs.CHECKS),
}


def cases(path: Path) -> dict[str, dict[str, Any]]:
    """The cases described by a file: those listed under "cases", whose arrays are "<case>/<array>", or itself."""
    described = json.loads(path.read_text(encoding="utf-8"))
    listed = described.get("cases") if path.parent.name == "psn" else None
    return {"": described} if listed is None else listed


CASES = [
    pytest.param(path, name, id="/".join(filter(None, (path.parent.name, path.stem, name))))
    for path in FILES
    for name in cases(path)
]


def _load(path: Path, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    prefix = f"{name}/" if name else ""
    with np.load(path.with_suffix(".npz")) as arrays:
        return cases(path)[name], {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}


def _peer_can(path: Path) -> bool:
    if path.parent.name != "plif":
        return False
    case = json.loads(path.read_text(encoding="utf-8"))
    return case.get("level") == "neuron" and not case.get("alpha_learnable") and case.get("tau", 2.0) > 1


@pytest.mark.golden
def test_there_are_cases() -> None:
    assert FILES, f"no reference vectors under {ROOT}"
    assert all(cases(path) for path in FILES)
    assert {path.with_suffix(".json") for path in ROOT.glob("*/*.npz")} == set(FILES), "a file without its twin"


@pytest.mark.golden
@pytest.mark.parametrize(("path", "name"), CASES)
def test_golden(path: Path, name: str) -> None:
    entry, checks = PAPERS.get(path.parent.name, ("kind", {}))
    case, arrays = _load(path, name)
    check = checks.get(case.get(entry))
    if check is None:
        pytest.fail(f"no check knows the kind {case.get(entry)!r} of {path.parent.name} cases")
    assert arrays, f"no arrays of {name} in {path.with_suffix('.npz')}"
    check(case, arrays)


@pytest.mark.golden
@pytest.mark.parametrize("path", [path for path in FILES if _peer_can(path)], ids=lambda path: path.stem)
def test_peer_gives_the_golden_spikes(path: Path) -> None:
    """SpikingJelly behind our interface passes the same vectors; it has no learnable slope and no tau of 1."""
    golden_plif.check_neuron(*_load(path, ""), backend="spikingjelly")
