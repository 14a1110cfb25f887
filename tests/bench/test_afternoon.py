"""The walk from an empty folder to a page that compares two versions of a neuron, carried out as written, with the
fewest seeds that have an interval and without the reports that the walk does not look at."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import warm
from commands import plain_environment

PAGE = (Path(__file__).parents[2] / "docs" / "afternoon.md").read_text(encoding="utf-8")


@pytest.mark.walks
@pytest.mark.slow
def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_neurons.py").write_text(code, encoding="utf-8")
    environment = plain_environment(tmp_path / "nothing")
    said: dict[str, list[str]] = {}
    for block in re.findall(r"```shell\n(.*?)```", PAGE, re.DOTALL):
        for words in map(shlex.split, block.replace("--seeds 3", "--seeds 2").splitlines()):
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                environment[name] = value
                continue
            if words[0] == "python":
                unread = ["--no-report"] if words[2] == "bench.reproduce" else []
                done = warm.run([*words[1:], *unread], env=environment, cwd=tmp_path, timeout=600)
            else:
                done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (words, done.stdout, done.stderr)
            said.setdefault(words[2], []).append(done.stdout)
    (parity,) = said["bench.parity"]
    assert "0 red" in parity
    planned, first, second = (" ".join(text.split()) for text in said["bench.reproduce"])
    assert "4 of 4 experiments to run" in planned
    assert "set: epochs=2" in first
    assert "soft is better than" not in first  # no claim is decided with other settings
    assert "[4/4]" in first
    assert "[2/2]" in second  # only what rests on the file
    (compared,) = said["results"]
    assert "soft" in compared
    page = (tmp_path / "compared" / "comparison" / "index.html").read_text(encoding="utf-8")
    assert "soft" in page
