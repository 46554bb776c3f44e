"""Downloads from a server on this machine: resumed, verified, whole or not there at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.data.cards import File
from bench.data.dataset import load_dataset
from bench.data.downloads import Unreachable, download
from bench.errors import ChecksumMismatch, DataError

CONTENT = bytes(range(256)) * 8192  # 2 MiB


class Server:
    """Serves `content` with Range and an ETag; breaks off after `limit` octets of a reply."""

    def __init__(self) -> None:
        self.content, self.etag = CONTENT, '"one"'
        self.limit: int | None = None
        self.asked: list[str | None] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                begin = 0
                wanted = self.headers.get("Range")
                owner.asked.append(wanted)
                if self.path != "/log.csv":
                    self.send_error(404)
                    return
                if wanted and self.headers.get("If-Range") == owner.etag:
                    begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                if begin >= len(owner.content):
                    self.send_error(416)
                    return
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(owner.content) - begin))
                self.send_header("ETag", owner.etag)
                self.end_headers()
                stop = None if owner.limit is None else begin + owner.limit
                self.wfile.write(owner.content[begin:stop])

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/log.csv"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_file_is_fetched_once_with_progress_and_its_sum_recorded(tmp_path: Path, server: Server) -> None:
    seen: list[tuple[float, float, str]] = []
    file = File("log.csv", (server.url,))
    path = download(file, tmp_path, lambda done, total, note="": seen.append((done, total, note)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT), "downloading log.csv")
    assert (tmp_path / "log.csv.sum").read_text().strip() == sha(CONTENT)
    download(file, tmp_path, None)
    assert len(server.asked) == 1


def test_a_broken_transfer_is_continued(tmp_path: Path, server: Server) -> None:
    file = File("log.csv", (server.url,), sha(CONTENT))
    server.limit = 1_500_000
    with pytest.raises(Unreachable, match=r"log.csv cannot be downloaded from http"):
        download(file, tmp_path, None)
    assert not (tmp_path / "log.csv").exists()
    begun = (tmp_path / "log.csv.part").stat().st_size
    assert 0 < begun <= 1_500_000
    server.limit = None
    assert download(file, tmp_path, None).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={begun}-"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "log.csv.lock"]


def test_a_part_that_was_whole_already_does_not_stick(tmp_path: Path, server: Server) -> None:
    (tmp_path / "log.csv.part").write_bytes(CONTENT)
    (tmp_path / "log.csv.part.mark").write_text(f"{server.url}\n{server.etag}\n")
    assert download(File("log.csv", (server.url,), sha(CONTENT)), tmp_path, None).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path, server: Server) -> None:
    server.limit = 1_500_000
    with pytest.raises(Unreachable):
        download(File("log.csv", (server.url,)), tmp_path, None)
    server.limit, server.etag, server.content = None, '"two"', CONTENT[::-1]
    assert download(File("log.csv", (server.url,)), tmp_path, None).read_bytes() == CONTENT[::-1]


def test_a_wrong_sum_leaves_nothing(tmp_path: Path, server: Server) -> None:
    with pytest.raises(ChecksumMismatch, match="gave another file than the card names"):
        download(File("log.csv", (server.url,), sha(b"else")), tmp_path, None)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_the_next_address_is_tried(tmp_path: Path, server: Server) -> None:
    urls = (server.url.replace("log", "gone"), server.url)
    assert download(File("log.csv", urls), tmp_path, None).read_bytes() == CONTENT


def shop_card(folder: Path, server: Server, sum_line: str = "") -> str:
    path = folder / "shop.toml"
    path.write_text(
        f'title = "Shop"\n[[files]]\nname = "log.csv"\nurl = "{server.url}"\n{sum_line}\n'
        '[interactions]\nfile = "log.csv"\nuser = "u"\nitem = "i"\n'
    )
    return str(path)


def test_a_card_downloads_what_is_not_on_this_machine(tmp_path: Path, server: Server) -> None:
    server.content = b"u,i\n1,2\n1,3\n2,2\n"
    name = shop_card(tmp_path, server)
    data = load_dataset(name, cache=tmp_path / "cache", data_root=tmp_path / "nothing")
    assert len(data.interactions) == 3
    assert (tmp_path / "cache" / "downloads" / "shop" / "log.csv").read_bytes() == server.content


def test_a_changed_download_is_refused_by_its_recorded_sum(tmp_path: Path, server: Server) -> None:
    server.content = b"u,i\n1,2\n1,3\n2,2\n"
    name = shop_card(tmp_path, server)
    load_dataset(name, cache=tmp_path / "cache", data_root=None)
    (tmp_path / "cache" / "downloads" / "shop" / "log.csv").write_bytes(b"u,i\n1,2\n1,3\n2,")
    with pytest.raises(ChecksumMismatch, match=r"log.csv is not the file.*Delete it: it is downloaded again"):
        load_dataset(name, cache=tmp_path / "cache", data_root=None)


def test_offline_the_error_says_where_to_put_the_file(tmp_path: Path, server: Server) -> None:
    server.url = server.url.replace("log", "gone")
    with pytest.raises(
        DataError, match=r"shop needs log.csv, which is not on this machine.*404.*Put log.csv into .*root"
    ):
        load_dataset(shop_card(tmp_path, server), cache=tmp_path / "cache", data_root=tmp_path / "root")
