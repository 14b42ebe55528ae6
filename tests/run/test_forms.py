"""Forms that hooks follow: how they are written, and what becomes of them in a crawl."""

from __future__ import annotations

from collections import Counter

import pytest

from crawler import Crawl
from crawler.definition.bounds import scope_of
from crawler.definition.forms import FORM_MAX, body_of
from crawler.definition.routes import view_of
from crawler.run.follow import Follow, Followed
from tests.site.forms import posts
from tests.site.server import Server

pytest_plugins = ["tests.site.fixture"]

HERE = "https://shop.example/list/"
SHOP = Crawl(name="shop", url=HERE, depth_limit=2, deny=["/private/"])
ENTRY = scope_of(SHOP).entry(HERE)


def followed(*calls: tuple[str, dict]) -> tuple[list, dict[str, int]]:
    """Return the pages that calls of follow make, and the numbers of those that become none."""
    made = Followed(explain=True)
    follow = Follow(SHOP, "extract", ENTRY, lambda: HERE, made.take, depth=1)
    for url, options in calls:
        follow(url, **options)
    chosen = made.merged(scope_of(SHOP).choose(ENTRY, []))
    return list(chosen.pages), dict(chosen.dropped)


def test_each_body_is_a_page_that_is_judged_as_a_link_is():
    pages, dropped = followed(
        (HERE, {"form": {"q": "tea"}}),
        (HERE, {"form": {"q": "tea"}}),
        (HERE, {"form": {"q": "tea", "n": 2}, "data": {"n": 2}, "priority": "high"}),
        (HERE, {"form": {}}),
        ("/private/x", {"form": {"q": "tea"}}),
        ("//else.example/", {"form": {"q": "tea"}}),
        ("/deep", {"form": {"q": "tea"}, "depth": 3}),
    )
    assert [page.form for page in pages] == [{"q": "tea"}, {"q": "tea", "n": "2"}, {}]
    assert {page.url for page in pages} == {HERE}
    assert len({page.id for page in pages} | {ENTRY.id}) == 4
    assert (pages[1].data, pages[1].priority.name, pages[1].depth) == ({"n": 2}, "HIGH", 1)
    assert dropped == {"duplicate": 1, "deny": 1, "scope": 1, "depth": 1}
    assert "tea" not in repr(pages)  # what people see of a page holds no password


def test_a_form_is_kept_as_a_browser_sends_it():
    ((page,), _) = followed(("/s", {"form": {"a b": "x\ny\r\nz", "n": [1, 2.5], "half": "\ud83d"}}))
    assert page.form == {"a b": "x\r\ny\r\nz", "n": ["1", "2.5"], "half": "\ufffd"}
    assert body_of(page.form) == "a+b=x%0D%0Ay%0D%0Az&n=1&n=2.5&half=%EF%BF%BD"


@pytest.mark.parametrize(
    ("form", "error", "words"),
    [
        ("q=tea", TypeError, 'form is an object of names and values, as {"q": "tea"}, not str'),
        ({1: "x"}, TypeError, "form has the name 1; names of its fields are text"),
        ({"q": None}, TypeError, "the field 'q' of form is NoneType; values are text"),
        ({"q": True}, TypeError, "the field 'q' of form is bool"),
        ({"q": [["x"]]}, TypeError, "the field 'q' of form is list"),
        ({"q": "x" * FORM_MAX}, ValueError, "form has a body of 16,386 bytes, and 16,384 are sent"),
    ],
)
def test_a_wrong_form_is_an_error_that_names_the_hook(form, error, words):
    with pytest.raises(error) as raised:
        followed(("/s", {"form": form}))
    assert str(raised.value).startswith(f"follow() in the hook extract: {words}")


def test_a_route_may_say_that_its_forms_are_safe():
    crawl = Crawl(name="shop", url=HERE, routes={"hit": {"match": "/s", "form_retry": True}})
    assert not view_of(crawl, ENTRY).form_retry
    assert view_of(crawl, scope_of(crawl).entry("https://shop.example/s")).form_retry


DEFINITION = """
import os, signal
from pathlib import Path
from crawler import Crawl, Retry

shop = Crawl(
    name="shop", url={url!r}, concurrency_limit=2, backoff=0.05, attempts=3,
    robots=False, hook_attempts=3,
)

@shop.extract
def entry(page, follow):
    for how in ("it", "303", "500", "404", "cut"):
        follow(f"/say/{{how}}", route="sent", form={{"q": how, "password": "canary-form"}})
    follow("/say/it", route="sent", form={{"q": "other"}})
    follow("/say/it", route="sent")
    for how in ("later", "raises", "dies"):
        follow("/say/it", route="sent", form={{"q": how}})
    follow("/say/500", route="safe", form={{"q": "safe"}})

@shop.route("safe", links=False, form_retry=True)
def safe(page):
    return {{}}

@shop.route("sent", links=False)
def sent(page):
    form = page.form or {{}}
    if form.get("q") == "later":
        raise Retry("busy", after=0.1)
    if form.get("q") == "raises":
        raise LookupError("odd")
    if form.get("q") == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return {{"q": form.get("q"), "heading": page.text("h1")}}

@shop.failed
def lost(page, reason):
    with open("lost.txt", "a") as file:
        file.write(f"{{page.form['q']}} {{reason}}\\n")
"""


@pytest.mark.browser
@pytest.mark.slow
def test_a_form_is_sent_once_whatever_becomes_of_its_page(folder, site: Server):
    (folder.path / "shop.py").write_text(DEFINITION.format(url=site.url("/say/first")))
    before = len(posts(site))
    done = folder.run("start", "shop.py", "--output", "out", "-c", "2")
    said = done.stdout + done.stderr
    # each form came once, but for one that is safe
    came = posts(site)[before:]
    sent = Counter(post.body.partition("&")[0].removeprefix("q=") for post in came)
    once = ("it", "303", "500", "404", "cut", "other", "later", "raises", "dies")
    assert sent == {**dict.fromkeys(once, 1), "safe": 3}, said
    # those that failed say why
    failed = {line["form"]["q"]: line["reason"] for line in folder.lines("out/failed.jsonl")}
    raised = failed.pop("raises")
    assert raised.startswith("extract: LookupError: odd (route sent, shop.py:")
    assert failed == {
        "500": "form_sent: http_500",
        "404": "http_404",
        "cut": "form_sent: empty_response",
        "later": "form_sent: retry: busy",
        "dies": "form_sent: worker_died",
        "safe": "http_500",
    }
    lost = (folder.path / "lost.txt").read_text().splitlines()
    assert sorted(lost) == sorted(f"{q} {why}" for q, why in {**failed, "raises": raised}.items())
    # the others are pages of their own, also beside a link to the same URL
    lines = [line for line in folder.lines("out/pages.jsonl") if line.get("route") == "sent"]
    found = {line["data"]["q"]: (line["data"]["heading"], line["final_url"]) for line in lines}
    it = site.url("/say/it")
    assert found == {
        **dict.fromkeys(("it", "other"), ("POST", it)),
        None: ("GET", it),
        "303": ("GET", it),
    }
    forms = [line.get("form") for line in lines if line["data"]["q"] in ("it", None)]
    assert sorted(forms, key=str) == sorted([{"q": "it", "password": "***"}, None], key=str)
    # no password of a form is seen
    files = [
        path for path in (folder.path / "out").rglob("*") if path.suffix in (".jsonl", ".json")
    ]
    texts = [path.read_text() for path in files]
    assert "canary-form" not in "".join([said, *texts])
    assert "failures form_sent 4, " in done.stdout
