"""A site that is without end in every way that sites are is crawled to an end, with real Chrome."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.support.loopback import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: What leads into each trap.
ENTRIES = ("/day/2024-01-01", "/s/0/shelf", "/list?x=1", "deep/er/")
LIMIT = 3


class Page(BaseHTTPRequestHandler):
    """Every page leads to the next ones of its trap, for ever."""

    def do_GET(self) -> None:
        text = "".join(f'<a href="{link}">{link}</a>' for link in self.links())
        if self.path == "/robots.txt":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
        return None

    def links(self) -> list[str]:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        match path.split("/")[1]:
            case "":
                return [*ENTRIES, "/about", "/contact"]
            case "day":
                day = int(path[-2:])
                return [f"/day/2024-01-{min(28, day + n):02}" for n in (1, 2)]
            case "s":
                token = hashlib.sha256(path.encode()).hexdigest()[:32]
                return [f"/s/{token}/shelf", f"/s/{token[::-1]}/shelf"]
            case "list":
                return [f"{path}?{query}&{name}=1" for name in "abc"]
            case "deep":
                return ["deep/er/"]
        return []

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as server:
        yield server.server_port


def test_a_site_of_traps_is_crawled_to_an_end(folder, port):
    (folder.path / "crawl.toml").write_text(
        f'name = "trap"\nurl = "http://127.0.0.1:{port}/"\n'
        f'depth_limit = "none"\npattern_limit = {LIMIT}\nconcurrency_limit = 2\n'
    )
    done = folder.run("start", "crawl.toml", "--output", "out", "-c", "2")
    assert done.returncode == 0, (done.stdout, done.stderr)
    report = json.loads((folder.path / "out" / "report.json").read_text())
    assert report["status"] == "FINISHED"
    assert report["skipped"]["pattern"] > 0
    assert f"http://127.0.0.1:{port}/" in report["examples"]["pattern"]
    assert f"           pattern: http://127.0.0.1:{port}/" in done.stdout + done.stderr
    paths = [urlsplit(line["url"]).path.split("/")[1] for line in folder.lines("out/items.jsonl")]
    counts = Counter(paths)
    assert {"", "about", "contact", "day", "s", "list", "deep"} == counts.keys()
    assert counts["day"] == LIMIT
    assert counts["s"] <= LIMIT + 1
    assert counts["list"] <= LIMIT * LIMIT
    # rounds are known by the third
    assert counts["deep"] <= LIMIT + 2
