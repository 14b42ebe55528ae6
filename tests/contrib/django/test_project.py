"""Django as its users meet it: the example project in processes of its own, with a real Redis, real
workers and a real Chrome.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from crawler.local.embedded import PrivateRedis
from crawler.local.processes import user_and_machine
from tests.support.folder import until
from tests.support.patience import PATIENCE
from tests.support.project import BIN, Project
from tests.support.redis_kinds import Server

pytest_plugins = ["tests.site.shop"]
pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")


@pytest.fixture(scope="module")
def place(tmp_path_factory, shop, database) -> Iterator[Project]:
    """The project, migrated. Its connections to the database are kept for ever, and break after
    each row that a hook writes.
    """
    folder = tmp_path_factory.mktemp("django")
    with PrivateRedis(folder / "redis") as redis:
        project = Project(folder, redis, shop, database)
        project.edit(
            "catalogue/crawls.py",
            "defaults=result.data)",
            "defaults=result.data)\n        connection.connection.close()",
        )
        # every page gives a row
        project.edit("catalogue/crawls.py", 'if page.text("article.book h1")', "if page.title")
        project.edit(
            "catalogue/crawls.py",
            "from .models",
            "from django.db import connection\n\nfrom .models",
        )
        project.edit(
            "shop/settings.py", '"ATOMIC_REQUESTS"', '"CONN_MAX_AGE": None, "ATOMIC_REQUESTS"'
        )
        yield project


@pytest.fixture
def project(place) -> Project:
    """The project, of whose crawls and books nothing is known."""
    place.forget()
    return place


# -- workers

#: What a view does, in a transaction, and what its user sees then: a request as a browser makes it,
#: with Selenium out of reach.
VIEW = """
import json, sys
sys.modules["selenium"] = None
from django.contrib.auth.models import User
from django.test import Client
client = Client(); client.force_login(User.objects.get(username="ada"))
answer = client.post("/refresh/", HTTP_HOST="127.0.0.1")
print(json.dumps([answer.status_code, answer.json()]))
"""


STORED = """
import json
from catalogue.models import Book
from crawler.contrib.django.store.models import StoredResult
titled = StoredResult.objects.filter(data__title__gt="")
print(json.dumps([Book.objects.exclude(title="").count(), titled.count()]))
"""


@pytest.mark.browser
def test_a_crawl_started_by_a_view_writes_rows_in_our_own_worker(project):
    started = {"crawl": "books", "outcome": "started", "reason": None}
    assert project.python(VIEW) == [200, started]
    project.frontier().set_limits(page_limit=5)
    with project.worker("our own app") as worker:
        until(lambda: project.frontier().snapshot().status.ended, worker)
    seen = project.frontier().snapshot()
    assert (seen.status, seen.done, seen.failed, seen.counts["items"]) == ("FINISHED", 5, 0, 5)
    assert "Traceback" not in project.log("worker.log")
    stored, rows = project.session(("crawl_store",), STORED)
    assert "books: 5 results stored" in stored.stdout
    assert rows.json == [5, 5]


@pytest.mark.browser
def test_a_schedule_starts_a_crawl_once_until_it_has_ended(tmp_path, shop):
    with PrivateRedis(tmp_path / "redis") as redis:
        project = Project(tmp_path, redis, shop, SHOP_DELAY="0.7")
        project.edit("shop/settings.py", 'crontab(hour="2", minute="0")', "0.5")
        project.edit(
            "catalogue/crawls.py", "concurrency_limit=2", "concurrency_limit=2, page_limit=3"
        )
        beat = (BIN / "celery", "-A", "shop", "beat", "-l", "INFO", "-s", tmp_path / "beat")
        with project.worker("the project's app") as worker:
            with project.running(
                *beat, log="beat.log", ready=lambda said: "beat: Starting" in said
            ):
                until(lambda: project.log("worker.log").count("'outcome': 'started'") == 2, worker)
            said = [
                line
                for line in project.log("worker.log").splitlines()
                if "crawler.start[" in line and "'outcome'" in line
            ]
    answers = ["'outcome': 'started'" in line for line in said]
    assert answers[:2] == [True, False]
    assert "raised" not in project.log("worker.log")


# -- starting


def test_a_start_waits_for_its_transaction_and_is_forgotten_with_it(project):
    said = project.python("""
