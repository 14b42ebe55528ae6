"""Lists and reports of commands show no credentials in URLs."""

from __future__ import annotations

import json

from tests.support.desk import SITE, fail_all, take


def test_lists_and_reports_show_no_credentials_and_pages_can_be_retried(desk):
    # Given a crawl whose entry and pages carry tokens in their URLs, which fail
    url = f"{SITE}/?access_token=canary1"
    handle = desk.begin("/x?sig=canary2", url=url)
    handle.enqueue([f"{SITE}/y?key=canary3", f"{SITE}/z?page=2"])
    name = handle.name
    shown = desk.run("info", name, "--lists", "queued")
    fail_all(handle.frontier, "http_404", "http_404", "http_500", "x")
    for words in (
        ("failed", name), ("failed", name, "--json"), ("report", name), ("report", name, "--json"),
        ("info", name), ("info", name, "--json"), ("info", name, "--lists", "failed"),
    ):  # fmt: skip
        shown += desk.run(*words)
    assert "canary" not in shown
    assert "sig=***" in shown
    # Then their ids serve to send them back, as the pages that they were
    letters = [json.loads(line) for line in desk.run("failed", name, "--json").splitlines()]
    sig = next(letter for letter in letters if "sig=***" in letter["url"])
    assert sig["id"] in desk.run("failed", name)
    assert "1 pages sent back" in desk.run("retry", name, sig["id"])
    assert take(handle.frontier).page.url == f"{SITE}/x?sig=canary2"
