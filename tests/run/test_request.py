"""A page that leads out of the crawl's bounds: those of the definition say what to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from crawler import Crawl
from crawler.definition.bounds import entry_pages, scope_of
from crawler.definition.network import guard_of
from crawler.errors import PageError
from crawler.model import Response
from crawler.net.permits import Permits
from crawler.run.outcome import diagnose
from crawler.run.request import admit

OLD, NEW = "https://shop.example/", "https://www.shop.test/home?token=secret#top"


def refusal(url: str, *, entry: str | None = None, depth: int = 0, **fields: Any) -> PageError:
    """Return the error for a page that arrives at ``url``."""
    crawl = Crawl(name="moved", url=OLD, **fields)
    page = scope_of(crawl).entry(entry) if entry else entry_pages(crawl)[0]
    permits = Permits(guard_of(crawl, resolve=lambda _host: ["93.184.216.34"]), obey=False)
    with pytest.raises(PageError) as failed:
        admit(Response(url, 200), crawl, replace(page, depth=depth), cast("Any", None), permits)
    return failed.value


def test_an_entry_that_moved_says_where_to_and_what_to_write(caplog):
    error = refusal(NEW)
    advice = (
        'leads to https://www.shop.test/home; to follow it, write url = "https://www.shop.test/home"'
        ' or allow = ["www.shop.test"]'
    )
    assert error.reason == "redirect_scope"
    assert diagnose(error)[1] == f"redirect_scope: {advice}"
    assert advice in str(error)
    assert advice in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("url", "fields", "remedy"),
    [
        ("http://10.0.0.1/x", {}, 'write url = "http://10.0.0.1/x" if that is meant'),
        (NEW, {"scope": lambda url: "shop.example" in url}, "function scope must accept it"),
        (OLD + "login", {"deny": ["/login"]}, "change deny"),
    ],
)
def test_each_bound_of_an_entry_names_its_remedy(url, fields, remedy):
    assert refusal(url, **fields).advice.endswith(remedy)


def test_following_the_advice_lets_the_entry_in():
    page = entry_pages(Crawl(name="moved", url=OLD))[0]
    for fields in ({"url": "https://www.shop.test/home"}, {"url": OLD, "allow": ["www.shop.test"]}):
        assert scope_of(Crawl(name="moved", **fields)).refuses(NEW, page) is None


def test_of_many_seeds_only_hosts_are_named():
    error = refusal(NEW, entry=OLD + "seed/1")
    assert error.advice == (
        'leads to https://www.shop.test/; to follow it, write allow = ["www.shop.test"]'
    )


def test_a_link_that_leads_out_of_bounds_stays_one_word(caplog):
    assert diagnose(refusal(NEW, entry=OLD + "a", depth=1))[1] == "redirect_scope"
    assert caplog.text == ""
