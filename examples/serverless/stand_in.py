"""Stands in for AWS Lambda on this machine: takes invocations, and runs the handler in a fresh
process for each.

    python examples/serverless/stand_in.py --port 9001

It knows one call, Invoke with the type Event: 202 at once, and the function runs later, a few of
them at the same time.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

#: What a fresh process does with the event on its standard input.
CODE = (
    "import json, sys; from handler import handle; print(json.dumps(handle(json.load(sys.stdin),"
    " None)), flush=True)"
)
#: Functions at once.
CONCURRENCY = 2
pool = ThreadPoolExecutor(CONCURRENCY)


class Lambda(BaseHTTPRequestHandler):
    """POST /2015-03-31/functions/NAME/invocations"""

    def do_POST(self):
        event = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = self.path.startswith("/2015-03-31/functions/") and self.path.endswith(
            "/invocations"
        )
        if known and self.headers.get("X-Amz-Invocation-Type") == "Event":
            host, port = self.server.server_address
            pool.submit(run, event, f"http://{host}:{port}")
            self.answer(202)
        else:
            self.answer(404)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Let the functions speak."""


def run(event, address):
    """One invocation. The function finds us where AWS's own would find AWS."""
    environ = os.environ | {"AWS_ENDPOINT_URL_LAMBDA": address}
    subprocess.run(
        [sys.executable, "-c", CODE],
        input=event,
        cwd=Path(__file__).parent,
        env=environ,
        check=False,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Lambda)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
