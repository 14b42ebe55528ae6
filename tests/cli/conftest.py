"""The fixture of commands around a crawl."""

from __future__ import annotations

import pytest

from tests.support.desk import Desk


@pytest.fixture
def desk(folder, redis, redis_server):
    return Desk(folder, redis_server, redis)
