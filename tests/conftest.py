"""Real parts for every test: a Redis server of the session's own, and one empty database of it per
test.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py

from crawler.local.embedded import PrivateRedis
from tests.support.folder import Folder


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
