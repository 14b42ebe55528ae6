"""A site for crawls of containers: each folder goes on until the file of its name says where it
ends.

Run in a container of its own, for the browsers: ``python growing_site.py FOLDER``.
"""

from __future__ import annotations

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 8080
#: Links of a page: to so many that come after it.
LINKS = 8
PATH = re.compile(r"/([a-z]+)/(\d+)(?:\?.*)?")


class Pages(BaseHTTPRequestHandler):
    """Answers ``/NAME/NUMBER`` by a page with links to the next ones."""

    ends: Path

    def do_GET(self) -> None:
        """Answer; what is no page is not found."""
        match = PATH.fullmatch(self.path)
        if match is None:
            self.send_error(404)
            return
        name, number = match[1], int(match[2])
        file = self.ends / name
        end = int(file.read_text()) if file.exists() else sys.maxsize
        numbers = range(number + 1, min(number + 1 + LINKS, end))
        links = " ".join(f'<a href="/{name}/{one}">{one}</a>' for one in numbers)
        body = f"<title>{number}</title><h1>Page {number}</h1>{links}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Take a webhook, whatever it says."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    Pages.ends = Path(sys.argv[1])
    ThreadingHTTPServer(("", PORT), Pages).serve_forever()
