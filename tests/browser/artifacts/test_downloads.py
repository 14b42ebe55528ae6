"""Downloads that a site gives hostile names: from real Chrome, each is kept, in its folder."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.local.private_files import NAME_BYTES, folded, safe_name
from crawler.net.permits import Permits
from crawler.run.dry_run import dry_run

#: Names as a site sends them, and how the kept file's may end.
NAMES = {
    "evil.crdownload": "evil.crdownload",
    "half.tmp": "half.tmp",
    "..": "",
    "../../up.txt": "up.txt",
    "/etc/passwd": "passwd",
    "CON": "-CON",
    "nul.txt:stream": "stream",
    "trail. . ": "trail",
    ".hidden": "-hidden",
    "nul\0end.txt": "end.txt",
    "é" * 200 + ".pdf": "",
    "a" * 300 + ".tar.gz": "",
}
SIZE = 150_000


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = list(NAMES)[int(self.path.strip("/n"))]
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        self.send_header("Content-Disposition", disposition)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        self.wfile.write(b"x" * SIZE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    place = tmp_path_factory.mktemp("files")
    endpoint = Endpoint(state=tmp_path_factory.mktemp("chromes"), files=place, page_load_timeout=20)
    with Chrome(endpoint) as chrome:
        yield chrome


@pytest.mark.browser
def test_a_download_of_any_name_is_kept_in_its_folder(chrome, address):
    crawl = Crawl(name="Names", url=address, robots=False, downloads="save")
    permits = Permits(guard_of(crawl), obey=False)
    umask = os.umask(0)
    try:
        kept = [
            dry_run(crawl, chrome, permits, f"{address}/{number}n").result.response.files
            for number in range(len(NAMES))
        ]
    finally:
        os.umask(umask)
    root: Any = chrome.endpoint.files
    paths = []
    for (name, ending), (file,) in zip(NAMES.items(), kept, strict=True):
        path = Path(file.path)
        assert path.resolve().parent.parent == root.resolve(), name
        assert file.size == path.stat().st_size == SIZE, name
        assert path.name.endswith(ending), (name, path.name)
        assert len(os.fsencode(path.name)) <= NAME_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        paths.append(folded(path.name))
    assert len(set(paths)) == len(NAMES)


def test_a_name_is_cut_with_its_ending_and_told_from_others():
    long, other = "é" * 200 + ".tar.gz", "é" * 201 + ".tar.gz"
    cut = safe_name(long, 100)
    assert len(os.fsencode(cut)) <= 100
    assert cut.endswith(".tar.gz")
    assert safe_name(long, 100) == cut != safe_name(other, 100)
    # an ending that is none is cut as well
    assert len(safe_name("a." + "b" * 300, 100)) <= 100
    # names that some file systems take for one
    first = safe_name("A.txt", 100)
    second = safe_name("a.TXT", 100, {folded(first)})
    third = safe_name("a.TXT", 100, {folded(first), folded(second)})
    assert len({folded(one) for one in (first, second, third)}) == 3
    assert second.endswith(".TXT")


@pytest.mark.parametrize(
    "name", ["..", ".", "", " . ", "\0", "a\0b", "a/b", "a\\b", "a:b", "a\nb", "\u202ea", "\ud800"]
)
def test_a_name_holds_nothing_that_leaves_a_folder(name):
    made = safe_name(name, 100)
    assert made
    assert made.strip(". ") == made
    assert all(character.isalnum() or character in "_-." for character in made)
