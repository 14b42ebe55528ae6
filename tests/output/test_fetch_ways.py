"""The report says how many pages came by each way, and what was saved."""

from __future__ import annotations

import pytest

from crawler.output.fetch_ways import fetch_facts, fetch_text

TIMED = {"fetch_timed": 10, "fetch_http_us": 100_000, "fetch_chrome_us": 1_100_000}


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"fetch_http": 58}, "58 by HTTP"),
        (
            {**TIMED, "fetch_http": 1_012, "fetch_chrome": 13, "fetch_compared": 11},
            "1012 by HTTP, 13 by Chrome, 11 of them both ways; about 101 s of sessions saved: of 10"
            " pages, HTTP took 0.010 s each and Chrome 0.110 s",
        ),
        # pages that were done again cost what they took, and spare nothing
        (
            {**TIMED, "fetch_http": 20, "fetch_again": 20, "fetch_compared": 11},
            "20 by HTTP, 11 of them both ways, 20 done again by Chrome; no time was saved: of 10"
            " pages, HTTP took 0.010 s each and Chrome 0.110 s",
        ),
        # too few were compared
        ({**TIMED, "fetch_timed": 2, "fetch_http": 9}, "9 by HTTP"),
    ],
)
def test_what_was_saved_is_told_from_pages_that_came_both_ways(counts, text):
    assert fetch_text(fetch_facts(counts, {})) == text


def test_the_time_of_sessions_is_told_as_a_number_too():
    counts = {**TIMED, "fetch_http": 100_001, "fetch_compared": 11}
    times = fetch_facts(counts, {})["times"]
    assert times == {"timed": 10, "http": 0.01, "chrome": 0.11, "saved": 10_000.0}
    assert "2.8 h of sessions" in fetch_text(fetch_facts(counts, {}))
