"""Would a page do without a browser? It is fetched once more without one, and compared."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..definition.fetching import CHROME, HTTP, tab_reason
from ..definition.routes import view_of
from ..errors import CrawlerError
from .dry_run import DryRun, dry_run
from .looks import StillLooks

if TYPE_CHECKING:
    from ..browser.pool import Chrome
    from ..definition.crawl import Crawl
    from ..net.permits import Permits

#: Seconds of a host's delay that are waited for; where it is longer, nothing is compared.
DELAY_MAX = 5.0


def http_hint(crawl: Crawl, outcome: DryRun, chrome: Chrome, permits: Permits) -> str:
    """Return a hint that the page of ``outcome``, which Chrome loaded, has the same item and links
    without a browser; "" if it has not, or needs one. Only a crawl without code is asked for: hooks
    would be called twice.
    """
    page, view = outcome.result.page, view_of(crawl, outcome.result.page)
    if crawl.has_code or crawl.login or page.form is not None or view.fetch != CHROME:
        return ""
    plain = crawl.replace(fetch=HTTP)
    seen = view_of(plain, page)
    delay = max(crawl.delay, permits.crawl_delay(page.url) or 0.0)
    if seen.fetch != HTTP or tab_reason(seen) or delay > DELAY_MAX:
        return ""
    if not (outcome.item or outcome.kept):
        return ""  # there is nothing to compare
    time.sleep(delay)
    try:
        other = dry_run(plain, chrome, permits, page=page, looks=StillLooks())
    except CrawlerError:
        return ""
    if other.item != outcome.item or set(other.links) != set(outcome.links):
        return ""
    number = len(outcome.kept)
    links = f"and {'the link' if number == 1 else f'all {number} links'} are" if number else "is"
    return f'the item {links} there without a browser: fetch = "http"'
