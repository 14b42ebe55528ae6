"""What one page of a crawl would give: the steps of a run, without a frontier."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..browser.pool import Chrome
from ..definition.bounds import entry_pages, scope_of
from ..definition.browser_profile import profile_of
from ..definition.choosing import choose
from ..definition.crawl import Crawl
from ..definition.extraction import extract_by_table
from ..errors import PageError
from ..hooks import call
from ..model import Link, Page, Response, Result, Snapshot, Status
from ..net.permits import Permits
from .lifecycle import Stop, accept, permitted


@dataclass(frozen=True, slots=True)
class DryRun:
    """What one page would give: its result, the links that would be queued, and the others with the
    reason why not.
    """

    result: Result
    kept: tuple[Page, ...]
    dropped: tuple[tuple[Link, str], ...]


def dry_run(crawl: Crawl, chrome: Chrome, permits: Permits, url: str | None = None) -> DryRun:
    """Do the steps of a run for the entry page of ``crawl``, or for ``url``, without a frontier:
    nothing is queued or kept.

    Hooks get what a run would hand them, but a snapshot of an empty crawl.

    Raises:
        PageError, BrowserLost, BrowserUnavailable: as they come; what a hook raises passes through.
    """
    page = entry_pages(crawl)[0] if url is None else scope_of(crawl).entry(url)
    began = time.monotonic()
    blank = Snapshot(crawl.name, Status.NEW, None, 0, 1, 0, 0, 1, 0, 0)
    common = {"crawl": crawl, "snapshot": blank, "stop": Stop(None)}

    def hook(step: str, **available: Any) -> Any:
        found = crawl.calls.get(step)
        return call(found, common | available) if found else None

    def stays(response: Response) -> None:
        if hook(
            "logged_out", page=browser.live(page, response), response=response, browser=browser
        ):
            raise PageError(page.url, "login", response.status)

    with chrome.session(profile_of(crawl, permits.flags(local=chrome.local))) as browser:
        hook("before_all", browser=browser)
        hook("before", page=page, browser=browser)
        permits.check(page.url)
        response = accept(
            crawl, page, browser, permits, stays if "logged_out" in crawl.calls else None
        )
        live = browser.live(page, response)
        seen = {"page": live, "response": response, "links": response.links}
        data = (
            hook("extract", **seen, browser=browser)
            if "extract" in crawl.calls
            else extract_by_table(crawl, response)
        )

        def keep(**of: Any) -> Any:
            return hook("filter", **{**seen, **of})

        chosen = choose(crawl, page, response.links, response=response, keep=keep, explain=True)
        chosen = permitted(chosen, permits)
        result = Result(
            crawl.name,
            page,
            response,
            data,
            len(response.links),
            (time.monotonic() - began) * 1_000,
        )
        hook("after", **seen, result=result, browser=browser)
    return DryRun(result, chosen.pages, chosen.reasons)
