"""What a crawl leaves on disk is for its owner only, whatever the umask: a real `crawler start`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crawler import Crawl
from crawler.errors import DefinitionError, FrontierRefused
from crawler.frontier.frontier import Frontier
from crawler.local.private_files import crawl_folder, folded, make_private
from tests.support.loopback import serving

DEFINITION = """
name = "shop"
url = ["{0}/", "{0}/gone"]
robots = false
keep_html = true
screenshot = "window"
[extract]
title = "h1"
"""


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<h1>Only for members</h1>"
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.browser
@pytest.mark.slow
def test_all_that_a_crawl_leaves_is_for_its_owner_only(folder, address):
    # Given a user whose umask takes nothing, and a table that exists with a mode of its own
    (folder.path / "shop.toml").write_text(DEFINITION.format(address))
    (folder.path / "open.csv").touch(0o644)
    (folder.path / "open.csv").chmod(0o644)
    umask = os.umask(0)
    try:
        ran = folder.run("start", "shop.toml", "--output", "out", "-o", "new/items.csv")
        exported = folder.run("export", "shop", "-o", "open.csv")
    finally:
        os.umask(umask)
    assert (ran.returncode, exported.returncode) == (0, 0), ran.stderr + exported.stderr
    # Then its results, pictures, pages, snapshots, state and logs are for that user alone
    made = [path for path in folder.path.rglob("*") if path.name not in ("shop.toml", "open.csv")]
    kinds = {path.suffix for path in made}
    assert kinds >= {".jsonl", ".csv", ".html", ".png", ".aof", ".log"}
    assert {str(path): oct(mode(path)) for path in made if mode(path) & 0o077} == {}
    # And the mode that the user gave a file stays
    assert mode(folder.path / "open.csv") == 0o644


def test_a_folder_is_private_under_any_umask(tmp_path):
    for number, umask in enumerate((0, 0o022, 0o777)):
        before = os.umask(umask)
        try:
            make_private(tmp_path / str(number) / "a" / "b")
        finally:
            os.umask(before)
        assert mode(tmp_path / str(number) / "a" / "b") == 0o700
        assert mode(tmp_path / str(number)) == 0o700


@pytest.mark.parametrize(
    "name",
    [".", "..", "a.", "CON", "nul", "com1.x", "LPT9", "a/b", "a b", "a:b", "a\\b", "é", "a\0"],
)
def test_no_crawl_has_a_name_that_leaves_its_folder(redis, name):
    with pytest.raises(DefinitionError):
        Crawl(name=name, url="http://127.0.0.1/").validate()
    with pytest.raises(FrontierRefused):
        Frontier(redis, name)


def test_crawls_whose_names_differ_in_case_have_folders_of_their_own(tmp_path):
    names = ["shop", "Shop", "SHOP", "con-x", "com10", "a..b", ".shop"]
    folders = {folded(str(crawl_folder(tmp_path, name))) for name in names}
    assert len(folders) == len(names)
    assert all(crawl_folder(tmp_path, name).parent == tmp_path for name in names)
