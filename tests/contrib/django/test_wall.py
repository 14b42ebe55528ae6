"""The pages of a crawl in the admin, over a real Redis with a frontier: what they show of it, to
whom, how they are changed, and at any admin site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.project import Project

pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

#: Another admin site beside the first, at which crawls are registered, too.
OPS = """
from django.contrib.admin import AdminSite
from crawler.contrib.django.admin import CrawlAdmin
from crawler.contrib.django.models import Crawl
ops = AdminSite(name="ops")
ops.register(Crawl, CrawlAdmin)
urlpatterns.append(path("ops/", ops.urls))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, database) -> Iterator[Project]:
    """The project, migrated, with a second admin site."""
    folder = tmp_path_factory.mktemp("wall")
    with PrivateRedis(folder / "redis") as redis:
        project = Project(
            folder, redis, "http://x.test/", database, CRAWLER_ERRORS_DIR=str(folder / "errors")
        )
        urls = project.folder / "shop" / "urls.py"
        urls.write_text(urls.read_text() + OPS)
        yield project


@pytest.fixture
def project(place) -> Project:
    """The project, of whose crawls nothing is known."""
    place.forget()
    return place


BEGIN = """
import json, re
from django.contrib.auth.models import User
from django.test import Client
from crawler import Crawl, Page
from crawler.client.workers import Worker
from crawler.contrib.django.access import cache
from crawler.contrib.django.client import client
from crawler.frontier.listing import Listing
from crawler.frontier.operations import Operations
from crawler.model import FailureClass

def browser(name):
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(username=name))
    return client

def text(answer):
    cache._values.clear()
    return re.sub(r"\\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))

there, base, ada = client(), "/admin/crawler/crawl/", browser("ada")
"""

FULL = (
    BEGIN
    + """
shop = Crawl(name="shop", url="http://x.test/", depth_limit=None, concurrency_limit=3)
handle = there.start(shop).handle
frontier = handle.frontier
frontier.enqueue([Page(f"http://x.test/{n}?token=hidden") for n in range(6)])
there.workers.announce(Worker("w1@one", {}, "9.8.7", "one", 4), 60)
there.workers.announce(Worker("w2@two", {}, "9.8.6", "two", 2, faults=("no module <shop>",)), 60)
frontier.tick()
claims = [frontier.claim("w1@one:17").claim for _ in range(3)]
data = [{"title": "A <b>chair</b>", "price": 12.5}, {"title": "A table"}]
record = {"url": claims[0].page.url, "final_url": "/", "status": 200, "depth": 0, "data": data}
result = json.dumps(record | {"links": 3, "ms": 120}, separators=(",", ":"))
frontier.finish(claims[0], "/", result=result, item=True)
frontier.fail(claims[1], FailureClass.TERMINAL, "http_404", status=404)
frontier.renew(claims[2], "extract")
page = text(ada.get(base + "shop/change/"))
live = ada.get(base + "shop/live/?since=0").json()
later = ada.get(base + f"shop/live/?since={live['samples'][-1][0] + 1e6}").json()
print(json.dumps([page, live, later["samples"], text(ada.get(base + "+workers/"))]))
"""
)


def test_the_wall_shows_all_that_a_crawl_does(project):
    page, live, later, workers = project.python(FULL)
    # In flight: the page, its step at the last renewal, its worker; recent: page, items, failure
    for words in (
        "extract 1 w1@one:17",
        "200 120 ms 3",
        "title: A &lt;b&gt;chair&lt;/b&gt; · price: 12.5",
        "title: A table",
        "http_404",
        "2 alive",
        "no module &lt;shop&gt;",
        "1 known",
        "the pace is not known yet",
    ):
        assert words in page, page
    assert "hidden" not in page
    assert "token=***" in page
    # An open page gets the same by panels, the row with its actions, and the course of the counts
    assert "w1@one:17" in live["panels"]["flight"]
    assert live["crawl"]["counts"]["done"] == 1
    assert live["crawl"]["actions"] == ["pause", "stop", "cancel", "retry"]
    before, now = live["samples"]
    assert (before[1:], now[1:]) == ([0, 0, 7, 0, 0], [1, 1, 4, 0, 1])
    assert later == []
    assert "w2@two 9.8.6 two 2" in workers


