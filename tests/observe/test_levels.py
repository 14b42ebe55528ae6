"""A crawl may say how much its runs log."""

from __future__ import annotations

import logging

import pytest

from crawler import Crawl
from crawler.errors import DefinitionError
from crawler.observe.logs import at_level, forget_bound, keep_bound, logger, reaches_level


@pytest.fixture
def logged():
    """The levels of all that reaches a handler as a worker sets it up, at INFO."""
    found: list[tuple[str, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelname, record.funcName))

    handler, root = Handler(), logging.getLogger("levels")
    handler.addFilter(reaches_level)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield found
    root.removeHandler(handler)


def say() -> None:
    log = logger("levels.ours")
    log.debug("one")
    log.info("two")
    log.warning("three")
    logging.getLogger("levels.hook").info("four")


def test_messages_are_logged_from_the_level_of_the_crawl(logged):
    say()
    everything = logged.copy()
    assert [level for level, _ in everything] == ["INFO", "WARNING", "INFO"]
    with at_level(None):
        say()
    assert logged == everything * 2
    logged.clear()
    with at_level("DEBUG"):
        say()
    assert [level for level, _ in logged] == ["DEBUG", "INFO", "WARNING", "INFO"]
    logged.clear()
    with at_level("WARNING"):
        say()
    assert logged == [("WARNING", "say")]
    say()
    assert logged[1:] == everything


def test_a_level_lasts_until_celery_has_logged_the_task(logged):
    keep_bound(task="1")
    with at_level("ERROR"):
        pass
    logging.getLogger("levels.celery").info("Task succeeded")
    assert logged == []
    forget_bound()
    logging.getLogger("levels.celery").info("Task received")
    assert len(logged) == 1


def test_a_level_is_a_word():
    assert Crawl(name="x", url="http://x.test/", log_level="debug").log_level == "DEBUG"
    assert Crawl(name="x", url="http://x.test/", log_level="DEBUG")
    with pytest.raises(DefinitionError, match="log_level"):
        Crawl(name="x", url="http://x.test/", log_level="loud").validate()
