"""The command is killed, again and again."""

from __future__ import annotations

from ..ground import Ground


def strike(ground: Ground) -> None:
    with ground.trial() as trial:
        for _ in range(ground.random.randint(1, 2)):
            running = trial.begin()
            ground.wait(trial, running)
            running.kill()
            running.wait()
            trial.check()
        trial.conclude()
