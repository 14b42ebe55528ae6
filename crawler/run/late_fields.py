"""Fields that had no value when their page was read: do they have one soon after?

The page is read again, by the same table: so a wait is only proposed where it would have helped.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ..definition.empty_fields import css_of, empty_fields, table_in_use
from ..definition.extraction import extract_by_table
from ..model import Json, Response

if TYPE_CHECKING:
    from ..browser.trial.trial_chrome import TrialBrowser
    from ..definition.crawl import Crawl

#: Seconds for which a value is waited for, and between two looks.
LATE, PAUSE = 3.0, 0.25


def late_hint(browser: TrialBrowser, crawl: Crawl, data: Json, *, scrolled: bool) -> str:
    """Return a hint at the fields of ``data`` that get a value after their page was read, which
    ``browser`` shows; "" if none does. ``scrolled``: links came by scrolling, so these may, too.
    """
    empty = empty_fields(crawl, data)
    if not empty or table_in_use(crawl) is None:
        return ""
    late: list[str] = []
    end = time.monotonic() + LATE
    while not late and time.monotonic() < end:
        time.sleep(PAUSE)
        shown = browser.record()
        if shown.response is None or not shown.html:
            return ""
        now = extract_by_table(crawl, Response(shown.response.url, html=shown.html)).data
        still = empty_fields(crawl, now)
        late = [name for name in empty if name not in still] if now else []
    if not late:
        return ""
    if scrolled:
        return f"{', '.join(late)} got a value after the page was read and scrolled: scroll = true"
    css = css_of([empty[name] for name in late])
    wait = f"wait_for = {json.dumps(css)}" if css else "wait_quiet = 0.5"
    return f"{', '.join(late)} got a value after the page was read: {wait}"
