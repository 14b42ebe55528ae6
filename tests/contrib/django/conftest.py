"""The database that projects of the example begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.project import USERS, Project


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the example project, migrated, with its users: to be copied."""
    folder = tmp_path_factory.mktemp("database")
    project = Project(folder, PrivateRedis(folder / "redis"), "http://x.test/")
    project.manage("migrate", "-v", "0")
    project.python(USERS)
    return project.database
