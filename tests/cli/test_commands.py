"""The commands around a crawl, as an operator meets them: real Redis, the real command line, no
browser.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import sqlite3
from contextlib import closing

import pytest
import redis as redis_py

from crawler import Crawl
from crawler.cli.info import redis_cli
from crawler.client.client import Client
from crawler.client.crawl_handle import CrawlHandle
from crawler.config import settings as configuration
from crawler.definition.bounds import entry_pages
from crawler.definition.crawl_plan import plan_of
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.outbox import Outbox
from crawler.frontier.repair import audit_keys
from crawler.local.embedded import Embedded, PrivateRedis
from crawler.model import Outcome, Status
from tests.support.desk import SITE, fail_all, finish, take

HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None


# pause, resume, stop, cancel


def test_a_paused_crawl_hands_out_nothing_until_its_resumption_wakes_workers(desk):
    crawl = desk.begin("/a")
    assert "paused" in desk.run("pause", "shop")
    assert crawl.frontier.claim("w1").outcome is Outcome.PAUSED
    assert desk.wake_ups() == 0
    assert "active" in desk.run("resume", "shop")
    assert desk.wake_ups() == 2
    assert crawl.frontier.claim("w1").outcome is Outcome.PAGE


def test_a_pause_outlives_a_restart_of_everything(tmp_path):
    with PrivateRedis(tmp_path) as server:
        frontier = Frontier(redis_py.Redis.from_url(server.url), "shop")
        crawl = Crawl(name="shop", url=f"{SITE}/")
        frontier.create(plan_of(crawl))
        frontier.enqueue(entry_pages(crawl))
        frontier.pause()
        server.process.kill()
        server.process.wait()
    with PrivateRedis(tmp_path) as server:
        settings = configuration.load(redis_url=server.url, broker_url=server.broker_url)
        sent: list[str] = []
        report = Client(settings, send=lambda _name, ticket, _delay=0.0: sent.append(ticket)).start(
            crawl
        )
        handle = report.handle
        assert (report.outcome, report.reason) == ("running", "it is paused; resume lets it go on")
        assert handle.status is Status.PAUSED
        assert handle.frontier.claim("w1").outcome is Outcome.PAUSED
        assert sent == []
        assert handle.resume() is Status.ACTIVE
        assert len(sent) == 1
        assert handle.frontier.claim("w1").outcome is Outcome.PAGE


def test_a_stopped_crawl_keeps_its_pages_and_goes_on_when_reopened(desk):
    crawl = desk.begin("/a")
    assert "stopped" in desk.run("stop", "shop")
    assert "ended already" in desk.run("stop", "shop")
    assert "--reopen" in desk.run("resume", "shop", status=2)
    assert "2 waiting" in desk.run("resume", "shop", "--reopen")
    assert desk.wake_ups() == 2
    assert crawl.status is Status.ACTIVE


def test_a_cancelled_crawl_tells_its_runs_at_their_next_heartbeat(desk):
    crawl = desk.begin("/a")
    claim = take(crawl.frontier)
    assert "stopping" in desk.run("cancel", "shop")
    assert crawl.frontier.renew(claim) == "CANCEL"


def test_pausing_an_ended_crawl_is_refused_in_one_line(desk):
    crawl = desk.begin()
    finish(crawl.frontier)
    said = desk.run("pause", "shop", status=2)
    assert "FINISHED" in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        "pause",
        "resume",
        "cancel",
        "failed",
        "audit",
        "repair",
        "limits",
        "report",
        "export",
        "info",
        "clear",
    ],
)
def test_a_name_that_nobody_knows_is_a_mistake(desk, command):
    desk.begin()
    said = desk.run(command, "shoe", status=2)
    assert "shoe" in said
    assert "shop" in said  # what there is
    assert len(said.strip().splitlines()) == 1


# limits


def test_a_crawl_goes_on_when_its_reached_page_limit_is_raised(desk):
    crawl = desk.begin("/a", "/b", page_limit=1)
    held = take(crawl.frontier)
    assert crawl.status is Status.DRAINING
    assert "active" in desk.run("limits", "shop", "page_limit=10", "delay=0.5")
    assert desk.wake_ups() == 1
    crawl.frontier.finish(held, "")
    policy = crawl.frontier.plan().policy
    assert (policy.page_limit, policy.delay) == (10, 0.5)
    desk.run("limits", "shop", "page_limit=none")
    assert crawl.frontier.plan().policy.page_limit is None


def test_a_crawl_that_ended_by_its_limit_says_how_to_go_on(desk):
    crawl = desk.begin("/a", page_limit=1)
    finish(crawl.frontier)
    assert crawl.status is Status.FINISHED
    assert "crawler resume shop --reopen" in desk.run("limits", "shop", "page_limit=none")
    desk.run("resume", "shop", "--reopen")
    assert take(crawl.frontier).page.url == f"{SITE}/a"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("page_limits=1", "page_limit"),
        ("page_limit=0", "page_limit"),
        ("delay=soon", "delay"),
        ("delay", "example"),
        ("lease=none", "lease"),
    ],
)
def test_a_limit_that_is_none_is_refused_and_nothing_changes(desk, change, says):
    crawl = desk.begin()
    before = crawl.frontier.plan()
    assert says in desk.run("limits", "shop", change, status=2)
    assert crawl.frontier.plan() == before


def test_limits_are_shown_when_none_is_changed(desk):
    desk.begin(page_limit=7)
    said = desk.run("limits", "shop")
    assert "page_limit         7" in said
    assert "time_limit         none" in said


# failed, retry


def test_dead_letters_are_listed_with_all_that_is_known_of_them(desk):
    crawl = desk.begin("/a")
    fail_all(crawl.frontier, "http_404", "dns")
    said = desk.run("failed", "shop")
    assert "http_404             status 404" in said
    first, second = map(json.loads, desk.run("failed", "shop", "--json").splitlines())
    assert first.pop("at").endswith("+00:00")
    assert len(first.pop("id")) == 16
    assert first == {
        "url": f"{SITE}/",
        "reason": "http_404",
        "class": "terminal",
        "status": 404,
        "attempts": 1,
        "depth": 0,
    }
    assert (second["url"], second["status"]) == (f"{SITE}/a", None)
    assert [
        json.loads(line)["url"]
        for line in desk.run("failed", "shop", "--json", "--reason", "dns").splitlines()
    ] == [f"{SITE}/a"]


def test_failed_pages_of_one_reason_are_sent_back_and_the_workers_woken(desk):
    crawl = desk.begin("/a", "/b")
    fail_all(crawl.frontier, "http_404", "dns", "dns")
    assert crawl.status is Status.FAILED
    said = desk.run("retry", "shop", "--reason", "dns")
    assert "2 pages sent back" in said
    assert "active" in said
    assert desk.wake_ups() == 2
    assert [page.url for page in Listing(crawl.frontier).queued()] == [f"{SITE}/a", f"{SITE}/b"]
    assert [letter.reason for letter in crawl.failed()] == ["http_404"]
    assert audit_keys(crawl.frontier) == []


def test_single_pages_are_sent_back_by_url_or_by_id(desk):
    crawl = desk.begin("/a", "/b")
    fail_all(crawl.frontier, "dns", "dns", "dns")
    last = list(crawl.failed())[-1]
    assert "2 pages" in desk.run("retry", "shop", f"{SITE}/a", last.page.id)
    assert [letter.page.url for letter in crawl.failed()] == [f"{SITE}/"]
    assert "not among the failed" in desk.run("retry", "shop", f"{SITE}/a", status=2)
    assert "1 pages" in desk.run("retry", "shop", "--all")


@pytest.mark.parametrize("words", [(), ("--all", "--reason", "dns"), ("--all", f"{SITE}/a")])
def test_a_retry_must_say_what(desk, words):
    desk.begin()
    assert "--all" in desk.run("retry", "shop", *words, status=2)


def test_results_that_no_hook_took_are_shown_and_sent_again(desk):
    # Given a crawl whose one result its hook did not take
    crawl = desk.begin(after_attempts=1)
    claim = crawl.frontier.claim("worker").claim
    crawl.frontier.finish(claim, claim.page.url, result='{"url": "/"}', deliver=True)
    assert crawl.status is Status.ACTIVE
    ending = Outbox(crawl.frontier).failed(f"after-{claim.page.id}", "OSError: disk full", "worker")
    # Then the crawl has ended, and each report says so
    assert (ending.ended, ending.retry_in) == (True, None)
    assert "1 not delivered" in desk.run("report", "shop")
    assert "after     attempts 1  OSError: disk full" in desk.run("failed", "shop", "--after")
    (line,) = desk.run("failed", "shop", "--after", "--json").splitlines()
    assert json.loads(line)["handed"] == {"url": "/"}
    # When it is sent again, a tick brings it to a worker, and the crawl ends when it is taken
    assert "1 sent" in desk.run("retry", "shop", "--after")
    assert crawl.frontier.tick().tickets == (f"deliver-after-{claim.page.id}",)
    assert crawl.status is Status.STOPPING
    assert "1 on their way to hooks" in desk.run("info", "shop")
    assert Outbox(crawl.frontier).take(f"after-{claim.page.id}", "another").attempts == 1
    assert not crawl.frontier.wake({}, [f"after-{claim.page.id}"], "worker").ended
    assert crawl.frontier.wake({}, [f"after-{claim.page.id}"], "another").ended
    assert crawl.status is Status.FINISHED
    assert "hooks" not in desk.run("report", "shop")


@pytest.mark.parametrize("words", [("failed", "--reason", "dns"), ("retry", "--all")])
def test_after_stands_alone(desk, words):
    desk.begin()
    assert "--after" in desk.run(words[0], "shop", "--after", *words[1:], status=2)


def test_many_failed_pages_are_listed_and_sent_back_in_batches(desk, monkeypatch):
    monkeypatch.setattr("crawler.client.crawl_handle.FAILED_BATCH", 10)
    monkeypatch.setattr("crawler.client.crawl_handle.RETRY_BATCH", 15)
    crawl = desk.begin(*(f"/{n}" for n in range(99)), concurrency_limit=1)
    fail_all(crawl.frontier, *("odd" if n % 2 else "even" for n in range(100)))
    assert len(list(crawl.failed())) == 100
    assert crawl.retry(reason="odd") == 50
    assert {letter.reason for letter in crawl.failed()} == {"even"}
    assert crawl.retry() == 50
    assert audit_keys(crawl.frontier) == []


# enqueue


def test_urls_fed_by_hand_are_queued_or_refused_with_the_reason(desk):
    crawl = desk.begin(deny=["/private/"])
    said = desk.run(
        "enqueue",
        "shop",
        f"{SITE}/a",
        f"{SITE}/",
        "https://other.example/",
        f"{SITE}/private/x",
        "mailto:x",
        "http://10.0.0.1/",
    )
    assert "1 queued, 1 known before, 4 refused" in said
    for reason in (
        "scope 1 (https://other.example/)",
        "deny 1",
        "scheme 1 (mailto:x)",
        "private 1",
    ):
        assert reason in said
    assert desk.wake_ups() == 2
    assert [page.url for page in Listing(crawl.frontier).queued()] == [f"{SITE}/", f"{SITE}/a"]
    assert crawl.snapshot().counts["skipped_deny"] == 1


def test_priority_and_depth_of_what_is_fed_can_be_said(desk):
    crawl = desk.begin("/a", depth_limit=2)
    desk.run("enqueue", "shop", f"{SITE}/low", "--band", "low")
    desk.run("enqueue", "shop", f"{SITE}/high", "--priority", "high", "--depth", "2")
    assert "depth 1" in desk.run("enqueue", "shop", f"{SITE}/deep", "--depth", "3")
    claims = [take(crawl.frontier) for _ in range(4)]
    assert [(claim.page.url.removeprefix(SITE), claim.page.depth) for claim in claims] == [
        ("/high", 2),
        ("/", 0),
        ("/a", 0),
        ("/low", 0),
    ]


def test_urls_come_from_files_and_from_standard_input(desk):
    crawl = desk.begin()
    (desk.folder.path / "more.txt").write_text(f"# more\n{SITE}/a\n\n{SITE}/b  # the second\n")
    assert "2 queued" in desk.run("enqueue", "shop", "--file", "more.txt")
    assert "1 queued, 1 known" in desk.run(
        "enqueue", "shop", "--file", "-", stdin=f"{SITE}/b\n{SITE}/c#top\n"
    )
    assert len(Listing(crawl.frontier).queued()) == 4
    assert "nowhere.txt" in desk.run("enqueue", "shop", "--file", "nowhere.txt", status=2)
    assert "--file" in desk.run("enqueue", "shop", status=2)


def test_an_ended_crawl_takes_urls_only_with_reopen(desk):
    crawl = desk.begin()
    finish(crawl.frontier)
    assert "--reopen" in desk.run("enqueue", "shop", f"{SITE}/a", status=2)
    assert "1 queued" in desk.run("enqueue", "shop", f"{SITE}/a", "--reopen")
    assert crawl.status is Status.ACTIVE
    assert take(crawl.frontier).page.url == f"{SITE}/a"


def test_a_crawl_with_code_is_fed_by_who_has_the_code(desk):
    (desk.folder.path / "shop.py").write_text(
        f"from crawler import Crawl\nshop = Crawl(name='shop', url='{SITE}/')\n@shop.extract\ndef"
        " data(page): return page.title\n"
    )
    with_code = Crawl(name="shop", url=f"{SITE}/")
    with_code.extract(lambda page: page.title)
    desk.client.start(with_code)
    assert "--crawl" in desk.run("enqueue", "shop", f"{SITE}/a", status=2)
    assert "1 queued" in desk.run("enqueue", "shop", f"{SITE}/a", "--crawl", "shop.py")
    desk.folder.environ["CRAWLER_CRAWLS"] = "shop.py"
    assert "1 queued" in desk.run("enqueue", "shop", f"{SITE}/b")


# audit, repair, tick


def test_damage_is_found_and_mended(desk):
    crawl = desk.begin("/a")
    take(crawl.frontier)
    assert "all is well" in desk.run("audit", "shop")
    crawl.frontier.redis.hset(crawl.frontier.key("counts"), "queued", 77)
    crawl.frontier.redis.delete(crawl.frontier.key("leases"))
    said = desk.run("audit", "shop", status=1)
    assert "crawler repair shop" in said
    assert len(json.loads(desk.run("audit", "shop", "--json", status=1).partition("\n")[0])) >= 2
    assert "mended:" in desk.run("repair", "shop")
    assert "all is well" in desk.run("audit", "shop")


def test_a_tick_from_outside_wakes_the_workers_of_every_crawl(desk):
    desk.begin("/a")
    assert "shop: 2 runs started" in desk.run("tick")
    assert desk.wake_ups() == 2
    assert json.loads(desk.run("tick", "--json"))["shop"]["reaped"] == 0
    del desk.folder.environ["CRAWLER_REDIS_URL"]
    assert "CRAWLER_REDIS_URL" in desk.run("tick", status=2)


# looking


def test_info_says_where_a_crawl_stands_and_how_to_look_for_oneself(desk):
    crawl = desk.begin("/a", "/b")
    take(crawl.frontier)
    crawl.frontier.hold(60)
    said = desk.run("info", "shop")
    assert "2 queued, 0 delayed, 1 processing" in said
    assert "seconds on hold" in said
    command = next(line for line in said.splitlines() if "redis-cli" in line).partition(
        "redis-cli"
    )[2]
    assert "HGETALL 'crawl:{shop}:meta'" in command
    facts = json.loads(desk.run("info", "--json"))
    assert facts[0]["now"]["processing"] == 1


def test_a_password_never_shows_in_the_command_that_info_prints():
    for url, command in (
        ("redis://:secret@cache:6379/2", "redis-cli -u 'redis://:***@cache:6379/2'"),
        ("rediss://me:secret@cache/?ssl_ca_certs=ca.pem", "redis-cli -u 'rediss://me:***@cache/'"),
        ("redis+cluster://:secret@one:7000,two:7001", "redis-cli -c -u 'redis://:***@one:7000'"),
        ("unix:///run/redis.sock?db=3&password=secret", "redis-cli -s /run/redis.sock -n 3"),
    ):
        assert redis_cli(url, redis_py.Redis()) == command


def test_the_lists_of_a_crawl_can_be_looked_at(desk):
    crawl = desk.begin("/a", "/b", "/c")
    fail_all(crawl.frontier, "dns")
    take(crawl.frontier)
    assert f"{SITE}/b" in desk.run("info", "shop", "--lists", "queued")
    assert f"w1  1  0  {SITE}/a" in desk.run("info", "shop", "--lists", "processing")
    assert (
        json.loads(desk.run("info", "shop", "--lists", "failed", "--json"))["failed"][0]["reason"]
        == "dns"
    )
    assert (
        len(
            json.loads(desk.run("info", "shop", "--lists", "queued", "--count", "1", "--json"))[
                "queued"
            ]
        )
        == 1
    )
    assert desk.run("info", "shop", "--lists", "delayed")


def test_the_report_is_there_for_people_and_for_programs(desk):
    crawl = desk.begin("/a")
    finish(crawl.frontier, {"title": "A"})
    fail_all(crawl.frontier, "dns")
    assert "1 done, 1 failed" in desk.run("report", "shop")
    assert json.loads(desk.run("report", "shop", "--json"))["failures"] == {"dns": 1}


# export


@pytest.fixture
def full(desk) -> CrawlHandle:
    """A crawl with results of every kind."""
    crawl = desk.begin("/a", "/b", "/c", concurrency_limit=1)
    finish(crawl.frontier, {"title": "Entry, with “quotes”", "price": 1})
    finish(crawl.frontier, [{"title": "A1", "tags": ["x", "y"]}, {"title": "A2", "price": 2.5}])
    finish(crawl.frontier, None)
    finish(crawl.frontier, "text")
    return crawl


def test_results_leave_as_json_lines(desk, full):
    records = [json.loads(line) for line in desk.run("export", "shop", "--pages").splitlines()]
    assert [record["url"].removeprefix(SITE) for record in records] == ["/", "/a", "/b", "/c"]
    desk.run("export", "shop", "--pages", "-o", "pages.jsonl")
    assert desk.folder.lines("pages.jsonl") == records == [record for _, record in full.results()]
    desk.run("export", "shop", "-o", "out.jsonl")
    items = [json.loads(line) for line in desk.run("export", "shop").splitlines()]
    assert desk.folder.lines("out.jsonl") == items
    assert [item["url"].removeprefix(SITE) for item in items] == ["/", "/a", "/a", "/c"]
    assert items[2:] == [
        {"url": f"{SITE}/a", "title": "A2", "price": 2.5},
        {"url": f"{SITE}/c", "data": "text"},
    ]


@pytest.mark.usefixtures("full")
def test_results_leave_as_a_table_with_a_row_for_each_item(desk):
    desk.run("export", "shop", "-o", "out.csv")
    with (desk.folder.path / "out.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["title"] for row in table] == ["Entry, with “quotes”", "A1", "A2", ""]
    assert [row["price"] for row in table] == ["1", "", "2.5", ""]
    assert table[1]["tags"] == '["x", "y"]'
    assert table[3]["data"] == "text"
    assert table[1]["url"] == table[2]["url"] == f"{SITE}/a"
    assert (
        desk.run("export", "shop", "--format", "csv").splitlines()[0] == "url,title,price,tags,data"
    )


def test_texts_that_a_spreadsheet_would_run_are_made_harmless(desk):
    crawl = desk.begin("/a", concurrency_limit=1)
    evil = ['=HYPERLINK("x")', "+1+cmd", "@SUM(1)", "-2+3", "\t=1", "\r=1", "  =1", "\uff1d1"]
    evil += ["\ufe661", "\uff0b1", '"=1"', "'=1", "\ufeff=1", "\u200b@x", "\x00=1", "-1 -2", "+"]
    mild = ["-3.5", "+1e5", "a=b", "", "'quoted", "-1,234.50", "-5 %", "+49 170 1234", "-\u20ac5"]
    items = [{"title": text, "number": -3.5, "=1+1": "x"} for text in evil + mild]
    finish(crawl.frontier, items)
    for more, titles, column in (
        ((), [f"'{text}" for text in evil] + mild, "'=1+1"),
        (("--raw",), evil + mild, "=1+1"),
    ):
        desk.run("export", "shop", "-o", "out.csv", *more)
        with (desk.folder.path / "out.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        assert [row["title"] for row in table] == titles
        assert {row["number"] for row in table} == {"-3.5"}
        assert {row[column] for row in table} == {"x"}


def test_results_leave_as_a_database_with_a_row_for_each_item(desk):
    crawl = desk.begin("/a", "/b", concurrency_limit=1)
    finish(crawl.frontier, [{"title": "A1", "tags": ["x"]}, {"title": "A2", "price": 2.5}])
    finish(crawl.frontier, {"title": None, "Title": "big", 'a "b"': 1, "huge": 2**70, "sold": True})
    finish(crawl.frontier, None)
    desk.run("export", "shop", "-o", "out.db")
    with closing(sqlite3.connect(desk.folder.path / "out.db")) as database:
        database.row_factory = sqlite3.Row
        table = [dict(row) for row in database.execute("SELECT * FROM items")]
    assert [row["title"] for row in table] == ["A1", "A2", None]
    assert [row["price"] for row in table] == [None, 2.5, None]
    assert table[0]["tags"] == '["x"]'
    assert [table[2][name] for name in ("Title_2", 'a "b"', "huge", "sold")] == [
        "big",
        1,
        str(2**70),
        1,
    ]
    assert "sqlite needs a file" in desk.run("export", "shop", "--format", "sqlite", status=2)


@pytest.mark.skipif(not HAS_PYARROW, reason="pyarrow is not installed")
@pytest.mark.usefixtures("full")
def test_results_leave_as_parquet_with_types(desk):
    from pyarrow import parquet

    desk.run("export", "shop", "-o", "out.parquet")
    table = parquet.read_table(desk.folder.path / "out.parquet")
    assert table.column("price").to_pylist() == [1.0, None, 2.5, None]
    desk.run("export", "shop", "--pages", "-o", "pages.parquet")
    pages = parquet.read_table(desk.folder.path / "pages.parquet")
    assert pages.column("status").to_pylist() == [200] * 4
    assert pages.column("items").to_pylist() == [1, 2, 0, 1]
    assert table.column("tags").to_pylist()[1] == '["x", "y"]'


@pytest.mark.skipif(HAS_PYARROW, reason="pyarrow is installed")
@pytest.mark.usefixtures("full")
def test_parquet_without_pyarrow_is_one_clear_line(desk):
    said = desk.run("export", "shop", "-o", "out.parquet", status=2)
    assert "celery-crawler[parquet]" in said
    assert len(said.strip().splitlines()) == 1
    assert not (desk.folder.path / "out.parquet").exists()


@pytest.mark.usefixtures("full")
def test_an_unwritable_file_or_one_without_format_is_a_mistake(desk):
    assert "nowhere" in desk.run("export", "shop", "-o", "nowhere/out.jsonl", status=2)
    assert "--format" in desk.run("export", "shop", "-o", "out.xls", status=2)


def test_results_that_redis_no_longer_has_are_told(desk, full):
    full.frontier.redis.xtrim(full.frontier.key("results"), maxlen=1, approximate=False)
    done = desk.folder.run("export", "shop")
    assert len(done.stdout.splitlines()) == 1
    assert "3 older results" in done.stderr


# without a configured Redis


def test_commands_work_on_a_private_crawl_and_say_who_goes_on(folder):
    with Embedded(configuration.load(state_dir=folder.path / "state")) as embedded:
        start = Client(embedded.settings, attended=False).start
        report = start(Crawl(name="shop", url=f"{SITE}/"), alone=True)
        fail_all(report.handle.frontier, "dns")
    assert "dns" in folder.run("failed", "shop").stdout
    retried = folder.run("retry", "shop", "--all")
    assert "1 pages sent back" in retried.stdout
    assert "crawler start" in retried.stdout
    assert "paused" in folder.run("pause", "shop").stdout
    assert json.loads(folder.run("info", "shop", "--json").stdout)["status"] == "PAUSED"
    assert "crawler start" in folder.run("resume", "shop").stdout
    assert folder.left_over() == []
