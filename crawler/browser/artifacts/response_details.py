"""What a crawl may want to know of a page besides: headers and redirects, its console, its timings.
Each costs a question.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from selenium.common.exceptions import WebDriverException

from ...model import Response
from ...profile import Profile
from ..transport.javascript import script
from ..transport.webdriver import Driver, first_line
from . import exchange

log = logging.getLogger(__name__)

#: Errors and warnings of a page's console that are kept, and characters of each.
CONSOLE_MAX, CONSOLE_LENGTH = 50, 500


class ResponseDetails:
    """Adds to responses what ``profile`` asks for; a profile that asks for nothing costs
    nothing.
    """

    def __init__(self, driver: Driver, profile: Profile) -> None:
        self.driver, self.profile = driver, profile

    def begin(self) -> None:
        """Forget what the page before went on to do."""
        if self.profile.exchanges:
            exchange.take(self.driver)
        if self.profile.console:
            self._console()

    def status(self) -> int | None:
        """The status of the last answer without a document, if that is to be had."""
        if not self.profile.exchanges:
            return None
        return next(
            (one.status for one in reversed(exchange.take(self.driver)) if one.status), None
        )

    def of(self, response: Response, before: Response | None = None) -> Response:
        """``response`` with what is asked for; ``before`` is what was told of the same page
        earlier.
        """
        if self.profile.exchanges:
            response = self._exchanged(response, later=before is not None)
        if self.profile.console:
            console = ((before.console if before else None) or ()) + self._console()
            response = replace(response, console=console[:CONSOLE_MAX])
        if self.profile.timings:
            try:
                response = replace(
                    response, timings=self.driver.execute_script(script("timings.js"))
                )
            except (
                WebDriverException
            ) as error:  # the page went elsewhere, or replaced what is looked at
                log.debug("no timings of %s: %s", response.url, first_line(error))
        return response

    def _exchanged(self, response: Response, later: bool) -> Response:
        """``response`` with its exchange. A ``later`` one may have none: the page is still the
        same.
        """
        shown = response.url.partition("#")[0]
        answered = [one for one in exchange.take(self.driver) if one.status]
        mine = [one for one in answered if one.url.partition("#")[0] == shown]
        if not mine and not later:
            mine = answered  # a script may have changed the address that is shown
        if not mine:
            return response
        one = mine[-1]
        return replace(
            response,
            status=response.status or one.status,
            content_type=response.content_type or one.mime,
            status_text=one.status_text,
            headers=one.headers,
            request_headers=one.request_headers,
            redirects=tuple(one.hops),
        )

    def _console(self) -> tuple[dict[str, str], ...]:
        """The errors and warnings of the console since the last time."""
        entries = self.driver.execute("getLog", {"type": "browser"})["value"]
        return tuple(
            {
                "level": "error" if entry["level"] == "SEVERE" else "warning",
                "message": entry["message"][:CONSOLE_LENGTH],
            }
            for entry in entries
            if entry["level"] in ("SEVERE", "WARNING")
        )
