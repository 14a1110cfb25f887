"""What a node of a Ray cluster does with a request: a task that yields what `bench.node.attend` says.

Where the node sees the folders of those who ask, it uses them. Where not, it has folders of its own, and the files that
a training leaves in them, checkpoints and logs, go with the stream as ("file", place, content).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from .child import Message
from .job import Request
from .node import DATA, attend, cache

KINDS = (".pt", ".log", ".unusable")


def carry_out(
    text: str, timeout: float | None, token: tuple[str, str], kept: list[Any], data: str | None
) -> Iterator[Message]:
    """The messages of the request `text`, ("result", Result) at last.

    `token` is a file of those who ask and what stands in it; `kept` holds a reference to the checkpoint, where there is
    one; `data` is their data root where the node names none.
    """
    if data:
        os.environ.setdefault(DATA, data)
    request = Request.of_json(text)
    if _shared(*token):
        yield from attend(request, timeout)
        return
    with tempfile.TemporaryDirectory(prefix="spikebench-") as folder:
        yield from _apart(request, timeout, Path(folder), kept)


def _shared(place: str, said: str) -> bool:
    try:
        return Path(place).read_text() == said
    except OSError:
        return False


def _apart(request: Request, timeout: float | None, folder: Path, kept: list[Any]) -> Iterator[Message]:
    checkpoint, log = (folder / path.parent.name / path.name for path in (request.checkpoint, request.log))
    if kept:
        import ray

        checkpoint.parent.mkdir()
        checkpoint.write_bytes(ray.get(kept[0]))
    seen = _files(folder)
    for message in attend(replace(request, checkpoint=checkpoint, log=log, cache=cache()), timeout):
        if message[0] in ("epoch", "result"):
            now = _files(folder)
            for place in now.keys() - {place for place in seen if seen[place] == now.get(place)}:
                yield "file", str(place.relative_to(folder)), place.read_bytes()
            seen = now
        yield message


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files worth keeping, with what changes when they do."""
    found = {place: place.stat() for place in folder.glob("*/*") if place.suffix.startswith(KINDS)}
    return {place: (status.st_mtime_ns, status.st_ino) for place, status in found.items()}
