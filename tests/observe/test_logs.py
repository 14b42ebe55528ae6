"""Logs for machines: one JSON object per line, which says what it is about."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from celery.utils.log import ColorFormatter

from crawler.definition.loading import load_all
from crawler.observe.logs import (
    JsonFormatter,
    Lines,
    PrintableFormatter,
    bind,
    binding,
    forget_bound,
    inherited,
    keep_bound,
    logger,
)
from tests.support.ground import Ground, shop
from tests.support.webdriver import Doc

CODE = """
from crawler import Crawl
shop = Crawl(name="shop", url="http://me:CANARY@127.0.0.1/", robots=False, breaker_failures=0)

@shop.extract
def title(page):
    print(f"printed at {page.url}")
    return {"title": page.title}

@shop.after
def save(result):
    import logging
    logging.getLogger("shop").info("saved %s", result.page.url)
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    there = Ground(tmp_path)
    yield there
    there.close()


def line(text: str, *values: object, exc_info: bool = False) -> dict:
    """What the formatter makes of a record."""
    info = sys.exc_info() if exc_info else None
    return json.loads(
        JsonFormatter().format(
            logging.LogRecord("shop", logging.INFO, __file__, 1, text, values, info)
        )
    )


def test_a_line_has_what_was_bound_when_it_was_logged():
    assert "url" not in line("before")
    with binding(crawl="shop"), binding(task="4711"):
        bind(url="http://127.0.0.1/")
        assert (
            line("in between").items()
            >= {"crawl": "shop", "task": "4711", "url": "http://127.0.0.1/"}.items()
        )
    bind(url="of nobody")
    assert not line("after").keys() & {"crawl", "task", "url"}


def test_a_task_s_error_is_logged_with_what_was_bound_in_it():
    keep_bound(task="4711")
    with suppress(LookupError), binding(crawl="shop"):
        bind(step="extract", place="shop.py:5")
        raise LookupError
    bound = {"crawl": "shop", "task": "4711", "step": "extract", "place": "shop.py:5"}
    assert line("Task crawler.run[4711] raised").items() >= bound.items()
    forget_bound()
    assert not line("after").keys() & bound.keys()


def test_a_thread_of_a_run_logs_what_the_run_is_about():
    found: list[dict] = []
    with binding(crawl="shop"):
        thread = threading.Thread(target=inherited(lambda: found.append(line("beat"))))
        thread.start()
        thread.join()
    assert found[0]["crawl"] == "shop"


def test_a_traceback_stays_within_its_line_and_without_passwords():
    try:
        raise LookupError("redis://:CANARY@localhost/0")
    except LookupError:
        seen = line("it failed", exc_info=True)
    assert "LookupError: redis://:***@localhost/0" in seen["traceback"]


def test_a_worker_logs_json_and_a_run_its_crawl_page_and_task(ground: Ground):
    (ground.folder / "shop.py").write_text(CODE)
    ground.chrome_on({"/": Doc(links=["/a"]), "/a": Doc(status=404)})
    crawls = (str(ground.folder / "shop.py"),)
    worker = ground.worker(crawls=crawls, log_format="json")
    frontier = ground.crawl(load_all(crawls)["shop"])
    ground.until_end(frontier)
    ground.until(lambda: "raised expected" in worker.said())
    banner, brace, logged = worker.said().rpartition("\n")[0].partition('{"time"')
    assert "[tasks]" in banner  # which goes to standard output, and `--quiet` leaves out
    lines = [json.loads(text) for text in (brace + logged).splitlines()]
    assert {"time", "level", "logger", "message", "process"} <= lines[0].keys()
    for said in ("printed at http://127.0.0.1/", "saved http://127.0.0.1/"):
        (found,) = [one for one in lines if one["message"] == said]
        assert (found["crawl"], found["url"], found["depth"]) == ("shop", "http://127.0.0.1/", 0)
        assert len(found["task"]) == 36
    (ended,) = [
        one for one in lines if "raised expected: http_404 at http://127.0.0.1/a" in one["message"]
    ]
    assert (ended["crawl"], ended["url"]) == ("shop", "http://127.0.0.1/a")
    assert len(ended["task"]) == 36
    assert "CANARY" not in worker.said()


def test_a_worker_logs_for_people_unless_it_is_told_otherwise(ground: Ground):
    ground.chrome_on({"/": Doc()})
    worker = ground.worker()
    ground.until_end(ground.crawl(shop()))
    assert "INFO/MainProcess" in worker.said()


SLY = "\x1b]0;owned\x07\x9b\x7f\u202e\n[FORGED] http://me:CANARY@a/ \u2066\r"


def formatted(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The text of a record, of which no part is a stranger's control character."""
    text = formatter.format(record)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "CANARY" not in text
    assert not [one for one in text.splitlines() if one.startswith("[FORGED]")]
    return text


@pytest.mark.parametrize("formatter", [JsonFormatter(), PrintableFormatter()])
def test_no_stranger_sends_sequences_to_a_log_or_forges_a_line(formatter):
    try:
        raise ValueError(SLY)
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, "title %s", (SLY,), info)
    assert formatted(formatter, record).count("owned") == 2
    with binding(crawl="shop"):
        bind(url=SLY)
        formatted(formatter, record)


def test_our_own_loggers_are_harmless_whatever_the_formatter_is(caplog):
    ours = logger("crawler.test")
    ours.warning("%s: %d at %s: %s", "shop", 7, SLY, ValueError(SLY))
    ours.warning(SLY)
    ours.warning("raised:\n%s", Lines(f"one\ntwo {SLY}"))
    for record in caplog.records:
        message = record.getMessage()
        assert "CANARY" not in message
        assert "\x1b" not in message
        assert record.filename == "test_logs.py"
    assert caplog.records[0].getMessage().startswith(r"shop: 7 at \u001b]0;owned\u0007")
    assert "\n" not in caplog.records[1].getMessage()
    assert "one\ntwo" in caplog.records[2].getMessage()


def test_celerys_colours_stay_around_a_harmless_text():
    inner = ColorFormatter("%(message)s", use_color=True)
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "%s", (SLY,), None)
    text = PrintableFormatter(inner).format(record)
    assert text.startswith("\x1b[1;31m\\u001b]0;owned")
    assert text.endswith("\x1b[0m")
    assert text.count("\x1b") == 2
