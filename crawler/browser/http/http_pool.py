"""One session without a browser for each thread and crawl, kept from page to page."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException

from ...errors import BrowserError
from ...local.private_files import crawl_folder
from ...net.http_client import HttpClient
from ..browser import BrowserOptions
from .http_session import HttpSession
from .kept_answers import KeptAnswers

if TYPE_CHECKING:
    from ...net.http_client import Way
    from ...profile import Profile
    from ..browser import Browser
    from ..chrome.endpoint import Endpoint

#: Sessions that a thread keeps: of the crawls that it served last.
SESSIONS_MAX = 8


class HttpPool:
    """Lends sessions that have the time-outs, folders and secrets of ``endpoint``."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._thread = threading.local()

    @contextmanager
    def session(
        self, profile: Profile, open_chrome: Callable[[], Browser], way: Callable[[], Way]
    ) -> Iterator[HttpSession]:
        """Lend this thread's session for ``profile``. ``open_chrome`` lends a browser, if one is
        needed; ``way`` is that of its connections.
        """
        sessions: OrderedDict[Profile, HttpSession] | None
        sessions = getattr(self._thread, "sessions", None)
        if sessions is None:
            sessions = self._thread.sessions = OrderedDict()
        session = sessions.pop(profile, None)
        if session is None or not session.health.good:
            session = self._open(profile)
        sessions[profile] = session
        while len(sessions) > SESSIONS_MAX:
            sessions.popitem(last=False)[1].close()
        session.begin(open_chrome, way)
        try:
            yield session
        finally:
            with suppress(BrowserError, WebDriverException):
                session.end()

    def _open(self, profile: Profile) -> HttpSession:
        endpoint = self._endpoint
        options = BrowserOptions(
            page_load_timeout=endpoint.load_timeout(profile),
            files=crawl_folder(endpoint.files, profile.crawl) if endpoint.files else None,
            secrets=endpoint.secrets,
        )
        folder = endpoint.state
        kept = (
            KeptAnswers(crawl_folder(folder / "answers", profile.crawl))
            if profile.conditional and folder
            else None
        )
        return HttpSession(HttpClient(), profile, options, kept)
