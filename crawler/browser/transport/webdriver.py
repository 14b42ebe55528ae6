"""Selenium's WebDriver, with an end to every wait, and one error for every way in which a session
dies.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import urllib3
from selenium.common.exceptions import (
    InvalidSessionIdException,
    NoSuchWindowException,
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)
from selenium.webdriver import ChromeOptions, Remote
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ...errors import BrowserLost, BrowserUnavailable
from ...redaction import Secrets

if TYPE_CHECKING:
    from .devtools import DevTools

log = logging.getLogger(__name__)

#: Seconds that a session may take to end before it is left to its fate (and, if it is local,
#: killed).
QUIT_TIMEOUT = 5.0
#: Seconds that a remote Chrome may take to hear that it is to end, before its session is.
CLOSE_TIMEOUT = 2.0
#: Seconds after which it is said that a run waits for a session.
SAY_AFTER = 10.0
#: What a Grid says to a request that waited in its queue for too long.
QUEUED = "New session request timed out"
#: Commands after which WebDriver may be elsewhere than in the document of its tab.
ASIDE = (Command.SWITCH_TO_FRAME, Command.SWITCH_TO_PARENT_FRAME, Command.SWITCH_TO_WINDOW)
#: What ChromeDriver says when a session is beyond help, although its error code is the general one.
DEADLY = re.compile(
    r"tab crashed|not reachable|disconnected|session deleted|not connected to DevTools", re.I
)
#: What it says when the page that it asked went elsewhere meanwhile.
ABORTED = re.compile(r"aborted by navigation|no such execution context")

# At DEBUG Selenium writes down each command with all that it carries: what is typed into a form,
# cookies, tokens. Who wants that says so to this very logger; a worker whose log level is DEBUG
# does not.
logging.getLogger("selenium").setLevel(logging.INFO)


class Driver(Remote):
    """A session on the WebDriver at ``url``.

    Every command ends within ``command_timeout`` seconds. An answer (or a silence) that means the
    session is dead raises BrowserLost, in hooks as well; ``doubt`` then says why this session must
    not be used again.

    Raises:
        BrowserUnavailable: the session could not be had within ``session_timeout`` seconds.
    """

    def __init__(
        self,
        url: str,
        options: ChromeOptions,
        *,
        session_timeout: float,
        command_timeout: float,
        local: bool = False,
    ) -> None:
        self.doubt: str | None = None
        #: What this session came to know and must not be told: passwords, tokens.
        self.secrets = Secrets()
        self.local = local
        #: Seconds that a script may take.
        self.script_timeout: float = (options.timeouts or {}).get("script", 30_000) / 1_000
        #: The line to Chrome itself, if there is one.
        self.wire: DevTools | None = None
        self._aside = False  # whether WebDriver may be in a frame, or in another window
        self.at = ""  # the page that is being worked on: whom to name in errors
        self.session_id = None
        self.address, user, password = split_credentials(url)
        self.secrets.add(password)
        self._config = ClientConfig(
            remote_server_addr=self.address,
            username=user or None,
            password=password or None,
            timeout=session_timeout,  # type: ignore[arg-type]  # a float serves: it is handed to urllib3
            # urllib3 would ask again, three times, after a read time-out. The name is nested twice
            # because it is read so.
            init_args_for_pool_manager={"init_args_for_pool_manager": {"retries": False}},
        )
        self._connection = ChromeRemoteConnection(
            remote_server_addr=self.address, client_config=self._config, ignore_proxy=local
        )
        try:
            with contextlib.nullcontext() if local else self._said_to_wait(session_timeout):
                super().__init__(command_executor=self._connection, options=options)
        except BrowserUnavailable:
            self.hang_up()
            raise
        self._config.timeout = command_timeout

    @contextlib.contextmanager
    def _said_to_wait(self, seconds: float) -> Iterator[None]:
        """Say in the log that this block takes long, while it does."""
        words = (
            "still waiting for a session of %s, for %g s at most; are there fewer than processes"
            " that want one?"
        )
        timer = threading.Timer(SAY_AFTER, log.warning, (words, self.address, seconds))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Commands in this block have at most ``seconds`` to be answered; after a later answer the
        session is lost.
        """
        before = self._config.timeout
        self._config.timeout = min(seconds, before)
        try:
            yield
        finally:
            self._config.timeout = before

    @property
    def patience(self) -> float:
        """Seconds in which a command must be answered now."""
        return float(self._config.timeout or 0)

    def execute(self, driver_command: Any, params: dict[str, Any] | None = None) -> Any:
        """Send a command and return the answer; all of Selenium's methods come through here."""
        if driver_command in ASIDE:
            self._aside = True
        try:
            try:
                return super().execute(driver_command, dict(params or {}))
            except (UnexpectedAlertPresentException, TimeoutException) as error:
                if isinstance(error, TimeoutException) and not aborted(error):
                    raise
                # the dialog was dismissed, or another page is there
                return super().execute(driver_command, dict(params or {}))
        except WebDriverException as error:
            if self.session_id is None:
                words = first_line(error)
                raise BrowserUnavailable(
                    f"{self.address} gave no session: {words}", full=QUEUED in words
                ) from error
            if (
                isinstance(error, TimeoutException)
                and driver_command != Command.GET
                and not aborted(error)
            ):
                self.doubt = "a script did not end"  # it may never
            if isinstance(
                error, (InvalidSessionIdException, NoSuchWindowException)
            ) or DEADLY.search(error.msg or ""):
                raise self.lost(first_line(error)) from error
            raise
        except (HTTPError, OSError) as error:
            if self.session_id is None:
                if isinstance(error, ReadTimeoutError) and not self.local:
                    raise BrowserUnavailable(
                        f"{self.address} gave no session within {self._config.timeout:g} s", True
                    ) from error
                raise BrowserUnavailable(f"{self.address} cannot be reached: {error}") from error
            hung = isinstance(error, (ReadTimeoutError, TimeoutError))
            raise self.lost(
                "no answer in time" if hung else "the driver is gone",
                hung,
                not hung and not self.local,
            ) from error
        except (
            BaseException
        ):  # a signal, between question and answer: the session is still at the old command
            self.doubt = "interrupted"
            raise

    def ask(
        self, function: str, *args: Any, timeout: float | None = None, follow: bool = False
    ) -> Any:
        """What the body of a JavaScript ``function`` returns in the page at hand, as JSON, within
        ``timeout`` seconds.

        With ``follow`` a page that has said that it goes elsewhere is waited for, where that is
        known. Errors are Selenium's.
        """
        seconds = self.script_timeout if timeout is None else min(timeout, self.patience)
        if self.wire is not None and not self._aside:
            return self.wire.ask(function, *args, timeout=seconds, follow=follow)
        with self.within(self.patience if timeout is None else timeout):
            return self.execute_script(function, *args)

    def come_back(self) -> None:
        """Leave the frame, if WebDriver may be in one."""
        if self._aside:
            self.switch_to.default_content()
            self._aside = False

    @property
    def headers(self) -> dict[str, str]:
        """What a request to the endpoint needs besides."""
        return {**(self._config.get_auth_header() or {})}

    def cdp(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol; Chromium only, and through a Grid as well."""
        answer: dict[str, Any] = self.execute(
            "executeCdpCommand", {"cmd": method, "params": params}
        )["value"]
        return answer

    def finish(self) -> bool:
        """End the session, and Chrome; whether it is gone for sure. Takes seconds at most, and no
        error leaves here.

        A remote Chrome is asked to end before its driver is: where a shell script started it that
        waits for it (Debian's headless shell), the driver kills that script only, the Chrome stays
        for ever, and a Grid takes 20 seconds to give up the session.
        """
        if not self.local:
            with contextlib.suppress(Exception), self.within(CLOSE_TIMEOUT):
                self.cdp("Browser.close")
        try:
            with self.within(QUIT_TIMEOUT):
                self.quit()
        except BrowserLost as error:
            return isinstance(error.__cause__, InvalidSessionIdException)
        except Exception:
            return False
        return True

    def delete(self) -> None:
        """End the session on a connection of its own, so that this works while a command is under
        way.
        """
        delete(self.address, str(self.session_id), self.headers)

    def hang_up(self) -> None:
        """Close our connections to the endpoint; the session there is not touched."""
        if self.wire is not None:
            self.wire.close()
        self._connection.close()  # type: ignore[no-untyped-call]

    def lost(self, reason: str, hung: bool = False, away: bool = False) -> BrowserLost:
        """The error that says that this session is lost; from now on it is in doubt."""
        self.doubt = reason
        return BrowserLost(self.at, reason, hung, away)


def split_credentials(url: str) -> tuple[str, str, str]:
    """The address of an endpoint without its credentials, the user and the password ("" where there
    is none).
    """
    parts = urlsplit(url)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    return address, unquote(parts.username or ""), unquote(parts.password or "")


def end_session(url: str, session: str, patience: float) -> bool:
    """End a session at the endpoint ``url`` that some other process left there, and its Chrome;
    whether it is gone for sure.

    The endpoint has ``patience`` seconds for each of two answers: a ChromeDriver does one command
    after another, and the owner may have died while a page was loading. A Grid whose answer nobody
    awaits keeps the slot of a session that has ended.
    """
    address, user, password = split_credentials(url)
    headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user else {}
    with contextlib.suppress(HTTPError, OSError):
        urllib3.request(
            "POST",
            f"{address}/session/{quote(session, safe='')}/goog/cdp/execute",
            body=b'{"cmd": "Browser.close", "params": {}}',
            timeout=patience,
            retries=False,
            headers={**headers, "Content-Type": "application/json; charset=utf-8"},
        )
    return delete(address, session, headers, patience)


def delete(
    address: str, session: str, headers: Mapping[str, str] | None, timeout: float = QUIT_TIMEOUT
) -> bool:
    """Ask the endpoint at ``address`` to end a session; whether it is gone for sure."""
    try:
        answer = urllib3.request(
            "DELETE",
            f"{address}/session/{quote(session, safe='')}",
            headers=headers,
            timeout=timeout,
            retries=False,
        )
    except (HTTPError, OSError):
        return False
    return answer.status in (200, 404)  # 404: there is no such session


def aborted(error: WebDriverException) -> bool:
    """Whether a command met a page that went elsewhere; ChromeDriver calls that a time-out."""
    return ABORTED.search(error.msg or "") is not None


def first_line(error: WebDriverException) -> str:
    """What ChromeDriver said, without its stack trace."""
    return (error.msg or type(error).__name__).strip().splitlines()[0]
