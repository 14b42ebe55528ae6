"""The cookies that a session carries from page to page, and that may become too many.

A site that sets a cookie with each page fills the request's header until its own server refuses
it. A browser of a person has this fault, too, but sees fewer pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException

from ...observe.logs import logger
from ..transport.base import first_line

if TYPE_CHECKING:
    from ..transport.webdriver import Driver

log = logger(__name__)

#: HTTP statuses with which servers refuse a header that is too long.
OVERFULL_STATUSES = frozenset({400, 413, 431})
#: Cookies, or characters of cookies, from which they may be the cause. Servers take 4 kB at least.
MANY, LONG = 20, 3_500


def clear_cookies(
    driver: Driver, url: str, status: int, keep: Callable[[Mapping[str, Any]], bool]
) -> bool:
    """Clear the cookies that are sent to ``url``, if they are many, except those to ``keep``.

    Return whether any were cleared. ``status`` is the answer of the server, for the log.
    """
    try:
        cookies = driver.cdp("Network.getCookies", urls=[url])["cookies"]
        length = sum(len(cookie["name"]) + len(cookie["value"]) for cookie in cookies)
        excess = [cookie for cookie in cookies if not keep(cookie)]
        if not excess or (len(cookies) < MANY and length < LONG):
            return False
        for cookie in excess:
            names = ("name", "domain", "path", "partitionKey")
            driver.cdp(
                "Network.deleteCookies", **{name: cookie[name] for name in names if name in cookie}
            )
    except WebDriverException as error:
        log.warning(
            "the cookies of %s are not cleared: %s", urlsplit(url).hostname, first_line(error)
        )
        return False
    log.warning(
        "%s answered %d to a request with %d cookies (%d characters): %d cleared, and asked again",
        *(urlsplit(url).hostname, status, len(cookies), length, len(excess)),
    )
    return True