import json
from crawler import client
from crawler.errors import FrontierRefused
from django.db import transaction
from crawler.contrib.django.client import client as our_client, find_snapshot
there, told = our_client(), []
try:
    with transaction.atomic():
        report = client.restart("books")
        lost = report.handle
        told.append([str(report), lost.status, lost.counts["queued"]])
        raise KeyError
except KeyError:
    told.append(find_snapshot(there, "books"))
with transaction.atomic():
    reports = [client.start("books", if_exists="reset"), client.start("books")]
    kept = reports[0].handle
    told.append(find_snapshot(there, "books"))
    told.append([report.outcome for report in reports])
    try:
        kept.wait()
    except FrontierRefused as error:
        told.append(str(error))
told.append([kept.status, kept.counts["queued"], *(report.outcome for report in reports)])
kept.stop("enough")
with transaction.atomic():
    told.append(str(there.start("books")))
told.append([kept.wait(5).reason, lost.status])
print(json.dumps(told))
""")
    assert said == [
        ["books: started", "NEW", 0],
        None,
        None,
        ["started", "started"],
        "the crawl 'books' has not begun: its transaction is not committed",
        ["ACTIVE", 1, "started", "running"],
        "books: refused (it has STOPPED; restart it to begin again, or resume it to go on)",
        ["enough", "NEW"],
    ]


def test_outside_of_a_transaction_a_crawl_starts_at_once(project):
    assert (
        project.python(
            "from crawler import client; print(client.start('books').handle.counts['queued'])"
        )
        == 1
    )


AWAY = """
import html, json, re, time
from crawler import client
from crawler.errors import CrawlerError
from django.contrib.auth.models import User
from django.test import Client
there = Client(raise_request_exception=False, headers={"host": "127.0.0.1"})
there.force_login(User.objects.get(username="ada"))
there.get("/admin/")  # what is imported when it is first needed
def timed(call):
    begin = time.monotonic()
    return [call(), time.monotonic() - begin]
def start():
    try:
        client.start("books")
    except CrawlerError as error:
        return str(error)
def page():
    answer = there.get("/admin/crawler/crawl/")
    alert = re.search('role="alert">([^<]*)<', answer.content.decode())[1]
    return [answer.status_code, html.unescape(alert)]
def live():
    answer = there.get("/admin/crawler/crawl/+live/?name=books")
    return [answer.status_code, answer.json()["error"]]
