"""What a crawl starts with besides its entry pages, and what it is fed later: files, sitemaps,
single URLs; in which order.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import subprocess
import sys

import pytest
import redis as redis_py

from crawler import Crawl
from crawler.client import enqueue
from crawler.client.client import Client
from crawler.client.seeds import SeedLoader
from crawler.config import settings as configuration
from crawler.definition.bounds import entry_pages
from crawler.definition.choosing import choose
from crawler.definition.crawl_plan import plan_of
from crawler.definition.field_types import AUTO
from crawler.errors import DefinitionError, FrontierRefused, SetupError, UnknownCrawl
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.model import Link, Priority, Status
from crawler.output.report import lines
from crawler.urls.sitemap_xml import Entry
from tests.site.proxies import ProxyServer
from tests.support.folder import until

pytest_plugins = ["tests.site.fixture"]

SITE = "https://shop.example"


@pytest.fixture
def sent() -> list[str]:
    """The wake-ups that were sent."""
    return []


@pytest.fixture
def library(redis, redis_server, sent) -> Client:
    redis.ping()
    settings = configuration.load(redis_url=redis_server.url, broker_url=redis_server.broker_url)
    return Client(settings, send=lambda _name, ticket, _delay=0.0: sent.append(ticket))


@pytest.fixture
def seeds(tmp_path):
    """Writes a file of seeds."""

    def write(*lines: str, name: str = "seeds.txt"):
        path = tmp_path / name
        text = "\n".join(lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return write


def shop(**fields) -> Crawl:
    return Crawl(**{"name": "shop", "url": f"{SITE}/", "breaker_failures": 0, **fields})


def queued(frontier: Frontier) -> list[str]:
    return [page.url.removeprefix(SITE) for page in Listing(frontier).queued(0, 1_000)]


def take(frontier: Frontier) -> str:
    turn = frontier.claim("w1")
    assert turn.claim is not None, turn
    frontier.finish(turn.claim, turn.claim.page.url)
    return turn.claim.page.url.removeprefix(SITE)


# A file


def test_a_file_of_seeds_is_read_line_by_line_without_its_comments(library, seeds):
    file = seeds(
        "\ufeff# our products",
        f"{SITE}/a",
        "",
        f"  {SITE}/b#top  # a comment",
        "\t",
        f"{SITE}/a?utm_source=x",
        "#end",
    )
    report = library.start(shop(seeds=file))
    handle, new = report.handle, report.new
    assert new
    assert queued(handle.frontier) == ["/", "/a", "/b"]
    assert {page.depth for page in Listing(handle.frontier).queued()} == {0}


def test_a_compressed_file_of_seeds_is_unpacked(library, seeds):
    handle = library.start(shop(seeds=seeds(f"{SITE}/a", name="seeds.txt.gz"))).handle
    assert queued(handle.frontier) == ["/", "/a"]


def test_seeds_out_of_scope_are_refused_and_told(library, seeds, caplog):
    file = seeds(
        f"{SITE}/a",
        "https://other.example/",
        "x" * 40_000,
        "no url",
        f"{SITE}/photo.jpg",
        "http://127.0.0.1/",
    )
    with caplog.at_level(logging.WARNING, "crawler.client"):
        handle = library.start(shop(seeds=file)).handle
    assert queued(handle.frontier) == ["/", "/a"]
    for reason in ("scope 1 (https://other.example/)", "extension 1", "private 1", "scheme"):
        assert reason in caplog.text
    assert handle.snapshot().counts["skipped_scope"] == 1
    # and the end report names them, too
    text = "\n".join(lines(handle.snapshot()))
    assert "scope 1" in text
    assert "scope: https://other.example/" in text


def test_seeds_of_a_toml_file_lie_beside_it_wherever_it_is_started(library, seeds, tmp_path):
    from crawler.definition.loading import load

    seeds(f"{SITE}/a")
    (tmp_path / "shop.toml").write_text(f'url = "{SITE}/"\nseeds = "seeds.txt"\n')
    handle = library.start(load(str(tmp_path / "shop.toml"))).handle
    assert queued(handle.frontier) == ["/", "/a"]


def test_a_file_that_is_missing_is_told_before_anything_is_written(library, tmp_path):
    with pytest.raises(SetupError, match=r"nothing\.txt"):
        library.start(shop(seeds=tmp_path / "nothing.txt"))
    assert Frontier.names(library.redis) == []


def test_seeds_and_sitemaps_are_checked_with_the_rest_of_a_definition():
    with pytest.raises(DefinitionError) as caught:
        shop(seeds=7, sitemaps=["sitemap.xml"]).validate()
    assert {fault.field for fault in caught.value.faults} == {"seeds", "sitemaps[0]"}


def test_a_crawl_whose_seeds_are_in_does_not_read_them_again(library, seeds):
    file = seeds(f"{SITE}/a")
    crawl = shop(seeds=file)
    library.start(crawl)
    file.unlink()
    report = library.start(crawl)
    handle, new = report.handle, report.new
    assert not new
    assert queued(handle.frontier) == ["/", "/a"]
    with pytest.raises(SetupError):
        library.start(crawl, if_exists="reset")
    file.write_text(f"{SITE}/b\n")
    report = library.start(crawl, if_exists="reset")
    handle, new = report.handle, report.new
    assert new
    assert queued(handle.frontier) == ["/", "/b"]


def test_a_changed_definition_brings_its_own_seeds(library, seeds):
    library.start(shop(seeds=seeds(f"{SITE}/a")))
    handle = library.start(
        shop(seeds=seeds(f"{SITE}/a", f"{SITE}/b", name="more.txt")), if_exists="update"
    ).handle
    assert queued(handle.frontier) == ["/", "/a", "/b"]


def test_runs_begin_while_seeds_are_loaded_and_the_crawl_goes_on(library, seeds, sent):
    file = seeds(*(f"{SITE}/{n}" for n in range(1_000)))
    crawl = shop(seeds=file, concurrency_limit=1)
    seen = []

    def send(_name: str, ticket: str, _delay: float = 0.0) -> None:
        sent.append(ticket)
        frontier = library.frontier("shop")
        if not seen:  # the entry page is done before the first seed is queued
            seen.append((frontier.snapshot().accepted, take(frontier), frontier.snapshot().status))

    library.send = send
    handle = library.start(crawl).handle
    assert seen == [(1, "/", Status.ACTIVE)]
    assert handle.snapshot().accepted == 1_001


LOADER = """
import json, sys
from crawler import Crawl
from crawler.client import Client
from crawler.config import settings
fields, where = json.loads(sys.argv[1]), json.loads(sys.argv[2])
Client(settings.load(**where), send=lambda *a: None).start(Crawl(**fields))
"""


def test_a_start_repeats_a_killed_loader_with_nothing_missing_or_doubled(
    library, redis_server, seeds
):
    # Given a loader that is killed in the middle of a long file
    file = seeds(*(f"{SITE}/{n}" for n in range(30_000)))
    fields = {"name": "shop", "url": f"{SITE}/", "seeds": str(file)}
    where = {"redis_url": redis_server.url, "broker_url": redis_server.broker_url}
    frontier = library.frontier("shop")
    with subprocess.Popen(
        [sys.executable, "-c", LOADER, json.dumps(fields), json.dumps(where)]
    ) as loader:
        until(lambda: frontier.digest() and frontier.snapshot().accepted > 1_000, loader)
        os.kill(loader.pid, signal.SIGKILL)
    partly = frontier.snapshot().accepted
    assert 1_000 < partly < 30_001
    # When the crawl is started again
    report = library.start(Crawl(**fields))
    handle, new = report.handle, report.new
    # Then it goes on
    assert not new
    assert handle.snapshot().accepted == 30_001
    assert audit_keys(frontier) == []


def test_a_loader_that_a_reset_overtakes_marks_nothing_of_the_new_crawl(library, seeds):
    # Given a loader that has queued its last seed, and not noted it yet
    crawl = shop(seeds=seeds(f"{SITE}/a", f"{SITE}/b"))
    frontier = library.frontier("shop")
    frontier.create(plan_of(crawl))
    loader = SeedLoader(crawl, frontier)
    # When another process begins the crawl again, or forgets it
    with pytest.raises(FrontierRefused, match="another crawl has this name"), loader.loading():
        frontier.create(plan_of(crawl), reset=True)
    # Then the seeds of the new one are still to be queued
    assert not loader.is_complete()
    with pytest.raises(FrontierRefused, match="no crawl of this name"), loader.loading():
        frontier.clear()
    assert library.redis.keys("*{shop}*") == []
    assert library.start(crawl).outcome == "started"
    assert queued(frontier) == ["/", "/a", "/b"]
    assert loader.is_complete()


def test_a_crawl_that_ended_without_its_loader_goes_on(library, seeds):
    # Given a crawl whose loader died after the entry page, which was then done
    crawl = shop(seeds=seeds(f"{SITE}/a"))
    frontier = library.frontier("shop")
    frontier.create(plan_of(crawl))
    frontier.enqueue(entry_pages(crawl))
    take(frontier)
    assert frontier.snapshot().status is Status.FINISHED
    # When it is started again
    report = library.start(crawl)
    handle, new = report.handle, report.new
    # Then it goes on; and once that is done, it has ended
    assert not new
    assert handle.status is Status.ACTIVE
    assert take(frontier) == "/a"
    assert library.start(crawl).outcome == "refused"


def test_a_crawl_that_was_stopped_while_its_seeds_were_loaded_stays_stopped(library, seeds):
    crawl = shop(seeds=seeds(f"{SITE}/a"))
    frontier = library.frontier("shop")
    frontier.create(plan_of(crawl))
    frontier.enqueue(entry_pages(crawl))
    frontier.stop()
    assert library.start(crawl).outcome == "refused"


def test_entry_pages_that_were_never_queued_are_queued_by_the_next_start(library):
    library.frontier("shop").create(plan_of(shop()))  # and killed here
    handle = library.start(shop()).handle
    assert queued(handle.frontier) == ["/"]


def test_memory_does_not_grow_with_the_file(redis_server, redis, seeds):
    redis.ping()
    measure = LOADER + "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    where = json.dumps({"redis_url": redis_server.url, "broker_url": redis_server.broker_url})
    peaks = []
    for size in (1_000, 30_000):
        file = seeds(
            *(f"{SITE}/a-rather-long-path-of-a-product/{n}" for n in range(size)),
            name=f"{size}.txt",
        )
        fields = json.dumps({"name": f"shop-{size}", "url": f"{SITE}/", "seeds": str(file)})
        peaks.append(int(subprocess.check_output([sys.executable, "-c", measure, fields, where])))
    assert peaks[1] - peaks[0] < 15_000, peaks  # kilobytes; what caches of links may take


# Sitemaps


@pytest.mark.parametrize("where", ["/sitemap.xml", AUTO])
def test_the_pages_of_sitemaps_are_seeds(library, site, caplog, where):
    crawl = Crawl(
        name="site", url=site.url("/ok"), sitemaps=where if where == AUTO else [site.url(where)]
    )
    with caplog.at_level(logging.WARNING, "crawler.client"):
        handle = library.start(crawl).handle
    found = [page.url for page in Listing(handle.frontier).queued()]
    assert found[0] == site.url("/ok")
    assert sorted(found[1:]) == [site.url("/listed/a"), site.url("/listed/b")]
    assert "sitemap-missing.xml: status 404" in caplog.text
    unread = handle.snapshot().examples["skipped_sitemap"]
    assert unread == site.url("/sitemap-missing.xml")
    assert "extension 1" in caplog.text


def test_a_recrawl_visits_what_sitemaps_say_is_modified_since(library, site, caplog):
    crawl = Crawl(
        name="site",
        url=site.url("/ok"),
        sitemaps=[site.url("/sitemap-dated.xml")],
        sitemaps_since="last",
    )
    frontier = library.start(crawl).handle.frontier
    first = {take(frontier) for _ in range(3)}
    assert site.url("/dated/2010") in first  # there was no crawl before

    with caplog.at_level(logging.WARNING, "crawler.client"):
        handle = library.start(crawl, recrawl=True).handle
    assert {take(frontier) for _ in range(2)} == first - {site.url("/dated/2010")}
    snapshot = handle.snapshot()
    assert snapshot.counts["skipped_lastmod"] == 1
    assert caplog.text == ""
    # it was not looked for: it has not vanished, and is known to the next crawl
    assert (list(handle.vanished()), snapshot.vanished) == ([], 0)
    library.start(crawl.replace(sitemaps_since="2001-02-03"), recrawl=True)
    assert frontier.snapshot().known == 3
    assert {take(frontier) for _ in range(3)} == first
    with pytest.raises(DefinitionError, match="neither a date, like 2026-11-30, nor last"):
        crawl.replace(sitemaps_since="yesterday").validate()


@pytest.mark.parametrize("where", ["/sitemap.xml", AUTO])
def test_sitemaps_of_a_crawl_with_a_proxy_come_through_it(library, site, monkeypatch, where):
    home = site.url("/ok").replace("127.0.0.1", "only.proxy.knows")
    with ProxyServer("socks5", "me", "canary", {"only.proxy.knows": "127.0.0.1"}) as proxy:
        monkeypatch.setenv("CRAWLER_SECRET_PROXY", proxy.url())
        crawl = Crawl(
            name="site",
            url=home,
            sitemaps=where if where == AUTO else [home.replace("/ok", where)],
            proxy="$CRAWLER_SECRET_PROXY",
            private_hosts=["only.proxy.knows", "127.0.0.1"],
            scope="all",
        )
        handle = library.start(crawl).handle
    assert len(urls_queued(handle)) == 3
    assert len(proxy.asked) > 1


def test_nothing_is_fetched_beside_a_proxy_that_is_not_known_here(library, site, caplog):
    crawl = Crawl(
        name="site",
        url=site.url("/ok"),
        sitemaps=[site.url("/sitemap.xml")],
        proxy="$CRAWLER_SECRET_ELSEWHERE",
    )
    with caplog.at_level(logging.WARNING, "crawler.client"):
        handle = library.start(crawl).handle
    assert len(urls_queued(handle)) == 1
    assert "proxy (" in caplog.text
    assert "CRAWLER_SECRET_ELSEWHERE" in caplog.text


def urls_queued(handle) -> list[str]:
    return [page.url for page in Listing(handle.frontier).queued()]


def test_an_unclear_entry_of_a_sitemap_is_counted_and_shown(library):
    # Given a crawl that goes on
    handle = library.start(shop()).handle
    # When it is fed entries of which one has no certain meaning
    fed = handle.enqueue([Entry(f"{SITE}/a"), Entry(f"{SITE}/?b&what;", unclear=True)])
    # Then that one is not queued, and the report names it
    assert fed.new == 1
    assert f"1 refused: malformed 1 ({SITE}/?b&what;)" in str(fed)


def test_a_robots_txt_without_sitemaps_is_told(library, tls_site, site, caplog, monkeypatch):
    monkeypatch.setattr(
        "crawler.client.seed_sources.robots.SIZE_MAX", 10
    )  # so that nothing of it is read
    with caplog.at_level(logging.WARNING, "crawler.client"):
        library.start(Crawl(name="site", url=site.url("/ok"), sitemaps=AUTO))
        library.start(Crawl(name="tls", url=tls_site.url("/ok"), sitemaps=AUTO))
    assert "(200) names no sitemap" in caplog.text
    assert "tls" in caplog.text


def test_a_public_crawl_is_not_led_to_a_private_sitemap(library, site, caplog):
    site.hits.clear()
    with caplog.at_level(logging.WARNING, "crawler.client"):
        library.start(shop(sitemaps=[site.url("/sitemap.xml")]))
    assert "private" in caplog.text
    assert site.hits["/sitemap.xml"] == 0


# By hand


def test_a_crawl_is_fed_from_python_and_its_workers_are_woken(library, sent):
    handle = library.start(shop()).handle
    handle.frontier.recover()
    sent.clear()
    fed = handle.enqueue([f"{SITE}/a", f"{SITE}/", "https://other.example/x"])
    assert (fed.new, fed.known, fed.refused) == (1, 1, {"scope": 1})
    assert fed.examples == {"scope": "https://other.example/x"}
    assert len(sent) == 2
    assert library.enqueue("shop", f"{SITE}/b").new == 1


def test_a_hook_feeds_another_crawl_by_its_name(library):
    library.start(shop())
    settings = library.settings
    fed = enqueue("shop", [f"{SITE}/a"], priority=Priority.HIGH, settings=settings)
    assert fed.new == 1
    assert Listing(library.frontier("shop")).queued()[0].priority is Priority.HIGH


def test_a_crawl_that_is_unknown_or_over_is_not_fed(library):
    with pytest.raises(UnknownCrawl):
        library.enqueue("shop", f"{SITE}/a")
    with pytest.raises(FrontierRefused):
        library.enqueue(shop(), f"{SITE}/a")
    handle = library.start(shop()).handle
    take(handle.frontier)
    with pytest.raises(FrontierRefused):
        handle.enqueue(f"{SITE}/a")
    assert handle.status is Status.FINISHED
    handle.enqueue(f"{SITE}/a", reopen=True)
    assert take(handle.frontier) == "/a"
    assert handle.status is Status.FINISHED


def test_a_crawl_reopened_for_urls_that_it_knows_ends_again(library):
    handle = library.start(shop()).handle
    take(handle.frontier)
    assert handle.enqueue(f"{SITE}/", reopen=True).known == 1
    assert handle.status is Status.FINISHED


def test_a_function_as_scope_is_asked_about_what_is_fed(library):
    crawl = shop(scope=lambda url: "/en/" in url)
    handle = library.start(crawl).handle
    assert handle.enqueue([f"{SITE}/en/a", f"{SITE}/de/a"]).refused == {"scope": 1}


# Priorities


def test_urls_of_high_priority_come_first_and_of_low_priority_last(library):
    handle = library.start(shop()).handle
    handle.enqueue([f"{SITE}/low-1", f"{SITE}/low-2"], priority=Priority.LOW)
    handle.enqueue(f"{SITE}/normal")
    handle.enqueue(f"{SITE}/high", priority=Priority.HIGH)
    assert [take(handle.frontier) for _ in range(5)] == [
        "/high",
        "/",
        "/normal",
        "/low-1",
        "/low-2",
    ]


@pytest.mark.parametrize("whole", [False, True])
def test_a_filter_that_answers_with_a_priority_changes_the_order(library, whole):
    crawl = shop()

    def priority(link: Link) -> Priority:
        return (
            Priority.LOW
            if "/old/" in link.url
            else Priority.HIGH
            if "/sale/" in link.url
            else Priority.NORMAL
        )

    if whole:
        crawl.filter(lambda links: [(link, priority(link)) for link in links])
    else:
        crawl.filter(lambda link: priority(link))
    handle = library.start(crawl).handle
    entry = handle.frontier.claim("w1").claim
    links = [
        Link(f"{SITE}{path}")
        for path in ("/old/1", "/new/1", "/sale/1", "/old/2", "/sale/2", "/new/2")
    ]
    handle.frontier.enqueue(choose(crawl, entry.page, links).pages, parent=entry)
    handle.frontier.finish(entry, "")
    assert [take(handle.frontier) for _ in links] == [
        "/sale/1",
        "/sale/2",
        "/new/1",
        "/new/2",
        "/old/1",
        "/old/2",
    ]


def test_seeds_do_not_outlive_a_crawl_that_is_cleared(library, seeds, redis):
    library.start(shop(seeds=seeds(f"{SITE}/a")))
    library.clear("shop")
    assert redis.keys() == []


def test_redis_gets_the_urls_in_batches(library, seeds):
    """A million seeds are five thousand scripts: each of them short."""
    file = seeds(*(f"{SITE}/{n}" for n in range(1_000)))
    client: redis_py.Redis = library.redis
    client.config_resetstat()
    library.start(shop(seeds=file))
    calls = client.info("commandstats")
    scripts = sum(
        calls.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval")
    )
    assert scripts < 30
