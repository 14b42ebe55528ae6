"""The limit: one headless shell, spoken to in its own protocol, that pushes what a page holds as
soon as it is parsed.

Nothing is waited for that is not read, there is no WebDriver in between, and no one asks anything
of a page later. A crawler needs more than that; how much more is what the benchmark shows. It runs
in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import websocket

from .floor import WARM
from .sample import Sample, sample, wrong_pages
from .usage import Watch

FLAGS = (
    "--process-per-site",
    "--disable-features=RenderDocument,BackForwardCache,PaintHolding",
    "--remote-debugging-port=0",
)
PUSH = """
(() => {
  if (window !== top) return;
  const look = () => {
    const word = document.getElementById("word");
    if (!word) return false;
    const links = [...new Set(Array.from(document.links, (a) => a.href))];
    push(JSON.stringify([location.href, document.title, word.textContent, links]));
    return true;
  };
  addEventListener("DOMContentLoaded", () => {
    const wait = (_, observer) => look() && observer.disconnect();
    if (!look()) new MutationObserver(wait).observe(document, {childList: true, subtree: true});
  });
})();
"""


class Tab:
    """A tab, and a connection to it."""

    def __init__(self, port: int) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT"
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            target = json.load(answer)
        self.socket = websocket.create_connection(
            target["webSocketDebuggerUrl"], suppress_origin=True, enable_multithread=False
        )
        self.count = 0
        self.send("Page.enable")
        self.send("Runtime.enable")
        self.send("Runtime.addBinding", name="push")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=PUSH)
        # a navigation would overtake it
        while json.loads(self.socket.recv()).get("id") != self.count:
            pass

    def send(self, method: str, **params: Any) -> None:
        """Send a command, and do not wait for the answer."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))

    def load(self, url: str) -> tuple[str, str, int]:
        """Go there; what was pushed."""
        self.send("Page.navigate", url=url)
        while True:
            said = json.loads(self.socket.recv())
            if said.get("method") == "Runtime.bindingCalled":
                at, title, word, links = json.loads(said["params"]["payload"])
                if at == url:
                    return title, word, len(links)


def crawl(urls: list[str], sessions: int, port: int) -> None:
    """Load each page once; say when the tabs are warm, wait to be told, say what was found."""
    tabs = [Tab(port) for _ in range(sessions)]
    got: list[tuple[int, str, str, int]] = []

    def work(number: int, tab: Tab) -> None:
        got.extend((at, *tab.load(urls[at])) for at in range(number, len(urls), sessions))

    for tab in tabs:
        for url in urls[:WARM]:
            tab.load(url)
    print("warm", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=work, args=(number, tab)) for number, tab in enumerate(tabs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(got), flush=True)
    sys.stdin.readline()


def run(
    address: str, kind: str, sessions: int, pages: int, binary: str, flags: list[str]
) -> Sample:
    """Load each page once."""
    with tempfile.TemporaryDirectory(prefix="limit-", ignore_cleanup_errors=True) as folder:
        chrome = subprocess.Popen(
            [binary, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        while not (told := Path(folder) / "DevToolsActivePort").exists() or not told.read_text():
            time.sleep(0.02)
        port = told.read_text().splitlines()[0]
        client = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.pages.limit",
                address,
                kind,
                str(sessions),
                str(pages),
                port,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert client.stdin
        assert client.stdout
        try:
            assert client.stdout.readline() == "warm\n"
            watch = Watch(chrome.pid, client.pid)
            before, began = watch.look(), time.perf_counter()
            client.stdin.write("go\n")
            client.stdin.flush()
            got = json.loads(client.stdout.readline())
            seconds, after = time.perf_counter() - began, watch.look()
            peak = watch.peak()
            watch.stop()
        finally:
            client.stdin.close()
            client.wait()
            chrome.terminate()
            chrome.wait()
        return sample(seconds, before, after, peak, pages, wrong_pages(pages, got))


if __name__ == "__main__":
    there, which, count, amount, where = sys.argv[1:]
    crawl([f"{there}/{which}/{number}" for number in range(int(amount))], int(count), int(where))
