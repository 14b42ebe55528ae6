"""`crawler start` as its users meet it: real Redis, real workers, real Chrome, the bundled shop on
loopback.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import psutil
import pytest

from crawler.browser.chrome.local import find_driver
from crawler.local.embedded import PrivateRedis
from tests.support.folder import until, urls

pytestmark = pytest.mark.browser

pytest_plugins = ["tests.site.shop"]


def test_the_bundled_shop_gives_each_page_once_and_leaves_nothing_running(folder, shop, shop_pages):
    done = folder.run("start", shop, "-o", "items.jsonl", "-c", "2", "--set", "depth_limit=none")
    assert done.returncode == 0, done.stderr
    lines = folder.lines()
    assert len(lines) == shop_pages
    assert len(set(urls(lines))) == shop_pages
    assert set(lines[0]) == {
        "url",
        "final_url",
        "status",
        "depth",
        "data",
        "links",
        "ms",
        "version",
    }
    assert {line["status"] for line in lines} == {200}
    assert all(line["data"]["title"] for line in lines)
    assert f"{shop_pages} done, 0 failed" in done.stdout
    assert folder.left_over() == []


def test_a_crawl_that_has_finished_is_not_begun_again_by_accident(folder, shop):
    first = folder.run("start", shop, "-o", "items.jsonl", "-c", "1", "--set", "depth_limit=0")
    assert first.returncode == 0, first.stderr
    again = folder.run("start", shop, "-o", "items.jsonl", "-c", "1", "--set", "depth_limit=0")
    assert again.returncode == 0
    assert "--reset" in again.stderr
    assert len(again.stderr.strip().splitlines()) == 1
    assert len(folder.lines()) == 1
    anew = folder.run(
        "start", shop, "-o", "items.jsonl", "-c", "1", "--set", "depth_limit=0", "--reset"
    )
    assert anew.returncode == 0, anew.stderr
    assert len(folder.lines()) == 1


def test_kept_html_is_a_file_that_the_line_of_its_page_names(folder, shop):
    words = ("start", shop, "--set", "depth_limit=1", "--set", "page_limit=3", "-c", "1")
    done = folder.run(*words, "--set", "keep_html=true", "--output", "out")
    assert done.returncode == 0, done.stderr
    kept = re.search(r"files +(\S+)", done.stdout)[1]
    lines = folder.lines("out/items.jsonl")
    assert len(lines) == 3
    for line in lines:
        (file,) = line["files"]
        html = (folder.path / "out" / "files" / kept.rpartition("/")[2] / file["name"]).read_text()
        assert html.startswith("<html lang")
        assert line["data"]["title"] in html
        assert len(html.encode()) == file["size"]


def test_ctrl_c_drains_and_the_next_start_loses_and_repeats_no_page(folder, shop, shop_pages):
    words = ("start", shop, "-o", "items.jsonl", "-c", "2", "--set", "depth_limit=none")
    first = folder.begin(*words)
    until(lambda: (folder.path / "items.jsonl").exists() and len(folder.lines()) > 5, first)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "crawler start" in said.splitlines()[-1]
    assert folder.left_over() == []
    assert len(folder.lines()) < shop_pages

    second = folder.run(*words)
    assert second.returncode == 0, second.stderr
    assert sorted(urls(folder.lines())) == sorted(set(urls(folder.lines())))
    assert len(folder.lines()) == shop_pages


def test_a_second_ctrl_c_ends_everything_at_once_and_loses_nothing(folder, shop, shop_pages):
    words = ("start", shop, "-o", "items.jsonl", "-c", "2", "--set", "depth_limit=none")
    first = folder.begin(*words)
    until(lambda: (folder.path / "items.jsonl").exists() and len(folder.lines()) > 5, first)
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGTERM)  # two of one kind sent together may arrive as one
    first.communicate(timeout=30)
    assert first.returncode == 130
    assert folder.left_over() == []
    assert folder.run(*words).returncode == 0
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == shop_pages


@pytest.mark.parametrize(
    "kills", [(10,), pytest.param((5, 9, 3, 12, 1, 7, 20), marks=pytest.mark.soak)]
)
def test_a_start_that_is_killed_ends_complete_at_last(folder, shop, shop_pages, kills):
    words = ("start", shop, "-o", "items.jsonl", "-c", "2", "--set", "depth_limit=none")
    for more in kills:
        have = len(folder.whole_lines())
        crawl = folder.begin(*words)
        until(lambda enough=have + more: len(folder.whole_lines()) >= enough, crawl)
        crawl.kill()  # its Redis dies with it; its workers may still be ending
        crawl.wait()
    done = folder.run(*words)
    assert done.returncode == 0, done.stderr
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == shop_pages


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
    assert folder.lines("out/items.jsonl") == []


@pytest.mark.parametrize(
    ("words", "environ", "status", "says"),
    [
        (("start", "http://127.0.0.1:1/", "-c", "1"), {}, 1, "refused"),
        (("start", "ftp://127.0.0.1/"), {}, 2, "http"),
        (("start", "nowhere.py"), {}, 2, "nowhere.py"),
        (("start", "broken.py"), {}, 2, "broken.py"),
        (("validate", "faulty.toml"), {}, 2, "depth_limit"),
        (
            ("start", "http://127.0.0.1/"),
            {"CRAWLER_REDIS_URL": "redis://127.0.0.1:1/0"},
            2,
            "127.0.0.1:1",
        ),
        (
            ("start", "http://127.0.0.1/"),
            {"CRAWLER_REDIS_URL": "http://127.0.0.1/"},
            2,
            "CRAWLER_REDIS_URL",
        ),
        (
            ("start", "http://127.0.0.1/"),
            {"CRAWLER_CHROME_BINARY": "/nowhere/chrome"},
            2,
            "/nowhere/chrome",
        ),
        (
            ("start", "http://127.0.0.1/", "--set", "page_deadline=500"),
            {},
            2,
            "CRAWLER_RUN_TIMEOUT",
        ),
        (("info", "books"), {}, 2, "no crawl has run here"),
        (("stop", "books"), {}, 2, "no crawl has run here"),
        (("worker",), {}, 2, "CRAWLER_REDIS_URL"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing_running(
    folder, words, environ, status, says
):
    (folder.path / "broken.py").write_text("import no_such_module\n")
    (folder.path / "faulty.toml").write_text('name = "a b"\nurl = "ftp://x"\ndepth_limit = -1\n')
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
    said = folder.run("validate", "faulty.toml").stderr
    assert all(field in said for field in ("name", "url", "depth_limit", "concurency_limit"))
    assert "concurrency_limit" in said  # what was probably meant


def test_a_running_crawl_can_be_seen_and_stopped_from_elsewhere(folder, shop):
    crawl = folder.begin(
        "start", shop, "-o", "items.jsonl", "-c", "1", "--set", "name=shop", "--set", "delay=0.5"
    )
    until(lambda: (folder.path / "items.jsonl").exists() and len(folder.lines()) > 1, crawl)
    seen = json.loads(folder.run("info", "shop", "--json").stdout)
    assert seen["status"] == "ACTIVE"
    assert seen["pages"]["done"] >= 1
    assert folder.run("stop", "shop").returncode == 0
    out, _ = crawl.communicate(timeout=60)
    assert crawl.returncode == 0
    assert "stopped by crawler stop" in out
    assert "stopped" in folder.run("info", "shop").stdout
    assert folder.run("clear", "shop", "--yes").returncode == 0
    assert folder.run("info", "shop").returncode == 2


def test_workers_started_by_hand_do_a_crawl_that_start_only_watches(
    folder, shop, shop_pages, tmp_path
):
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
            done = folder.run("start", shop, "-o", "items.jsonl", "--set", "depth_limit=none")
            worker.terminate()
            worker.wait(60)
        sessions = psutil.Process(chrome.pid).children()
        chrome.kill()
    assert done.returncode == 0, done.stderr
    assert len(folder.lines()) == len(set(urls(folder.lines()))) == shop_pages
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
