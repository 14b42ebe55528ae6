"""docker-compose.yml as containers: each test goes on where the one before it ended."""

from __future__ import annotations

import json

import pytest

from tests.containers.build import NEXT, NEXT_VERSION
from tests.containers.deployment import PROJECT, SESSIONS, Deployment, numbers
from tests.containers.growing_site import PORT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

#: Pages of the site that a crawl does whole, and pages that a crawl has in flight at most.
PAGES, IN_FLIGHT = 24, 4

#: Runs in a worker: what Chrome says of each address that it is sent to, by the Grid.
LOOK = """
import json, sys
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
options = webdriver.ChromeOptions()
driver = webdriver.Remote("http://hub:4444", options=options)
said = {}
for url in sys.argv[1:]:
    driver.set_page_load_timeout(3 if url not in (sys.argv[1], sys.argv[-1]) else 60)
    try:
        driver.get(url)
        said[url] = "page"
    except WebDriverException as error:
        said[url] = next((word for word in str(error).split() if "net::" in word), "no answer")
driver.quit()
print(json.dumps(said))
"""
#: Runs in a worker: whether it can connect to each address.
CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    socket.create_connection((host, int(port)), 10).close()
print("connected")
"""
#: What Chrome says where there is nobody, or nobody whom it may reach.
NOT_FOUND = (
    *(f"net::ERR_{why}" for why in ("NAME_NOT_RESOLVED", "CONNECTION_REFUSED")),
    *(f"net::ERR_{why}" for why in ("CONNECTION_TIMED_OUT", "ADDRESS_UNREACHABLE")),
    "no answer",
)
#: Services that pages must not find, with their ports.
INSIDE = {
    "redis": 6379, "prometheus": 9090, "alertmanager": 9093, "api": 8000, "flower": 5555,
    "metrics": 9808,
}  # fmt: skip


def test_every_service_is_well_and_none_runs_as_root(deployment: Deployment):
    for name in deployment.services:
        assert deployment.state(name) == "running healthy"
        assert deployment.execute(name, "id", "-u").strip() != "0", name
    # and what is published is published on loopback
    for name, port in deployment.ports.items():
        if name.lower() in deployment.services:
            (bound,) = [
                one
                for ports in deployment.container(name.lower())["NetworkSettings"]["Ports"].values()
                for one in ports or ()
            ]
            assert (bound["HostIp"], bound["HostPort"]) == ("127.0.0.1", str(port))


def test_the_grid_has_as_many_browsers_as_the_file_says(deployment: Deployment):
    status = deployment.execute("hub", "curl", "-fsS", "http://127.0.0.1:4444/status")
    nodes = json.loads(status)["value"]["nodes"]
    assert [(node["maxSessions"], len(node["slots"])) for node in nodes] == [(SESSIONS, SESSIONS)]


def test_a_health_check_fails_on_an_answer_that_is_an_error(deployment: Deployment):
    # Given a Redis that answers, but not what it should
    check = deployment.services["redis"]["healthcheck"]["test"][1].replace("$$", "$")
    assert deployment.execute("redis", "sh", "-c", check) == ""
    wrong = check.replace("REDISCLI_AUTH=", "REDISCLI_AUTH=wrong")
    redis = deployment.id("redis")
    done = deployment.engine.run("exec", redis, "sh", "-c", wrong, check=False)
    assert done.returncode != 0


def test_a_crawl_through_the_grid_writes_every_page_to_the_volume(deployment: Deployment):
    deployment.end_site("books", PAGES)
    words = ("crawler", "start", "crawls/books.py", "-o", "results/books.jsonl")
    deployment.execute("worker", *words)
    lines = deployment.execute("worker", "cat", "results/books.jsonl").splitlines()
    items = list(map(json.loads, lines))
    assert numbers(items) == sorted(int(item["title"]) for item in items) == list(range(PAGES))


def test_prometheus_scrapes_workers_and_knows_alertmanager(deployment: Deployment):
    def ask(path: str) -> dict:
        return json.loads(
            deployment.execute(
                "metrics", "python", "-c",
                "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())",
                f"http://prometheus:9090/api/v1/{path}",
            )
        )["data"]  # fmt: skip

    deployment.until(
        lambda: [one["value"][1] for one in ask("query?query=crawler_workers")["result"]] == ["1"],
        lambda: ask("targets"),
    )
    deployment.until(
        lambda: {one["health"] for one in ask("targets")["activeTargets"]} == {"up"},
        lambda: ask("targets"),
    )
    assert len(ask("alertmanagers")["activeAlertmanagers"]) == 1


def test_a_page_in_chrome_finds_neither_redis_nor_prometheus(deployment: Deployment):
    # Given the addresses of all that lies inside, which a worker does reach
    addresses = {name: deployment.address(name, "inside") for name in INSIDE}
    places = [f"{addresses[name]}:{port}" for name, port in INSIDE.items()]
    assert deployment.execute("worker", "python", "-c", CONNECT, *places) == "connected\n"
    assert [name for name in INSIDE if deployment.address(name, "browsers")] == []
    # When Chrome is sent to each, by name, by address, and to what is published on this machine
    gateway = deployment.container("chrome")["NetworkSettings"]["Networks"][f"{PROJECT}_browsers"]
    urls = [f"http://{place}/" for place in places]
    urls += [f"http://{name}:{port}/" for name, port in INSIDE.items()]
    urls += [f"http://{gateway['Gateway']}:{port}/" for port in deployment.ports.values()]
    site = f"http://site.test:{PORT}/books/0"
    words = ("python", "-c", LOOK, site, *urls, f"{site}?after")
    found = json.loads(deployment.execute("worker", *words))
    # Then it finds the site, before and after, and nothing else
    assert (found.pop(site), found.pop(f"{site}?after")) == ("page", "page")
    assert {url: what for url, what in found.items() if what not in NOT_FOUND} == {}


def test_killed_containers_come_back_and_no_page_is_lost(deployment: Deployment):
    # Given a crawl under way, of a site that has no end yet
    deployment.order("killed", delay=0.2)
    done = deployment.until_done("killed", 2)
    # When one service after the other is killed
    for name in ("chrome", "redis", "worker"):
        deployment.kill(name)
        # Then the crawl goes on: beyond the pages that were in flight
        done = deployment.until_done("killed", done + IN_FLIGHT + 1)
        deployment.until_well(name)
    # and once the site has an end, each page that was found is done, and once
    deployment.end_site("killed")
    results = deployment.results("killed")
    assert results == list(range(deployment.job("killed")["counts"]["accepted"]))
    assert len(results) >= done


def test_a_worker_rolls_to_a_new_version_within_a_crawl(deployment: Deployment):
    # Given a crawl under way, of a site that has no end yet
    deployment.order("rolled", delay=0.2)
    done = deployment.until_done("rolled", 2)
    old = deployment.id("worker")
    # When the worker, and nothing else, becomes one of the next version
    deployment.compose("up", "-d", "--no-deps", "--no-build", "worker", CRAWLER_IMAGE=NEXT)
    deployment.until_well("worker")
    # Then it goes on where the old one ended, and each page is done once
    deployment.until_done("rolled", done + IN_FLIGHT + 1)
    deployment.end_site("rolled")
    assert deployment.id("worker") != old
    assert NEXT_VERSION in deployment.execute("worker", "crawler", "--version")
    assert NEXT_VERSION not in deployment.execute("api", "crawler", "--version")
    # and the end of the crawl before it was told, signed with a secret that came as a file
    deployment.until(
        lambda: deployment.job("killed")["webhook"]["state"] == "delivered",
        lambda: deployment.job("killed"),
    )
    results = deployment.results("rolled")
    assert results == list(range(deployment.job("rolled")["counts"]["accepted"]))


def test_all_ends_by_itself_and_leaves_nothing_but_volumes(deployment: Deployment):
    engine = deployment.engine
    # When everything is told to stop
    deployment.compose("stop")
    # Then each ended by itself: nothing had to be killed when its grace time was over
    ends = {name: deployment.container(name)["State"]["ExitCode"] for name in deployment.services}
    assert {name: code for name, code in ends.items() if code == 137} == {}, ends
    # and without containers and networks the results are still there
    engine.run("rm", "-f", f"{PROJECT}-site")
    deployment.compose("down")
    assert deployment.containers() == []
    networks = engine.run("network", "ls", "--format", "{{.Name}}").stdout.split()
    assert [name for name in networks if name.startswith(PROJECT)] == []
    volumes = engine.run("volume", "ls", "--format", "{{.Name}}").stdout.split()
    ours = {name.removeprefix(f"{PROJECT}_") for name in volumes if name.startswith(PROJECT)}
    assert ours >= {"redis", "results", "files", "beat", "flower", "prometheus", "alertmanager"}
    lines = engine.run(
        "run", "--rm", "-v", f"{PROJECT}_results:/results:ro", engine.images["CRAWLER_IMAGE"],
        "cat", "/results/books.jsonl",
    ).stdout.splitlines()  # fmt: skip
    assert len(lines) == PAGES
