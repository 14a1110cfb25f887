"""The page about an own task, network and table, carried out as written; the report is made once, at the end."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import warm
from commands import plain_environment

PAGE = (Path(__file__).parents[2] / "docs" / "your_own_table.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.mark.walks
@pytest.mark.slow
def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "rings.py").write_text(block("python"), encoding="utf-8")
    (tmp_path / "rings.toml").write_text(block("toml"), encoding="utf-8")
    nothing = tmp_path / "nothing"
    environment = {**plain_environment(nothing), "SPIKEBENCH_STORE": f"sqlite:///{tmp_path / 'store.db'}"}

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        done = warm.run(words[1:], env=environment, cwd=tmp_path, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    planned, trained, added = [run([*shlex.split(line), "--no-report"]) for line in block("shell").splitlines()]
    assert planned.stdout.count("to run ") == 2
    assert "[6/6]" in trained.stdout
    flat = " ".join(trained.stdout.split())
    assert re.search(r"LIF 99 \S+ \[", flat)
    assert re.search(r"PLIF 20 \S+ \[\S+ \S+\] higher", flat)
    assert "[3/3]" in added.stdout
    assert "klif tau=3.0 is better than every other row" in " ".join(added.stdout.split())

    # A report finds the row again without being told of it.
    again = run(["python", "-m", "reports", "--plugin", "rings.py"])
    page = Path(tmp_path, again.stdout.strip()).with_name("rings-quick.html").read_text(encoding="utf-8")
    assert "klif tau=3.0" in page
    assert "against LIF" in page
