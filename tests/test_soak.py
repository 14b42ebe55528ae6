"""Two thousand pages, and nothing that accumulates: processes, memory, files, windows, sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crawler.browser.chrome.registry import Registry
from crawler.model import Snapshot
from tests.grid import Grid, needs_grid
from tests.site.server import Request, Server, route
from tests.support.ground import Ground, shop
from tests.support.patience import PATIENCE

pytest_plugins = ["tests.site.fixture"]
pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]

PAGES = 2_000
#: Pages after which what runs has warmed up: what is counted then is compared with what is counted
#: in the end.
WARM = 300
#: Growth, from warm to the end, that is no accumulation: sessions are of any age at either instant.
SLACK = 1.3


@route("/long/")
def long(request: Request) -> None:
    """A tree of pages, each with 200 KB of script objects and something in its storage; each tenth
    opens a window.
    """
    n = int(request.rest.partition("?")[0])
    links = [child for child in range(4 * n + 1, 4 * n + 5) if child < PAGES]
    request.html(
        f"<h1>Page {n}</h1>"
        + "".join(f"<a href='/long/{link}'>{link}</a> " for link in links)
        + "<script>window.kept = Array.from({length: 20000}, (_, i) => 'x' + i); localStorage.n"
        f" = {n};" + ("window.open('/ok');" if n % 10 == 0 else "") + "</script>",
        title=f"Page {n}",
    )


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.close()


def weigh(processes: list[psutil.Process]) -> dict[str, int]:
    """What these processes are, and use."""
    found = {"processes": 0, "renderers": 0, "megabytes": 0}
    for process in processes:
        try:
            found["megabytes"] += process.memory_full_info().pss >> 20
            found["renderers"] += "--type=renderer" in process.cmdline()
            found["processes"] += 1
        except psutil.Error:
            continue
    return found


def files(folder: Path) -> int:
    found = folder.rglob("*") if folder.is_dir() else ()
    return sum(path.is_symlink() or not path.is_dir() for path in found)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("local", marks=pytest.mark.browser),
        pytest.param("grid", marks=[pytest.mark.browser, needs_grid]),
    ],
)
def test_nothing_accumulates_over_two_thousand_pages(
    where: str, ground: Ground, site: Server, tmp_path: Path
):
    grid = Grid(tmp_path / "grid", slots=2) if where == "grid" else None
    try:
        seen = crawl(ground, site, grid)
    finally:
        if grid:
            grid.close()
    print(json.dumps({"where": where} | seen))  # noqa: T201
    warm, end, after = seen["warm"], seen["end"], seen["after"]
    assert end["megabytes"] <= warm["megabytes"] * SLACK
    assert end["processes"] <= warm["processes"] * SLACK
    assert end["renderers"] <= 4  # two sessions, each with its page and one that is being replaced
    assert after == {"processes": 0, "renderers": 0, "megabytes": 0, "files": 0, "sessions": 0}


def crawl(ground: Ground, site: Server, grid: Grid | None) -> dict[str, dict[str, float]]:
    """Crawl it with two worker processes, and look at what there is: warm, in the end, and when the
    worker has gone.
    """
    worker = ground.worker(2, chrome_url=grid and grid.url, page_load_timeout=20, tick_interval=5)
    began = time.monotonic()
    frontier = ground.crawl(shop(url=site.url("/long/0"), depth_limit=None, concurrency_limit=2))
    registry = Registry(ground.client)

    def look() -> dict[str, float]:
        tree = [
            psutil.Process(worker.process.pid),
            *psutil.Process(worker.process.pid).children(recursive=True),
        ]
        written = grid.leftovers() if grid else [ground.folder / "state"]
        return weigh(tree + (grid.chromes() if grid else [])) | {
            "files": sum(files(path) for path in written),
            "sessions": len(registry.sessions()),
        }

    def done(count: int) -> Callable[[], Snapshot | None]:
        def reached() -> Snapshot | None:
            snapshot = frontier.snapshot()
            return snapshot if snapshot.done >= count else None

        return reached

    ground.until(done(WARM), 1_800)
    warm = look()
    ground.until(done(PAGES - 20), 1_800)
    end = look()
    snapshot = ground.until_end(frontier, 600)
    seconds = time.monotonic() - began
    assert (snapshot.done, snapshot.failed) == (PAGES, 0)
    worker.process.terminate()
    worker.process.wait(PATIENCE)
    if grid:
        grid.until(lambda: not grid.chromes() and not grid.sessions())
    after = weigh(grid.chromes() if grid else []) | {
        "files": (
            sum(files(path) for path in grid.leftovers())
            if grid
            else files(ground.folder / "state")
        ),
        "sessions": len(registry.sessions()) + len(grid.sessions() if grid else []),
    }
    return {
        "warm": warm,
        "end": end,
        "after": after,
        "crawl": {"seconds": round(seconds), "pages": snapshot.done},
    }
