"""Workers that are killed leave nothing in the temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ground import Ground, ended_well, shop
from tests.support.webdriver import Doc


@pytest.mark.slow
def test_killed_workers_leave_no_temporary_folders(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Given a temporary folder of the workers' own
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    ground.chrome_on({"/": Doc()})
    for name in ("one", "two"):
        worker = ground.worker(2)
        frontier = ground.crawl(shop(name=name))
        ground.until_end(frontier)
        ended_well(frontier, ["/"], log=ground.redis)
        # When they are killed
        worker.kill()
    # Then nothing is left in it
    assert list(folder.iterdir()) == []
    assert list((ground.folder / "state" / "memory").iterdir()) == []
