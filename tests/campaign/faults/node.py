"""A node of a Ray cluster dies, with all that runs on it."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec

from tests.bench.ray_nodes import SETTINGS, Nodes

from ..ground import Ground, Missing


def strike(ground: Ground) -> None:
    if find_spec("ray") is None:
        raise Missing("needs ray")
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # a socket's path has to be short
        nodes = Nodes(folder, ground.variables)
        try:
            with ground.trial(("--executor=ray", f"--ray={nodes.address}"), **SETTINGS) as trial:
                running = trial.begin()
                ground.wait(trial, running)
                nodes.kill_the_second()
                trial.end(running)
                trial.conclude()
        finally:
            nodes.stop()
