"""The engine of this machine, and what it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.deployment import Deployment, deployed
from tests.containers.engine import Engine, EngineMissing


@pytest.fixture(scope="session")
def engine() -> Engine:
    try:
        engine = Engine.find()
    except EngineMissing as error:
        pytest.skip(str(error))
    if not engine.images:
        pytest.skip("no images are built: make containers says why")
    return engine


@pytest.fixture(scope="module")
def deployment(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(engine, tmp_path_factory.mktemp("deployment")) as deployment:
        yield deployment
