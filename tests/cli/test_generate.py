"""``crawler generate``: questions and options, and the file that comes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import click
import pytest
from click.testing import CliRunner, Result

from crawler.cli.draft_prompt import Prompt
from crawler.cli.draft_questions import Flags, Interview
from crawler.drafts.draft import Draft
from crawler.drafts.pages import Loaded
from crawler.drafts.proposals import Sample
from crawler.drafts.waits import wait_of
from crawler.errors import PageError
from crawler.model import Response
from tests.support.folder import Folder
from tests.support.loopback import serving

pytest_plugins = ["tests.site.shop"]

SITE = "https://shop.example"
PAGES = {
    "/": "<ul>{}</ul><p class=pages><a href=/?page=2>2</a></p>".format(
        "".join(f"<li class=card><a href=/tea/{n}/>Tea {n}</a></li>" for n in (1, 2, 3))
    ),
    **{
        f"/tea/{n}/": f"<h1>Tea {n}</h1><p class=cost>€{n}.50</p><p><i>a</i> <i>b</i></p>"
        for n in (1, 2)
    },
    "/late/": "<h1>Late</h1><b class=cost>€9</b>",
    "/timer/": "<script>1</script><h1>Timer</h1><p class=stock>…</p>",
    "/timers/": "<script>1</script><a href=/>home</a>",
}
#: The same pages some time after they were loaded.
LATER = {
    "/timer/": "<script>1</script><h1>Timer</h1><p class=stock>7 left</p><b class=cost>€9</b>",
    "/timers/": "<script>1</script><a href=/>home</a><p class=teas>"
    "<a href=/timer/>T</a><a href=/next/>1</a>",
}


class Site:
    """Pages as text, where no browser is needed: what is asked is in question here."""

    def load(self, url: str, waits: Mapping[str, object] | None = None) -> Loaded:
        html = (LATER if waits else PAGES).get(url.removeprefix(SITE))
        if html is None:
            raise PageError(url, "http_404", 404)
        early = html.partition("<b")[0] if "late" in url else None
        sample = [
            None if one is None else Sample.of(Response(url, html=one)) for one in (early, html)
        ]
        assert sample[1]
        return Loaded(sample[1], sample[0], "Teas")

    def later(self, url: str, has: Callable[[Sample], bool]) -> Sample | None:
        sample = Sample.of(Response(url, html=LATER[url.removeprefix(SITE)]))
        return sample if has(sample) else None


def interview(draft: Draft, url: str, typed: list[str] | None, flags: Flags) -> Result:
    """Hold an interview in which these lines are typed; None: nobody is asked."""

    @click.command()
    def command() -> None:
        Interview(draft, flags, Prompt(asks=typed is not None), Site()).hold(url)

    lines = "".join(f"{line}\n" for line in typed or ())
    return CliRunner().invoke(command, (), lines)


def test_lists_and_details_are_asked_for_until_answers_mean_something():
    draft = Draft("tea", f"{SITE}/")
    answers = ["no such link", "Tea 2", "2", "b ad", "delay", "title", "nope", "Tea 2", "1"]
    answers += ["price", "2.50", ".cost", "1", "parts[]", "a", "", ""]
    answers += ["x", "none", "none", "-1", "0.5", "/tea/", "(", "", ""]
    done = interview(draft, f"{SITE}/", answers, Flags())
    assert done.exception is None, (done.output, done.exception)
    assert draft.details
    assert draft.pager
    assert draft.table == {"title": "h1", "price": ".cost", "parts": ["i"]}
    assert draft.values == {"title": "Tea 2", "price": "€2.50", "parts": ["a", "b"]}
    assert draft.options == {"depth_limit": None, "delay": 0.5, "allow": ["/tea/"]}
    assert draft.fields["routes"] == {
        "detail": {"match": r"^/tea/\d+/$", "links": False, "extract": draft.table},
        "list": {"match": ["^/$", r"^/\?page=[^&]*"], "links": [".card a", ".pages a"]},
    }
    for words in (
        "has no link with this URL or text",
        "'b ad' is no name of a field",
        "call it item_delay",
        "'nope' is the text of no element",
        "'x' is no number",
        "delay: -1.0 is too small",
        "warning: allow: 1 of 1 links to further lists are left out (matches nothing in allow)",
        "is no regular expression",
    ):
        assert words in done.output, words
    draft.check()


def test_what_options_say_is_not_asked_for_and_must_mean_something():
    draft = Draft("tea", f"{SITE}/", {"depth_limit": 1, "page_limit": 9, "delay": 1.0})
    items = ("title=Tea 1", "price=1.50", "parts[]=b")
    assert interview(draft, f"{SITE}/", None, Flags(detail="Tea 1", items=items)).exception is None
    assert draft.table["price"] == {"select": ".cost", "type": "number"}
    assert draft.example == f"{SITE}/tea/1/"

    for flags, words in (
        (Flags(detail="Tea 9"), "--detail: .* has no link"),
        (Flags(detail="Tea 1", pager="Next"), "--next: .* has no link"),
        (Flags(each=".row"), "--each: '.row' finds no element"),
        (Flags(items=["title=Coffee"]), "--field title: 'Coffee' is the text of no element"),
        (Flags(also=f"{SITE}/none"), "http_404"),
    ):
        failed = interview(Draft("tea", f"{SITE}/"), f"{SITE}/", None, flags)
        assert failed.exception is not None
        assert re.search(words, f"{failed.exception} {failed.output}"), failed.output


def test_an_entry_elsewhere_leads_to_items_and_late_ones_are_awaited():
    draft = Draft("tea", f"{SITE}/")
    interview(draft, f"{SITE}/tea/2/", None, Flags(entry=f"{SITE}/"))
    assert draft.fields["routes"]["detail"]["match"] == r"^/tea/\d+/$"
    assert draft.table == {"title": "h1"}  # as nothing else was said
    late = Draft("late", f"{SITE}/late/")
    interview(late, late.url, None, Flags(items=["cost=€9"]))
    assert late.options["wait_quiet"] == 0.5


def test_what_a_timer_brings_is_awaited_by_its_selector():
    draft = Draft("tea", f"{SITE}/timers/", {"wait_for": "h1", "deny": ["/timer/"]})
    flags = Flags(detail="T", items=["title=Timer", "cost=€9", "stock=7 left"])
    done = interview(draft, draft.url, None, flags)
    assert done.exception is None, (done.output, done.exception)
    routes = draft.fields["routes"]
    assert routes["detail"]["wait_for"] == ["h1", ".cost"]
    # the element was there before its text
    assert (
        routes["detail"]["wait_until"]
        == 'document.querySelector(".stock").textContent.trim() !== "…"'
    )
    assert routes["list"] == {"match": "^/timers/$", "wait_for": ["h1", ".teas a"]}
    assert draft.values == {"title": "Timer", "cost": "€9", "stock": "7 left"}
    assert "deny: 1 of 2 links to items are left out (matches deny), as" in done.output
    draft.check()
    # nor is what never comes taken for late
    flags = Flags(items=["cost=€10"])
    done = interview(Draft("tea", f"{SITE}/timer/"), f"{SITE}/timer/", None, flags)
    assert "is the text of no element" in done.output
    assert "s after it was loaded; if it comes later still: --wait-for CSS" in done.output


@pytest.mark.parametrize(
    ("before", "after", "rule", "wait"),
    [
        ("<p></p>", "<p>a</p>", "p", {"wait_for": ["p:not(:empty)"]}),
        ("<a>", "<a href=/x>", "a::attr(href)", {"wait_for": ["a[href]"]}),
        ("<i>1</i>", "<i>1</i><i>2</i>", ["i"], 'document.querySelectorAll("i").length > 1'),
        (
            "<b>-</b>",
            "<b>7</b>",
            "xpath://b/text()",
            'document.evaluate("//b", document, null, 9).singleNodeValue'
            '.textContent.trim() !== "-"',
        ),
        ("", "<meta name=x content=1>", "meta:x", {"wait_for": ['meta[name="x"]']}),
        ("", "<i>2</i>", {"select": "i", "type": "number"}, {"wait_for": ["i"]}),
        ("<b>1</b>", "<b>1</b>", "b", None),
    ],
)
def test_the_wait_tells_a_late_page_from_an_early_one(before, after, rule, wait):
    early, late = (Sample.of(Response(SITE, html=html)) for html in (before, after))
    assert wait_of(rule, "", early, late) == ({"wait_until": wait} if type(wait) is str else wait)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["https://shop.example/"], "standard input is no terminal"),
        (["shop.example", "--yes"], "did you mean https://shop.example?"),
        (["ftp://shop.example/", "--yes"], "is no URL of a page"),
        (["https:///x", "--yes"], "has no host that could exist"),
        (["https://shop.example/", "--yes", "-o", "a.yaml"], "no ending that says its form"),
        (["https://shop.example/", "--yes", "-o", "taken.toml"], "taken.toml exists: --force"),
        (["https://shop.example/", "--yes", "-o", "no/a.toml"], "there is no folder no"),
        (["https://shop.example/", "--yes", "-o", "folder.py"], "folder.py is a folder"),
        (["https://shop.example/", "--yes", "-o", "a.toml", "--python"], "is TOML; name a file.py"),
        (["https://shop.example/", "--yes", "--field", "title"], "LABEL=TEXT"),
        (["https://shop.example/", "--yes", "--field", "a=b", "--field", "a=c"], "there already"),
        (["https://shop.example/", "--yes", "--name", "a b"], "--name: 'a b' may hold"),
        (["https://shop.example/", "--yes", "--next", "2"], "it needs --detail"),
        (["https://shop.example/", "--yes", "--each", "["], "--each: '[' is no CSS selector"),
        (["https://shop.example/", "--yes", "--set", "extract={}"], "is what is drafted"),
        (["https://shop.example/", "--yes", "--delay", "-1"], "delay"),
    ],
)
def test_a_wrong_order_is_one_line_before_any_page_is_loaded(folder: Folder, words, what):
    (folder.path / "taken.toml").write_text("mine")
    (folder.path / "folder.py").mkdir()
    done = folder.here("generate", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert what in done.stderr
    assert done.stderr.count("\n") == 1
    assert (folder.path / "taken.toml").read_text() == "mine"


@pytest.fixture
def slow_shop(shop: str) -> Iterator[str]:
    """The shop, whose pages of books say some time after they are loaded when a book comes."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with closing(HTTPConnection(urlsplit(shop).netloc)) as connection:
                connection.request("GET", self.path)
                page = connection.getresponse()
                body = page.read() + (TIMER if self.path.startswith("/books/") else b"")
            self.send_response(page.status)
            self.send_header("Content-Type", page.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Pages)) as server:
        yield f"http://127.0.0.1:{server.server_port}/"


