"""A crawl that several callers restart at once: a schedule fires twice, a user clicks twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from crawler import Crawl, DefinitionError
from crawler.client.client import Client
from crawler.config import settings as configuration
from crawler.definition.digest import digest_of
from crawler.model import Status

CRAWL = Crawl(name="nightly", url="http://127.0.0.1/", page_limit=5)


@pytest.fixture
def library(redis, redis_server, tmp_path) -> Client:
    """A library on an empty Redis; its wake-ups go to a broker that nobody reads."""
    del redis
    return Client(
        configuration.load(
            redis_url=redis_server.url, broker_url=redis_server.broker_url, state_dir=tmp_path
        )
    )


def test_a_new_crawl_is_started_and_a_running_one_left_alone(library):
    handle, new = library.restart(CRAWL)
    assert new
    assert (handle.status, handle.counts["queued"]) == (Status.ACTIVE, 1)
    origin = handle.frontier.origin()
    handle, new = library.restart(CRAWL)
    assert not new
    assert handle.frontier.origin() == origin


def test_a_crawl_that_has_ended_is_begun_anew(library):
    handle, _ = library.restart(CRAWL)
    handle.stop()
    assert handle.status is Status.STOPPED
    again, new = library.restart(CRAWL)
    assert new
    assert (again.status, again.snapshot().generation) == (Status.ACTIVE, 2)


def test_another_version_of_a_crawl_waits_until_the_running_one_has_ended(library):
    handle, _ = library.restart(CRAWL)
    other = CRAWL.replace(page_limit=6)
    assert library.restart(other)[1] is False
    assert handle.frontier.digest() == digest_of(CRAWL)
    handle.stop()
    assert library.restart(other)[1] is True
    assert handle.frontier.digest() == digest_of(other)


def test_of_eight_who_begin_it_anew_at_once_one_does(library):
    library.restart(CRAWL)[0].stop()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: library.restart(CRAWL), range(8)))
    assert sorted(new for _, new in answers) == [False] * 7 + [True]
    seen = answers[0][0].snapshot()
    assert (seen.generation, seen.accepted) == (2, 1)


def test_what_is_wrong_with_a_definition_is_told_before_anything_is_forgotten(library):
    handle, _ = library.restart(CRAWL)
    handle.stop()
    with pytest.raises(DefinitionError):
        library.restart(CRAWL.replace(page_limit=-1))
    assert handle.status is Status.STOPPED
