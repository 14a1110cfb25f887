"""The server of the store is cut off in the middle of a command and is there again a little later."""

from __future__ import annotations

import time

from tests import postgres_server

from ..ground import Ground, Missing


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
