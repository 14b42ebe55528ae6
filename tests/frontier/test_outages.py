"""A Redis that was killed, is full, is away, or is none for a frontier."""

from __future__ import annotations

import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from crawler.errors import FrontierMisfit, FrontierRefused, FrontierUnavailable
from crawler.frontier.answers import Renewal, Verdict
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.frontier.server_checks import check_server
from crawler.local.embedded import PrivateRedis
from crawler.model import Page
from tests.support.frontier import A, B, C, plan, take


def test_a_redis_that_was_killed_comes_back_with_every_page(tmp_path):
    server = PrivateRedis(tmp_path).start()
    frontier = Frontier(redis_py.Redis.from_url(server.url), "shop")
    frontier.create(plan())
    frontier.enqueue(Page(f"{A}/{n}") for n in range(300))
    claims = [take(frontier) for _ in range(4)]
    frontier.finish(claims[0], "-", result="{}")
    server.process.kill()
    server.process.wait()
    with pytest.raises(FrontierUnavailable):
        frontier.finish(claims[1], "-")

    with PrivateRedis(tmp_path):
        assert audit_keys(frontier) == []
        assert frontier.finish(claims[0], "-").verdict is Verdict.REPEATED
        assert frontier.finish(claims[1], "-").verdict is Verdict.OK
        snapshot = frontier.snapshot()
        assert (snapshot.queued, snapshot.processing, snapshot.done) == (296, 2, 2)


def test_scripts_that_the_server_forgot_are_sent_again(begin, redis):
    frontier, _ = begin(A)
    redis.script_flush()
    assert frontier.finish(take(frontier), A).ended


def test_a_full_redis_refuses_links_as_a_whole_and_lets_pages_finish(begin, redis):
    frontier, _ = begin(A, B)
    claim = take(frontier)
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(FrontierRefused, match="Redis is full"):
            frontier.enqueue([Page(C, 1)], parent=claim)
        assert frontier.renew(claim) is Renewal.OK
        assert frontier.finish(claim, A, result="1").verdict is Verdict.OK
    finally:
        redis.config_set("maxmemory", 0)
    assert audit_keys(frontier) == []
    assert not Listing(frontier).seen(C)


def test_a_redis_that_is_away_is_unavailable():
    client = redis_py.Redis(unix_socket_path="/nonexistent/redis.sock", retry=Retry(NoBackoff(), 0))
    for call in (
        Frontier(client, "shop").snapshot,
        Listing(Frontier(client, "shop")).queued,
        lambda: Frontier.names(client),
    ):
        with pytest.raises(FrontierUnavailable):
            call()


def test_an_evicting_server_is_refused_and_one_without_aof_warned_of(redis, tmp_path):
    old = int(redis.info("server")["redis_version"].split(".")[0]) < 7
    assert len(check_server(redis)) == old
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(FrontierMisfit, match="noeviction"):
            check_server(redis)
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    with PrivateRedis(tmp_path, options=("appendonly no",)) as server:
        assert "appendonly is off" in check_server(redis_py.Redis.from_url(server.url))[-1]


def test_a_server_that_forbids_questions_about_its_settings_is_taken(redis):
    redis.acl_setuser(
        "guest",
        enabled=True,
        passwords=["+pw"],
        keys=["*"],
        categories=["+@all"],
        commands=["-config"],
    )
    guest = redis_py.Redis(connection_pool=redis.connection_pool)
    with guest.client() as connection:
        connection.execute_command("AUTH", "guest", "pw")
        assert isinstance(check_server(connection), list)
        connection.execute_command("AUTH", "default", "")
    redis.acl_deluser("guest")
