"""A page that is saved, and run again without a network: same item, same links, same responses."""

from __future__ import annotations

import json

import pytest

from crawler import Crawl, SavedPages, SetupError
from crawler.output.saved_page import MANIFEST, check_target, read_saved_page
from tests.site.server import Request, Server, route

FRAME = "<h2>Inside</h2><a href=/in-frame>in</a>"
PAGE = """
<link rel=stylesheet href=/replay/look.css><noscript><a href=/no-script>x</a></noscript>
<h1 id=title>Old</h1><p class=loud>quiet</p><div class=box>seen<p class=gone>hidden</p></div>
<iframe src=/replay/frame></iframe>
<a href=/a>A</a><a href=/forbidden/b>B</a><a href=https://elsewhere.test/>C</a>
<x-card></x-card><img src=/replay/none.png>
<script>
title.textContent += " and new";
document.querySelector("x-card").attachShadow({mode: "open"}).innerHTML = "<b class=inner>deep</b>";
console.error("a word of the page");
fetch("/replay/api/stock").then(r => r.json()).then(j => {
  document.body.insertAdjacentHTML("beforeend", `<b class=stock>${j.stock}</b>`)
});
</script>"""


@route("/replay/")
def replay(request: Request) -> None:
    match request.rest:
        case "look.css":
            css = b".loud { text-transform: uppercase } .gone { display: none }"
            request.answer(css, Content_Type="text/css")
        case "api/stock":
            request.answer(b'{"stock": 7}', Content_Type="application/json", X_Api_Key="s3cret-key")
        case "frame":
            request.html(FRAME)
        case "page":
            request.html(PAGE, title="Replay", Set_Cookie="sid=abcdefgh")
        case _:
            request.redirect("/replay/page")


CODE = """
from crawler import Crawl

shop = Crawl(name="shop", url="{url}", depth_limit=2, frames="inner", capture=["*/api/*"],
             deny=["/never"])

@shop.before_all
def log_in(browser):
    browser.open("{url}welcome")

@shop.route("page", match="/replay/", wait_for=".stock", wait_for_response="*/api/stock",
            steps=[{{"click": "#title"}}])
def page(page, follow, response):
    follow("/followed", data={{"from": page.text("h1")}})
    stock = [one.json()["stock"] for one in page.responses()]
    return {{"title": page.text("h1"), "loud": page.text(".loud"), "box": page.text(".box"),
            "deep": page.text("b.inner"), "stock": stock, "headers": response.headers,
            "url": response.url, "missing": page.text(".none")}}
"""
ITEM = {
    "title": "Old and new",
    "loud": "QUIET",
    "box": "seen",
    "deep": "deep",
    "stock": [7],
    "headers": None,  # the crawl does not ask for them
    "missing": None,
}


@pytest.mark.browser
def test_a_saved_page_gives_the_same_without_a_network(folder):
    # Given a page whose scripts made its document, saved by a crawl with hooks
    site = Server()
    (folder.path / "shop.py").write_text(CODE.format(url=site.url("/replay/")))
    end = folder.here("run", "shop.py", "--save", "kept", "--json", "--cookies", "--html")
    assert end.exit_code == 0, end.output
    first = json.loads(end.stdout)
    assert first["data"] == ITEM | {"url": site.url("/replay/page")}
    # Then it tells all that the page left, though its hooks did not ask for it
    assert first["headers"]["content-type"] == "text/html; charset=utf-8"
    assert first["redirects"][-1].endswith("/replay/")
    assert [one["message"].split()[-1] for one in first["console"]][:1] != []
    assert any("a word of the page" in one["message"] for one in first["console"])
    assert [(one["status"], one["bytes"]) for one in first["captured"]] == [(200, 12)]
    assert [(one["name"], one["value"]) for one in first["cookies"]] == [("sid", "***")]
    assert {"browser", "before_all", "request", "extract"} <= first["steps"].keys()
    assert first["empty"] == ["headers", "missing"]
    assert '<b class="inner">deep</b>' in first["html"]
    # and no secret of it, in files for their owner only
    texts = b"".join(it.read_bytes() for it in (folder.path / "kept").rglob("*") if it.is_file())
    assert b"s3cret-key" not in texts
    assert b"abcdefgh" not in texts
    assert (folder.path / "kept" / "page.html").stat().st_mode & 0o077 == 0
    # When the site is gone, and the page is run again
    hits = sum(site.hits.values())
    site.close()
    end = folder.here("run", "kept", "--json")
    assert end.exit_code == 0, end.output
    again = json.loads(end.stdout)
    same = ("data", "kept", "brought", "dropped", "headers", "redirects", "captured", "status")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    assert sum(site.hits.values()) == hits
    # Then a table of today reads it as well
    fields = {"h1": "h1", "stock": ".stock"}
    table = Crawl(name="t", url=site.url("/replay/"), extract=fields, fetch="http")
    with SavedPages() as pages:
        seen = pages.run(table, folder.path / "kept")
        assert (seen.item, seen.result.page.url) == (
            {"h1": "Old and new", "stock": "7"},
            site.url("/replay/"),
        )
        # and a page that is not there fails in words
        with pytest.raises(SetupError, match="holds no saved page"):
            pages.run(table, folder.path)


def test_a_folder_that_is_no_saved_page_is_refused_in_words(folder):
    kept = folder.path / "kept"
    kept.mkdir()
    check_target(kept, overwrite=False)  # an empty one will do
    (kept / "mine.txt").write_text("x")
    for words, what in [
        (("run", "kept"), "holds no saved page"),
        (("run", "shop.py", "nowhere"), "holds no saved page"),
        (("run", "https://a.example/", "https://a.example/b"), "--url https://a.example/b"),
        (("run", "https://a.example/", "--save", "kept"), "something else than a saved page"),
        (("run", "https://a.example/", "--overwrite"), "about the folder of --save"),
        (("shell", "kept", "-c", "1"), "holds no saved page"),
        (("shell", "https://a.example/", "-c", "1 +"), "in the code of -c, line 1: 1 +"),
    ]:
        end = folder.here(*words)
        assert end.exit_code in (1, 2), words
        assert what in end.stderr, end.output
    (kept / MANIFEST).write_text("{}")
    with pytest.raises(SetupError, match="damaged"):
        read_saved_page(kept)
    with pytest.raises(SetupError, match="--overwrite replaces it"):
        check_target(kept, overwrite=False)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "responses/../x", "other"])
def test_a_saved_page_reads_no_file_of_others(tmp_path, name):
    about = json.dumps([{"url": "x", "method": "GET", "status": 200, "file": name, "headers": {},
                         "truncated": False}])  # fmt: skip
    page = {"url": "https://a.example/", "depth": 0, "route": "", "data": {}, "referer": ""}
    response = dict.fromkeys(["url", "redirects", "console"])
    manifest = {"format": "celery-crawler page", "version": 1, "page": page | {"form": None},
                "response": response, "frames": []}  # fmt: skip
    for file, text in (("manifest.json", json.dumps(manifest)), ("responses.json", about),
                       ("headers.json", '{"response": null, "request": null}'),
                       ("page.html", "x")):  # fmt: skip
        (tmp_path / file).write_text(text)
    with pytest.raises(SetupError, match=r"no file of a saved page|leads out of the folder"):
        read_saved_page(tmp_path)
