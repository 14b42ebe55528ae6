"""The examples do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from crawler.local.embedded import PrivateRedis
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent


@pytest.fixture
def shop() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, ROOT / "examples/demo/serve.py"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.mark.soak  # test_serverless has such a start hook, too
def test_a_crawl_with_its_own_start_hook_needs_no_celery_worker(shop, tmp_path):
    with PrivateRedis(tmp_path / "redis") as redis:
        environ = os.environ | {
            "CRAWLER_REDIS_URL": redis.url,
            "CRAWLER_STATE_DIR": str(tmp_path / "state"),
        }
        done = subprocess.run(
            [sys.executable, ROOT / "examples/own_start.py", shop],
            env=environ,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout.splitlines()[-1])
        assert report["status"] == "FINISHED"
        assert report["done"] == 6  # its page limit
        _, left = psutil.wait_procs(
            [one for one in psutil.process_iter() if belongs(one, tmp_path)], timeout=PATIENCE
        )
        assert left == []
        assert list((tmp_path / "state").glob("chrome-*")) == []


def belongs(process: psutil.Process, folder: Path) -> bool:
    """Whether ``process`` was started for the crawl whose state is in ``folder``."""
    try:
        return process.environ().get("CRAWLER_STATE_DIR") == str(folder / "state")
    except psutil.Error:
        return False


def test_books_know_the_shelf_that_led_to_them(shop, folder):
    place(folder, "shelves.py", shop)
    done = folder.run("start", "shelves.py", "--output", "out", "-c", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = folder.lines("out/pages.jsonl")
    books = {item["title"]: item for item in folder.lines("out/items.jsonl")}
    shelves = [line for line in lines if line.get("route") == "shelf"]
    assert len(books) == 48
    assert all(line["data"] is None for line in shelves)
    # those on a shelf came from it, with their place; some others are linked from elsewhere only
    orchard = books["The Walled Orchard"]
    assert (orchard["shelf"], orchard["place"], orchard["author"]) == (
        *("Gardens", 5),
        "Clara Whitlock",
    )
    assert {book["shelf"] for book in books.values()} >= {"Gardens", "Poems"}
    assert all(book["price"].startswith("€") for book in books.values())


def test_the_json_that_a_page_loads_is_read(shop, folder):
    place(folder, "events.py", shop)
    done = folder.run("run", "events.py", "--json")
    assert done.returncode == 0, done.stderr
    names = [item["name"] for item in json.loads(done.stdout)["data"]]
    assert len(names) == 6
    assert "Seed swap and soup" in names


def test_one_log_in_is_shared_by_all_sessions(shop, folder):
    place(folder, "members.py", shop)
    folder.environ["SHOP_PASSWORD"] = "wisteria"
    done = folder.run("start", "members.py", "-o", "orders.jsonl", "-c", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    orders = folder.lines("orders.jsonl")
    assert sorted(int(order["order"].split()[1]) for order in orders) == list(range(1, 13))
    assert {order["member"] for order in orders} == {"reader"}
    assert sum(order["copies"] for order in orders) == 24
    # nine pages a log-in, and thirteen pages: it expired, and no page had one for itself
    with urllib.request.urlopen(f"{shop}members/log-ins") as answer:  # noqa: S310 - our own
        assert 1 < int(answer.read()) < len(orders)


def place(folder, name: str, url: str) -> None:
    """Write the example ``name`` into ``folder``, for the shop at ``url``."""
    text = (ROOT / "examples" / name).read_text()
    (folder.path / name).write_text(text.replace("http://127.0.0.1:8765/", url))


def test_prices_are_watched_from_night_to_night(shop, folder):
    place(folder, "nightly.py", shop)
    example = folder.path / "nightly.py"  # the first page of each shelf will do
    example.write_text(example.read_text().replace("depth_limit=3", "depth_limit=2"))
    first = folder.run("start", "nightly.py", "--output", "first", "-c", "2")
    assert first.returncode == 0, first.stdout + first.stderr
    before = {line["url"]: line for line in folder.lines("first/pages.jsonl")}
    assert {line["change"] for line in before.values()} == {"new"}

    with urlopen(Request(f"{shop}tomorrow", method="POST")) as answer:  # noqa: S310
        assert answer.read() == b"day 2\n"
    second = folder.run("start", "nightly.py", "--output", "changes", "-c", "2", "--recrawl")
    assert second.returncode == 0, second.stdout + second.stderr
    lines = folder.lines("changes/pages.jsonl")
    assert {(line["data"]["title"], line["change"]) for line in lines} == {
        ("Frost Dates", "changed"),
        ("Small Hours", "changed"),
    }
    for line in lines:
        assert price(line["data"]) == price(before[line["url"]]["data"]) + 1
    same = len(before) - 3
    assert f"0 new, 2 changed, {same} same, 1 vanished ({same} results left out)" in second.stdout

    gone = folder.run("vanished", "nightly", "--json")
    (page,) = map(json.loads, gone.stdout.splitlines())
    assert (page["url"], page["reason"]) == (f"{shop}books/pickled/", "not_met")
    assert "all is well" in folder.run("audit", "nightly").stdout


def price(item: dict[str, str]) -> float:
    return float(item["price"].removeprefix("€"))


def test_a_search_form_is_submitted_for_each_word(shop, folder):
    place(folder, "search.py", shop)
    done = folder.run("start", "search.py", "--output", "out", "-c", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, list[str]] = {"no such book": []}
    for hit in sorted(folder.lines("out/items.jsonl"), key=lambda hit: hit["place"]):
        titles = found.setdefault(hit["words"], [])
        titles.append(hit["title"])
        assert hit["place"] == len(titles)
        assert hit["price"].startswith("€")
    # more than a page of them, each once, and only those that have the word
    assert len(found["the"]) == len(set(found["the"])) > 5
    assert {"The Walled Orchard"} <= set(found["the"]) & set(found["clara"])
    assert found["garden"] == ["The Patient Gardener"]
    lines = folder.lines("out/pages.jsonl")
    forms = [line["form"] for line in lines if "form" in line]
    assert len(lines) == len(forms) + 1
    assert {form["words"] for form in forms} == found.keys()
    assert {form["token"] for form in forms} == {"***"}


def test_a_hundred_apartments_have_eleven_fields(shop, folder):
    place(folder, "apartments.py", shop)
    done = folder.run("start", "apartments.py", "--output", "out", "-c", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "item limit 100 reached" in done.stdout
    lines = folder.lines("out/pages.jsonl")
    items = [line["data"] for line in lines if line["route"] == "apartment"]
    assert 100 <= len(items) <= 101  # the other browser's page was in flight
    assert len({line["url"] for line in lines}) == len(lines)
    assert {len(item) for item in items} == {11}
    assert all(value not in (None, "") for item in items for value in item.values())
    first = next(line["data"] for line in lines if line["url"].endswith("/apartments/7/"))
    assert first == {
        "address": "8 Mill Road",
        "district": "Hillcrest",
        "rent": 720,
        "deposit": 1440,
        "rooms": 2,
        "area": 36.0,
        "floor": 0,
        "built": "1966",
        "heating": "gas",
        "free_from": "2027-03-19",
        "agent": "Agent 5",
    }
