"""The Grid as a pytest fixture: one for all tests that do not hurt it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import Grid


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """A Grid with three slots. A test that opened sessions has closed them: ``grid.sessions()`` is
    empty between tests.
    """
    with Grid(tmp_path_factory.mktemp("grid"), slots=3) as grid:
        yield grid
