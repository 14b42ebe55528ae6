"""The site as pytest fixtures: ``site`` for all tests of a session, ``tls_site`` the same behind a
certificate nobody trusts.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import Server


@pytest.fixture(scope="session")
def site() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def tls_site() -> Iterator[Server]:
    server = Server(tls=True)
    yield server
    server.close()
