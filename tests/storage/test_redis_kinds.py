"""The frontier on every kind of Redis that an operator may have, when those are slow, cut
connections, or die.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import Celery
from click.testing import CliRunner, Result

from crawler import Crawl
from crawler.cli import main
from crawler.client.client import Client
from crawler.client.wakeups import BrokerUnavailable
from crawler.client.workers import Worker, WorkerRegistry
from crawler.config.celery import sender_settings
from crawler.config.settings import Settings, environment, load, variable
from crawler.errors import CrawlerError, FrontierMisfit, FrontierUnavailable, SetupError
from crawler.frontier.answers import Ending, Verdict
from crawler.frontier.frontier import Frontier
from crawler.frontier.listing import Listing
from crawler.frontier.repair import audit_keys, repair_keys
from crawler.frontier.server_checks import check_server, describe_server
from crawler.local.embedded import worker_command
from crawler.local.processes import die_with_parent, end
from crawler.model import FailureClass, Outcome, Page, Plan, Policy, Status
from crawler.redaction import masked
from crawler.storage.connection import RedisClient, connect
from tests.support.patience import PATIENCE
from tests.support.redis_kinds import HOST, Certificates, LocalCluster, Server, Watched, knows_tls

pytestmark = pytest.mark.slow

SECRET = "c4nary"
#: What docs/redis.md tells an operator to allow a crawler whose keys begin with "shop:".
USER = (
    "~shop:* &* -@all +@read +@write +@scripting +@connection +@pubsub +@transaction +select +time"
    " +info +config|get"
)
SHOP = f"user shop on >{SECRET} {USER}"


@pytest.fixture(autouse=True)
def nothing_secret_is_told(caplog, capfd, monkeypatch) -> Iterator[None]:
    """Whatever a test does: no password in any log, nor in what is printed. No setting of this
    machine is read.
    """
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    caplog.set_level(logging.INFO)
    yield
    out, err = capfd.readouterr()
    assert SECRET not in out + err + caplog.text


def said(call: Callable[[], object], kind: type[CrawlerError] = FrontierUnavailable) -> str:
    """Return the error of ``call``: one line, in which no password is, nor in what ``-v`` adds
    to it.
    """
    with pytest.raises(kind) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text + masked("".join(traceback.format_exception(caught.value)))
    return text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with users and passwords, on TCP and on a unix socket."""
    folder = tmp_path_factory.mktemp("tcp")
    users = (f"user crawl on >{SECRET} ~* &* +@all", SHOP, f"requirepass {SECRET}")
    with Server(folder, "appendonly yes", f'unixsocket "{folder / "redis.sock"}"', *users) as one:
        yield one


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def authority(request: pytest.FixtureRequest) -> Certificates | None:
    """The certificates if the server can use them, for tests that are about something else."""
    found: Certificates | None = request.getfixturevalue("certificates") if knows_tls() else None
    return found


@pytest.fixture(scope="module")
def secure(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Server]:
    """A server that speaks nothing but TLS."""
    with Server(
        tmp_path_factory.mktemp("tls"),
        "appendonly yes",
        SHOP,
        f"requirepass {SECRET}",
        tls=certificates,
    ) as one:
        yield one


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("cluster")) as three:
        yield three


def plan(name: str = "shop", **policy: object) -> Plan:
    return Plan(
        name,
        Policy(**{"jitter": False, "depth_limit": None, **policy}),
        "d1",
        {"url": "/"},
        before_all=False,
    )


def url(number: int) -> str:
    return f"https://shop.example/{number}"


def children(page: Page, count: int) -> list[Page]:
    """The links of a page: each number leads to its double and to the one after, up to ``count``,
    and back to itself.
    """
    number = int(page.url.rpartition("/")[2])
    return [
        Page(url(n), page.depth + 1) for n in (2 * number, 2 * number + 1, number) if n <= count
    ]


def warnings(client: RedisClient) -> list[str]:
    """Return the warnings of the check, but for one about the age of this machine's server."""
    return [line for line in check_server(client) if not line.startswith("Redis 6.")]


