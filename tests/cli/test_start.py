"""`crawler start` as its users meet it: real Redis, real workers, real Chrome, the bundled shop on
loopback.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest

from crawler.browser.chrome.local import find_driver
from crawler.local.embedded import PrivateRedis
from crawler.local.prepared_worker import WAIT
from tests.site.server import Request, Server, route
from tests.support.folder import Folder, until, urls
from tests.support.patience import PATIENCE
from tests.support.pseudo_terminal import ENTER, LEAVE, PseudoTerminal

pytestmark = pytest.mark.browser

pytest_plugins = ["tests.site.shop", "tests.site.fixture"]

#: Pages of a tree, and how many of them are answered at once: the first that are asked for. The
#: others wait for the gate.
PAGES, FREE = 31, 10
GATE = threading.Event()
#: Those that were asked for, in their order.
ASKED: dict[int, None] = {}


@route("/gated/")
def gated(request: Request) -> None:
    number = int(request.rest)
    ASKED.setdefault(number)
    if number not in [*ASKED][:FREE]:
        GATE.wait(PATIENCE)
    links = [n for n in (2 * number + 1, 2 * number + 2) if n < PAGES]
    request.html("".join(f"<a href='/gated/{n}'>{n}</a> " for n in links), title=str(number))


@pytest.fixture
def tree(site: Server) -> Iterator[str]:
    """The address of the tree, whose gate is closed."""
    GATE.clear()
    ASKED.clear()
    yield site.url("/gated/0")
    GATE.set()


def test_the_bundled_shop_gives_each_page_once_and_leaves_nothing_running(folder, shop, shop_pages):
    done = folder.run("start", shop, "--output", "out", "-c", "2", "--set", "depth_limit=none")
    assert done.returncode == 0, done.stderr
    lines = folder.lines("out/pages.jsonl")
    assert len(lines) == shop_pages
    assert len(set(urls(lines))) == shop_pages
    names = "url final_url status depth title data items links ms change version id"
    assert set(lines[0]) == set(names.split())
    assert set(lines[1]) == {*lines[0], "parent"}
    assert lines[1]["parent"] == lines[0]["id"]  # whose link led to it
    assert {line["status"] for line in lines} == {200}
    # and each page gave an item, as it has no extract of its own
    items = folder.lines("out/items.jsonl")
    assert items == [{"url": line["url"], **line["data"]} for line in lines]
    assert all(item["title"] for item in items)
    assert f"{shop_pages} done, 0 failed" in done.stdout
    assert folder.left_over() == []


def test_a_finished_crawl_keeps_its_files_and_is_not_begun_again(folder, shop):
    # Given a crawl that keeps the HTML of its pages
    words = ("start", shop, "--set", "depth_limit=1", "--set", "page_limit=3", "-c", "1")
    words += ("--set", "keep_html=true", "--output", "out")
    done = folder.run(*words)
    assert done.returncode == 0, done.stderr
    kept = re.search(r"files +(\S+)", done.stdout)[1]
    lines = folder.lines("out/pages.jsonl")
    # Then each is a file that the line of its page names
    assert len(lines) == 3
    for line in lines:
        (file,) = line["files"]
        html = (folder.path / "out" / "files" / kept.rpartition("/")[2] / file["name"]).read_text()
        assert html.startswith("<html lang")
        assert line["data"]["title"] in html
        assert len(html.encode()) == file["size"]
    # When it is started again, by accident, then it says so in a line below that of its Redis, and
    # crawls nothing
    again = folder.run(*words)
    assert again.returncode == 0
    redis, line = again.stderr.strip().splitlines()
    assert redis.startswith("no CRAWLER_REDIS_URL")
    assert "--reset" in line
    assert folder.lines("out/pages.jsonl") == lines
    # And with --reset it is crawled again
    anew = folder.run(*words, "--reset")
    assert anew.returncode == 0, anew.stderr
    assert len(folder.lines("out/items.jsonl")) == 3


def start_of(url: str) -> tuple[str, ...]:
    """The words that start a whole crawl with two browsers."""
    return ("start", url, "-o", "items.jsonl", "-c", "2", "--set", "depth_limit=none")


def test_ctrl_c_drains_and_the_next_start_loses_and_repeats_no_page(folder, tree):
    # Given a crawl, of which two pages are on their way
    first = folder.begin(*start_of(tree))
    until(lambda: len(folder.whole_lines()) == FREE, first)
    assert WAIT in folder.workers()[0].cmdline()  # it was prepared
    # When it is interrupted, then it ends with them
    first.send_signal(signal.SIGINT)
    assert any("draining: " in line for line in first.stderr)
    GATE.set()
    _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130
    assert "crawler start" in said.splitlines()[-1]
    assert folder.left_over() == []
    assert FREE <= len(folder.lines()) < PAGES
    # And the next start does the rest
    second = folder.run(*start_of(tree))
    assert second.returncode == 0, second.stderr
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == PAGES


def test_keys_pause_and_drain_and_a_second_signal_ends_all_at_once(folder, tree):
    # Given a crawl that is watched in a terminal
    terminal = PseudoTerminal(folder.command(*start_of(tree)), folder.path, folder.environ)
    try:
        terminal.until(ENTER, f"{FREE} done", "in flight 2")
        terminal.press("p")
        terminal.until("paused", "p resume")
        terminal.press("p")
        terminal.until("active", "p pause")
        # When a key lets it drain, and a signal ends it
        terminal.press("q")
        terminal.until("draining: 2 pages", "end at once")
        terminal.process.send_signal(signal.SIGTERM)
        status, shown = terminal.wait()
        # Then the terminal is as it was, and nothing is left or lost
        assert status == 130
        assert b"crawler start" in shown.partition(LEAVE)[2]
        assert terminal.is_as_before()
    finally:
        terminal.close()
    assert folder.left_over() == []
    GATE.set()
    assert folder.run(*start_of(tree)).returncode == 0
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == PAGES


def killed(folder: Folder, url: str, kills: tuple[int, ...]) -> list[str]:
    """Kill starts, each after so many more lines, and let one come to its end; return the URLs of
    all lines.
    """
    for more in kills:
        have = len(folder.whole_lines())
        crawl = folder.begin(*start_of(url))
        until(lambda enough=have + more: len(folder.whole_lines()) >= enough, crawl)
        crawl.kill()  # its Redis dies with it; its workers may still be ending
        crawl.wait()
    GATE.set()
    done = folder.run(*start_of(url))
    assert done.returncode == 0, done.stderr
    return urls(folder.lines())


def test_a_start_that_is_killed_ends_complete_at_last(folder, tree):
    found = killed(folder, tree, (FREE,))
    assert len(found) == len(set(found)) == PAGES


@pytest.mark.soak
def test_a_start_that_is_killed_again_and_again_ends_complete(folder, shop, shop_pages):
    found = killed(folder, shop, (5, 9, 3, 12, 1, 7, 20))
    assert len(found) == len(set(found)) == shop_pages


@pytest.mark.soak
def test_killed_workers_cost_neither_a_page_nor_a_line(folder, shop, shop_pages):
    crawl = folder.begin(
        "start",
        shop,
        "-o",
        "items.jsonl",
        "-c",
        "2",
        "--set",
        "depth_limit=none",
        "--set",
        "delay=0.02",
    )
    until(lambda: (folder.path / "items.jsonl").exists() and len(folder.lines()) > 5, crawl)
    parent, *children = folder.workers()
    children[0].kill()
    until(lambda: len(folder.lines()) > 20, crawl)
    for process in folder.workers():
        process.kill()
    out, said = crawl.communicate(timeout=150)
    assert crawl.returncode == 0, (out, said)
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == shop_pages
    assert folder.left_over() == []
    assert not parent.is_running()


def test_the_output_folder_tells_items_failures_and_the_report(folder, tmp_path, shop):
    done = folder.run("start", f"{shop}no-such-page", "--output", "out", "-c", "1", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["status"] == "FAILED"
    assert report["failures"] == {"http_404": 1}
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    assert folder.lines("out/failed.jsonl") == [
        {
            "url": f"{shop}no-such-page",
            "reason": "http_404",
            "status": 404,
            "attempts": 1,
            "depth": 0,
        }
    ]
    assert folder.lines("out/items.jsonl") == folder.lines("out/pages.jsonl") == []


SEVERAL = """
from crawler import Crawl