print(json.dumps([timed(start), timed(page), timed(live)]))
"""


@pytest.mark.parametrize("kind", ["away", "frozen"])
def test_without_redis_start_and_admin_say_so_in_time(kind, place, tmp_path):
    with Server(tmp_path) as server:
        url = (
            f"redis://:secret@{server.address}/0"
            if kind == "frozen"
            else "redis://:secret@127.0.0.1:1/0"
        )
        if kind == "frozen":
            with server.frozen():
                answers = place.python(AWAY, REDIS_URL=url, BROKER_URL=url)
        else:
            answers = place.python(AWAY, REDIS_URL=url, BROKER_URL=url)
    (started, *times), ((page, shown), *more), ((live, told), *yet_more) = answers
    assert (page, live) == (503, 503)
    for text in (started, shown, told):
        assert text.startswith("Redis does not answer")
        assert "\n" not in text
        assert "secret" not in text
    assert max(times + more + yet_more) < PATIENCE


# -- commands and checks


def test_a_crawl_is_started_seen_and_stopped_by_commands(project):
    # Given a start, by a process of its own
    started = project.manage("crawl", "books").stdout
    assert started == "books: active; 0 done, 0 failed, 1 waiting, 0 in flight (was started)\n"
    # When commands follow it
    restart, reset, stop, update, again, anew, tick, status = project.session(
        ("crawl", "books", "--restart", "--json"),
        ("crawl", "books", "--reset", "--json"),
        ("crawl_stop", "books"),
        ("crawl", "books", "--update", "--json"),
        ("crawl", "books"),
        ("crawl", "books", "--restart", "--json"),
        ("crawl_tick", "--json"),
        ("crawl_status", "--json"),
    )
    # Then each says what became of it
    outcomes = [one.json["outcome"] for one in (restart, reset, update, anew)]
    assert outcomes == ["running", "started", "refused", "started"]
    assert f"stopped by manage.py crawl_stop ({user_and_machine()})" in stop.stdout
    assert "--restart" in again.stderr
    ends = [one.status for one in (restart, reset, stop, update, again, anew, tick, status)]
    assert ends == [0, 0, 0, 2, 2, 0, 0, 0]
    assert "books" in tick.json
    (books,) = status.json
    assert (books["crawl"], books["standstill"]["reason"]) == ("books", "no_worker")
    seen = project.frontier().snapshot()
    assert (seen.generation, seen.queued) == (3, 1)


def test_a_mistake_is_one_line_and_exit_status_two(project):
    status, unknown, unstarted = project.session(
        ("crawl_status",), ("crawl", "bucks"), ("crawl_stop", "books")
    )
    assert status.stdout == "books: not started\n"
    assert (unknown.status, unstarted.status) == (2, 2)
    said = {
        unknown.stderr: "no crawl is named 'bucks' (did you mean books? known here: books)",
        unstarted.stderr: "has not been started yet: manage.py crawl books",
        # of the environment, in processes of their own
        project.manage("crawl", "books", status=2, CRAWLER_QUEUE="a queue").stderr: "CRAWLER_QUEUE",
        project.manage(
            "crawl_tick", status=2, CRAWLER_REDIS_URL="redis://127.0.0.1:1/"
        ).stderr: "Redis does not answer",
    }
    for line, words in said.items():
        assert words in line
        assert len(line.strip().splitlines()) == 1


UNUSABLE = """
import json
from django.test import Client
answer = Client(headers={"host": "127.0.0.1"}).get("/api/jobs")
print(json.dumps([answer.status_code, answer.json()["detail"]]))
"""


def test_check_finds_what_is_wrong_before_a_worker_does(project):
    assert "no issues" in project.manage("check").stdout
    (project.folder / "shop" / "wrong.py").write_text(
        "from .settings import *\nCRAWLER_QUEU = 'x'\nCRAWLER = {}\nCELERY_ACCEPT_CONTENT ="
        " ['pickle']\nCELERY_BROKER_TRANSPORT_OPTIONS = {'global_keyprefix': 'shop:'}\n"
        "CELERY_BROKER_CONNECTION_RETRY = False\n"
    )
    said = project.manage("check", DJANGO_SETTINGS_MODULE="shop.wrong").stderr
    for words in (
        "crawler.W001",
        "crawler.W002",
        "Did you mean CRAWLER_QUEUE?",
        "crawler.W003",
        "'shop:'",
        "crawler.W004",
        "crawler.W005",
    ):
        assert words in said
    (project.folder / "shop" / "api.py").write_text(
        "from django.urls import include, path\n"
        'urlpatterns = [path("api/", include("crawler.contrib.django.jobs"))]\n'
    )
    (project.folder / "shop" / "with_api.py").write_text(
        'from .settings import *\nROOT_URLCONF = "shop.api"\n'
    )
    with_api = {"DJANGO_SETTINGS_MODULE": "shop.with_api"}
    said = project.manage("check", status=1, **with_api).stderr
    assert "(crawler.E003) the jobs API has no token: set CRAWLER_API_TOKENS" in said
    assert project.python(UNUSABLE, **with_api) == [
        503,
        "this server is not set up; its log says why",
    ]
    project.manage("check", CRAWLER_API_TOKENS="a-token-for-tests-only", **with_api)
    assert (
        "(crawler.E001) CRAWLER_TICK_INTERVAL"
        in project.manage("check", status=1, CRAWLER_TICK_INTERVAL="0").stderr
    )
    assert (
        "(crawler.E002) there is no module nope"
        in project.manage("check", status=1, CRAWLER_CRAWLS="nope").stderr
    )


# -- pages

ROUND = """
import json
from django.contrib.auth.models import User
from django.test import Client
from crawler.contrib.django.client import client
client().restart(client().known["books"])
def answers(name):
    client = Client(headers={"host": "127.0.0.1"})
    if name:
        client.force_login(User.objects.get(username=name))
    base = "/admin/crawler/crawl/"
    pages = ("", "books/change/", "books/failed/", "books/undelivered/", "+live/?name=books")
    actions = ("books/do/pause/", "books/do/resume/", "books/retry/", "books/do/redeliver/")
    statuses = [client.get(base + page).status_code for page in pages]
    statuses += [client.post(base + action).status_code for action in actions]
    strict = Client(enforce_csrf_checks=True, headers={"host": "127.0.0.1"})
    if name:
        strict.force_login(User.objects.get(username=name))
    stop = base + "books/do/stop/"
    return [*statuses, client.get(stop).status_code, strict.post(stop).status_code]