WHY = (
    BEGIN
    + """
shop = Crawl(name="shop", url="http://x.test/")
handle = there.start(shop).handle
seen = {"no worker": ada.get(base + "shop/live/").json()}
seen["list"] = ada.get(base + "+live/?name=shop").json()
cache._values.clear()
ada.post(base + "shop/do/pause/")
seen["paused"] = ada.get(base + "shop/live/").json()
asked = ada.post(base + "shop/do/stop/")
seen["asked"] = [asked.status_code, text(asked), handle.status]
ada.post(base + "shop/do/stop/", {"sure": "1"})
seen["stopped"] = [handle.status, handle.snapshot().reason]
operator = browser("operator")
operator.post(base + "shop/do/resume/")
operator.post(base + "shop/do/cancel/", {"sure": "1"})
seen["cancelled"] = handle.snapshot().reason
ada.post(base + "shop/limits/", {"page_limit": "7", "delay": "0.5", "attempts": "3"})
policy = handle.frontier.plan().policy
seen["limits"] = [policy.page_limit, policy.delay]
wrong = ada.post(base + "shop/limits/", {"page_limit": "many"}, follow=True)
seen["wrong"] = text(wrong)
urls = "http://x.test/a\\n\\nhttp://y.test/b\\nhttp://x.test/c"
form = {"urls": urls, "priority": "high", "reopen": "1"}
sent = ada.post(base + "shop/enqueue/", form, follow=True)
seen["enqueued"] = [text(sent), handle.counts["queued"]]
Operations(handle.frontier).note("goes by delay=9", "crawler limits (bob <i> at desk)")
seen["history"] = text(ada.get(base + "shop/history/"))
print(json.dumps(seen))
"""
)


def test_operators_steer_a_crawl_and_the_history_names_them(project):
    seen = project.python(WHY)
    # Why it stands still: on the wall, with its mend, and in the list
    assert seen["no worker"]["standstill"]["reason"] == "no_worker"
    assert "start one: crawler worker" in seen["no worker"]["panels"]["state"]
    assert "no worker is alive" in seen["list"]["crawls"][0]["why"]
    assert "paused by ada in the admin" in seen["paused"]["panels"]["state"]
    # Stop asks first, and does it when the answer came
    status, words, still = seen["asked"]
    assert (status, still) == (200, "PAUSED")
    assert "Yes: stop shop" in words
    assert seen["stopped"] == ["STOPPED", "stopped by ada in the admin"]
    assert seen["cancelled"] == "cancelled by operator in the admin"
    # Limits and pages
    assert seen["limits"] == [7, 0.5]
    assert "page_limit" in seen["wrong"]
    words, queued = seen["enqueued"]
    assert "2 queued, 0 known before, 1 refused" in words
    assert queued == 3
    # Who did what
    for words in (
        "ada Pause: it is paused",
        "ada Stop: it stops",
        "operator Resume: it goes on",
        "operator Cancel: it is cancelled",
        "ada Limits: it goes by delay 0.5, page_limit 7",
        "ada Enqueue: it has 2 queued",
        "crawler limits (bob &lt;i&gt; at desk) it goes by delay=9",
    ):
        assert words in seen["history"], seen["history"]


ERRORS = (
    BEGIN
    + """
import os
from pathlib import Path
folder = Path(os.environ["CRAWLER_ERRORS_DIR"]) / "shop"
folder.mkdir(parents=True)
handle = there.start(Crawl(name="shop", url="http://x.test/")).handle
claim = handle.frontier.claim("w").claim
handle.frontier.fail(claim, FailureClass.TERMINAL, "http_404")
stem = f"http_404-x.test-{claim.page.id}"
record = {"at": "2026-01-02T03:04:05+00:00", "url": "javascript:alert(1)",
          "reason": "<script>alert(2)", "status": 404}
lines = [json.dumps(record | {"html": f"{stem}.html", "png": f"{stem}.png"}), "no JSON", "[1]",
         json.dumps(record | {"html": "../../secret.html", "png": "../x.png"})]
(folder / "errors.jsonl").write_text("\\n".join(lines) + "\\n")
(folder / f"{stem}.html").write_text("<script>alert(3)</script>")
(folder / f"{stem}.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\nrest")
(folder / "fake.png").write_text("<script>")
(folder.parent / "secret.html").write_text("secret")
(folder / "link.html").symlink_to(folder.parent / "secret.html")
os.mkfifo(folder / "pipe.html")
names = [f"{stem}.html", f"{stem}.png", "fake.png", "link.html", "pipe.html", "errors.jsonl",
         "none.png", "..%2Fsecret.html", "%2e%2e%2fsecret.html", "..%5Csecret.html", ".png"]
answers = [ada.get(f"{base}shop/errors/{name}") for name in names]
others = (browser("looker"), browser("stranger"), Client(headers={"host": "127.0.0.1"}))
who = [one.get(f"{base}shop/errors/{names[1]}").status_code for one in others]
heads = ("Content-Type", "X-Content-Type-Options", "Content-Security-Policy")
print(json.dumps({
    "statuses": [answer.status_code for answer in answers],
    "heads": [[answer.headers.get(name) for name in heads] for answer in answers[:2]],
    "who": who, "stem": stem,
    "gallery": ada.get(base + "shop/errors/").content.decode(),
    "wall": ada.get(base + "shop/change/").content.decode(),
}))
"""
)


