"""The server of the store is cut off in the middle of a command and is there again a little later."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ..ground import Ground, Missing

sys.path.append(str(Path(__file__).parents[2]))
import postgres_server


def strike(ground: Ground) -> None:
    if why := postgres_server.missing():
        raise Missing(why)
    server = postgres_server.Server()
    try:
        with ground.trial() as trial:
            trial.url = server.new()
            running = trial.begin()
            ground.wait(trial, running)
            server.cut()
            time.sleep(ground.random.choice([0.0, 3.0]))
            server.start()
            trial.end(running)
            trial.conclude()
    finally:
        server.stop()
