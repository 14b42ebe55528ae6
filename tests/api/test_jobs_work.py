"""Jobs from the order to the results: a real server, a real worker with a real Chrome, a real site
on loopback.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from crawler.client.client import Client
from crawler.config.settings import Settings, load
from crawler.local.embedded import PrivateRedis, PrivateWorkers
from crawler.storage.connection import connect
from crawler.storage.rate import Rate
from tests.site.fixture import site  # noqa: F401
from tests.site.server import Server
from tests.support.api import Service, serving
from tests.support.patience import PATIENCE

#: Runs a second that a worker may complete: far less than it could.
RATE = 4

CRAWLS = """
from crawler import Crawl

reader = Crawl(name="reader", url="{site}", depth_limit=2, robots=False)

@reader.extract
def what(page, crawl):
    return {{"title": page.title, "said": crawl.message}}

shelf = Crawl(name="shelf", url="{site}", depth_limit=1, robots=False)

@shelf.extract
def lead(page, follow):
    for place, url in enumerate(page.attrs("a", "href")):
        follow(url, route="leaf" if place else None, data={{"place": place}})

@shelf.route("leaf", links=False)
def leaf(page, crawl):
    return {{"place": page.data["place"], "said": crawl.message}}

shelf.route("first", match="/tree/1$", extract={{"heading": "h1"}})
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, site: Server) -> Iterator[Settings]:  # noqa: F811
    """A Redis and a worker that knows one crawl with code."""
    folder = tmp_path_factory.mktemp("jobs")
    crawls = folder / "crawls.py"
    crawls.write_text(CRAWLS.format(site=site.url("/tree/0")))
    with PrivateRedis(folder / "redis") as redis:
        given = load(
            redis_url=redis.url,
            broker_url=redis.broker_url,
            state_dir=folder / "state",
            crawls=(str(crawls),),
            tick_interval=1.0,
        )
        workers = PrivateWorkers(given, 2, log=folder / "worker.log")
        workers.start()
        yield given
        workers.kill()


def wait_for_line(settings: Settings, text: str) -> None:
    """Wait until the worker has logged ``text``."""
    end, log = time.monotonic() + PATIENCE, settings.state_dir.parent / "worker.log"
    while text not in log.read_text():
        assert time.monotonic() < end, f"{text}: {log.read_text()[-3_000:]}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("serve")
    with serving(
        folder,
        settings.redis_url or "",
        broker_url=settings.broker_url or "",
        crawls=settings.crawls[0],
        api_private="true",
    ) as there:
        yield there


@pytest.mark.browser
def test_jobs_of_one_crawl_have_their_own_messages_and_limits(service, settings):
    orders = [
        {"crawl": "reader", "message": {"for": "Ada"}},
        {"crawl": "reader", "message": "Bob", "depth_limit": 1},
    ]
    ids = [service.ask("POST", "/jobs", order).json["id"] for order in orders]
    seen = [service.ended(id) for id in ids]  # noqa: A001
    assert [(job["state"], job["counts"]["done"]) for job in seen] == [("done", 7), ("done", 3)]
    for job, order in zip(seen, orders, strict=True):
        lines = service.ask("GET", f"/jobs/{job['id']}/results").lines
        assert len({line["url"] for line in lines}) == job["counts"]["done"]
        assert all(line["data"]["said"] == order["message"] for line in lines)
        assert {line["data"]["title"] for line in lines} >= {"Page 0", "Page 1", "Page 2"}
        created, started, finished = (
            datetime.fromisoformat(job[name]) for name in ("created", "started", "finished")
        )
        assert created <= started <= finished
        assert job["waiting"] == pytest.approx((started - created).total_seconds(), abs=0.002)
        assert job["processing"] == pytest.approx((finished - started).total_seconds(), abs=0.002)
        # Flower shows it, too, as the result of the run that ended the job
        said = f"'waiting': {job['waiting']}, 'processing': {job['processing']}"
        wait_for_line(settings, said)


