"""A walk over hostile pages, in one session as far as they allow: what came of each, and whether
the page after it was right.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crawler import Crawl
from crawler.browser.browser import Browser
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.browser_profile import profile_of
from crawler.definition.network import guard_of
from crawler.errors import BrowserLost, PageError
from crawler.model import Link
from crawler.net.permits import Permits
from crawler.run.dry_run import dry_run
from crawler.run.looks import Looks
from crawler.run.outcome import diagnose

from .server import Server
from .table import Done, Failed, Row

#: Seconds for pages that only cost a time-out: to load, for a script, for any answer.
HASTE = (1.5, 1.5, 4.0)
PATIENCE = (40.0, 30.0, 60.0)
#: A heap that a memory bomb fills in an instant, and an ordinary page never.
SMALL_HEAP = "--js-flags=--max-old-space-size=128"
#: The page after each.
GOOD = Row("/ok", (Done(("/a", "/b"), "OK"),))


@dataclass(frozen=True)
class Step:
    """What came of a page, in how many seconds; what came of the good page after it; whether the
    session was another one then.
    """

    row: Row
    came: Done | Failed
    seconds: float
    after: Done | Failed
    replaced: bool
    windows: int

    @property
    def faults(self) -> list[str]:
        """What is not as the table says."""
        found = []
        if not any(fits(self.came, right, self.row.path) for right in self.row.right):
            found.append(
                f"{self.row.path}: {short(self.came)}, not {' or '.join(map(short, self.row.right))}"
            )
        if not fits(self.after, GOOD.right[0], GOOD.path):
            found.append(f"the page after {self.row.path}: {short(self.after)}")
        if self.row.doubt is not None and self.replaced is not self.row.doubt:
            found.append(
                f"{self.row.path}: the session was {'' if self.replaced else 'not '}replaced"
            )
        if self.windows != 1:
            found.append(f"{self.row.path}: {self.windows} windows are open")
        return found


def endpoint(**given: object) -> Endpoint:
    """Where a walk goes on: nothing but a page replaces its session."""
    return Endpoint(
        page_load_timeout=PATIENCE[0],
        script_timeout=PATIENCE[1],
        command_timeout=PATIENCE[2],
        recycle_pages=10_000,
        recycle_memory=None,
        flags=(SMALL_HEAP,),
        **given,  # type: ignore[arg-type]
    )


def walk(chrome: Chrome, site: Server, rows: Iterable[Row]) -> Iterator[Step]:
    """Ask for each of ``rows``, and for the good page after it."""
    hurry = False

    def limit(browser: Browser) -> None:
        load, script, command = HASTE if hurry else PATIENCE
        browser.navigation.page_load_timeout = load
        browser.driver.set_page_load_timeout(load)
        browser.driver.set_script_timeout(script)
        browser.driver._config.timeout = command

    crawl = Crawl(name="hostile", url=site.url(), robots=False, scope="all", deny_extensions=())
    crawl.before(limit)
    permits = Permits(guard_of(crawl), obey=False)

    def ask(path: str) -> Done | Failed:
        try:
            seen = dry_run(crawl, chrome, permits, site.url(path), looks=Looks(spent=1e9))
            response = seen.result.response
        except (PageError, BrowserLost) as error:
            kind, reason, status = diagnose(error)
            return Failed(reason, kind, status)
        return done(site, response.links, response.title, response.status, response.url)

    def session() -> tuple[str, int]:
        with chrome.session(profile_of(crawl)) as browser:
            return browser.session_id, len(browser.driver.window_handles)

    ask(GOOD.path)
    for row in rows:
        before, _ = session()
        hurry, began = row.hasty, time.perf_counter()
        came = ask(row.path)
        seconds, hurry = time.perf_counter() - began, False
        after = ask(GOOD.path)
        now, windows = session()
        yield Step(row, came, seconds, after, now != before, windows)


def done(
    site: Server, links: Iterable[Link], title: str | None, status: int | None, url: str
) -> Done:
    """What came, with the addresses of ``site`` as paths."""
    return Done(tuple(path_on(site, link.url) for link in links), title, status, path_on(site, url))


def path_on(site: Server, url: str) -> str:
    return "/" + url.removeprefix(site.url("/")) if url.startswith(site.url("/")) else url


def fits(came: Done | Failed, right: Done | Failed, path: str) -> bool:
    """Whether that is what the table says."""
    if isinstance(came, Failed) or isinstance(right, Failed):
        return came == right
    many = len(came.links) if isinstance(came.links, tuple) else came.links  # type: ignore[unreachable]
    return (
        came.status == right.status
        and (right.title is None or came.title == right.title)
        and (many if isinstance(right.links, int) else came.links) == right.links
        and fnmatch.fnmatchcase(came.url or "", right.url or path.replace("?", "[?]"))
    )


def short(outcome: Done | Failed) -> str:
    return repr(outcome)[:400]
