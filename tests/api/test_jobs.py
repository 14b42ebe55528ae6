"""The jobs API without workers: who may order, what is refused, what a job says of itself, when it
is forgotten.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from click.testing import CliRunner
from redis import Redis

from crawler import Crawl
from crawler.api.api import Api, ApiRequest
from crawler.api.job import AddressRefused, Order, UnknownJob
from crawler.api.jobs import Jobs
from crawler.cli import main
from crawler.client.client import Client
from crawler.client.job_tallies import PROCESSING, WAITING, JobTallies, failure_kind
from crawler.client.workers import Worker
from crawler.config.settings import load
from crawler.definition.bounds import scope_of
from crawler.definition.crawl_plan import policy_of
from crawler.definition.network import guard_of
from crawler.errors import UnknownCrawl
from crawler.frontier.frontier import Frontier
from crawler.frontier.outbox import Outbox
from crawler.local.embedded import PrivateRedis
from crawler.model import FailureClass, Page
from crawler.observe.metrics import Collector
from crawler.services import Services
from tests.support.api import TOKEN, Service, serving
from tests.support.patience import PATIENCE

PUBLIC = "http://93.184.215.14/"


@pytest.fixture(scope="module")
def server(
    redis_server: PrivateRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("serve"), redis_server.url) as there:
        yield there


@pytest.fixture
def service(server: Service, redis: Redis) -> Service:  # noqa: ARG001, it empties it
    """A server with an empty Redis."""
    return server


@pytest.fixture
def library(redis: Redis, redis_server: PrivateRedis) -> Client:  # noqa: ARG001
    return Client(load(redis_url=redis_server.url, broker_url=redis_server.broker_url))


@pytest.fixture
def jobs(library: Client) -> Jobs:
    return Jobs(
        library,
        resolve=lambda host: ("10.0.0.7",) if host == "inside.example" else ("93.184.215.14",),
    )


def work(jobs: Jobs, id: str, pages: int = 1) -> None:  # noqa: A002
    """Do the part of the workers, for so many pages."""
    frontier = jobs.client.frontier(f"job-{id}")
    for number in range(pages):
        claim = frontier.claim("a worker").claim
        assert claim is not None
        frontier.finish(
            claim, claim.page.url, result=json.dumps({"url": claim.page.url, "number": number})
        )


# Orders


def test_an_order_is_answered_with_the_job_and_where_it_is(service):
    reply = service.ask(
        "POST", "/jobs", {"url": PUBLIC, "page_limit": 3, "message": {"shop": [1, None, "ü"]}}
    )
    assert reply.status == 201
    job = reply.json
    assert reply.headers["location"] == f"/jobs/{job['id']}"
    assert (job["state"], job["url"], job["crawl"]) == ("new", PUBLIC, None)
    assert (job["limits"], job["message"]) == ({"page_limit": 3}, {"shop": [1, None, "ü"]})
    assert job["counts"] == {
        "accepted": 1,
        "queued": 1,
        "delayed": 0,
        "processing": 0,
        "done": 0,
        "failed": 0,
        "delivering": 0,
        "undelivered": 0,
    }
    assert (job["started"], job["finished"], job["processing"]) == (None, None, 0)
    seen = service.ask("GET", reply.headers["location"]).json
    assert seen.pop("waiting") >= job.pop("waiting")
    assert job.pop("standstill") is None  # it has just been ordered
    assert seen.pop("standstill")["reason"] == "no_worker"
    assert seen == job


def test_an_order_with_an_id_may_be_repeated_but_not_changed(service):
    order = {"id": "night-7", "url": PUBLIC}
    assert service.ask("POST", "/jobs", order).status == 201
    again = service.ask("POST", "/jobs", order)
    assert (again.status, again.json["id"]) == (200, "night-7")
    assert service.ask("POST", "/jobs", {**order, "depth_limit": 1}).status == 409
    assert len(service.ask("GET", "/jobs").json["jobs"]) == 1


def test_an_order_that_was_cut_short_is_begun_when_it_is_repeated(jobs):
    order = Order(url=PUBLIC)
    jobs._record(order, "halfway")  # and then the server died
    assert (jobs.get("halfway").state, jobs.get("halfway").status) == ("new", None)
    job, new = jobs.create(order, "halfway")
    assert (new, job.status) == (True, "ACTIVE")


@pytest.mark.parametrize(
    ("order", "status", "said"),
    [
        ({}, 422, "either a crawl or a url"),
        ({"url": PUBLIC, "crawl": "books"}, 422, "either a crawl or a url"),
        ({"url": "ftp://example.com/"}, 422, "url"),
        ({"url": PUBLIC, "page_limit": 0}, 422, "page_limit"),
        ({"url": PUBLIC, "page_limit": "7"}, 422, "page_limit"),
        ({"url": PUBLIC, "flags": ["--no-sandbox"]}, 422, "flags"),
        ({"crawl": "books"}, 404, "no crawl is named 'books'"),
        (b"{", 400, "no JSON"),
        (b'{"url": "http://93.184.215.14/", "message": 1e999}', 400, "no JSON"),
        (b"[" * 50_000, 400, "33 levels deep"),
        ({"url": PUBLIC, "message": "x" * 70_000}, 413, "65,536"),
    ],
)
def test_a_wrong_order_is_refused_with_its_reason(service, order, status, said):
    reply = service.ask("POST", "/jobs", order)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert said in reply.body.decode()
    assert service.ask("GET", "/jobs").json["jobs"] == []


def test_an_order_must_say_that_it_is_json(service):
    assert (
        service.ask("POST", "/jobs", b"url=http://93.184.215.14/", Content_Type="text/plain").status
        == 415
    )


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "shop.localhost",
        "10.1.2.3",
        "169.254.169.254",
        "[::1]",
        "[fd00:0:0:0:0:0:0:1]",
        "0.0.0.0",
    ],
)
def test_a_job_may_not_start_at_a_private_address(service, host):
    reply = service.ask("POST", "/jobs", {"url": f"http://{host}/"})
    assert reply.status == 403
    assert "private" in reply.json["detail"]


def test_a_job_starts_at_a_private_address_only_if_allowed(jobs, library):
    with pytest.raises(AddressRefused):
        jobs.create(Order(url="http://inside.example/"))
    trusting = Jobs(library, private=True, resolve=jobs._resolve)
    assert trusting.create(Order(url="http://inside.example/"))[0].state == "new"


def test_the_worker_refuses_a_name_that_becomes_private_after_the_order(jobs, library):
    job, _ = jobs.create(Order(url="http://outside.example/"))
    guard = guard_of(library.crawl(f"job-{job.id}"), resolve=lambda _host: ("127.0.0.1",))
    assert guard.refuses("outside.example")
    assert not guard.starts_private  # so Chrome is sent through the gateway


# Who may order


def test_nobody_gets_in_without_a_token(service):
    for token in (None, "", "a-token-for-tests-onlz", TOKEN + "x"):
        for method, path in (
            ("GET", "/jobs"),
            ("POST", "/jobs"),
            ("GET", "/jobs/x"),
            ("DELETE", "/jobs/x"),
            ("GET", "/jobs/x/results"),
            ("GET", "/jobs/x/failed"),
            ("POST", "/jobs/x/failed"),
            ("GET", "/jobs/x/undelivered"),
            ("POST", "/jobs/x/undelivered"),
        ):
            reply = service.ask(method, path, token=token)
            assert (reply.status, reply.headers.get("www-authenticate")) == (401, "Bearer"), (
                method,
                path,
                token,
            )
    assert service.ask("GET", "/health", token=None).status == 200
    assert service.ask("GET", "/openapi.json", token=None).json["openapi"] == "3.1.0"


def test_no_token_reaches_the_log(service):
    service.ask("GET", "/jobs")
    service.ask("GET", f"/jobs?token={TOKEN}")
    service.ask("GET", "/jobs", token="another-secret-of-somebody")
    text = service.log.read_text()
    assert "GET /jobs 401" in text
    assert TOKEN not in text
    assert "another-secret" not in text


@pytest.mark.usefixtures("redis")
def test_each_token_has_a_rate_of_its_own_over_all_servers(redis_server, tmp_path):
    with serving(
        tmp_path, redis_server.url, api_rate="3", api_tokens=f"{TOKEN},the-token-of-another"
    ) as there:
        # should a minute begin meanwhile, 3 more pass
        statuses = [there.ask("GET", "/jobs").status for _ in range(8)]
        assert statuses[:3] == [200, 200, 200]
        assert 429 in statuses
        with serving(tmp_path, redis_server.url, api_rate="3") as second:
            while (reply := second.ask("GET", "/jobs")).status == 200:
                continue
        assert 1 <= int(reply.headers["retry-after"]) <= 61
        assert there.ask("GET", "/jobs", token="the-token-of-another").status == 200


@pytest.mark.parametrize(
    ("options", "settings", "said"),
    [
        ((), {"api_tokens": ""}, "the jobs API has no token: set CRAWLER_API_TOKENS"),
        ((), {"api_tokens": "short"}, "CRAWLER_API_TOKENS: each must have 16 to 256 characters"),
        ((), {"api_tokens_file": "nowhere"}, "the tokens in nowhere cannot be read: No such file"),
        (
            ("--no-auth", "--host", "0.0.0.0"),
            {},
            "without authentication the server listens on loopback only",
        ),
        ((), {"redis_url": ""}, "CRAWLER_REDIS_URL is not set"),
    ],
)
def test_a_server_that_would_be_open_or_useless_does_not_start(
    redis_server, options, settings, said
):
    environ = {"CRAWLER_REDIS_URL": redis_server.url, "CRAWLER_API_TOKENS": TOKEN}
    environ |= {f"CRAWLER_{name.upper()}": value for name, value in settings.items()}
    done = CliRunner().invoke(main, ["serve", "--port", "0", *options], env=environ)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.usefixtures("redis")
def test_tokens_may_stand_in_a_file(redis_server, tmp_path):
    (tmp_path / "tokens").write_text("# of the night shift\nthe-token-of-the-night   # Ada\n\n")
    with serving(
        tmp_path, redis_server.url, api_tokens="", api_tokens_file=str(tmp_path / "tokens")
    ) as there:
        assert there.ask("GET", "/jobs", token="the-token-of-the-night").status == 200
        assert there.ask("GET", "/jobs").status == 401


@pytest.mark.usefixtures("redis")
def test_without_authentication_the_server_answers_to_localhost_only(redis_server, tmp_path):
    with serving(tmp_path, redis_server.url, "--no-auth", api_tokens="") as there:
        assert there.ask("GET", "/jobs", token=None).status == 200
        assert there.ask("GET", "/jobs", token=None, Host="evil.example").status == 403
        assert "security" not in there.ask("GET", "/openapi.json", token=None).json


# A job on its way


def test_a_job_tells_its_state_its_counts_and_its_times(jobs):
    job, _ = jobs.create(Order(url=PUBLIC))
    assert (job.state, job.started) == ("new", None)
    claim = jobs.client.frontier(f"job-{job.id}").claim("a worker").claim
    running = jobs.get(job.id)
    assert (running.state, running.counts["processing"]) == ("running", 1)
    assert running.started >= running.created
    jobs.client.frontier(f"job-{job.id}").finish(claim, PUBLIC)
    done = jobs.get(job.id)
    assert (done.state, done.counts["done"]) == ("done", 1)
    assert done.started == running.started
    assert done.waiting == pytest.approx(done.started - done.created)
    assert done.processing == pytest.approx(done.finished - done.started)
    assert jobs.get(job.id) == done  # its clock stands still


def test_delete_stops_a_job_and_may_be_repeated(service, jobs):
    job = service.ask("POST", "/jobs", {"url": PUBLIC}).json
    frontier = jobs.client.frontier(f"job-{job['id']}")
    claim = frontier.claim("a worker").claim
    stopping = service.ask("DELETE", f"/jobs/{job['id']}")
    # the page in flight may end
    assert (stopping.status, stopping.json["state"]) == (202, "running")
    frontier.finish(claim, PUBLIC)
    first, second = (
        service.ask("DELETE", f"/jobs/{job['id']}"),
        service.ask("DELETE", f"/jobs/{job['id']}"),
    )
    assert (first.status, first.json["state"], first.json["reason"]) == (
        200,
        "stopped",
        "stopped by its client",
    )
    assert second.json == first.json
    assert service.ask("DELETE", "/jobs/unknown").status == 404


def test_a_job_that_is_done_stays_done_when_it_is_deleted(jobs):
    job, _ = jobs.create(Order(url=PUBLIC))
    work(jobs, job.id)
    assert jobs.stop(job.id).state == "done"


def test_the_list_is_paged_youngest_first_while_jobs_come(service):
    ids = [service.ask("POST", "/jobs", {"url": PUBLIC}).json["id"] for _ in range(5)]
    first = service.ask("GET", "/jobs?limit=2").json
    late = service.ask("POST", "/jobs", {"url": PUBLIC}).json["id"]
    second = service.ask("GET", f"/jobs?limit=2&cursor={first['cursor']}").json
    third = service.ask("GET", f"/jobs?limit=2&cursor={second['cursor']}").json
    assert [job["id"] for page in (first, second, third) for job in page["jobs"]] == ids[::-1]
    assert third["cursor"] is None
    assert service.ask("GET", "/jobs?limit=1").json["jobs"][0]["id"] == late
    for query in ("limit=0", "limit=101", "limit=x", "limit=1&limit=2", "cursor=x", "size=3"):
        assert service.ask("GET", f"/jobs?{query}").status == 422, query


def test_results_are_lines_and_a_reader_goes_on_where_it_was(service, jobs):
    job, _ = jobs.create(Order(url=PUBLIC))
    frontier = jobs.client.frontier(f"job-{job.id}")
    crawl = jobs.client.crawl(frontier.name)
    frontier.enqueue(scope_of(crawl).entry(f"{PUBLIC}{number}") for number in range(59))
    work(jobs, job.id, 60)
    reply = service.ask("GET", f"/jobs/{job.id}/results")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ndjson")
    assert [line["number"] for line in reply.lines] == list(range(60))
    rest = service.ask("GET", f"/jobs/{job.id}/results?after={reply.lines[41]['place']}")
    assert rest.lines == reply.lines[42:]
    assert service.ask("GET", "/jobs/unknown/results").status == 404


def test_results_that_no_hook_took_are_listed_and_delivered_again(service, jobs):
    # Given an ended job, of whose one result its hook gave up
    job, _ = jobs.create(Order(url=PUBLIC))
    frontier, outbox = (there := jobs.client.frontier(f"job-{job.id}")), Outbox(there)
    claim = frontier.claim("a worker").claim
    frontier.finish(claim, PUBLIC, result='{"url": "/"}', deliver=True)
    assert service.ask("GET", f"/jobs/{job.id}").json["counts"]["delivering"] == 1
    name = f"after-{claim.page.id}"
    for attempt in range(1, 6):
        outbox.failed(name, f"OSError: {attempt} (shop.py:7)", "a worker")
        outbox.take(name, "a worker")
    frontier.end_hook_done()
    jobs.settle(frontier)
    # Then it is counted, and listed with hook, page, attempts and error
    seen = service.ask("GET", f"/jobs/{job.id}").json
    assert (seen["state"], seen["counts"]["undelivered"]) == ("done", 1)
    (line,) = service.ask("GET", f"/jobs/{job.id}/undelivered").lines
    assert (line["hook"], line["url"], line["attempts"]) == ("after", PUBLIC, 5)
    assert line["reason"] == "OSError: 5 (shop.py:7)"
    # When its hooks are to be called again, the next tick does so
    again = service.ask("POST", f"/jobs/{job.id}/undelivered")
    assert (again.status, again.json["state"]) == (202, "running")
    assert again.json["counts"]["undelivered"] == 0
    assert frontier.name in Frontier.names(jobs.redis, "")
    assert frontier.tick().tickets == (f"deliver-{name}",)
    assert service.ask("POST", "/jobs/unknown/undelivered").status == 404


# What a tick does


def test_failed_pages_are_paged_and_tried_again(service, jobs, library):
    order = {"id": "failing", "url": PUBLIC}
    assert service.ask("POST", "/jobs", order).status == 201
    frontier = library.frontier("job-failing")
    frontier.enqueue([Page(f"{PUBLIC}{name}") for name in "abc"])
    for status in (404, 410, 500):
        claim = frontier.claim("a worker").claim
        assert claim is not None
        frontier.fail(claim, FailureClass.TERMINAL, f"http_{status}", status=status)
    # When a client reads them, two at a time
    first = service.ask("GET", "/jobs/failing/failed?limit=2").json
    last = service.ask("GET", f"/jobs/failing/failed?limit=2&cursor={first['cursor']}").json
    assert [page["status"] for page in first["failed"] + last["failed"]] == [404, 410, 500]
    assert set(first["failed"][0]) == {"id", "url", "reason", "status", "attempts", "depth"}
    assert last["cursor"] is None
    # And tries them again after the end, when no tick knows the job any more
    work(jobs, "failing")
    frontier.end_hook_done()
    Services(library.settings).tick()
    assert (jobs.get("failing").state, library.redis.smembers("crawls")) == ("done", set())
    again = service.ask("POST", "/jobs/failing/failed")
    assert (again.status, again.json["state"]) == (202, "running")
    assert (again.json["counts"]["failed"], again.json["counts"]["queued"]) == (0, 3)
    assert library.redis.smembers("crawls") == {b"job-failing"}
    assert service.ask("GET", "/jobs/none/failed").status == 404


def test_a_client_waits_for_the_end_and_holds_nobody_up(service, jobs):
    service.ask("POST", "/jobs", {"id": "slow", "url": PUBLIC})
    with ThreadPoolExecutor(60) as pool:
        # Given more clients that wait than the server has threads
        waiting = [pool.submit(service.ask, "GET", "/jobs/slow?wait=60") for _ in range(60)]
        # When others ask, they are answered
        assert service.ask("GET", "/jobs/slow?wait=0").json["state"] == "new"
        told = service.ask("GET", "/jobs/slow?wait=1").json
        assert (told["state"], told["standstill"]["reason"]) == ("new", "no_worker")
        assert not any(one.done() for one in waiting)
        # And with the end of the job all have their response
        work(jobs, "slow")
        assert {one.result().json["state"] for one in waiting} == {"done"}
    assert service.ask("GET", "/jobs/slow?wait=61").json["detail"] == "wait is not between 0 and 60"


def test_a_standstill_is_found_only_for_an_answer_that_is_sent(jobs):
    api = Api(jobs, None)
    jobs.create(Order(url=PUBLIC), "slow")
    held = ApiRequest("GET", "/jobs/slow", "wait=5")
    poll, last = api.answer(replace(held, is_poll=True)), api.answer(held)
    assert (poll.wait, json.loads(poll.body)["standstill"]) == (5, None)
    assert json.loads(last.body)["standstill"]["reason"] == "no_worker"
    work(jobs, "slow")
    assert api.answer(replace(held, is_poll=True)).wait == 0


def test_head_is_get_without_its_body_on_every_path(service, jobs):
    service.ask("POST", "/jobs", {"id": "ended", "url": PUBLIC})
    work(jobs, "ended")
    paths = ["", "/ended", "/ended?wait=5", "/ended/results", "/ended/failed", "/ended/undelivered"]
    for path in [*(f"/jobs{path}" for path in paths), "/health", "/openapi.json", "/jobs/none"]:
        got, head = service.ask("GET", path), service.ask("HEAD", path)
        assert (head.status, head.body) == (got.status, b""), path
        assert head.headers.get("content-length") == got.headers.get("content-length"), path
    assert service.ask("HEAD", "/jobs", token=None).status == 401
    assert service.ask("PUT", "/jobs").headers["allow"] == "GET, HEAD, POST"


def test_health_says_whether_a_worker_is_alive(service, library):
    assert service.ask("GET", "/health", token=None).json == {"status": "no worker", "workers": 0}
    library.workers.announce(Worker("one@here"), 60)
    assert service.ask("GET", "/health", token=None).json == {"status": "ok", "workers": 1}


@pytest.mark.parametrize(
    "ask",
    [
        ("POST", "/jobs", {"url": "gopher://x"}),
        ("POST", "/jobs", {"url": PUBLIC, "id": "A" * 9_000}),
        ("POST", "/jobs", {"crawl": "no such"}),
        ("POST", "/jobs", {"crawl": "x" * 60}),
        ("GET", "/jobs?cursor=x"),
        ("GET", f"/jobs/{'x' * 8_000}"),
        ("PUT", f"/jobs/{'x' * 8_000}"),
        ("GET", f"/{'x' * 8_000}"),
        ("GET", f"/jobs?{'x' * 8_000}=1"),
    ],
)
def test_the_text_of_an_error_is_short(service, ask):
    problem = service.ask(*ask).json
    assert len(json.dumps(problem)) < 500
    assert "^" not in json.dumps(problem)


def test_an_ended_job_is_forgotten_in_time_but_no_running_one(library):
    jobs = Jobs(library, retention=0.2)
    ended, running = jobs.create(Order(url=PUBLIC))[0], jobs.create(Order(url=PUBLIC))[0]
    work(jobs, ended.id)
    end = time.monotonic() + PATIENCE
    while jobs.sweep() == 0:
        assert time.monotonic() < end
        time.sleep(0.02)
    with pytest.raises(UnknownJob):
        jobs.get(ended.id)
    assert library.frontier(f"job-{ended.id}").digest() is None
    assert [job.id for job in jobs.page(10)[0]] == [running.id]
    assert not [key for key in library.redis.keys("*") if ended.id.encode() in key]


def test_an_ended_job_gets_no_tick_until_it_is_reopened(jobs, library):
    services = Services(library.settings)
    job, _ = jobs.create(Order(url=PUBLIC))
    other = Crawl(name="no-job", url=PUBLIC)
    library.start(other)
    frontier = library.frontier(f"job-{job.id}")
    claim = frontier.claim("a worker").claim
    assert set(services.tick()) == {frontier.name, "no-job"}
    frontier.fail(claim, FailureClass.TERMINAL, "http_404")
    services.tick()
    assert set(services.tick()) == {frontier.name, "no-job"}  # nobody has called its after_all yet
    frontier.end_hook_done()
    services.tick()
    assert set(services.tick()) == {"no-job"}
    assert jobs.get(job.id).state == "failed"
    assert library.handle(frontier.name).retry() == 1
    assert set(services.tick()) == {frontier.name, "no-job"}


# Metrics


def test_ends_of_jobs_are_counted_once_with_their_times(jobs, library):
    # Given jobs that are done, failed, stopped, going on, and not begun
    done, failed, stopped, running, waiting = (jobs.create(Order(url=PUBLIC))[0] for _ in range(5))
    work(jobs, done.id)
    claim = library.frontier(f"job-{failed.id}").claim("a worker").claim
    library.frontier(f"job-{failed.id}").fail(claim, FailureClass.TERMINAL, "http_404", status=404)
    jobs.stop(stopped.id)
    library.frontier(f"job-{running.id}").claim("a worker")
    # When several processes tell of the ends, again and again
    for _ in range(3):
        Jobs(library).count_end(done.id)
        for job in (done, failed, stopped, running, waiting):
            Jobs(library).settle(library.frontier(f"job-{job.id}"))
            library.frontier(f"job-{job.id}").end_hook_done()
    # Then each is counted once
    totals = jobs.tallies.totals()
    assert totals.ordered == 5
    assert [totals.ended(state) for state in ("done", "failed", "stopped")] == [1, 1, 1]
    assert totals.failures == {"http_404": 1}
    for name in (WAITING, PROCESSING):  # the one that was stopped was never begun
        times = [getattr(jobs.get(job.id), name) for job in (done, failed)]
        assert sum(totals.buckets(name)) == 2
        assert totals.seconds(name) == pytest.approx(sum(times), abs=0.002)
        assert max(times) <= 2 ** max(n for n, jobs in enumerate(totals.buckets(name)) if jobs)
    # And Prometheus gets them, from whichever process
    metrics = {
        (sample.name, *sample.labels.values()): sample.value
        for family in Collector(library.redis).collect()
        for sample in family.samples
    }
    assert metrics["crawler_jobs_ordered_total",] == 5
    assert metrics["crawler_jobs_done_total",] == metrics["crawler_jobs_stopped_total",] == 1
    assert metrics["crawler_jobs_failed_total", "http_404"] == 1
    assert metrics["crawler_jobs", "waiting"] == metrics["crawler_jobs", "running"] == 1
    assert metrics["crawler_job_waiting_seconds_count",] == 2
    assert metrics["crawler_job_processing_seconds_bucket", "+Inf"] == 2
    age = jobs.get(waiting.id).waiting
    assert 0 < metrics["crawler_job_oldest_waiting_seconds",] <= age + 1


def test_a_job_that_is_retried_ends_twice_and_waits_once(jobs, library):
    job, _ = jobs.create(Order(url=PUBLIC))
    frontier = library.frontier(f"job-{job.id}")
    frontier.fail(frontier.claim("a worker").claim, FailureClass.TERMINAL, "dns")
    jobs.count_end(job.id)
    jobs.retry(job.id)
    jobs.count_end(job.id)  # it goes on
    work(jobs, job.id)
    jobs.count_end(job.id)
    totals = jobs.tallies.totals()
    assert (totals.ordered, totals.ended("failed"), totals.ended("done")) == (1, 1, 1)
    assert sum(totals.buckets(WAITING)) == sum(totals.buckets(PROCESSING)) == 1


def test_kinds_of_failure_of_jobs_are_few(redis):
    tallies = JobTallies(redis, "{jobs}:")
    for number in range(70):
        tallies.end(
            str(number), 1.0 + number, "failed", f"kind_{number}", (0.1, 10.0 ** min(number, 9))
        )
    totals = tallies.totals()
    assert len(totals.failures) == 51
    assert totals.failures["other"] == 20
    assert totals.buckets(PROCESSING)[-1] == 65  # all that took longer than 2**24 ms


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("no page was done (last failure: http_404)", "http_404"),
        ("no page was done (last failure: extract: ValueError: a (b))", "extract: ValueError"),
        ("before_all: KeyError: 'x'", "before_all: KeyError"),
        ("no page was done", "other"),
        ("", "other"),
    ],
)
def test_the_reason_of_a_job_has_a_kind(reason, kind):
    assert failure_kind(reason) == kind


# A crawl with code


def test_a_variant_runs_under_its_own_name_wherever_its_code_is_known(library):
    books = Crawl(name="books", url=PUBLIC, page_limit=100)
    books.extract(lambda page: {"title": page.title})
    library.known["books"] = books
    job, _ = Jobs(library).create(Order(crawl="books", message=7, limits={"page_limit": 5}))
    crawl = library.crawl(f"job-{job.id}")
    assert (crawl.name, policy_of(crawl).page_limit, crawl.message) == (f"job-{job.id}", 5, 7)
    assert crawl.hooks == books.hooks
    elsewhere = Client(library.settings)
    with pytest.raises(UnknownCrawl, match="books"):
        elsewhere.crawl(f"job-{job.id}")


# Without Redis


@pytest.mark.slow
@pytest.mark.parametrize("how", ["frozen", "gone"])
def test_without_redis_every_request_is_told_so_in_time(tmp_path, how):
    redis = PrivateRedis(tmp_path / "redis").start()
    try:
        with serving(tmp_path, redis.url, api_rate="100") as there:
            id = there.ask("POST", "/jobs", {"url": PUBLIC}).json["id"]  # noqa: A001
            assert redis.process is not None
            redis.process.send_signal(signal.SIGSTOP if how == "frozen" else signal.SIGKILL)
            for method, path in (("GET", f"/jobs/{id}"), ("POST", "/jobs"), ("GET", "/health")):
                began = time.monotonic()
                reply = there.ask(method, path, {"url": PUBLIC} if method == "POST" else None)
                assert reply.status == 503, (method, path)
                assert time.monotonic() - began < PATIENCE, (method, path)
                assert int(reply.headers["retry-after"]) > 0
            assert "Traceback" not in there.log.read_text()
    finally:
        assert redis.process is not None
        redis.process.send_signal(signal.SIGCONT)
        redis.stop()
