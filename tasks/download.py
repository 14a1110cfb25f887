"""Fetches a file over HTTP: broken off, it goes on where it was; wrong bytes are thrown away and told."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.errors import TaskError

TRIES = 5  # in a row that bring nothing new
PATIENCE = 30.0  # seconds a server may be silent
PAUSE = 1.0  # before another try
CHUNK = 2**16
Progress = Callable[[int, int | None], None]  # bytes that are here, and all where the server tells


def fetch(urls: Sequence[str], target: Path, md5: str, progress: Progress = lambda done, of: None) -> None:
    """Puts the file with this MD5 sum at `target`, from the first of `urls` that has it.

    What has come so far lies beside it, as .part, until it is whole. Raises TaskError, which names each address and
    what was wrong there; OSError where it cannot be written.
    """
    if target.is_file() and sum_of(target) == md5:
        return
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    wrong = []
    for url in urls:
        why = _fill(url, part, progress)
        if not why:
            found = sum_of(part)
            if found == md5:
                part.replace(target)
                return
            part.unlink()
            why = f"its MD5 sum is {found}, not {md5}"
        wrong.append(f"{url}: {why}")
    raise TaskError(f"{target.name} could not be fetched. {'; '.join(wrong)}. Run it again later; what came is kept.")


def sum_of(path: Path) -> str:
    """The MD5 sum of a file, as publishers of data tell it: against accidents, not against malice."""
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()


def _fill(url: str, part: Path, progress: Progress) -> str:
    """Fills the file up from `url`; what went wrong, empty if it is whole."""
    left, why = TRIES, ""
    while left:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _whole(url, part, before, progress):
                return ""
            why = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:  # nothing lies behind what is here
                return ""
            return f"it answered {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
        moved = part.exists() and part.stat().st_size > before
        left = TRIES if moved else left - 1
        if left:
            time.sleep(PAUSE)
    return f"{why}, {TRIES} times in a row"


def _whole(url: str, part: Path, before: int, progress: Progress) -> bool:
    """Adds what follows the first `before` bytes; whether the server has sent as much as it said."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={before}-"} if before else {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        goes_on = answer.status == 206 and _starts(answer.headers.get("Content-Range", "")) == before
        told = answer.headers.get("Content-Length")
        done = before if goes_on else 0
        of = done + int(told) if told and told.isdigit() else None
        with part.open("ab" if goes_on else "wb") as file:
            while block := answer.read(CHUNK):
                file.write(block)
                done += len(block)
                progress(done, of)
    return of is None or done >= of


def _starts(content_range: str) -> int | None:
    """The first byte of "bytes 100-199/200"."""
    first = content_range.removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else None
