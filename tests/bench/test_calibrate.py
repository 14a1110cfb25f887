"""`python -m bench.calibrate` from end to end: simulated, stored, shown, read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import within
from typer.testing import CliRunner

from bench import calibrate
from papers.calibration import claims, verdicts
from papers.calibration.rates import Rate, is_calibration, rates_of
from results import Store


def test_rates_are_stored_and_get_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [Rate("verdict", "perfect replication: inside", 0.95, 0.942, 500)]
    asked = []

    def made(simulations: int) -> list[Rate]:
        asked.append(simulations)
        return [Rate("greater", "no difference: fails", 0.025, 0.0, simulations)]

    monkeypatch.setattr(verdicts, "simulate", lambda simulations: some)
    monkeypatch.setattr(claims, "simulate", made)
    arguments = ["--simulations", "500", "--store", str(tmp_path / "store.db"), "--out", str(tmp_path)]
    done = CliRunner().invoke(calibrate.app, arguments)
    assert done.exit_code == 0, done.output
    assert asked == [500]
    assert " 95.00 %  94.20 %  91.79 % to 95.93 %   perfect replication: inside\n" in done.stdout
    with Store(tmp_path / "store.db") as store:
        (run,) = store.full_runs()
    assert is_calibration(run)
    assert rates_of(run) == [*some, Rate("greater", "no difference: fails", 0.025, 0.0, 500)]
    page = (tmp_path / "report" / "calibration.html").read_text(encoding="utf-8")
    assert "<td>2.50 %</td><td>0.00 %</td><td>0.00 % to 0.76 %</td>" in page
    assert "calibration of the rules of judgement" in (tmp_path / "report" / "runs.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", ["0", "-3"])
def test_a_number_that_is_none_is_refused(number: str, tmp_path: Path) -> None:
    done = within(calibrate.app, "--simulations", number, "--store", str(tmp_path / "store.db"))
    assert (done.returncode, done.stderr) == (2, f"Error: --simulations was given {number}; it must be at least 1.\n")
    assert not (tmp_path / "store.db").exists()


def test_an_interrupt_says_that_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(simulations: int) -> list[Rate]:
        raise KeyboardInterrupt

    monkeypatch.setattr(verdicts, "simulate", interrupted)
    done = within(calibrate.app, "--store", str(tmp_path / "store.db"), "--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (130, "Interrupted. Nothing is stored; the same command begins anew.\n")
    with Store(tmp_path / "store.db") as store:
        assert store.runs() == []
