"""Metrics: read from Redis, true of every worker, and understood by Prometheus, whose own tool
checks all that it is given.
"""

# ruff: noqa: S310 - the addresses are our own
from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.definition.bounds import scope_of
from crawler.definition.crawl_plan import plan_of

pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")

from prometheus_client.parser import text_string_to_metric_families

from crawler.browser.chrome.registry import Registry
from crawler.client.workers import WorkerRegistry, browser_memory_of
from crawler.frontier.frontier import Frontier
from crawler.model import FailureClass, Page
from crawler.observe.metrics import CRAWLS_MAX, ENDED_SHOWN, REASONS_MAX, Collector, reasons
from crawler.storage.connection import connect
from tests.site.server import Server
from tests.support.folder import Folder, until
from tests.support.ground import SITE, Ground, shop
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.webdriver import CRASH, Doc

pytest_plugins = ["tests.site.fixture"]

CONFIG = Path(__file__).resolve().parents[2] / "config"
DASHBOARD = CONFIG / "grafana" / "dashboards" / "crawler.json"


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A Redis with a crawl that met most of what can happen."""
    ground = Ground(tmp_path_factory.mktemp("metrics"))
    ground.chrome_on(
        {
            "/": Doc(
                links=["/gone", "/broken", "/crash", "/later", "/moved", "http://elsewhere.test/"]
            ),
            "/gone": Doc(status=404),
            "/broken": [Doc(status=503), Doc()],
            "/crash": [Doc(error=CRASH), Doc()],
            "/later": [Doc(status=429, retry_after="0"), Doc()],
            "/moved": Doc(arrives=f"{SITE}/"),
        }
    )
    ground.worker()  # one process: no other may do the run that hands in another's last steps
    frontier = ground.crawl(shop(concurrency_limit=2))
    ground.until_end(frontier)
    # the last run's, too
    ground.until(
        lambda: sum(frontier.tallies().get(f"step:after:{power}", 0) for power in range(18)) == 4
    )
    Frontier(ground.client, "other").create(plan_of(shop(name="other")))
    yield ground
    ground.close()


def served(ground: Ground, folder: Folder) -> str:
    """Return the output of ``crawler metrics --once``."""
    folder.environ["CRAWLER_REDIS_URL"] = ground.redis.url
    done = folder.here("metrics", "--once")
    assert done.exit_code == 0, done.stderr
    return done.stdout


def values(text: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and its labels' values, in the order of the labels' names, but the
    crawl ``shop``.
    """
    return {
        (sample.name, *(value for value in sample.labels.values() if value != "shop")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def program(name: str) -> str:
    """One of Prometheus's programs: of this machine, or where `.ci/setup` puts it."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"{name} is not installed (Debian: apt-get install prometheus)"
        )
    return found


def promtool(*words: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Ask Prometheus's own tool."""
    tool = program("promtool")
    return subprocess.run(
        [tool, *map(str, words)], input=given, capture_output=True, text=True, check=False
    )


def test_the_metrics_of_a_crawl_tell_what_became_of_its_pages(crawled: Ground, folder: Folder):
    seen = values(served(crawled, folder))
    assert {
        state: seen["crawler_pages", state]
        for state in ("queued", "delayed", "processing", "done", "failed")
    } == {"queued": 0, "delayed": 0, "processing": 0, "done": 5, "failed": 1}
    assert (seen["crawler_crawl_status", "finished"], seen["crawler_crawl_status", "active"]) == (
        1,
        0,
    )
    assert seen["crawler_pages_failed", "http_404"] == 1
    attempts = {
        labels[1:]: value for labels, value in seen.items() if labels[0] == "crawler_attempts_total"
    }
    assert attempts == {
        ("done", "2xx"): 5,
        ("http_404", "4xx"): 1,
        ("http_503", "5xx"): 1,
        ("http_429", "4xx"): 1,
        ("browser_lost", "none"): 1,
    }
    assert seen["crawler_duplicates_total",] == 1
    assert seen["crawler_throttles_total",] == 1
    assert seen["crawler_crashes_total",] == 1
    assert seen["crawler_links_skipped_total", "scope"] == 1
    assert seen["crawler_workers",] == 1
    assert (seen["crawler_crawls", "finished"], seen["crawler_crawls", "new"]) == (1, 1)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("shared", "parts"), [(1, ("browser", "renderer", "driver")), (4, ("browser", "renderer"))]
)
def test_the_memory_of_browsers_is_told_by_part(
    tmp_path: Path, folder: Folder, site: Server, shared: int, parts: tuple[str, ...]
):
    with closing(Ground(tmp_path)) as ground:
        ground.worker(page_load_timeout=20, chrome_shared=shared)
        ground.until_end(ground.crawl(shop(url=site.url("/a"), depth_limit=0)))
        registry = WorkerRegistry(ground.client)
        ground.until(lambda: browser_memory_of(registry.workers()).get("renderer"))
        seen = values(served(ground, folder))
        said = folder.here("info").stdout
    for part in parts:
        assert seen["crawler_browser_memory_bytes", part] > 1_000_000
    assert "MB of memory of browsers" in said


def test_every_step_of_every_run_was_timed_and_every_wake_up(crawled: Ground, folder: Folder):
    seen = values(served(crawled, folder))
    assert seen["crawler_step_seconds_count", "request"] == 9  # attempts
    assert seen["crawler_step_seconds_count", "extract"] == 5
    assert seen["crawler_step_seconds_count", "after"] == 4  # not for the page that was another
    assert seen["crawler_step_seconds_count", "browser"] >= 9
    assert seen["crawler_wakeup_seconds_count",] >= 1
    for step in ("browser", "request", "queue.register"):
        assert 0 < seen["crawler_step_seconds_sum", step] < 60
        assert (
            seen["crawler_step_seconds_bucket", "+Inf", step]
            == seen["crawler_step_seconds_count", step]
        )


def test_a_crawl_that_stands_still_shows_why(crawled: Ground, folder: Folder):
    frontier = Frontier(crawled.client, "other")
    frontier.enqueue([Page("http://127.0.0.1/")])
    frontier.pause("somebody")
    seen = values(served(crawled, folder))
    assert {labels: value for labels, value in seen.items() if "crawler_waiting" in labels} == {
        ("crawler_waiting", "other", "paused"): 1
    }
    frontier.clear()
    frontier.create(plan_of(shop(name="other")))


def test_remote_sessions_are_counted_with_the_age_of_the_oldest(crawled: Ground):
    oldest, *_ = entries = Registry(crawled.client).sessions()  # of the worker, which is still up
    found = Collector(crawled.client, clock=lambda: oldest.started + 100).collect()
    seen = {sample.name: sample.value for family in found for sample in family.samples}
    assert seen["crawler_browser_sessions"] == len(entries)
    assert seen["crawler_browser_session_age_seconds"] == 100
    assert seen["crawler_browser_session_reaps_total"] == 0


def test_they_are_served_over_http_until_the_process_ends(crawled: Ground, folder: Folder):
    folder.environ["CRAWLER_REDIS_URL"] = crawled.redis.url
    with folder.begin("metrics", "--port", "0") as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            # nobody else is served, unless that is asked for
            assert url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(url) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain")
                assert b'crawler_pages{crawl="shop",state="done"} 5.0' in answer.read()
        finally:
            process.kill()


def test_a_port_that_is_taken_is_told_in_a_line(crawled: Ground, folder: Folder):
    folder.environ["CRAWLER_REDIS_URL"] = crawled.redis.url
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = folder.here("metrics", "--port", str(port))
    assert done.exit_code == 2
    assert done.stderr == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_redis_that_is_away_is_a_metric_and_no_error(tmp_path):
    found = list(Collector(connect(f"unix://{tmp_path}/nobody")).collect())
    assert {sample.name: sample.value for family in found for sample in family.samples}[
        "crawler_redis_up"
    ] == 0


def test_a_crawl_that_ended_long_ago_is_only_counted(crawled: Ground):
    ended = Frontier(crawled.client, "shop").snapshot().ended
    assert ended is not None

    def shown(after: float) -> set[str]:
        families = Collector(crawled.client, clock=lambda: ended + after).collect()
        return {
            sample.labels["crawl"]
            for family in families
            for sample in family.samples
            if "crawl" in sample.labels
        }

    assert shown(ENDED_SHOWN - 1) == {"shop", "other"}
    assert shown(ENDED_SHOWN + 1) == {"other"}


def test_however_many_crawls_there_are_so_many_are_shown(redis):
    for number in range(CRAWLS_MAX + 5):
        Frontier(redis, f"crawl-{number}").create(plan_of(shop(name=f"crawl-{number}")))
    found = {family.name: family.samples for family in Collector(redis).collect()}
    assert len(found["crawler_tickets"]) == CRAWLS_MAX
    assert {sample.labels["status"]: sample.value for sample in found["crawler_crawls"]}[
        "new"
    ] == CRAWLS_MAX + 5


def test_many_kinds_of_failure_do_not_make_a_label_each(redis):
    many = reasons({f"reason_{number}": 1 for number in range(REASONS_MAX + 7)})
    assert (len(many), many["other"]) == (REASONS_MAX + 1, 7)
    frontier = Frontier(redis, "shop")
    crawl = shop(attempts=1)
    frontier.create(plan_of(crawl))
    frontier.enqueue(scope_of(crawl).entry(f"http://127.0.0.1/{number}") for number in range(1_040))
    for number in range(1_040):
        claim = frontier.claim("w/1/1").claim
        assert claim is not None
        if number % 2:
            frontier.fail(claim, FailureClass.HOOK, f"extract: ValueError: {number}")
        else:
            frontier.fail(claim, FailureClass.TERMINAL, f"made_up_{number}")
    assert frontier.tallies()["attempt:none:hook"] == 520
    assert frontier.tallies()["attempt:none:other"] > 0  # what came after the five hundredth
    assert len(frontier.tallies()) <= 502


def test_promtool_finds_nothing_to_say_about_the_metrics(crawled: Ground, folder: Folder):
    done = promtool("check", "metrics", given=served(crawled, folder))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_accepts_the_rules_and_each_rings_for_what_it_should():
    done = promtool("check", "rules", CONFIG / "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    done = promtool("test", "rules", CONFIG / "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_configuration():
    done = promtool("check", "config", "--syntax-only", CONFIG / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_that_the_dashboard_and_the_rules_name_is_served(
    crawled: Ground, folder: Folder
):
    names = set(re.findall(r"^# TYPE (\S+)", text := served(crawled, folder), re.MULTILINE))
    names |= {
        sample.name for family in text_string_to_metric_families(text) for sample in family.samples
    }
    board = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [
        variable["definition"]
        for variable in board["templating"]["list"]
        if "definition" in variable
    ]
    rules = (CONFIG / "alerts.yml").read_text()
    used = set(re.findall(r"\bcrawler_\w+", " ".join([*asked, rules])))
    assert len(used) > 15
    assert used <= names
    # and each expression of the dashboard is one that Prometheus can read
    lines = [
        f"      - record: dashboard:{number}\n        expr:"
        f" {json.dumps(expr.replace('$crawl', '.*'))}"
        for number, expr in enumerate(asked[:-1])
    ]
    (folder.path / "board.yml").write_text(
        "\n".join(["groups:", "  - name: board", "    rules:", *lines, ""])
    )
    done = promtool("check", "rules", folder.path / "board.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_of_the_dashboard_do_not_overlap_and_say_what_they_show():
    taken: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_prometheus_itself_scrapes_us_and_answers_a_question(crawled: Ground, folder: Folder):
    server = program("prometheus")
    folder.environ["CRAWLER_REDIS_URL"] = crawled.redis.url
    with folder.begin("metrics", "--port", "0") as metrics:
        assert metrics.stdout is not None
        address = metrics.stdout.readline().strip().removeprefix("http://").removesuffix("/metrics")
        text = (
            (CONFIG / "prometheus.yml")
            .read_text()
            .replace("metrics:9808", address)
            .replace("15s", "1s")
        )
        (folder.path / "prometheus.yml").write_text(text)
        shutil.copy(CONFIG / "alerts.yml", folder.path)
        port = free_port()
        command = [
            server,
            f"--config.file={folder.path}/prometheus.yml",
            f"--storage.tsdb.path={folder.path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (
            (folder.path / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as prometheus,
        ):
            try:

                def answer() -> list[dict]:
                    query = f"http://127.0.0.1:{port}/api/v1/query?query=crawler_pages%7Bstate=%22done%22%7D"
                    try:
                        with urllib.request.urlopen(query, timeout=PATIENCE) as found:
                            return json.load(found)["data"]["result"]
                    except OSError:
                        return []

                until(answer, prometheus)
                assert {one["metric"]["crawl"]: one["value"][1] for one in answer()} == {
                    "shop": "5",
                    "other": "0",
                }
            finally:
                prometheus.kill()
                metrics.kill()
