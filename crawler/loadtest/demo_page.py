"""The page that jobs of a load test read where they are given no other: one that a Chrome shows at
once, from this machine.

    python -m crawler.loadtest.demo_page --host 0.0.0.0 --port 8765
"""

from __future__ import annotations

import argparse
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>A page for load tests</title>
<link rel="icon" href="data:,"><h1>A page for load tests</h1><p>It has no links.</p></html>
"""


class Responder(BaseHTTPRequestHandler):
    """Answers every request with the page, and one for robots.txt with nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        status, body = (404, b"") if self.path == "/robots.txt" else (200, PAGE)
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep no log."""


class DemoPage:
    """The page, served by threads of this process for as long as the block goes on."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.server = ThreadingHTTPServer((host, port), Responder)
        self.server.daemon_threads = True
        self.url = f"http://{host}:{self.server.server_port}/"

    def __enter__(self) -> DemoPage:
        threading.Thread(target=self.server.serve_forever, name="demo page", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a page for load tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    DemoPage(options.host, options.port).server.serve_forever()
