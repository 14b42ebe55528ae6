"""The registry of workers answers which of them can run a crawl, and in which version."""

from __future__ import annotations

import json

import pytest

from crawler import Crawl, UnknownCrawl
from crawler.client.client import Client
from crawler.client.workers import Worker
from crawler.config import settings as configuration
from crawler.definition.digest import digest_of

BOOKS = Crawl(name="books", url="https://books.example/")
PLAIN = Crawl(name="plain", url="https://plain.example/")


@BOOKS.extract
def item(page):
    return {"title": page.text("h1")}


@pytest.fixture
def client(redis, redis_server) -> Client:
    """A client whose wake-ups go nowhere."""
    del redis
    settings = configuration.load(redis_url=redis_server.url, broker_url=redis_server.broker_url)
    return Client(settings, send=lambda *_: None)


def names(*groups: tuple[Worker, ...]) -> list[list[str]]:
    return [[worker.name for worker in group] for group in groups]


def test_workers_are_told_apart_by_the_crawls_and_versions_they_know(client):
    new, old = {"books": digest_of(BOOKS)}, {"books": "of yesterday"}
    for worker in (Worker("new", new), Worker("old", old), Worker("other", {"news": "d"})):
        client.workers.announce(worker, life=60)
    client.start(BOOKS), client.start(PLAIN), client.start(BOOKS.variant(name="cheap", delay=9))
    books, plain, cheap = map(client.workers_of, ("books", "plain", "cheap"))
    assert names(books.alive, books.able, books.current) == [
        ["new", "old", "other"],
        ["new", "old"],
        ["new"],
    ]
    assert (plain.code, plain.able, plain.current) == (None, plain.alive, plain.alive)
    assert (cheap.code, names(cheap.able)) == ("books", [["new", "old"]])


def test_workers_of_a_crawl_that_never_started_are_those_of_its_definition(client):
    client.workers.announce(Worker("new", {"books": digest_of(BOOKS)}), life=60)
    assert names(client.workers_of(BOOKS).current) == [["new"]]
    with pytest.raises(UnknownCrawl):
        client.workers_of("books")


def test_an_announcement_of_another_version_is_understood(client):
    facts = {"until": 9e9, "crawls": {"books": "d"}, "colour": "green"}
    client.redis.hset(client.workers.key, "strange", json.dumps(facts))
    assert client.workers.workers() == [Worker("strange", {"books": "d"})]
