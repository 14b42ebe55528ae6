"""The hook of the example project writes the row of each page, with two workers, though its
database refuses or breaks off; and ``crawl --wait`` returns after the last row.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.ground import until
from tests.support.postgres import PrivatePostgres
from tests.support.project import Project

pytest_plugins = ["tests.site.shop"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

PAGES = 12
COUNT = "import json\nfrom catalogue.models import Book\nprint(json.dumps(Book.objects.count()))"


@contextmanager
def repeating(trouble: Callable[[], None]) -> Iterator[None]:
    """Make ``trouble`` again and again, beside the block."""
    over = threading.Event()

    def loop() -> None:
        while not over.is_set():
            trouble()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def lock(path: Path) -> None:
    """Lock the SQLite database for a while, as another writer does."""
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        time.sleep(0.6)  # longer than the workers wait
        database.execute("COMMIT")
    time.sleep(0.3)


def break_off(postgres: PrivatePostgres) -> None:
    """Lock the table of PostgreSQL for a while, and end the connections that wait for it."""
    with postgres.connect() as there, there.transaction():
        there.execute("LOCK TABLE catalogue_book IN ACCESS EXCLUSIVE MODE")
        time.sleep(0.6)
        there.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    time.sleep(0.3)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)])
def place(request, tmp_path, shop, database) -> Iterator[tuple[Project, Callable[[], None], str]]:
    """The project, migrated, with the trouble that its database makes, and the error it brings."""
    with ExitStack() as ending:
        redis = ending.enter_context(PrivateRedis(tmp_path / "redis"))
        if request.param == "sqlite":
            project = Project(tmp_path, redis, shop, database)
            project.edit("shop/settings.py", '"timeout": 20', '"timeout": 0.2')
            trouble, error = (lambda: lock(project.database)), "database is locked"
        else:
            postgres = PrivatePostgres()
            ending.callback(postgres.stop)
            until(postgres.answers, "PostgreSQL")
            project = Project(tmp_path, redis, shop, **postgres.environ)
            project.manage("migrate", "-v", "0")
            trouble, error = (lambda: break_off(postgres)), "terminating connection"
        project.edit("catalogue/crawls.py", 'if page.text("article.book h1")', "if page.title")
        # a busy machine may not write between two troubles for a long time: it is not given up
        limits = f"concurrency_limit=2, page_limit={PAGES}, after_attempts=100"
        project.edit("catalogue/crawls.py", "concurrency_limit=2", limits)
        yield project, trouble, error


def test_wait_returns_after_the_last_row_of_two_workers(place):
    # Given two workers of the project, and a database that refuses now and then
    project, trouble, error = place
    kind = "the project's app"
    with (
        project.worker(kind, "-n", "one@%h", log="one.log"),
        project.worker(kind, "-n", "two@%h", log="two.log"),
        repeating(trouble),
    ):
        # When a command waits for a crawl
        done = project.manage("crawl", "books", "--wait", "--json")
    # Then each page has its row as it returns
    assert project.python(COUNT) == PAGES
    seen = json.loads(done.stdout)
    assert (seen["status"], seen["pages"]["done"]) == ("FINISHED", PAGES)
    assert (seen["undelivered"], seen["delivering"]) == (0, 0)
    # And the database did refuse, which each worker told with the line of the hook
    said = project.log("one.log") + project.log("two.log")
    assert error in said
    assert "after raised at http://127.0.0.1:" in said
    assert "catalogue/crawls.py:" in said