TIMER = b"""<script>onload = () => setTimeout(() => document.querySelector("h1").insertAdjacentHTML(
  "afterend", "<p class=delivery>in 3 days</p>"), 600)</script>"""


@pytest.mark.browser
def test_a_definition_comes_of_examples_and_gives_the_fields(slow_shop, folder: Folder):
    shop = slow_shop
    words = ["generate", f"{shop}categories/gardens/", "--yes", "--name", "shelf", "--delay", "0.5"]
    words += ["--detail", "Soil, Slowly", "--next", ".pages a"]
    words += [
        "--field",
        "title=Soil, Slowly",
        "--field",
        "price=27.50",
        "--field",
        "tags[]=gardens",
        "--field",
        "delivery=in 3 days",
    ]
    done = folder.here(*words)
    assert done.exit_code == 0, done.stderr
    assert "wrote shelf.toml. Try it: crawler run shelf.toml --url http" in done.stderr
    text = (folder.path / "shelf.toml").read_text()
    assert 'price = { select = ".price", type = "number" }' in text
    assert "[routes.detail]" in text.partition('wait_for = [".delivery"]')[0]
    assert "warning" not in done.stderr, done.stderr
    assert [path.name for path in folder.path.glob("*.*")] == ["shelf.toml"]
    assert (
        "well formed; hooks: none; routes: detail, list"
        in folder.here("validate", "shelf.toml").stdout
    )
    ran = folder.run("run", "shelf.toml", "--json", "--url", f"{shop}books/nine-bridges/")
    assert ran.returncode == 0, ran.stderr
    item = json.loads(ran.stdout)["data"]
    assert item.keys() == {"title", "price", "tags", "delivery"}
    assert item["delivery"] == "in 3 days"
    assert item["title"] == "Nine Bridges"
    assert item["price"] > 9
    assert "journeys" in item["tags"]