found = {name: answers(name) for name in ("", "stranger", "looker", "operator")}
print(json.dumps(found | {"status": client().handle("books").status}))
"""


def test_only_operators_operate_and_links_and_forged_forms_do_nothing(project):
    assert project.python(ROUND) == {
        "": [302] * 10 + [403],
        "stranger": [403] * 9 + [405, 403],
        "looker": [200] * 5 + [403] * 4 + [405, 403],
        "operator": [200] * 5 + [302] * 4 + [405, 403],
        "status": "ACTIVE",
    }


UNDELIVERED = """
import json
from django.contrib.auth.models import User
from django.test import Client
from crawler import Page
from crawler.contrib.django.client import client
from crawler.frontier.outbox import Outbox
there = client()
handle = there.start(there.known["books"]).handle
frontier, outbox = handle.frontier, Outbox(handle.frontier)
frontier.enqueue([Page("http://x.test/slow")])
names = []
while (claim := frontier.claim("w").claim):
    frontier.finish(claim, claim.page.url, result='{"url": "/"}', deliver=True)
    names.append(f"after-{claim.page.id}")
for attempt in range(5):
    outbox.failed(names[0], "OperationalError: database is <locked> (catalogue/crawls.py:28)", "w")
    outbox.take(names[0], "w")
outbox.failed(names[1], "OSError: slow disk", "w")
browser = Client(headers={"host": "127.0.0.1"})
browser.force_login(User.objects.get(username="ada"))
base = "/admin/crawler/crawl/"
texts = [browser.get(base + page).content.decode() for page in ("books/undelivered/", "")]
live = browser.get(base + "+live/?name=books").json()["crawls"][0]
browser.post(base + "books/do/redeliver/")
after = browser.get(base + "books/undelivered/").content.decode()
print(json.dumps([texts, live, after, len(outbox.waiting())]))
"""


def test_the_admin_shows_undelivered_results_and_calls_hooks_again(project):
    (page, crawls), live, after, waiting = project.python(UNDELIVERED)
    # The dead letter, with its page, its error and its attempts, and the one on its way
    assert '<td>after</td><td class="reason">OperationalError: database is &lt;locked&gt;' in page
    assert '(catalogue/crawls.py:28)</td><td class="number">5</td>' in page
    assert '<td class="reason">OSError: slow disk</td><td class="number">1</td>' in page
    assert "Call the hooks again for all" in page
    # The counts, in the list and in the answer to an open page
    assert 'data-count="undelivered">1</a>' in crawls
    assert (live["counts"]["undelivered"], live["counts"]["delivering"]) == (1, 1)
    assert "redeliver" in live["actions"]
    # And afterwards, both are on their way
    assert "Every result was taken by its hook, or is on its way." in after
    assert waiting == 2


HOSTILE = """
import json
from django.contrib.auth.models import User
from django.test import Client
from crawler import Crawl, Page
from crawler.contrib.django.client import client
from crawler.frontier.listing import Listing
from crawler.model import FailureClass
there = client()
there.clear("hostile")
handle = there.start(Crawl(name="hostile", url="http://x.test/", depth_limit=None)).handle
evil = [
    'http://x.test/"><script>alert(1)</script>',
    "javascript:alert(1)",
    "http://x.test/'onmouseover=alert(1)//",
    "http://x.test/gpj.\\u202eexe\\x9b",
]
handle.frontier.enqueue([Page(url) for url in [*evil, *(f"http://x.test/{n}" for n in range(240))]])
while (claim := handle.frontier.claim("<img src=x>").claim):
    reason = "turned \\u202e \\x1b[2J" if "gpj" in claim.page.url else "<b onclick=alert(1)>"
    handle.frontier.fail(claim, FailureClass.TERMINAL, reason)
