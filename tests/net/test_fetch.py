"""The plain GET for robots.txt and sitemaps, against a rude site."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crawler.net.fetch import FetchError, fetch
from crawler.net.guard import PrivateAddress
from tests.support.loopback import serving
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]


def test_an_answer_has_its_status_its_headers_and_its_body(site):
    answer = fetch(site.url("/ok"))
    assert (answer.status, answer.url, answer.whole) == (200, site.url("/ok"), True)
    assert answer.headers["content-type"].startswith("text/html")
    assert b"<title>" in answer.body


def test_a_status_that_is_no_success_is_an_answer_too(site):
    assert fetch(site.url("/no-such-page")).status == 404


def test_what_is_compressed_on_the_way_arrives_unpacked(site):
    said = json.loads(fetch(site.url("/echo"), headers={"X-Mine": "yes"}).body)
    assert said["x-mine"] == "yes"
    assert said["user-agent"].startswith("celery-crawler/")


def test_a_query_and_odd_characters_arrive_as_they_are(site):
    fetch(site.url("/ok?q=a%20b&ü=1 2"))
    assert site.hits["/ok?q=a%20b&%C3%BC=1%202"] == 1


def test_redirects_are_followed_and_the_address_says_where_they_led(site):
    assert fetch(site.url("/to?url=" + site.url("/ok"))).url == site.url("/ok")


def test_a_loop_of_redirects_ends(site):
    with pytest.raises(FetchError, match="redirect_loop"):
        fetch(site.url("/loop"))


def test_secrets_of_the_caller_stay_with_the_origin_they_are_for(site):
    secrets = {"Authorization": "Bearer 1", "Cookie": "a=1", "X-Mine": "yes"}
    same = json.loads(fetch(site.url("/to?url=/echo"), headers=secrets).body)
    assert {"authorization", "cookie", "x-mine"} <= set(same)
    other = json.loads(
        fetch(site.url("/to?url=" + site.url("/echo", "localhost")), headers=secrets).body
    )
    assert {"authorization", "cookie"}.isdisjoint(other)
    assert "x-mine" in other


def test_a_password_in_a_url_is_not_sent(site):
    said = json.loads(fetch(site.url("/echo").replace("//", "//me:secret@")).body)
    assert "authorization" not in said
    assert "secret" not in json.dumps(said)


def test_each_host_on_the_way_is_checked_before_it_is_asked(site):
    site.hits.clear()
    asked = []

    def addresses(host: str) -> list[str]:
        asked.append(host)
        if host == "localhost":
            raise PrivateAddress(host)
        return [host]

    with pytest.raises(FetchError, match="private"):
        fetch(site.url("/to?url=" + site.url("/ok", "localhost")), addresses=addresses)
    assert asked == ["127.0.0.1", "localhost"]
    assert site.hits["/ok"] == 0


def test_a_body_is_read_up_to_its_limit_and_says_so(site):
    answer = fetch(site.url("/ok"), max_bytes=10)
    assert (len(answer.body), answer.whole) == (10, False)


def test_a_compressed_bomb_is_not_unpacked(site):
    began = time.monotonic()
    answer = fetch(site.url("/bomb"), max_bytes=100_000)
    assert (len(answer.body), answer.whole) == (100_000, False)
    assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("path", ["/silence", "/slow-body", "/drip"])
def test_a_server_that_never_finishes_is_given_up_in_time(site, path):
    began = time.monotonic()
    with pytest.raises(FetchError, match="timeout"):
        fetch(site.url(path), timeout=0.5)
    assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/", "refused"),
        ("http://no-such-host.invalid/", "dns"),
        ("ftp://127.0.0.1/", "scheme"),
        ("http:///", "malformed"),
    ],
)
def test_what_cannot_be_reached_is_one_word(url, reason):
    with pytest.raises(FetchError) as caught:
        fetch(url)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/no-answer", "reset"), ("/garbage", "protocol"), ("/truncated?kb=1", "protocol")],
)
def test_an_answer_that_is_none_is_one_word(site, path, reason):
    with pytest.raises(FetchError) as caught:
        fetch(site.url(path))
    assert caught.value.reason == reason


def test_a_certificate_that_nobody_trusts_is_refused(tls_site):
    with pytest.raises(FetchError, match="tls"):
        fetch(tls_site.url("/ok"))


class Detours(BaseHTTPRequestHandler):
    """Sends visitors without its cookie in a circle, and the others to a path with an umlaut."""

    def do_GET(self) -> None:
        if "seen=1" not in self.headers.get("Cookie", ""):
            self.answer(302, ("Location", "/"), ("Set-Cookie", "seen=1; Path=/"))
        elif self.path == "/":
            self.answer(302, ("Location", "/über"))
        else:
            self.answer(200, ("X-Path", self.path), ("X-Accept", self.headers["Accept"]))

    def answer(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self._headers_buffer.append(f"{name}: {value}\r\n".encode())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_way_that_a_browser_would_go_is_gone():
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Detours)) as server:
        answer = fetch(f"http://127.0.0.1:{server.server_port}/")
    assert answer.headers["x-path"] == "/%C3%BCber"
    assert answer.headers["x-accept"] == "*/*"
