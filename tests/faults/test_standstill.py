"""Workers that take their messages elsewhere are found by a message through the queue."""

from __future__ import annotations

import pytest

from crawler.client.standstill import Reason
from tests.support.ground import shop
from tests.support.webdriver import Doc

pytestmark = pytest.mark.slow


def test_a_worker_on_another_broker_is_found_and_told(ground):
    ground.chrome_on({"/": Doc()})
    elsewhere = ground.redis.broker_url.replace("virtual_host=1", "virtual_host=5")
    ground.worker(broker_url=elsewhere)
    frontier, client = ground.crawl(shop()), ground.library()
    ground.until(client.workers.workers)

    def not_taken():
        found = client.standstill(frontier.name, ask=True)
        return found if found and found.reason is Reason.NOT_TAKEN else None

    found = ground.until(not_taken)
    assert "was not answered" in found.says
    assert "virtual_host=1" in found.says
    assert elsewhere in found.says
    ground.worker()
    ground.until(client.reaches_workers)
    assert ground.until_end(frontier).done == 1
    assert client.standstill(frontier.name) is None