client = Client(headers={"host": "127.0.0.1"})
client.force_login(User.objects.get(username="ada"))
base = "/admin/crawler/crawl/"
pages = (
    "", "?q=%22%3E%3Cscript%3Ealert(1)", "hostile/change/",
    "hostile/failed/", "hostile/failed/?from=100",
    "hostile/failed/?from=200&reason=%3Cb%20onclick%3Dalert(1)%3E",
    "hostile/failed/?from=-1", "hostile/failed/?from=99999999999999999999",
    "hostile/failed/?reason=none",
    "hostile/failed/?q=GPJ&coded_reason=turned%2520%25E2%2580%25AE%2520%251B%255B2J",
    "hostile/failed/?reason=turned%20%E2%80%AE%20%1B%5B2J",
)
texts = [client.get(base + page).content.decode() for page in pages]
odd = ("nobody/change/", "nobody/failed/", "hostile/do/clear/", "%3Cb%3E/change/")
gone = [client.get(base + page).status_code for page in odd]
ids = [letter.page.id for letter in Listing(handle.frontier).failed(0, 3)]
client.post(base + "hostile/retry/", {"id": [*ids, "<b>"], "chosen": ""})
left = handle.snapshot().failed
# as the form of that reason's page sends it
client.post(base + "hostile/retry/", {"all": "", "reason": "%3Cb%20onclick%3Dalert(1)%3E"})
print(json.dumps({"texts": texts, "gone": gone, "left": left, "failed": handle.snapshot().failed}))
"""


def test_the_text_of_pages_is_escaped_and_failed_pages_are_paged(project):
    found = project.python(HOSTILE)
    for text in found["texts"]:
        for evil in (
            "<script>alert",
            "<b onclick",
            "<img src=x",
            'href="javascript:',
            "'onmouseover",
            '"><script',
        ):
            assert evil not in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    rows = [text.count('name="id"') for text in found["texts"]]
    assert rows == [0, 0, 0, 100, 100, 44, 100, 100, 0, 1, 1]
    assert r"turned \u202e \u001b[2J" in found["texts"][-1]
    assert 'href="http://x.test/gpj.%E2%80%AEexe%C2%9B"' in found["texts"][-1]
    assert "javascript:alert(1)" in found["texts"][3]
    assert found["gone"] == [404, 404, 405, 404]
    assert (found["left"], found["failed"]) == (242, 1)


# -- the store

RESULTS = """
import json
from crawler import Crawl, Page
from crawler.contrib.django.client import client
there = client()
there.clear("stored")
handle = there.start(Crawl(name="stored", url="http://x.test/", depth_limit=None)).handle
handle.frontier.enqueue([Page(f"http://x.test/{n}") for n in range(599)])
record = {"status": 200, "depth": 0, "links": 2, "ms": 5, "data": {"title": "a\\0b"}}
while (claim := handle.frontier.claim("worker").claim):
    urls = {"url": claim.page.url, "final_url": claim.page.url}
    route = {"route": "odd"} if claim.page.url[-1] in "13579" else {}
    handle.frontier.finish(claim, claim.page.url, result=json.dumps(urls | route | record))
print(handle.counts["done"])
"""
ROWS = """
import json
from crawler.contrib.django.store.models import StoredCrawl, StoredResult
rows = StoredResult.objects.filter(crawl__name="stored")
print(json.dumps([
    rows.count(), rows.values("page").distinct().count(), rows.filter(data={"title": "ab"}).count(),
    rows.filter(route="odd").count(), rows.filter(route="").count(),
    StoredCrawl.objects.get(name="stored").lost,
]))
"""
LOSE = """
from crawler.contrib.django.client import client
there = client()
frontier = there.handle("stored").frontier
stream = frontier.key("results")
entries = there.redis.xrange(stream)
there.redis.xdel(stream, *(place for place, _ in entries[500:]))
# the clock of the new master is behind: pages that are done again have earlier places
there.redis.execute_command("XSETID", stream, entries[499][0])
for place, fields in entries[500:]:
    time, _, number = entries[499][0].decode().partition("-")
    there.redis.xadd(stream, fields, id=f"{time}-{int(number) + int(fields[b'n'])}")
