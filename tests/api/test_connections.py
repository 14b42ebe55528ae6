"""What a client may leave undone: heads and bodies that never come, responses that nobody reads."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from crawler.api.jobs import Jobs
from crawler.client.client import Client
from crawler.config.settings import load
from crawler.model import Page
from tests.support.api import TOKEN, Service, serving
from tests.support.ground import until
from tests.support.patience import PATIENCE

PUBLIC = "http://93.184.215.14/"
AUTHORIZED = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
#: What the server says of a head that does not end.
LATE = "the head of a request did not arrive within 5 s"
#: Parts of a request that say nothing more.
HALVES = ("", "GET /jobs HT", f"GET /jobs HTTP/1.1\r\n{AUTHORIZED}")
BODY_OF_1_MB = "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


@pytest.fixture(scope="module")
def service(redis_server, tmp_path_factory) -> Iterator[Service]:
    """One server for all: what a client leaves undone harms no other."""
    with serving(tmp_path_factory.mktemp("serve"), redis_server.url) as there:
        yield there


@contextmanager
def connected(service: Service, sent: str) -> Iterator[socket.socket]:
    """A connection over which ``sent`` was sent."""
    place = (service.parts.hostname, service.parts.port)
    with socket.create_connection(place, timeout=PATIENCE) as client:
        client.sendall(sent.encode())
        yield client


def ended(client: socket.socket) -> bool:
    """Whether the server ends the connection; what it sent before is read."""
    try:
        while client.recv(65_536):
            pass
    except ConnectionError:
        pass
    return True  # else TimeoutError


@pytest.mark.usefixtures("redis")
def test_a_thousand_half_sent_heads_shut_nobody_out(service):
    with ExitStack() as held:
        for _ in range(1_000):
            held.enter_context(connected(service, f"GET /jobs HTTP/1.1\r\n{AUTHORIZED}X-Half: "))
        assert service.ask("GET", "/jobs").status == 200
        assert service.ask("POST", "/jobs", {"url": PUBLIC}).status == 201


@pytest.mark.slow
def test_heads_that_do_not_end_are_waited_for_in_bounds(service):
    known = service.log.read_text().count(LATE)
    with ExitStack() as held:
        # all at once, as each is waited for as long
        silent = [held.enter_context(connected(service, sent)) for sent in HALVES]
        slow = held.enter_context(connected(service, HALVES[-1] + "X-Slow: "))
        # nor may one come byte by byte for ever
        slow.settimeout(0.2)
        with pytest.raises(ConnectionError):  # noqa: PT012, the loop is what is tried
            for _ in range(300):
                slow.sendall(b"x")
                try:
                    if not slow.recv(100):
                        raise ConnectionResetError
                except TimeoutError:
                    continue
        assert all(ended(client) for client in silent)
    until(lambda: service.log.read_text().count(LATE) >= known + len(HALVES))


@pytest.mark.usefixtures("redis")
def test_a_request_is_refused_before_its_body_comes(redis_server, tmp_path):
    with serving(tmp_path, redis_server.url, api_rate="1") as there:
        for head, status in [
            ("POST /jobs HTTP/1.1\r\nHost: localhost\r\n", b"401"),
            (f"PUT /jobs HTTP/1.1\r\n{AUTHORIZED}", b"405"),
            (f"POST /nowhere HTTP/1.1\r\n{AUTHORIZED}", b"404"),
        ]:
            with connected(there, head + BODY_OF_1_MB) as client:
                assert client.recv(65_536).split()[1] == status
        # of two in one minute, the second is one too many; should a minute begin, the third
        assert any(limited(there) == b"429" for _ in range(3))


def limited(service: Service) -> bytes:
    """The status of an order whose body never comes, as the rate lets it pass or not."""
    with connected(service, f"POST /jobs HTTP/1.1\r\n{AUTHORIZED}{BODY_OF_1_MB}") as client:
        client.settimeout(5)
        try:
            return client.recv(65_536).split()[1]
        except TimeoutError:  # it waits for the body
            return b""


@pytest.mark.soak
@pytest.mark.usefixtures("redis")
def test_a_body_that_nobody_wants_is_not_taken_for_ever(service):
    with connected(service, f"POST /jobs HTTP/1.1\r\n{AUTHORIZED}{BODY_OF_1_MB}x") as client:
        assert client.recv(65_536).split()[1] == b"408"
        assert ended(client)


@pytest.mark.soak
@pytest.mark.usefixtures("redis")
def test_a_client_that_does_not_read_is_given_up(service, redis_server):
    # Given a job with 20 MB of results
    id = service.ask("POST", "/jobs", {"url": PUBLIC}).json["id"]  # noqa: A001
    jobs = Jobs(Client(load(redis_url=redis_server.url, broker_url=redis_server.broker_url)))
    frontier = jobs.client.frontier(f"job-{id}")
    claim = frontier.claim("a worker").claim
    assert claim is not None
    links = [Page(f"{PUBLIC}{n}") for n in range(20)]
    large = json.dumps({"text": "x" * 1_000_000})
    frontier.finish(claim, PUBLIC, links, result=large)
    for _ in links:
        claim = frontier.claim("a worker").claim
        assert claim is not None
        frontier.finish(claim, claim.page.url, result=large)
    # When somebody asks for them, and reads nothing
    with connected(service, f"GET /jobs/{id}/results HTTP/1.1\r\n{AUTHORIZED}\r\n"):
        until(lambda: "it does not read" in service.log.read_text(), "the end", 90)
    assert service.ask("GET", "/health").status == 200


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("[" * 32 + "]" * 32, 201),
        ("[" * 33 + "]" * 33, 400),
        ("[" * 30_000, 400),
        ('{"a":' * 40 + "1" + "}" * 40, 400),
        ('"' + "[" * 60 + '"', 201),
        (r'"\"' + "[{" * 60 + '"', 201),
    ],
)
def test_an_order_is_nested_in_bounds(service, message, status):
    body = f'{{"url": "{PUBLIC}", "message": {message}}}'.encode()
    reply = service.ask("POST", "/jobs", body)
    assert reply.status == status, reply.body
    if status == 400:
        assert reply.json["detail"] == "the body of a request may be nested 33 levels deep"