def go_through_a_life(frontier: Frontier) -> None:
    """Everything that a crawl does in its life, once."""
    assert frontier.create(plan(frontier.name, attempts=2, backoff=0.001), reset=True)
    assert frontier.plan().digest == "d1"
    frontier.enqueue([Page(url(1))])
    entry = frontier.claim("w1", frontier.wake().tickets[0]).claim
    assert frontier.renew(entry).value == "OK"
    assert (
        frontier.enqueue(
            children(entry.page, 7) + [Page(url(n), 1) for n in range(10, 310)], parent=entry
        ).new
        == 302
    )
    assert frontier.finish(entry, "1", result="{}", item=True).verdict is Verdict.OK
    assert frontier.finish(entry, "1", result="{}", item=True).verdict is Verdict.REPEATED
    assert len(Listing(frontier).queued(0, 1_000)) == frontier.snapshot().queued == 302
    retried, dead = frontier.claim("w1").claim, frontier.claim("w2").claim
    assert {claim.page for claim in Listing(frontier).processing()} == {retried.page, dead.page}
    assert frontier.fail(retried, FailureClass.RETRY, "timeout").retry_in is not None
    assert frontier.fail(dead, FailureClass.TERMINAL, "404", status=404).retry_in is None
    assert Listing(frontier).failed()[0].page.url == dead.page.url
    assert frontier.retry_failed() == 1
    assert frontier.tick().status is Status.ACTIVE
    frontier.pause(), frontier.resume()
    frontier.hold(1), frontier.hold(0)
    assert (audit_keys(frontier), repair_keys(frontier)) == ([], [])
    assert [number for _, number, _ in Listing(frontier).results()] == [1]
    frontier.stop("enough")
    assert frontier.snapshot().status is Status.STOPPED
    assert frontier.clear() > 0
    assert frontier.plan() is None


# -- kinds


@pytest.mark.parametrize("kind", ["tcp", "unix", "tls", "cluster"])
def test_a_crawl_lives_its_life_on_this_kind_of_redis(kind, request):
    if kind == "tls":
        one, ca = request.getfixturevalue("secure"), request.getfixturevalue("certificates").ca
        address = f"rediss://:{SECRET}@{one.address}/3?ssl_ca_certs={ca}"
    elif kind == "cluster":
        address = request.getfixturevalue("cluster").url
    else:
        one = request.getfixturevalue("server")
        socket = f"unix://crawl:{SECRET}@{one.folder}/redis.sock?db=3"
        address = f"redis://crawl:{SECRET}@{one.address}/3" if kind == "tcp" else socket
    client = connect(address)
    assert warnings(client) == []
    go_through_a_life(Frontier(client, "shop", prefix="shop:"))
    roll = WorkerRegistry(client, "shop:")
    roll.announce(Worker("w1", {"shop": "d1"}), life=60)
    roll.announce(Worker("w2"), life=0)
    assert roll.workers() == [Worker("w1", {"shop": "d1"})]
    roll.leave("w1")
    assert roll.workers() == []
    assert all(
        "noeviction" in line and "appendonly yes" in line for line in describe_server(client)
    )


def test_crawls_of_one_name_under_two_prefixes_do_not_meet(server):
    client = connect(f"redis://crawl:{SECRET}@{server.address}/4")
    one, other = (Frontier(client, "shop", prefix=prefix) for prefix in ("one:", "other:"))
    one.create(plan()), one.enqueue([Page(url(1)), Page(url(2))])
    assert (other.plan(), Frontier.names(client, "other:"), Frontier.names(client, "one:")) == (
        None,
        [],
        ["shop"],
    )
    other.create(plan()), other.enqueue([Page(url(1))])
    WorkerRegistry(client, "one:").announce(Worker("w"), 60)
    assert WorkerRegistry(client, "other:").workers() == []
    assert other.clear() > 0
    assert (one.snapshot().queued, Frontier.names(client, "one:")) == (2, ["shop"])
    assert {key.partition(b":")[0] for key in client.scan_iter()} == {b"one"}


def test_a_database_of_one_server_is_a_world_of_its_own(server):
    here, there = (
        connect(f"redis://crawl:{SECRET}@{server.address}/{number}") for number in (5, 6)
    )
    Frontier(here, "shop").create(plan())
    assert (Frontier.names(here), Frontier.names(there)) == (["shop"], [])


