"""The live view's lines, from plain values, without processes."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from crawler.cli.live.crawl_state import CrawlState, Failure, Flight, shown
from crawler.cli.live.layout import course, duration, fit
from crawler.cli.live.screen import Frame, crawl_lines, list_lines
from crawler.client.pace import Pace, pages_left
from crawler.frontier.answers import Lane
from crawler.model import Policy, Snapshot, Status

NOW = 1_000.0
HOSTILE = "https://shop.example/\x1b[2J\x1b]0;owned\x07\u202ereversed?user=ann:pass@" + "日本" * 90
FRAME = Frame("q leave · ? help", ["warning: a disk is full"])
LANES = (
    Lane("quick.example", "ready", 1_200, 3, 2_000, 0, "delay", 0),
    Lane("slow.example", "snoozed", 40, 0, 50, NOW + 3.2, "robots", 0),
    Lane("sorry.example", "snoozed", 40, 0, 50, NOW + 40, "retry_after", 0),
    Lane("broken.example", "snoozed", 40, 0, 50, NOW + 240, "breaker", 10),
    Lane("日本語.example" + "長" * 60, "busy", 40, 1, 50, 0, "delay", 0),
)


def snapshot(pages: int, **values) -> Snapshot:
    counts = {"items": pages, "started": pages}
    facts = {"status": Status.ACTIVE, "reason": None, "generation": 1, "accepted": pages}
    lists = {"queued": pages, "delayed": 2, "processing": 8, "done": pages, "failed": pages}
    return Snapshot(
        **({"name": "shop", "counts": counts, "active": 192.0} | facts | lists | values)
    )


def state(pages: int = 512, **values) -> CrawlState:
    facts = {
        "rate": 12.4,
        "rates": tuple(float(one % 9) for one in range(60)),
        "span": 190.0,
        "left": pages + 10,
        "seconds_left": 98.0,
        "hosts": LANES,
        "host_sums": (5, 1, 3),
        "flights": tuple(Flight(shown(HOSTILE), "request", 3.3 * n, 1) for n in range(8)),
        "failures": tuple(Failure(shown(HOSTILE), shown("\x07http_500"), n) for n in range(9)),
        "memory": {"renderer": 230e6, "browser": 90e6, "driver": 9e6},
        "workers": 2,
    }
    return CrawlState(**({"snapshot": snapshot(pages), "now": NOW} | facts | values))


def plain(lines, width: int) -> list[str]:
    """The lines as a terminal without colour shows them."""
    console = Console(file=io.StringIO(), width=width, no_color=True, color_system=None)
    for line in lines:
        console.print(line, no_wrap=True, crop=True)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 15), (40, 10), (20, 6), (8, 3)])
@pytest.mark.parametrize("pages", [0, 1_000_000])
def test_the_view_fits_each_window_and_shows_no_control_character(size, pages):
    width, height = size
    values = state(pages, standstill=shown("all of 5 hosts wait \x1b[31m" + "forever " * 30))
    several = [state(pages), state(pages, standstill="no worker is alive")] * 9
    for lines in (
        crawl_lines(values, width, height, FRAME),
        crawl_lines(values, width, height, Frame("q", [], True)),
        list_lines(several, width, height, FRAME, total=300),
    ):
        assert len(lines) == height
        texts = plain(lines, width)
        assert all(cell_len(text) <= width for text in texts)
        assert all(text.isprintable() for text in texts)


def test_at_80_by_24_everything_has_a_line():
    shown_lines = plain(crawl_lines(state(), 80, 24, FRAME), 80)
    text = "\n".join(shown_lines)
    assert shown_lines[0] == "shop  active  3 min 12 s at work"
    assert "512 done · 512 failed · 512 queued · 2 delayed · 8 in flight · 512 with items" in text
    assert "12.4 pages/s  ▂" in text
    assert "left: at least 522 pages · at least 1 min 38 s" in text
    assert "browsers of 2 workers: 329 MB (renderer 230, browser 90)" in text
    assert "in flight 8" in text
    assert "request" in text
    waits = ("a free browser", "3.2 s: robots.txt delay", "40 s: Retry-After")
    waits += ("4 min: breaker, 10 failures",)
    assert [wait for wait in waits if wait not in text] == []
    assert "http_500" in text
    assert "pass@" not in text
    assert shown_lines[-2:] == ["warning: a disk is full", "q leave · ? help"]
    # a small window says what it leaves out
    assert plain(crawl_lines(state(), 80, 13, FRAME), 80)[-1].startswith("no room for failures")


def test_a_limit_makes_what_is_left_exact_and_an_end_says_why():
    limited = state(left=7, page_limit=519)
    assert "left: 7 pages (page_limit 519)" in "\n".join(
        plain(crawl_lines(limited, 80, 24, FRAME), 80)
    )
    over = state(snapshot=snapshot(5, status=Status.FINISHED, reason="frontier is empty"))
    assert "ended: frontier is empty" in "\n".join(plain(crawl_lines(over, 80, 24, FRAME), 80))


def test_the_pace_looks_back_and_begins_again_after_a_break():
    pace = Pace()
    for second in range(2_000):
        pace.add(NOW + second, second * 3)
    assert pace.rate() == pytest.approx(3.0)
    assert len(pace.samples) <= 600
    assert len(pace.rates(40)) == 40
    assert all(rate == pytest.approx(3.0, rel=0.1) for rate in pace.rates(40))
    # nothing for an hour, then another start
    pace.add(NOW + 5_600, 6_000)
    assert pace.rate() is None
    assert pace.rates(40) == ()
    pace.add(NOW + 5_604, 6_002)
    assert pace.rates(40) == (0.5,) * 4


def test_pages_left_are_those_that_are_known_and_allowed():
    waiting = snapshot(100, counts={"started": 108})
    assert pages_left(waiting, None) == 110
    assert pages_left(waiting, Policy(page_limit=120)) == 20
    assert pages_left(waiting, Policy(page_limit=50)) == 0


def test_texts_are_cut_in_cells_and_numbers_become_blocks():
    assert fit("日本語", 5) == "日本…"
    assert fit("abc", 5, right=True) == "  abc"
    assert fit("https://shop.example/a/long/path", 20, middle=True) == "https://sh…long/path"
    assert course([0, 1, 2, 4], 10) == "▁▃▅█"
    assert course([0, 0], 10) == "▁▁"
    assert course([], 10) == ""
    assert [duration(one) for one in (0.4, 59, 61, 3_600, 7_320, 90_000)] == [
        *("0.4 s", "59 s", "1 min 1 s", "1 h", "2 h 2 min", "1 d 1 h")
    ]
