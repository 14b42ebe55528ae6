"""An error snapshot that is opened in a browser runs, loads and leads to nothing: real Chrome, and
a server that counts whoever knocks.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.profile import Profile
from crawler.run.inert_document import inert
from crawler.run.snapshots import ErrorSnapshots

#: What a page may do, with @ for a server. Each sets the title, or asks the server, where it works.
DEEDS = {
    "script": "<script>document.title = 'ran'; fetch('@')</script><h1>Price</h1>",
    "module": "<script type=module src=@></script>",
    "rules": '<script type=speculationrules>{"prefetch": [{"urls": ["@"]}]}</script>',
    "onerror": "<img src=x onerror=\"document.title='ran'\"><img src=@ srcset='@ 2x'>",
    "onload": "<body onload=\"document.title='ran'\" background=@>",
    "svg": "<svg onload=\"document.title='ran'\"><image href=@ /><script>alert(1)</script></svg>",
    "animate": "<svg><a><animate attributeName=href values=javascript:alert(1) /></a></svg>",
    "math": "<math><mtext><style><img src=@ onerror=alert(1)></style></mtext></math>",
    "refresh": "<meta http-equiv=refresh content='0;url=@'>",
    "refresh script": "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "base": "<base href=@><img src=y><link rel=stylesheet href=z>",
    "links": (
        "<link rel=stylesheet href=@><link rel=preload as=image href=@><link rel=icon href=@>"
    ),
    "prefetch": "<link rel=prefetch href=@><link rel=prerender href=@><link rel=manifest href=@>",
    "preconnect": "<link rel=preconnect href=@><link rel=dns-prefetch href=@>",
    "frames": (
        "<iframe src=@></iframe><iframe srcdoc='<img src=@>'></iframe><object data=@></object>"
    ),
    "frameset": "<frameset><frame src=@></frameset>",
    "embed": "<embed src=@><video src=@ poster=@ autoplay></video><audio src=@ autoplay></audio>",
    "picture": "<picture><source srcset=@><img></picture><input type=image src=@>",
    "css": (
        "<style>@import '@'; body {background: url(@)}@font-face {font-family:x;src:url(@)}</style>"
    ),
    "style": "<p style=\"background:url('@'); font-family: x\">x</p>",
    "template": (
        "<div><template shadowrootmode=open><img src=@><style>@import '@'</style></template></div>"
    ),
    "form": "<form action=@><input name=a autofocus onfocus='this.form.submit()'></form>",
    "focus": (
        "<input autofocus onfocus=\"document.title='ran'\">"
        "<details open ontoggle=alert(1)>x</details>"
    ),
    "noscript": (
        "<noscript><p title=\"</noscript><img src=@ onerror=document.title='ran'>\"></noscript>"
    ),
    "comment": "<!--><img src=@ onerror=alert(1)>--><!-- --!><img src=@>",
    "raw": (
        "<xmp><img src=@></xmp><textarea></textarea><img src=@><plaintext></plaintext><img src=@>"
    ),
    "attribute": '<p title=\'"><img src=@ onerror=alert(1)>\'>x</p><p "onclick="x<img src=@>',
    "custom": '<x-card onclick=alert(1) style="background:url(@)">x</x-card>',
    "marquee": "<marquee onstart=\"document.title='ran'\">x</marquee><isindex action=@>",
    "half": "<img src=@ onerror=alert(1) x='",
}
#: Elements that a click could lead somewhere from.
CLICKS = (
    "<a href=@>out</a><a href='javascript:document.title=1'>run</a><button formaction=@>b</button>"
)


class Server:
    """A listener that counts connections."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.count += 1


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.socket.close()


def shown(folder: Path, html: str) -> Path:
    """Write a snapshot as a failed page leaves it."""
    record = {"at": "now", "url": "http://x/-->", "reason": "--><script>", "html": "a.html"}
    return ErrorSnapshots(folder, None, 1)._keep({**record, "png": None}, html, None)  # type: ignore[arg-type]


@pytest.mark.browser
def test_a_snapshot_opened_in_chrome_does_nothing(den, tmp_path, server):
    html = "".join(DEEDS.values()) + CLICKS
    path = shown(tmp_path, html.replace("@", server.url))
    with Chrome(Endpoint(state=den)) as chrome, chrome.session(Profile("x")) as browser:
        driver = browser.driver
        for deed in [*DEEDS.values(), html]:
            path = shown(tmp_path, deed.replace("@", server.url))
            driver.get(path.as_uri())
            driver.execute_async_script("setTimeout(arguments[0], 20)")
            assert (driver.title, driver.current_url) == ("", path.as_uri()), deed
        for element in driver.find_elements(By.CSS_SELECTOR, "a, button, [data-was=button]"):
            driver.execute_script("arguments[0].click()", element)
        assert (driver.title, driver.current_url) == ("", path.as_uri())
        assert driver.find_elements(By.CSS_SELECTOR, "a")
        assert driver.find_element(By.CSS_SELECTOR, "h1").text == "Price"
        # The server itself can be heard: what the pages say would have reached it
        assert server.count == 0
        raw = tmp_path / "raw.html"
        raw.write_text(DEEDS["onerror"].replace("@", server.url))
        driver.get(raw.as_uri())
        assert (driver.title, server.count > 0) == ("ran", True)


def test_names_and_values_stay_for_those_who_look_for_a_selector():
    html = "<h1 class=a id=b>Tom &amp; <b>J</b></h1><a href='/x?a=1&b=2' onclick='go()'>go</a>"
    assert inert(html) == (
        '<span data-was="html"><span data-was="body"><h1 class="a" id="b">Tom &amp; <b>J</b></h1>'
        '<a data-was-href="/x?a=1&amp;b=2" data-was-onclick="go()">go</a></span></span>'
    )
    script = inert('<script type=\'a/json\'>{"a": "</b>"}</script>')
    assert '<span data-was="script" hidden data-was-type="a/json">{&quot;a&quot;: ' in script


def test_a_document_that_is_huge_or_deep_or_nothing_is_written():
    assert "x" in inert("<div>" * 200 + "x")
    assert inert("<div>" * 100_000)
    assert inert("") == inert(" ")
    assert "\ufffd" in inert("a\0b")
