"""The frontier on a real Redis Cluster: three masters, each a process of this machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from redis.cluster import RedisCluster

from crawler.frontier.answers import Verdict
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys
from crawler.frontier.server_checks import check_server
from crawler.local.embedded import find_redis
from crawler.local.processes import end
from crawler.model import FailureClass, Page, Plan, Policy, Status
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports

pytestmark = pytest.mark.slow

MASTERS = 3
SLOTS = 16_384


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A client of the Cluster, once it says that it is well."""
    version = subprocess.run(
        [find_redis(), "--version"], capture_output=True, text=True, check=True
    ).stdout
    if "v=6." in version:
        pytest.skip("a Cluster on free ports needs Redis 7 (--cluster-port)")
    folder: Path = tmp_path_factory.mktemp("cluster")
    found, processes = free_ports(2 * MASTERS), []
    ports, buses = found[:MASTERS], found[MASTERS:]
    nodes = [redis_py.Redis(port=port) for port in ports]
    try:
        for port, bus in zip(ports, buses, strict=True):
            (folder / str(port)).mkdir()
            options = [
                "--port",
                port,
                "--cluster-port",
                bus,
                "--cluster-enabled",
                "yes",
                "--dir",
                folder / str(port),
                "--save",
                "",
                "--bind",
                "127.0.0.1",
            ]
            processes.append(
                subprocess.Popen(
                    [find_redis(), *map(str, options)],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        await_that(lambda: all(node.ping() for node in nodes))
        for number, node in enumerate(nodes):
            node.execute_command(
                "CLUSTER ADDSLOTSRANGE",
                SLOTS * number // MASTERS,
                SLOTS * (number + 1) // MASTERS - 1,
            )
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for port, bus in list(zip(ports, buses, strict=True))[1:]:
            nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
        await_that(lambda: all(node.cluster("info")["cluster_state"] == "ok" for node in nodes))
        client = RedisCluster(host="127.0.0.1", port=ports[0])
        yield client
        client.close()
    finally:
        for node in nodes:
            node.close()
        for process in processes:
            end(process)


def await_that(well) -> None:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        try:
            if well():
                return
        except redis_py.RedisError:  # not listening yet
            pass
        time.sleep(0.02)
    raise TimeoutError("the Cluster did not come up")


def test_each_crawl_of_a_cluster_lives_and_works_on_one_node(cluster):
    assert isinstance(check_server(cluster), list)
    crawls = [f"crawl-{n}" for n in range(6)]
    homes = set()
    for name in crawls:
        frontier = Frontier(cluster, name)
        assert frontier.create(
            Plan(name, Policy(host_concurrency=1), "d", {"url": "/"}, before_all=False)
        )
        assert (
            frontier.enqueue(
                Page(f"https://a.example/{n}", lane=f"h{n % 3}") for n in range(500)
            ).new
            == 500
        )
        assert len(Listing(frontier).queued(0, 1_000)) == 500
        claim, other, third = (frontier.claim("w").claim for _ in range(3))
        assert frontier.finish(claim, claim.page.url, result="{}").verdict is Verdict.OK
        assert frontier.fail(other, FailureClass.TERMINAL, "404").verdict is Verdict.OK
        assert frontier.fail(third, FailureClass.RETRY, "timeout").verdict is Verdict.OK
        assert frontier.retry_failed() == 1
        assert len(frontier.tick().tickets) == 3
        assert (
            frontier.snapshot().status,
            len(Listing(frontier).results()),
            audit_keys(frontier),
        ) == (Status.ACTIVE, 1, [])
        homes.add(cluster.get_node_from_key(frontier.prefix).port)
    assert Frontier.names(cluster) == crawls
    assert len(homes) > 1
    for name in crawls:
        assert Frontier(cluster, name).clear() > 0
    assert sum(node.redis_connection.dbsize() for node in cluster.get_primaries()) == 0