@pytest.mark.browser
def test_jobs_have_the_routes_of_their_crawl_and_the_data_of_links(service):
    id = service.ask("POST", "/jobs", {"crawl": "shelf", "message": "Ada"}).json["id"]  # noqa: A001
    assert service.ended(id)["counts"]["done"] == 3
    lines = service.ask("GET", f"/jobs/{id}/results").lines
    assert {line.get("route"): line["data"] for line in lines} == {
        None: None,
        "first": {"heading": "Page 1"},
        "leaf": {"place": 1, "said": "Ada"},
    }


@pytest.mark.browser
def test_a_running_job_is_stopped_and_keeps_what_it_has(service, site):  # noqa: F811
    job = service.ask(
        "POST", "/jobs", {"url": site.url("/tree/0?size=500"), "depth_limit": None, "delay": 0.2}
    ).json
    service.until(job["id"], lambda seen: seen["counts"]["done"] >= 2)
    assert service.ask("DELETE", f"/jobs/{job['id']}").status in (200, 202)
    ended = service.ended(job["id"])
    assert ended["state"] == "stopped"
    assert ended["counts"]["queued"] > 0
    assert len(service.ask("GET", f"/jobs/{job['id']}/results").lines) == ended["counts"]["done"]


@pytest.mark.browser
def test_a_job_whose_page_does_not_exist_has_failed(service, site):  # noqa: F811
    job = service.ask("POST", "/jobs", {"url": site.url("/not-here"), "page_limit": 1}).json
    ended = service.ended(job["id"])
    assert (ended["state"], ended["counts"]["failed"]) == ("failed", 1)


# The rate


def crowded(moments: list[float], seconds: float = 1.0) -> int:
    """The greatest number of ``moments`` within any such time."""
    moments = sorted(moments)
    return max(sum(first <= later < first + seconds for later in moments) for first in moments)


@pytest.mark.browser
def test_workers_complete_at_most_so_many_runs_in_any_second(settings, tmp_path):
    """By Redis's clock: a result's place in its stream is the time at which the run was
    complete.
    """
    with PrivateRedis(tmp_path / "redis") as redis:
        given = settings.model_copy(
            update={
                "redis_url": redis.url,
                "broker_url": redis.broker_url,
                "worker_job_completion_rate_per_second": RATE,
            }
        )
        workers = PrivateWorkers(given, 2, log=tmp_path / "worker.log")
        workers.start()
        try:
            library = Client(given)
            handle = library.start(
                library.known["reader"].variant(name="slow", depth_limit=3)
            ).handle
            assert handle.wait(60).done == 15
        finally:
            workers.kill()
        places = [place for place, _ in handle.results()]
    assert crowded([int(place.partition("-")[0]) / 1_000 for place in places]) <= RATE


@pytest.mark.parametrize(
    ("rate", "count", "seconds", "most"), [(30.0, 75, 1.0, 30), (2.5, 7, 1.2, 3), (0.8, 2, 1.25, 1)]
)
def test_a_rate_holds_over_everybody_who_shares_a_redis(
    redis_server, redis, rate, count, seconds, most
):
    moments: list[float] = []
    orders = iter(range(count))

    def work() -> None:
        client = connect(redis_server.url)
        mine = Rate(client, "test:", rate)
        for _ in orders:
            with mine.completion():
                now, micros = redis.time()
                moments.append(now + micros / 1e6)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(moments) == count
    assert crowded(moments, seconds) <= most


@pytest.mark.usefixtures("redis")
def test_a_slot_is_free_again_when_its_run_died(redis_server, monkeypatch):
    monkeypatch.setattr("crawler.storage.rate.SLOT_LIFE", 0.2)
    rate = Rate(connect(redis_server.url), "test:", 1.0)
    with pytest.raises(RuntimeError), rate.completion():
        raise RuntimeError("the run ends here")
    with rate.completion():  # by itself it would be after half a minute
        pass
