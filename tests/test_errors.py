"""The errors of the library, as the tree at the top of their module draws them."""

from __future__ import annotations

import inspect
import re

from crawler import errors


def test_the_drawn_tree_names_every_error_below_its_own_root():
    drawn, path = {}, []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"((?:[│ ]   )*)[├└]── (\w+)", line):
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            drawn[match[2]] = path[depth - 1] if depth else "CrawlerError"
    classes = inspect.getmembers(errors, inspect.isclass)
    assert drawn == {
        name: error.__bases__[0].__name__
        for name, error in classes
        if issubclass(error, errors.CrawlerError) and error is not errors.CrawlerError
    }


def test_a_crawl_that_is_known_but_never_started_is_not_called_unknown():
    known = ("books", "news")
    assert "has not been started yet" in str(errors.UnknownCrawl("books", known))
    assert str(errors.UnknownCrawl("shop", known)) == (
        "no crawl is named 'shop' (known here: books, news)"
    )
