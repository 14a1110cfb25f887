"""Data sets fetched from a server that breaks off, lies and sends wrong bytes."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks import archives, download
from tasks.errors import TaskError

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Answers /WAY/name in different ways; `asked` are the first bytes that were wanted, request by request."""

    def __init__(self) -> None:
        self.files = {"file": CONTENT}
        self.asked: list[tuple[str, int]] = []
        server = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                way, name = self.path.strip("/").split("/")
                content = server.files.get(name)
                first = int(self.headers.get("Range", "bytes=0-")[6:-1])
                server.asked.append((way, first))
                if content is None or way == "absent":
                    self.send_error(404, "Not Found")
                    return
                if way == "wrong":
                    content = bytes(len(content))
                ranged = bool(first) and way != "whole"
                if ranged and first >= len(content):
                    self.send_error(416, "Range Not Satisfiable")
                    return
                rest = content[first:] if ranged else content
                self.send_response(206 if ranged else 200)
                if ranged:
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                length = {"short": len(rest) - 9, "long": len(rest) + 9}.get(way, len(rest))
                if way != "untold":
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(rest[:100_000] if way == "broken" else rest[:0] if way == "silent" else rest)

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, way: str, name: str = "file") -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{way}/{name}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize("way", ["right", "broken", "untold"])
def test_a_file_comes_home(server: Server, tmp_path: Path, way: str) -> None:
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "deep" / "file"
    download.fetch([server.url(way)], target, MD5, lambda done, of: told.append((done, of)))
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert told[-1] == (len(CONTENT), None if way == "untold" else len(CONTENT))
    if way == "broken":
        assert server.asked == [(way, first) for first in (0, 100_000, 200_000)]
    before = len(server.asked)
    download.fetch([server.url(way)], target, MD5)  # it is there
    assert len(server.asked) == before


def test_what_was_begun_goes_on(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    download.fetch([server.url("right")], tmp_path / "file", MD5)
    assert server.asked == [("right", 1234)]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_only_sends_all(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1234])
    download.fetch([server.url("whole")], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_all_was_here_but_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download.fetch([server.url("right")], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("wrong", "its MD5 sum is "),
        ("short", "its MD5 sum is "),
        ("silent", "5 times in a row"),
        ("absent", "it answered 404 Not Found"),
    ],
)
def test_what_is_wrong_with_a_server_is_told(server: Server, tmp_path: Path, way: str, says: str) -> None:
    with pytest.raises(TaskError, match="file could not be fetched") as told:
        download.fetch([server.url(way)], tmp_path / "file", MD5)
    assert says in str(told.value)
    assert server.url(way) in str(told.value)
    assert not (tmp_path / "file").exists()


def test_the_next_address_is_tried(server: Server, tmp_path: Path) -> None:
    download.fetch([server.url(way) for way in ("absent", "wrong", "long", "right")], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.0)
    with pytest.raises(TaskError, match="Connection refused, 5 times in a row"):
        download.fetch(["http://127.0.0.1:9/file"], tmp_path / "file", MD5)


def test_an_archive_is_unpacked_within_its_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packed(*names: str) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(CONTENT)
                archive.addfile(info, io.BytesIO(CONTENT))
        return data.getvalue()

    def of(name: str) -> archives.Archive:
        md5 = hashlib.md5(server.files[name]).hexdigest()
        file = archives.File((server.url("right", name),), f"Set/{name}", md5, packed=True)
        return archives.Archive(lambda: [file], lambda: {"Set/inner/one": MD5})

    server.files |= {"good": packed("inner/one"), "evil": packed("../../outside")}
    monkeypatch.setattr(archives, "SETS", {name: of(name) for name in ("good", "evil")})
    archives.get("good", tmp_path, lambda file: lambda done, of: None)
    assert (tmp_path / "Set" / "inner" / "one").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "Set").iterdir()] == ["inner"]
    archives.get("good", tmp_path, lambda file: lambda done, of: None)
    assert len(server.asked) == 1  # it is there
    (tmp_path / "Set" / "inner" / "one").write_bytes(b"damaged")
    assert archives.damaged("good", tmp_path) == ["Set/inner/one"]
    archives.get("good", tmp_path, lambda file: lambda done, of: None)
    assert archives.damaged("good", tmp_path) == []
    with pytest.raises(TaskError, match="evil cannot be unpacked"):
        archives.get("evil", tmp_path / "other", lambda file: lambda done, of: None)
    assert not (tmp_path / "outside").exists()


def test_zipped_parts_are_fetched_once(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def zipped(*names: str) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name in names:
                archive.writestr(name, CONTENT)
        return data.getvalue()

    def files() -> list[archives.File]:
        return [
            archives.File(
                (server.url("right", name),), f"NMNIST/{name}", hashlib.md5(server.files[name]).hexdigest(), packed=True
            )
            for name in ("Train.zip", "Test.zip")
        ]

    server.files |= {
        "Train.zip": zipped("Train/0/1.bin", "../../outside", "/absolute"),
        "Test.zip": zipped("Test/0/1.bin"),
    }
    monkeypatch.setattr(archives, "SETS", {"nmnist": archives.Archive(files, dict)})
    for _ in range(2):
        archives.get("nmnist", tmp_path, lambda file: lambda done, of: None)
    assert len(server.asked) == 2  # the second time all is there
    assert (tmp_path / "NMNIST/Train/0/1.bin").read_bytes() == CONTENT
    assert (tmp_path / "NMNIST/Test/0/1.bin").read_bytes() == CONTENT
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path.parent / "outside").exists()
    shutil.rmtree(tmp_path / "NMNIST" / "Train")  # what an archive left is gone, though its mark is there
    archives.get("nmnist", tmp_path, lambda file: lambda done, of: None)
    assert (tmp_path / "NMNIST/Train/0/1.bin").read_bytes() == CONTENT


def test_packages_know_the_rest() -> None:
    for name, known in archives.SETS.items():
        files = known.files()
        assert files, name
        assert all(file.urls and len(file.md5) == 32 for file in files)
        assert all(len(md5) == 32 for md5 in known.sums().values())