books = Crawl(name="books", url="{tree}", public_only=False, concurrency_limit=1)
shop = Crawl(name="shop", url="{tree}", public_only=False, concurrency_limit=1)
gone = Crawl(name="gone", url="{gone}", public_only=False, concurrency_limit=1)

@books.extract
def title(page): return {{"title": page.title}}

@books.start
def elsewhere(crawl, ticket): raise RuntimeError("a start of its own")

shop.extract(title)
gone.extract(title)
"""


def test_several_crawls_with_code_run_locally_with_limits_and_the_worst_status(folder, site, tree):
    # Given crawls with code, one with a start hook that does not work here, and no Redis
    text = SEVERAL.format(tree=tree, gone=site.url("/nothing-there"))
    (folder.path / "several.py").write_text(text)
    folder.environ["CRAWLER_REDIS_URL"] = "redis://127.0.0.1:1/0"
    crawls = [f"several.py:{name}" for name in ("books", "shop", "gone")]
    # When two would write one file, or another field than a limit would change, all is refused
    for words, says in (
        (("-o", "items.jsonl"), "-o '{name}.jsonl'"),
        (("--wait-for", "h1"), "change wait_for there. Limits can be set here"),
        (("--delay", "soon"), "delay"),
        ((crawls[0] + "x",), "no crawl called booksx"),
    ):
        refused = folder.here("start", *crawls, "--local", *words)
        assert refused.exit_code == 2
        assert says in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    # When they are started with a limit, then each has its files, and the worst end counts
    words = ("start", *crawls, "--local", "--page-limit", "3", "-c", "1", "--output", "out")
    done = folder.run(*words)
    assert done.returncode == 1, done.stderr
    assert "CRAWLER_REDIS_URL= crawler info books" in done.stderr
    for name in ("books", "shop"):
        assert f"{name}: finished (page limit 3 reached)" in done.stdout
        assert len(folder.lines(f"out/{name}/items.jsonl")) == 3
    assert "gone: " in done.stdout
    assert folder.left_over() == []


@pytest.mark.parametrize(
    ("words", "environ", "says"),
    [
        (("start", "ftp://127.0.0.1/"), {}, "http"),
        (("start", "nowhere.py"), {}, "nowhere.py"),
        (("validate", "faulty.toml"), {}, "depth_limit"),
        (
            ("start", "http://127.0.0.1/"),
            {"CRAWLER_REDIS_URL": "redis://127.0.0.1:1/0"},
            "127.0.0.1:1",
        ),
        (
            ("start", "http://127.0.0.1/"),
            {"CRAWLER_REDIS_URL": "http://127.0.0.1/"},
            "CRAWLER_REDIS_URL",
        ),
        (("start", "http://127.0.0.1/", "--set", "page_deadline=500"), {}, "CRAWLER_RUN_TIMEOUT"),
        (("info", "books"), {}, "no crawl has run here"),
        (("stop", "books"), {}, "no crawl has run here"),
        (("worker",), {}, "CRAWLER_REDIS_URL"),
    ],
)
def test_a_mistake_is_one_clear_line_and_starts_nothing(folder, words, environ, says):
    (folder.path / "faulty.toml").write_text('name = "a b"\nurl = "ftp://x"\ndepth_limit = -1\n')
    folder.environ |= environ
    done = folder.here(*words)
    assert done.exit_code == 2, (done.stdout, done.stderr)
    assert says in done.stderr
    assert folder.processes() == []


@pytest.mark.parametrize(
    ("words", "environ", "status", "says"),
    [
        (("start", "http://127.0.0.1:1/", "-c", "1"), {}, 1, "refused"),
        (("start", "broken.py"), {}, 2, "broken.py"),
        (
            ("start", "http://127.0.0.1/"),
            {"CRAWLER_CHROME_BINARY": "/nowhere/chrome"},
            2,
            "/nowhere/chrome",
        ),
    ],
)
def test_a_start_in_vain_is_one_clear_line_and_leaves_nothing_running(
    folder, words, environ, status, says
):
    (folder.path / "broken.py").write_text("import no_such_module\n")
    folder.environ |= environ
    done = folder.run(*words)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert folder.left_over() == []


def test_all_faults_of_a_definition_are_told_at_once(folder):
    (folder.path / "faulty.toml").write_text(
        'name = "a b"\nurl = "ftp://x"\ndepth_limit = -1\nconcurency_limit = 4\n'
    )
    said = folder.here("validate", "faulty.toml").stderr
    assert all(field in said for field in ("name", "url", "depth_limit", "concurency_limit"))
    assert "concurrency_limit" in said  # what was probably meant


def test_a_running_crawl_can_be_seen_and_stopped_from_elsewhere(folder, shop):
    crawl = folder.begin(
        "start", shop, "-o", "items.jsonl", "-c", "1", "--set", "name=shop", "--set", "delay=0.5"
    )
    until(lambda: (folder.path / "items.jsonl").exists() and len(folder.lines()) > 1, crawl)
    seen = json.loads(folder.here("info", "shop", "--json").stdout)
    assert seen["status"] == "ACTIVE"
    assert seen["pages"]["done"] >= 1
    assert folder.run("stop", "shop").returncode == 0
    out, _ = crawl.communicate(timeout=PATIENCE)
    assert crawl.returncode == 0
    assert "stopped by crawler stop" in out
    assert "stopped" in folder.here("info", "shop").stdout
    assert folder.here("clear", "shop", "--yes").exit_code == 0
    assert folder.here("info", "shop").exit_code == 2


def test_workers_started_by_hand_do_a_crawl_that_start_only_watches(folder, tree, tmp_path):
    GATE.set()
    driver = find_driver()
    with (
        PrivateRedis(tmp_path / "redis") as redis,
        subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as chrome,
    ):
        port = next(
            found.group(1)
            for line in chrome.stdout
            if (found := re.search(r"successfully on port (\d+)", line))
        )
        folder.environ |= {
            "CRAWLER_REDIS_URL": redis.url,
            "CRAWLER_BROKER_URL": redis.broker_url,
            "CRAWLER_CHROME_URL": f"http://127.0.0.1:{port}",
        }
        celery = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "crawler.tasks.app",
            "worker",
            "-Q",
            "crawler",
            "-c",
            "2",
            "--disable-prefetch",
        ]
        log = (tmp_path / "worker.log").open("wb")
        with subprocess.Popen(
            celery, cwd=folder.path, env=folder.environ, stdout=log, stderr=log
        ) as worker:
            done = folder.run("start", tree, "-o", "items.jsonl", "--set", "depth_limit=none")
            worker.terminate()
            worker.wait(PATIENCE)
        sessions = psutil.Process(chrome.pid).children()
        chrome.kill()
    assert done.returncode == 0, done.stderr
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == PAGES
    assert sessions == []  # the workers ended theirs


def test_start_says_that_no_worker_takes_its_crawl(folder, tmp_path):
    with PrivateRedis(tmp_path / "redis") as redis:
        folder.environ |= {"CRAWLER_REDIS_URL": redis.url, "CRAWLER_BROKER_URL": redis.broker_url}
        with folder.begin("start", "http://127.0.0.1:9/", "-o", "items.jsonl") as process:
            said = next(line for line in process.stderr if "stands still" in line)
            process.send_signal(signal.SIGINT)
            rest = process.stderr.read()
    assert said.endswith("stands still: no worker is alive; start one: crawler worker\n")
    assert "the crawl goes on" in rest
    assert process.returncode == 130
