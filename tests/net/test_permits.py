"""What a crawl may request: real robots.txt files from a real server, kept in a real Redis."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crawler.errors import PageError
from crawler.net.guard import Guard
from crawler.net.permits import Permits
from tests.support.loopback import serving


class Site(ThreadingHTTPServer):
    """Answers each robots.txt as told, and counts how often it was asked."""

    status, body, asked = 200, b"", 0
    headers: tuple[tuple[str, str], ...] = ()
    agents: list[str]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.server.asked += 1
        self.server.agents = [*getattr(self.server, "agents", []), self.headers["User-Agent"]]
        self.send_response(self.server.status)
        for name, value in self.server.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(("127.0.0.1", 0), Answer)) as server:
        yield server


def url(site: Site, path: str) -> str:
    return f"http://127.0.0.1:{site.server_port}{path}"


def permits(site: Site, **options: object) -> Permits:
    return Permits(Guard([f"127.0.0.1:{site.server_port}", "127.0.0.1"]), **options)  # type: ignore[arg-type]


def refusal(of: Permits, address: str) -> tuple[str, bool]:
    with pytest.raises(PageError) as error:
        of.check(address)
    return error.value.reason, error.value.retryable


def test_what_robots_txt_forbids_is_refused_for_good_and_the_rest_passes(site, redis):
    site.body = b"User-agent: *\nDisallow: /private/\n"
    rules = permits(site, redis=redis)
    rules.check(url(site, "/open"))
    assert refusal(rules, url(site, "/private/a")) == ("robots", False)


def test_a_site_is_asked_once_for_all_workers(site, redis):
    site.body = b"User-agent: *\nDisallow: /private/\n"
    for _ in range(3):  # each as another process would have it
        worker = permits(site, redis=redis)
        worker.check(url(site, "/a"))
        worker.check(url(site, "/b"))
        assert refusal(worker, url(site, "/private/a")) == ("robots", False)
    assert site.asked == 1


def test_links_are_judged_by_what_is_known_without_asking(site, redis):
    site.body = b"User-agent: *\nDisallow: /private/\n"
    rules = permits(site, redis=redis)
    assert not rules.forbids(url(site, "/private/a"))
    assert site.asked == 0
    rules.check(url(site, "/a"))
    assert rules.forbids(url(site, "/private/a"))
    assert not rules.forbids(url(site, "/b"))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (404, None),
        (403, None),
        (500, ("robots_unavailable", True)),
        (429, ("robots_unavailable", True)),
    ],
)
def test_a_missing_file_allows_all_and_a_failing_server_forbids_all(site, redis, status, outcome):
    site.status = status
    rules = permits(site, redis=redis)
    if outcome is None:
        rules.check(url(site, "/a"))
    else:
        assert refusal(rules, url(site, "/a")) == outcome


def test_the_group_for_the_name_of_the_crawl_counts_and_is_known(site, redis):
    # Given a site that allows a page to one crawler only
    site.body = b"User-agent: *\nDisallow: /\n\nUser-agent: ExampleBot\nAllow: /\n"
    own_name = {"User-Agent": "Example/1"}
    others = permits(site, redis=redis)
    own = permits(site, redis=redis, names=("ExampleBot", "celery-crawler"), headers=own_name)
    # Then it may have it, under its own name, and says which group counted
    assert refusal(others, url(site, "/a")) == ("robots", False)
    own.check(url(site, "/a"))
    assert (others.robots_group(url(site, "/")), own.robots_group(url(site, "/"))) == (
        "*",
        "examplebot",
    )
    assert site.agents == ["celery-crawler", "Example/1"]


@pytest.mark.parametrize(
    ("headers", "body", "outcome"),
    [
        ((), gzip.compress(b"User-agent: *\nDisallow: /", mtime=0), ("robots", False)),
        ((("Content-Encoding", "compress"),), b"\x1f\x9dabc", ("encoding", True)),
        ((), b"\x1f\x8b\x08 no gzip", ("encoding", True)),
        ((), "User-agent: *\nDisallow: /".encode("utf-16"), ("robots", False)),
    ],
)
def test_a_file_that_is_not_understood_never_means_allowed(site, redis, headers, body, outcome):
    site.headers, site.body = headers, body
    assert refusal(permits(site, redis=redis), url(site, "/a")) == outcome


def test_a_site_out_of_reach_has_its_reason_and_is_asked_again(site, redis):
    rules = permits(site, redis=redis)
    address = url(site, "/a")
    site.shutdown()
    site.server_close()
    assert refusal(rules, address) == ("refused", True)
    with Site(site.server_address, Answer) as back:
        threading.Thread(target=back.serve_forever, daemon=True).start()
        rules.check(address)
        back.shutdown()


def test_a_crawl_delay_is_told_to_the_lane(site, redis):
    site.body = b"User-agent: *\nCrawl-delay: 2\n"
    told = []
    permits(site, redis=redis, pace=lambda lane, seconds: told.append((lane, seconds))).check(
        url(site, "/a"), "shop"
    )
    assert told == [("shop", 2.0)]


def test_a_crawl_that_does_not_obey_does_not_ask(site, redis):
    site.body = b"User-agent: *\nDisallow: /\n"
    permits(site, redis=redis, obey=False).check(url(site, "/a"))
    assert site.asked == 0


def test_a_public_crawl_never_asks_a_private_host_for_anything(site, redis):
    public = Permits(Guard(["books.example"], resolve=lambda _: ["93.184.216.34"]), redis=redis)
    for spelling in ("127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"):
        assert refusal(public, f"http://{spelling}:{site.server_port}/") == (
            "private_address",
            False,
        )
    assert site.asked == 0


def test_a_public_name_that_resolves_to_a_private_address_is_refused(site):
    public = Permits(
        Guard(
            ["books.example"],
            resolve=lambda host: ["127.0.0.1" if host == "trap.example" else "93.184.216.34"],
        )
    )
    assert refusal(public, f"http://trap.example:{site.server_port}/") == ("private_address", False)
    assert site.asked == 0


def test_a_name_that_turns_private_is_not_asked_for_robots_txt(site):
    answers = ["93.184.216.34", "127.0.0.1"]
    public = Permits(
        Guard(
            ["books.example"],
            resolve=lambda _: [answers.pop(0) if len(answers) > 1 else answers[0]],
        )
    )
    assert refusal(public, f"http://rebind.example:{site.server_port}/") == (
        "private_address",
        False,
    )
    assert site.asked == 0
