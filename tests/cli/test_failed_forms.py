"""Forms that were sent, and failed, as an operator sees them."""

from __future__ import annotations

import json

from crawler.definition.forms import with_form
from crawler.model import FailureClass, Page
from tests.support.desk import SITE, queued, take


def test_forms_that_were_sent_are_listed_and_sent_again_only_if_named(desk):
    frontier = desk.begin().frontier
    words = ("tea", "coffee")
    frontier.enqueue(
        [
            with_form(Page(f"{SITE}/search"), {"q": word, "password": "canary-word"})
            for word in words
        ]
    )
    frontier.fail(take(frontier), FailureClass.TERMINAL, "http_404", status=404)
    for _ in words:
        claim = take(frontier)
        frontier.submit(claim)
        frontier.fail(claim, FailureClass.RETRY, "timeout")
    # Each is shown with its form, by a name of its own
    listed = desk.run("failed", "shop")
    assert "canary-word" not in listed
    lines = [line for line in listed.splitlines() if line.startswith("form_sent: timeout")]
    assert ['form {"q": "tea", "password": "***"}  (id ' in line for line in lines] == [True, False]
    letters = [json.loads(line) for line in desk.run("failed", "shop", "--json").splitlines()]
    forms = [letter.get("form", {}).get("q") for letter in letters]
    assert forms == [None, *words]
    # When all are sent back, then those stay
    assert (
        "1 pages sent back\n2 forms that were sent stay; to send them again: --reason form_sent"
        in (desk.run("retry", "shop", "--all"))
    )
    assert desk.run("retry", "shop", "--reason", "form_sent: other").startswith("0 pages")
    assert desk.run("retry", "shop", letters[2]["id"]).startswith("1 pages sent back")
    assert desk.run("retry", "shop", "--reason", "form_sent").startswith("1 pages sent back")
    assert queued(frontier) == 3