def test_a_user_who_may_touch_no_key_but_the_crawls_can_crawl(server):
    assert USER in (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    client = connect(f"redis://shop:{SECRET}@{server.address}/7")
    assert warnings(client) == []
    go_through_a_life(Frontier(client, "shop", prefix="shop:"))
    WorkerRegistry(client, "shop:").announce(Worker("w"), 60)
    assert "does not let the user" in said(
        Frontier(client, "shop", prefix="other:").snapshot, FrontierMisfit
    )
    assert "does not let the user" in said(lambda: WorkerRegistry(client).announce(Worker("w"), 60))


def test_a_user_of_a_cluster_needs_few_permissions(cluster):
    more = "+cluster|slots +command +asking"
    assert more in (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    for node in cluster.nodes:
        node.client().execute_command(
            "ACL", "SETUSER", "shop", "on", f">{SECRET}", *USER.split(), *more.split()
        )
    client = connect(cluster.url.replace("://", f"://shop:{SECRET}@"))
    assert warnings(client) == []
    frontier = Frontier(client, "shop", prefix="shop:")
    go_through_a_life(frontier)
    (
        WorkerRegistry(client, "shop:").announce(Worker("w"), 60),
        WorkerRegistry(client, "shop:").leave("w"),
    )
    with cluster.moving(frontier.key("meta")):
        assert frontier.plan() is None
    assert "does not let the user" in said(
        Frontier(client, "shop", prefix="other:").snapshot, FrontierMisfit
    )


def test_a_recent_server_that_tells_nothing_of_itself_is_accepted(server):
    if server.client(password=SECRET).info("server")["redis_version"] < "7":
        pytest.skip("6.2 has to be asked for its version")
    server.client(password=SECRET).acl_setuser(
        "mute",
        enabled=True,
        passwords=f"+{SECRET}",
        keys="*",
        commands=["+@all", "-info", "-config"],
    )
    client = connect(f"redis://mute:{SECRET}@{server.address}/8")
    assert warnings(client) == []
    go_through_a_life(Frontier(client, "shop"))
    assert "tells this user nothing" in describe_server(client)[0]


# -- TLS


def test_an_untrusted_certificate_is_refused_with_a_remedy(secure, certificates):
    for query in (f"?ssl_ca_certs={certificates.other}", ""):
        client = connect(f"rediss://:{SECRET}@{secure.address}/0{query}")
        text = said(Frontier(client, "shop").snapshot)
        assert "certificate that is not trusted" in text
        assert "ssl_ca_certs=FILE" in text
    unchecked = connect(
        f"rediss://:{SECRET}@{secure.address}/0?ssl_cert_reqs=none&ssl_check_hostname=no"
    )
    assert Frontier.names(unchecked) == []


def test_plain_tcp_to_a_server_with_tls_is_one_clear_error(secure):
    said(Frontier(connect(f"redis://:{SECRET}@{secure.address}/0"), "shop").snapshot)


def test_a_cluster_with_tls_is_reached_at_all_of_its_nodes(tmp_path, certificates):
    with LocalCluster(tmp_path, tls=certificates) as three:
        client = connect(three.url)
        for name in ("a", "b", "c"):
            go_through_a_life(Frontier(client, name))
        assert len({three.owner(f"{{{name}}}").port for name in ("a", "b", "c")}) > 1
        text = said(
            Frontier(
                connect(three.url.replace(str(certificates.ca), str(certificates.other))), "a"
            ).snapshot
        )
        assert "certificate that is not trusted" in text


# -- Cluster


def test_crawls_of_a_cluster_lie_on_several_masters_and_are_all_found(cluster):
    client = connect(cluster.url)
    names = [f"crawl-{number}" for number in range(6)]
    for name in names:
        frontier = Frontier(client, name, prefix="many:")
        frontier.create(plan(name))
        frontier.enqueue([Page(url(n)) for n in range(500)])
    assert Frontier.names(client, "many:") == names
    assert len({cluster.owner(Frontier(client, name).key("meta")).port for name in names}) == 3
    assert all(Frontier(client, name, prefix="many:").clear() for name in names)
    assert Frontier.names(client, "many:") == []


def test_a_slot_that_moved_is_found_again_unseen(cluster):
    client = connect(cluster.url)
    frontier = Frontier(client, "moved")
    frontier.create(plan("moved"))
    frontier.enqueue([Page(url(1))])
    claim = frontier.claim("w").claim
    before = cluster.owner(frontier.key("meta"))
    with cluster.moving(frontier.key("meta")):
        pass
    assert cluster.owner(frontier.key("meta")) is not before
    frontier.enqueue(children(claim.page, 3), parent=claim)
    assert frontier.finish(claim, "1") == Ending(Verdict.OK)
    assert (audit_keys(frontier), frontier.snapshot().queued) == ([], 2)


def test_while_a_slot_moves_nothing_is_done_to_half_a_crawl(cluster):
    frontier = Frontier(connect(cluster.url), "moving")
    frontier.create(plan("moving"))
    frontier.enqueue([Page(url(1)), Page(url(2))])
    claim = frontier.claim("w").claim
    with cluster.moving(frontier.key("meta")) as target:
        # one key after another goes: at no time may a script take what is there for the whole
        here = cluster.owner(frontier.key("meta")).client()
        while keys := here.execute_command(
            "CLUSTER GETKEYSINSLOT", cluster.slot(frontier.key("meta")), 1
        ):
            for step in (
                lambda: frontier.finish(claim, "1"),
                lambda: frontier.claim("w"),
                frontier.tick,
                frontier.snapshot,
            ):
                assert "moving" in said(step)
            here.execute_command("MIGRATE", HOST, target.port, keys[0], 0, 5000)
    assert frontier.finish(claim, "1") == Ending(Verdict.OK)
    assert (audit_keys(frontier), frontier.snapshot().queued, frontier.claim("w").outcome) == (
        [],
        1,
        Outcome.PAGE,
    )


def test_every_master_of_a_cluster_is_checked(cluster):
    with cluster.nodes[1].client() as node:
        node.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert "throws keys away" in said(
                lambda: check_server(connect(cluster.url)), FrontierMisfit
            )
        finally:
            node.config_set("maxmemory-policy", "noeviction")
        node.config_set("appendonly", "no")
        try:
            assert [line.partition(":")[0] for line in warnings(connect(cluster.url))] == [
                "appendonly is off"
            ]
        finally:
            node.config_set("appendonly", "yes")


def test_a_worker_starts_while_its_cluster_is_away_and_finds_it_later(server, cluster):
    away = connect(f"redis+cluster://{HOST}:1")
    frontier = Frontier(away, "shop")
    assert "Connection refused" in said(frontier.snapshot)
    assert "Connection refused" in said(lambda: WorkerRegistry(away).workers())
    assert "Cluster" in said(
        Frontier(connect(f"redis+cluster://:{SECRET}@{server.address}"), "shop").snapshot
    )
    assert (
        Frontier.names(connect(f"redis+cluster://{HOST}:1,{cluster.nodes[2].address}")) is not None
    )


# -- Sentinels


def test_a_crawl_outlives_its_master_and_counts_nothing_twice(tmp_path, authority):
    count = 500
    with Watched(tmp_path, password=SECRET, tls=authority) as watched:
        frontier = Frontier(connect(watched.url), "shop")
        frontier.create(plan(lease=1.0, crash_strikes=9, attempts=99, backoff=0.01))
        frontier.enqueue([Page(url(1))])
        halfway = threading.Event()

        def work(worker: str) -> int:
            """Do pages until the crawl has ended, whatever Redis does meanwhile; how often this
            worker ended it.
            """
            ends = 0
            while True:
                try:
                    turn = frontier.claim(worker)
                    ends += turn.ended
                    if turn.outcome is Outcome.FINISHED:
                        return ends
                    if turn.claim is None:
                        frontier.tick()
                        time.sleep(0.01)
                        continue
                    frontier.enqueue(children(turn.claim.page, count), parent=turn.claim)
                    ends += frontier.finish(turn.claim, turn.claim.page.url, result="{}").ended
                    if turn.claim.page.url == url(count // 3):
                        halfway.set()
                except FrontierUnavailable:
                    time.sleep(0.05)

        with ThreadPoolExecutor(3) as pool:
            workers = [pool.submit(work, f"w{number}") for number in range(3)]
            assert halfway.wait(PATIENCE)
            watched.master.kill()
            watched.wait_for_failover()
            ends = sum(worker.result(60) for worker in workers)

        assert audit_keys(frontier) == []
        assert sorted(Listing(frontier).done(0, 2 * count)) == sorted(
            url(number) for number in range(1, count + 1)
        )
        snapshot = frontier.snapshot()
        assert (snapshot.status, snapshot.accepted, snapshot.done, snapshot.failed) == (
            Status.FINISHED,
            count,
            count,
            0,
        )
        assert (
            snapshot.counts["started"] == len(Listing(frontier).results(count=2 * count)) == count
        )
        assert ends == 1
        assert "Sentinels" in describe_server(frontier.redis)[0]

        # the broker beside it finds the new master, too
        settings = load(redis_url=watched.url)
        Client(settings).send("shop", "ticket")
        assert watched.replica.client(password=SECRET, db=1).llen("crawler") == 1

        # a Sentinel is frozen: another one is asked
        with watched.sentinels[0].frozen():
            assert Frontier.names(connect(watched.url)) == ["shop"]
            Client(settings).send("shop", "ticket")
        assert "shops" in said(
            lambda: Frontier.names(connect(watched.url.replace("/shop/", "/shops/")))
        )


def test_sentinels_that_are_all_away_are_one_clear_error():
    text = said(
        Frontier(
            connect(
                f"redis+sentinel://:{SECRET}@{HOST}:1,{HOST}:2/shop?sentinel_password={SECRET}"
            ),
            "a",
        ).snapshot
    )
    assert "No master found for 'shop'" in text
    settings = load(
        redis_url=f"redis+sentinel://:{SECRET}@{HOST}:1,{HOST}:2/shop?sentinel_password={SECRET}"
    )
    assert "No master found for 'shop'" in said(
        lambda: Client(settings).send("shop", "ticket"), BrokerUnavailable
    )


# -- frozen, gone, refusing


@pytest.mark.parametrize("kind", ["tcp", "unix", "cluster"])
def test_a_frozen_redis_is_given_up_in_time_and_found_again(kind, request):
    if kind == "cluster":
        nodes = request.getfixturevalue("cluster")
        frozen, address = nodes.owner("crawl:{frozen}:meta"), nodes.url
    else:
        frozen = request.getfixturevalue("server")
        where = f"{frozen.folder}/redis.sock?db=9" if kind == "unix" else f"{frozen.address}/9"
        address = f"{'unix' if kind == 'unix' else 'redis'}://crawl:{SECRET}@{where}"
    patient = Frontier(connect(address), "frozen")
    patient.create(plan("frozen"), reset=True)
    patient.enqueue([Page(url(1))])
    claim = patient.claim("w").claim
    # more than an answer takes on a busy machine
    frontier = Frontier(connect(address, read_timeout=1.0), "frozen")
    assert frontier.snapshot().processing == 1
    with frozen.frozen():
        for step in (lambda: frontier.finish(claim, "1"), frontier.snapshot):
            begin = time.monotonic()
            said(step)
            assert time.monotonic() - begin < PATIENCE
    # what was sent into the frozen server may have been done when it went on
    assert frontier.finish(claim, "1").verdict in (Verdict.OK, Verdict.REPEATED)
    assert (frontier.snapshot().done, audit_keys(frontier)) == (1, [])


def test_a_start_fails_soon_while_a_server_is_frozen_and_works_later(server, tmp_path):
    crawl = Crawl(name="frozen-start", url=url(1))
    mine = f"redis://crawl:{SECRET}@{server.address}"
    with Server(tmp_path, f"requirepass {SECRET}") as other:
        theirs = f"redis://:{SECRET}@{other.address}"
        here, there = (
            Client(load(redis_url=f"{theirs}/0", broker_url=f"{mine}/11")),
            Client(load(redis_url=f"{mine}/10", broker_url=f"{theirs}/1")),
        )
        there.start(crawl)  # so that its connections are open, which takes longer to give up

        def start(library: Client, kind: type[CrawlerError]) -> tuple[str, float]:
            begin = time.monotonic()
            return said(
                lambda: library.start(crawl, if_exists="reset"), kind
            ), time.monotonic() - begin

        with other.frozen(), ThreadPoolExecutor(2) as pool:
            calls = [
                pool.submit(start, here, FrontierUnavailable),
                pool.submit(start, there, BrokerUnavailable),
            ]
            (frontier, took), (broker, too) = (call.result() for call in calls)
        assert max(took, too) < 5
        assert "does not answer" in frontier
        assert f"redis://:***@{other.address}/1 took no message" in broker
        assert here.start(crawl, if_exists="reset").new
        assert there.start(crawl, if_exists="reset").new
        assert audit_keys(there.frontier(crawl.name)) == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("redis://crawl:{0}-wrong@{1}/0", "refuses the log-in"),
        ("redis://{1}/0", "refuses the log-in"),
        ("redis://:{0}@127.0.0.1:1/0", "Connection refused"),
        ("redis://:{0}@no-such-host.invalid/0", "no-such-host.invalid"),
        ("unix://:{0}@/no/such/socket", "/no/such/socket"),
        ("rediss://:{0}@{1}/0", "does not answer"),
    ],
)
def test_what_stands_in_the_way_is_said_without_the_password(server, address, told):
    client = connect(address.format(SECRET, server.address), connect_timeout=0.5, read_timeout=0.5)
    assert told in said(Frontier(client, "shop").snapshot)
    assert told in said(lambda: WorkerRegistry(client).workers())
    assert SECRET not in masked(repr(client))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://:{0}@db", "begins with one of redis://"),
        ("redis://:{0}@db/0?colour=red", "unexpected keyword argument 'colour'"),
        ("redis://:{0}@db/0?ssl_ca_certs=x", "ssl_ca_certs"),
        ("rediss+sentinel://:{0}@db/shop?colour=red", "'colour'"),
        ("redis+cluster://:{0}@db?sentinel_password={0}", "'sentinel_password'"),
        ("redis://:{0}@db/0?socket_timeout=soon", "socket_timeout"),
        ("redis+cluster://:{0}@db/1", "no databases"),
        ("redis+sentinel://:{0}@db", "names the master"),
        ("redis+sentinel://:{0}@db:port/shop", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_one_is_refused_before_anything_is_opened(address, told):
    assert told in said(lambda: connect(address.format(SECRET)), SetupError)


def test_connections_that_are_cut_all_the_time_make_nothing_count_twice(server):
    count = 2_000
    address = f"redis://crawl:{SECRET}@{server.address}/12"
    frontier = Frontier(connect(address), "cut")
    frontier.create(
        plan("cut", concurrency_limit=8, lease=2.0, crash_strikes=9, attempts=99, backoff=0.01)
    )
    frontier.enqueue([Page(url(1))])
    over, cuts = threading.Event(), 0

    def cut() -> None:
        nonlocal cuts
        with server.client(username="crawl", password=SECRET) as other:
            while not over.wait(0.02):
                cuts += other.execute_command("CLIENT KILL TYPE normal SKIPME yes")

    def again(call: Callable[[], object]) -> object:
        while True:
            try:
                return call()
            except FrontierUnavailable:
                over.wait(0.001)

    def work(worker: str) -> None:
        while (turn := again(lambda: frontier.claim(worker))).outcome is not Outcome.FINISHED:
            if (claim := turn.claim) is None:
                again(frontier.tick)
                continue
            again(lambda claim=claim: frontier.enqueue(children(claim.page, count), parent=claim))
            again(lambda claim=claim: frontier.finish(claim, claim.page.url, result="{}"))

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, ("w1", "w2")))
    finally:
        over.set()
        cutter.join()
    assert cuts > 100
    assert audit_keys(frontier) == []
    assert sorted(Listing(frontier).done(0, 2 * count)) == sorted(
        url(number) for number in range(1, count + 1)
    )
    snapshot = frontier.snapshot()
    assert (snapshot.status, snapshot.accepted, snapshot.done, snapshot.failed) == (
        Status.FINISHED,
        count,
        count,
        0,
    )
    assert snapshot.counts["started"] == len(Listing(frontier).results(count=2 * count)) == count