print(there.redis.xlen(stream))
"""
SHORTEN = """
from django.db.models.functions import Substr
from crawler.contrib.django.store.models import StoredResult
rows = StoredResult.objects.filter(crawl__name="stored")
print(rows.update(page=Substr("page", 1, 16)))
"""


def test_results_are_stored_once_also_by_two_and_after_a_restart(project):
    assert project.python(RESULTS) == 600
    both = [
        subprocess.Popen(
            [sys.executable, "manage.py", "crawl_store", "stored", "--json"],
            cwd=project.folder,
            env=project.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert sum(json.loads(one.communicate()[0])["stored"] for one in both) == 600
    store = ("crawl_store", "stored")
    said = project.session(
        *(ROWS, store),
        *(RESULTS, store, ROWS),  # begun anew, with the same pages
        *(SHORTEN, LOSE, store, ROWS),  # as an earlier version wrote them
    )
    assert [one.stdout for one in said if "stored" in one.stdout] == [
        "stored: 0 results stored\n",
        "stored: 600 results stored\n",
        "stored: 600 results stored\n",
    ]
    assert [one.json for one in said if "stored" not in one.stdout] == [
        *([600, 600, 600, 299, 301, 0], 600),
        *([600, 600, 600, 299, 301, 0], 600, 600),
        [600, 600, 600, 299, 301, 0],
    ]


NIGHTS = """
import json
from crawler import Crawl, Page
from crawler.contrib.django.client import client
from crawler.contrib.django.store import sink
from crawler.contrib.django.store.models import StoredResult
from crawler.frontier.answers import Content
from crawler.model import Change, item_digest
there = client()
there.clear("nights")
crawl = Crawl(name="nights", url="http://x.test/", only_changes=True)

def night(prices):
    handle = there.start(crawl, recrawl=True).handle
    handle.frontier.enqueue([Page(f"http://x.test/{name}") for name in prices])
    while claim := handle.frontier.claim("worker").claim:
        item = prices.get(claim.page.url.rpartition("/")[2], "the entry")
        digest = item_digest(item)
        change = Change.between(claim.known, digest)
        record = {"url": claim.page.url, "final_url": claim.page.url, "status": 200, "depth": 0,
            "data": item, "links": 0, "ms": 5, "change": change}
        content = Content(change, digest, left_out=change is Change.SAME)
        handle.frontier.finish(claim, claim.page.url, result=json.dumps(record), content=content)
    stored = sink.store(handle)
    rows = StoredResult.objects.filter(crawl__name="nights").order_by("url")
    return stored, {row.url[14:]: row for row in rows}

first, before = night({"lamp": 1, "rug": 2, "vase": 3})
second, after = night({"lamp": 1, "rug": 20})
third, last = night({"lamp": 1, "rug": 20, "vase": 3})
print(json.dumps({
    "stored": [first, second, third],
    "changes": [{name: row.change for name, row in rows.items()} for rows in (before, after, last)],
    "vanished": [[name for name, row in rows.items() if row.vanished] for rows in (after, last)],
    "first": all(before[name].first_seen == after[name].first_seen for name in before),
    "later": [name for name in before if after[name].last_seen > before[name].last_seen],
}))
"""


def test_rows_know_when_their_pages_were_seen_and_what_changed(project):
    project.session(("migrate", "crawler_store"))
    found = project.python(NIGHTS)
    assert found["stored"] == [4, 1, 1]
    assert found["changes"] == [
        {"": "new", "lamp": "new", "rug": "new", "vase": "new"},
        {"": "same", "lamp": "same", "rug": "changed", "vase": "new"},
        {"": "same", "lamp": "same", "rug": "same", "vase": "new"},
    ]
    assert found["vanished"] == [["vase"], []]
    assert found["first"]
    assert found["later"] == ["", "lamp", "rug"]