def test_pictures_of_errors_are_served_and_nothing_else(project):
    seen = project.python(ERRORS)
    assert seen["statuses"] == [200, 200, *[404] * 9]
    assert seen["heads"] == [
        ["text/plain; charset=utf-8", "nosniff", "default-src 'none'; sandbox"],
        ["image/png", "nosniff", "default-src 'none'; sandbox"],
    ]
    assert seen["who"] == [200, 403, 302]
    picture = f'src="/admin/crawler/crawl/shop/errors/{seen["stem"]}.png"'
    assert picture in seen["gallery"]
    assert picture in seen["wall"]
    for evil in ("<script>alert", 'href="javascript:', "secret.html"):
        assert evil not in seen["gallery"]


SITES = (
    BEGIN
    + """
there.start(Crawl(name="shop", url="http://x.test/", concurrency_limit=1))
from crawler.api.job import Order
from crawler.api.jobs import Jobs
Jobs(there, private=True).create(Order(url="http://127.0.0.1:9/"), "17")
there.handle("job-17").frontier.claim("a worker")
there.start(Crawl(name="news_1", url="http://x.test/")).handle.pause("me")
hosts = [f"h{n}.test" for n in range(230)]
there.handle("shop").frontier.enqueue([Page(f"http://{host}/", lane=host) for host in hosts])
pages = ("", "?kind=jobs", "?status=PAUSED", "?q=SHO", "+workers/", "shop/change/",
         "shop/failed/", "shop/undelivered/", "shop/hosts/", "shop/hosts/?from=200",
         "shop/hosts/?q=h22", "shop/errors/", "shop/history/", "books/change/", "job-17/change/")
link = re.compile(r'(?:href|action|data-\\w+|src)="(/(?!static)[a-z]+/crawler/[^"]*)"')
def addresses(site):
    found = [ada.get(f"/{site}/crawler/crawl/{page}") for page in pages]
    texts = [one.content.decode() for one in found]
    ours = {url for text in texts for url in link.findall(text)}
    back = ada.post(f"/{site}/crawler/crawl/shop/do/pause/").headers["Location"]
    cache._values.clear()
    return [[one.status_code for one in found], sorted(ours), back, texts]
print(json.dumps({site: addresses(site) for site in ("admin", "ops")}))
"""
)


def test_lists_are_filtered_and_paged_at_any_admin_site(project):
    seen = project.python(SITES)
    for site, (statuses, ours, back, _) in seen.items():
        assert set(statuses) == {200}
        assert len(ours) > 20
        assert [url for url in (*ours, back) if not url.startswith(f"/{site}/")] == []
    # Jobs stand apart, and lists are narrowed down
    texts = seen["admin"][3]
    names = [set(re.findall(r'<tr data-crawl="([^"]+)"', text)) for text in texts[:4]]
    assert names == [{"books", "news_1", "shop"}, {"job-17"}, {"news_1"}, {"shop"}]
    # The list of jobs and the page of a job tell its times, others have none
    for text, times in ((texts[1], 2), (texts[0], 0), (texts[-1], 2), (texts[5], 0)):
        found = re.findall(r'data-time="(waiting|processing)">([\d.]+) s<', text)
        assert len(found) == times, found
    assert [text.count('<th scope="row" class="name">h') for text in texts[8:11]] == [
        99,
        31,
        11,
    ]  # and "all hosts"
