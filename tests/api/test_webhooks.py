"""The end of a job is told to a real receiver, signed, at least once, and only where it may be."""

from __future__ import annotations

import hmac
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crawler.api.job import AddressRefused, Order
from crawler.api.jobs import Jobs
from crawler.client.client import Client
from crawler.client.webhook_sender import ATTEMPTS
from crawler.config.settings import load
from crawler.errors import DefinitionError
from crawler.model import FailureClass
from crawler.observe.metrics import Collector
from crawler.services import Services
from tests.support.folder import CRAWLER, until
from tests.support.ports import free_port

SECRET = "a-secret-for-tests-only"
PAGE = "http://127.0.0.1:1/"


class Receiver:
    """A program that takes webhooks: it answers with ``statuses``, then 204; while ``holds`` is
    clear, with nothing.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.holds = threading.Event()
        self.holds.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.messages.append((self.path, headers, body))
                receiver.holds.wait(60)
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/ended?shop=7"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    there = Receiver()
    yield there
    there.holds.set()
    there.server.shutdown()
    there.server.server_close()


@pytest.fixture
def environ(redis, redis_server, tmp_path) -> dict[str, str]:
    del redis
    return {
        "redis_url": redis_server.url,
        "broker_url": redis_server.broker_url,
        "webhook_secret": SECRET,
        "state_dir": str(tmp_path / "state"),
    }


@pytest.fixture
def services(environ) -> Services:
    """The services of a worker."""
    return Services(load(**environ))


@pytest.fixture
def jobs(environ) -> Jobs:
    """Those of a server that allows private addresses."""
    return Jobs(Client(load(**environ)), private=True)


def end(jobs: Jobs, id: str, services: Services) -> None:  # noqa: A002
    """End the job, as workers do it, and tick."""
    frontier = jobs.client.frontier(f"job-{id}")
    claim = frontier.claim("a worker").claim
    assert claim is not None
    frontier.fail(claim, FailureClass.TERMINAL, "http_404")
    frontier.end_hook_done()
    tick(services)


def tick(services: Services) -> None:
    services.tick()
    services.webhooks.join()


def make_due(jobs: Jobs, id: str) -> None:  # noqa: A002
    """Let the time go by until the next attempt."""
    assert jobs.redis.zadd(jobs.prefix + "webhooks", {id: 0}, xx=True, ch=True)


def test_the_end_of_a_job_is_told_once_and_signed(jobs, services, receiver):
    jobs.create(Order(url=PAGE, webhook=receiver.url), "one")
    tick(services)
    assert (jobs.get("one").webhook.state, receiver.messages) == ("waiting", [])
    # When it ends
    end(jobs, "one", services)
    tick(services)
    # Then the receiver has it once, and can tell that it is ours, and of what time
    ((path, headers, body),) = receiver.messages
    assert path == "/ended?shop=7"
    signed = f"{headers['crawler-timestamp']}.".encode() + body
    expected = hmac.new(SECRET.encode(), signed, sha256).hexdigest()
    assert headers["crawler-signature"] == expected
    message = json.loads(body)
    assert headers["crawler-event"] == message["id"]
    assert (message["event"], message["job"]["id"]) == ("job.ended", "one")
    assert message["job"]["state"] == "failed"
    record = jobs.get("one").record()["webhook"]
    assert (record["state"], record["attempts"], record["reason"]) == ("delivered", 1, None)
    # And once more when it has gone on and ended again
    jobs.retry("one")
    end(jobs, "one", services)
    assert len({headers["crawler-event"] for _, headers, _ in receiver.messages}) == 2


def test_a_receiver_that_fails_is_tried_again_and_no_redirect_followed(jobs, services, receiver):
    receiver.statuses = [500, 302]
    jobs.create(Order(url=PAGE, webhook=receiver.url), "two")
    end(jobs, "two", services)
    for reason in ("status 500", "status 302"):
        webhook = jobs.get("two").webhook
        assert (webhook.state, webhook.reason) == ("pending", reason)
        tick(services)  # it is not due yet
        assert jobs.get("two").webhook == webhook
        make_due(jobs, "two")
        tick(services)
    assert jobs.get("two").webhook.state == "delivered"
    assert {path for path, _, _ in receiver.messages} == {"/ended?shop=7"}
    assert len({headers["crawler-event"] for _, headers, _ in receiver.messages}) == 1


def test_attempts_end_in_a_failure_that_is_counted(jobs, services):
    jobs.create(Order(url=PAGE, webhook=f"http://127.0.0.1:{free_port()}/"), "three")
    end(jobs, "three", services)
    for _ in range(ATTEMPTS - 1):
        make_due(jobs, "three")
        tick(services)
    webhook = jobs.get("three").webhook
    assert (webhook.state, webhook.attempts, webhook.reason) == ("failed", ATTEMPTS, "refused")
    metrics = Collector(jobs.redis, "").collect()
    value = {one.name: one.samples[0].value for one in metrics if one.samples}
    assert value["crawler_webhooks_failed"] == 1
    assert jobs.redis.zcard(jobs.prefix + "webhooks") == 0


@pytest.mark.slow
def test_a_sender_that_is_killed_loses_no_message(jobs, services, receiver, environ):
    jobs.create(Order(url=PAGE, webhook=receiver.url), "four")
    frontier = jobs.client.frontier("job-four")
    frontier.fail(frontier.claim("a worker").claim, FailureClass.TERMINAL, "http_404")
    frontier.end_hook_done()
    # Given a process that dies while the receiver has its message, and has not answered
    receiver.holds.clear()
    known = {f"CRAWLER_{name.upper()}": value for name, value in environ.items()}
    sender = subprocess.Popen([CRAWLER, "tick"], env=os.environ | known, stdout=subprocess.DEVNULL)
    until(lambda: receiver.messages, sender)
    sender.kill()
    sender.wait()
    receiver.holds.set()
    # When its lock has run out
    tick(services)
    assert len(receiver.messages) == 1
    assert 0 < jobs.redis.ttl(f"{jobs.prefix}webhook-lock:four") <= 60
    jobs.redis.delete(f"{jobs.prefix}webhook-lock:four")
    tick(services)
    # Then another one sends the same message
    assert len({headers["crawler-event"] for _, headers, _ in receiver.messages}) == 1
    assert (len(receiver.messages), jobs.get("four").webhook.state) == (2, "delivered")


def test_a_job_that_never_begins_is_told_as_failed(jobs, services, receiver, monkeypatch):
    monkeypatch.setattr(jobs.client, "start", lambda *_, **__: None)  # it dies here
    jobs.create(Order(url=PAGE, webhook=receiver.url), "lost")
    order = json.loads(jobs.redis.get(jobs.prefix + "order:lost"))
    order["created"] -= 61_000_000
    jobs.redis.set(jobs.prefix + "order:lost", json.dumps(order))
    make_due(jobs, "lost")
    tick(services)
    assert json.loads(receiver.messages[0][2])["job"]["reason"].startswith("it never began")


def test_a_webhook_goes_to_public_addresses_only(environ, services, receiver):
    names = {"inside.example": "10.0.0.7"}
    jobs = Jobs(Client(load(**environ)), resolve=lambda host: (names.get(host, "93.184.215.14"),))
    for host in ("127.0.0.1", "inside.example", "[::1]"):
        with pytest.raises(AddressRefused):
            jobs.create(Order(url="http://shop.example/", webhook=f"http://{host}/"))
    # one that becomes private after the order is refused by the worker
    jobs.create(Order(url="http://shop.example/", webhook="http://later.example/"), "five")
    names["later.example"] = "127.0.0.1"
    services.webhooks._resolve = jobs._resolve
    end(jobs, "five", services)
    webhook = jobs.get("five").webhook
    assert (webhook.state, webhook.reason) == ("pending", "private")
    assert receiver.messages == []


def test_a_webhook_needs_a_secret_at_both_ends(environ, jobs, services, receiver):
    unsigned = load(**{**environ, "webhook_secret": None})
    with pytest.raises(DefinitionError, match="CRAWLER_WEBHOOK_SECRET"):
        Jobs(Client(unsigned), private=True).create(Order(url=PAGE, webhook=receiver.url))
    jobs.create(Order(url=PAGE, webhook=receiver.url), "six")
    end(jobs, "six", Services(unsigned))
    assert jobs.get("six").webhook.reason == "this worker has no CRAWLER_WEBHOOK_SECRET"
    make_due(jobs, "six")
    tick(services)
    assert jobs.get("six").webhook.state == "delivered"
    assert SECRET not in repr(jobs.client.settings)