# -- commands


def crawler(*words: str, **settings: str) -> Result:
    """Run a command line with settings and without Chrome; return its output and exit status."""
    given = {
        variable(name): value
        for name, value in ({"chrome_url": f"http://{HOST}:1"} | settings).items()
    }
    return CliRunner().invoke(main, words, env=given)


def test_the_doctor_says_what_each_server_is_and_how_it_is(server, cluster):
    done = crawler("doctor", redis_url=f"redis://crawl:{SECRET}@{server.address}/0")
    line = next(line for line in done.output.splitlines() if "  redis " in line)
    assert f"redis://crawl:***@{server.address}/0; " in line
    for word in (
        "ms away",
        "appendonly yes",
        "noeviction",
        "MB used of all there is",
        "one server",
    ):
        assert word in line
    done = crawler(
        "doctor", "--json", redis_url=cluster.url, broker_url=f"redis://:{SECRET}@{HOST}:1/0"
    )
    found = {one["what"]: one for one in json.loads(done.output)}
    assert found["redis"]["found"].count("one of the 3 masters of a Cluster") == 3
    assert "Connection refused" in found["broker"]["mend"]
    assert done.exit_code == 1
    assert SECRET not in done.output


def test_a_cluster_without_a_broker_is_one_clear_line(cluster):
    done = crawler("doctor", redis_url=cluster.url)
    assert done.exit_code == 1
    assert "CRAWLER_BROKER_URL: must be set" in done.output


