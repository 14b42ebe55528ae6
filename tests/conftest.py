"""Real parts for every test: a Redis server of the session's own, and one empty database of it per
test.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from crawler.browser.chrome.local import find_chrome, find_driver
from crawler.local.embedded import PrivateRedis
from tests.support.folder import Folder

pytest.register_assert_rewrite("tests.support.ground")

#: Stands in for ChromeDriver where a test has no mark ``browser``.
REFUSING_DRIVER = """#!/bin/sh
echo "a test that starts a browser has the mark: pytest.mark.browser" >&2
exit 1
"""
#: Fixtures that start workers, which takes seconds.
SLOW_FIXTURES = frozenset({"ground", "crawled", "place"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how long the test of endurance goes on."""
    what = "minutes that tests/faults/test_endurance.py goes on, at least one crawl"
    parser.addoption("--minutes", type=float, default=5.0, help=what)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests with slow fixtures, and skip those of a browser where none is installed.

    In CI they are not skipped: there they fail.
    """
    skip = None
    if not (os.environ.get("CI") or (find_chrome() and find_driver())):
        skip = pytest.mark.skip(reason="no Chrome and ChromeDriver on the path")
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
        if skip and item.get_closest_marker("browser"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def refusing_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the path, whose ChromeDriver starts no browser."""
    program: Path = tmp_path_factory.mktemp("path") / "chromedriver"
    program.write_text(REFUSING_DRIVER)
    program.chmod(0o755)
    return program.parent


@pytest.fixture(autouse=True)
def _browser_only_with_its_mark(
    request: pytest.FixtureRequest, refusing_driver: Path
) -> Iterator[None]:
    """Let no test start a browser by its path, in any process, unless it bears the mark."""
    path = os.environ["PATH"]
    if not request.node.get_closest_marker("browser"):
        os.environ["PATH"] = f"{refusing_driver}{os.pathsep}{path}"
    yield
    os.environ["PATH"] = path


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """One server for all tests that do not hurt it."""
    folder: Path = tmp_path_factory.mktemp("redis")
    with PrivateRedis(folder) as server:
        yield server


@pytest.fixture
def redis(redis_server: PrivateRedis) -> Iterator[redis_py.Redis]:
    """A client on an empty Redis."""
    # some tests have 200 threads
    client = redis_py.Redis.from_url(redis_server.url, decode_responses=False, max_connections=256)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def den() -> Iterator[Path]:
    """A folder with a short path, for a ChromeDriver: its Chrome makes sockets there, whose paths
    may have 107 characters.
    """
    with tempfile.TemporaryDirectory(prefix="den-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """An empty folder for commands; what they leave running is ended."""
    there = Folder(tmp_path)
    yield there
    for process in there.processes():
        process.kill()