def test_an_evicting_server_is_refused_and_missing_persistence_warned_of(tmp_path):
    with Server(
        tmp_path, "maxmemory 100mb", "maxmemory-policy allkeys-lru", f"requirepass {SECRET}"
    ) as cache:
        address = f"redis://:{SECRET}@{cache.address}/0"
        done = crawler("start", url(1), redis_url=address)
        assert done.exit_code == 2
        assert done.output.splitlines()[-1].startswith(
            "Error: this Redis throws keys away when it is full (maxmemory-policy allkeys-lru)"
        )
        assert "throws keys away" in crawler("doctor", redis_url=address).output
        cache.client(password=SECRET).config_set("maxmemory-policy", "noeviction")
        assert [line.partition(":")[0] for line in warnings(connect(address))] == [
            "appendonly is off"
        ]
        assert "appendonly is off" in crawler("doctor", redis_url=address).output


# -- a worker


def test_a_worker_runs_crawls_of_a_cluster_by_messages_from_another_server(
    cluster, authority, tmp_path, request
):
    other: Server = request.getfixturevalue("secure" if authority else "server")
    trusted = f"?ssl_ca_certs={authority.ca}" if authority else ""
    (tmp_path / "shop.py").write_text(
        f"from crawler import Crawl\n\nshop = Crawl(name='far', url={url(1)!r})\n"
    )
    settings = load(
        redis_url=cluster.url,
        broker_url=(
            f"{'rediss' if authority else 'redis'}://shop:{SECRET}@{other.address}/2{trusted}"
        ),
        crawls=(str(tmp_path / "shop.py"),),
        chrome_url=f"http://{HOST}:1",  # no browser: a run comes that far, and holds the crawl
        key_prefix="shop:",
        state_dir=tmp_path,
    )
    app = Celery("test", set_as_current=False)
    app.conf.update(sender_settings(settings))
    app.send_task("crawler.start", ("far",))
    library = Client(settings)
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            worker_command(settings, 1),
            env=os.environ | environment(settings),
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    try:
        frontier = library.frontier("far")
        limit = time.monotonic() + PATIENCE
        while frontier.plan() is None or frontier.snapshot().held_until is None:
            assert worker.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.05)
        assert frontier.snapshot().queued == 1
        assert [one.crawls.keys() for one in library.workers.workers()] == [{"far"}]
        broker = other.client(password=SECRET, db=2)
        assert {key.partition(":")[0] for key in broker.scan_iter()} == {"shop"}
        assert not [key for node in cluster.nodes for key in node.client().scan_iter("*kombu*")]
    finally:
        end(worker)
    assert SECRET not in log.read_text()
    assert "no permissions" not in log.read_text()
