"""Selenium's WebDriver with an end to every wait, and the transport that asks all of it.

``Driver`` is the session that hooks get. ``WebDriver`` fetches pages over it, and turns Selenium's
errors into those of :mod:`.base`.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets as random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from selenium.common.exceptions import (
    InsecureCertificateException,
    InvalidArgumentException,
    InvalidSessionIdException,
    JavascriptException,
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

from ...errors import BrowserError, BrowserLost, BrowserUnavailable
from ...observe.logs import logger
from ...redaction import Secrets
from ...text.encodable import encodable_value
from .base import (
    Arrival,
    DebuggerAddress,
    DialogOpen,
    Health,
    NoDocument,
    PageMoved,
    ScriptError,
    ScriptTimeout,
    TabState,
    Transport,
    TransportError,
    first_line,
    referred,
)
from .javascript import script, whole
from .remote_end import QUIT_TIMEOUT, delete_session, split_credentials

log = logger(__name__)

#: Seconds that a remote Chrome may take to hear that it is to end, before its session does.
CLOSE_TIMEOUT = 2.0
#: Seconds after which the log says that a run waits for a session.
SAY_AFTER = 10.0
#: Answer of a Grid to a request that waited in its queue for too long.
QUEUED = "New session request timed out"
#: Commands after which WebDriver may be elsewhere than in the document of its tab.
SWITCHES = (Command.SWITCH_TO_FRAME, Command.SWITCH_TO_PARENT_FRAME, Command.SWITCH_TO_WINDOW)
#: Messages of ChromeDriver for a session beyond help, although its error code is the general one.
DEADLY = re.compile(
    r"tab crashed|not reachable|disconnected|session deleted|not connected to DevTools", re.I
)
#: Messages of ChromeDriver when the page that it asked went elsewhere meanwhile.
ABORTED = re.compile(r"aborted by navigation|no such execution context")
#: Chrome's network error in a message of ChromeDriver.
NET_ERROR = re.compile(r"net::(ERR_\w+)")
#: The document of a site from which a form is sent: each site has one, or an error in its place.
BLANK = "/robots.txt"
#: Seconds between two looks whether the answer to a form is here.
ANSWER_PAUSE = 0.1
#: Hosts that are this machine: what a ChromeDriver there calls localhost is reached from here.
LOOPBACK = ("localhost", "127.0.0.1", "::1")

# At DEBUG Selenium writes down each command with all that it carries: form values, cookies, tokens.
# To see them, set the level of this very logger; a worker whose log level is DEBUG does not.
logging.getLogger("selenium").setLevel(logging.INFO)


class Driver(Remote):
    """A Selenium session on the WebDriver at ``url``.

    Every command ends within ``command_timeout`` seconds. An answer (or a silence) that means the
    session is dead raises BrowserLost, in hooks as well, and ``health`` then has the reason.

    ``away`` says whether the browser of a ``local`` driver, which is elsewhere, cannot be reached.

    Raises:
        BrowserUnavailable: the endpoint gave no session within ``session_timeout`` seconds.
    """

    def __init__(
        self,
        url: str,
        options: ChromeOptions,
        *,
        session_timeout: float,
        command_timeout: float,
        local: bool = False,
        away: Callable[[], bool] | None = None,
    ) -> None:
        self.health = Health()
        #: Secrets that this session came to know: passwords, tokens.
        self.secrets = Secrets()
        self.local, self._away = local, away or (lambda: False)
        #: What a browser calls itself whose start was not ours to decide; None: we gave it flags.
        self.flagless: str | None = None
        #: Seconds that a script may take.
        self.script_timeout: float = (options.timeouts or {}).get("script", 30_000) / 1_000
        self.switched = False  # whether WebDriver may be in a frame, or in another window
        self.session_id = None
        self.address, user, password = split_credentials(url)
        self.secrets.add(password)
        self._config = ClientConfig(
            remote_server_addr=self.address,
            username=user or None,
            password=password or None,
            timeout=session_timeout,  # type: ignore[arg-type]  # a float serves: urllib3 gets it
            # urllib3 would ask again, three times, after a read time-out. The name is nested twice
            # because it is read so.
            init_args_for_pool_manager={"init_args_for_pool_manager": {"retries": False}},
        )
        self._connection = ChromeRemoteConnection(
            remote_server_addr=self.address, client_config=self._config, ignore_proxy=local
        )
        try:
            with contextlib.nullcontext() if local else self._logging_wait(session_timeout):
                super().__init__(command_executor=self._connection, options=options)
        except BrowserUnavailable:
            self.hang_up()
            raise
        self._config.timeout = command_timeout

    @contextmanager
    def _logging_wait(self, seconds: float) -> Iterator[None]:
        """Say in the log that this block takes long, while it does."""
        text = (
            "still waiting for a session of %s, for %g s at most; are there fewer than processes"
            " that want one?"
        )
        timer = threading.Timer(SAY_AFTER, log.warning, (text, self.address, seconds))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give each command in this block at most ``seconds``; after a later answer the session is
        lost.
        """
        before = self._config.timeout
        self._config.timeout = min(seconds, before)
        try:
            yield
        finally:
            self._config.timeout = before

    @property
    def command_timeout(self) -> float:
        """Seconds in which a command must be answered now."""
        return float(self._config.timeout or 0)

    def execute(self, driver_command: Any, params: dict[str, Any] | None = None) -> Any:
        """Send a command and return the answer; all of Selenium's methods come through here."""
        if driver_command in SWITCHES:
            self.switched = True
        try:
            return self._execute_twice(driver_command, encodable_value(dict(params or {})))
        except WebDriverException as error:
            if lost := self._lost_by_answer(driver_command, error):
                raise lost from error
            raise
        except (HTTPError, OSError) as error:
            raise self._lost_by_silence(error) from error
        # a signal, between question and answer: the session is still at the old command
        except BaseException:
            self.health.distrust("interrupted")
            raise

    def _execute_twice(self, command: Any, params: dict[str, Any]) -> Any:
        """Send a command, and again if a dialog (dismissed by now) or another page stopped it."""
        try:
            return super().execute(command, dict(params))
        except UnexpectedAlertPresentException:
            pass
        except TimeoutException as error:
            if not aborted(error):
                raise
        return super().execute(command, dict(params))

    def _lost_by_answer(self, command: Any, error: WebDriverException) -> BrowserError | None:
        """Return the error if the answer ``error`` means that no session is here; else None."""
        text = first_line(error)
        if self.session_id is None:
            return BrowserUnavailable(f"{self.address} gave no session: {text}", QUEUED in text)
        if isinstance(error, TimeoutException) and command != Command.GET and not aborted(error):
            self.health.distrust("a script did not end")  # it may never
        gone = isinstance(error, (InvalidSessionIdException, NoSuchWindowException))
        if not gone and not DEADLY.search(error.msg or ""):
            return None
        return self.health.lost(text, away=self._away())

    def _lost_by_silence(self, error: Exception) -> BrowserError:
        """Return the error for an endpoint that does not answer, or closes the connection."""
        if self.session_id is None:
            if isinstance(error, ReadTimeoutError) and not self.local:
                return BrowserUnavailable(
                    f"{self.address} gave no session within {self._config.timeout:g} s", True
                )
            return BrowserUnavailable(f"{self.address} cannot be reached: {error}")
        if isinstance(error, (ReadTimeoutError, TimeoutError)):
            return self.health.lost("no answer in time", hung=True)
        return self.health.lost("the driver is gone", away=not self.local or self._away())

    def leave_frame(self) -> None:
        """Leave the frame, if WebDriver may be in one."""
        if self.switched:
            self.switch_to.default_content()
            self.switched = False

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers with which the endpoint lets us in."""
        return {**(self._config.get_auth_header() or {})}

    def cdp(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol; Chromium only, and through a Grid as well."""
        answer: dict[str, Any] = self.execute(
            "executeCdpCommand", {"cmd": method, "params": params}
        )["value"]
        return answer

    def debugger_address(self) -> DebuggerAddress | None:
        """Return the address at which this tab speaks Chrome's own protocol; None: it has none.

        A Grid passes the protocol on, at the address at which we know it. Of a ChromeDriver only
        one on this machine is of use.
        """
        parts, capabilities = urlsplit(self.address), self.capabilities
        if "se:cdp" in capabilities:
            scheme = "wss" if parts.scheme == "https" else "ws"
            root = f"{scheme}://{parts.netloc}{parts.path.removesuffix('/wd/hub')}"
            url = f"{root}/session/{self.session_id}/se/cdp"
            return DebuggerAddress(url, self.current_window_handle, self.headers)
        debugger = capabilities.get("goog:chromeOptions", {}).get("debuggerAddress")
        if parts.hostname not in LOOPBACK or not debugger:
            return None
        root = f"ws://127.0.0.1:{debugger.rpartition(':')[2]}"
        url = f"{root}/devtools/page/{self.current_window_handle}"
        return DebuggerAddress(url, None, self.headers)

    def finish(self) -> bool:
        """End the session, and Chrome; return whether it is gone for sure. Takes seconds at most,
        and raises nothing.

        A remote Chrome is asked to end before its driver is: where a shell script started it that
        waits for it (Debian's headless shell), the driver kills that script only, Chrome stays for
        ever, and a Grid takes 20 seconds to give up the session.
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
        """End the session on a connection of its own, so that this works during a command."""
        delete_session(self.address, str(self.session_id), self.headers)

    def hang_up(self) -> None:
        """Close our connections to the endpoint; the session there is not touched."""
        self._connection.close()  # type: ignore[no-untyped-call]


class WebDriver(Transport):
    """The transport over the Selenium session ``driver`` alone.

    ChromeDriver tells little of what came of a navigation: ``new`` of an arrival is unknown.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver, self.health = driver, driver.health

    def go(self, url: str, timeout: float, referer: str = "") -> Arrival:
        """Go to ``url``. ChromeDriver has the page-load time-out of its own session; but with a
        ``referer``, of which WebDriver knows nothing, a server that is silent for ``timeout``
        seconds costs the session.
        """
        self.driver.leave_frame()
        try:
            if referer:
                return self._navigate(url, timeout, referer)
            self.driver.get(url)
        except TimeoutException:
            return Arrival(late=True)
        except InvalidArgumentException:
            return Arrival("ERR_INVALID_URL")
        except InsecureCertificateException:
            return Arrival("ERR_CERT_INVALID")
        except WebDriverException as error:
            if name := NET_ERROR.search(error.msg or ""):
                return Arrival(name[1])
            raise TransportError(first_line(error)) from error
        return Arrival()

    def _navigate(self, url: str, timeout: float, referer: str) -> Arrival:
        """Go to ``url`` by ``Page.navigate``, which waits for the server, for ever."""
        try:
            with self.driver.within(timeout):
                answer = self.driver.cdp("Page.navigate", url=url, **referred(referer))
        except BrowserLost as lost:
            if not lost.hung:
                raise
            return Arrival(new=False, late=True)
        code = answer.get("errorText", "").removeprefix("net::")
        stays = code == "ERR_ABORTED" or not answer.get("loaderId")
        return Arrival(code, bool(answer.get("isDownload")), new=False if stays else None)

    def submit(
        self,
        url: str,
        pairs: Sequence[tuple[str, str]],
        timeout: float,
        sending: Callable[[], None],
    ) -> Arrival:
        """Submit a form to ``url`` from the robots.txt of its site, or, where that is none of its
        documents, from what is at ``url`` itself. If nothing takes its place within ``timeout``
        seconds, the page is late, or none comes at all: ChromeDriver does not tell.
        """
        form = "_" + random.token_hex(8)
        for blank in (urljoin(url, BLANK), url):
            arrival = self.go(blank, timeout)
            if arrival.error:
                raise NoDocument(arrival.error)
            if self.ask(script("form.js"), url, pairs, form):
                break
        else:
            raise NoDocument
        mark = form + "s"
        self.ask("window[arguments[0]] = true", mark)
        sending()
        end = time.monotonic() + timeout
        with contextlib.suppress(PageMoved, ScriptTimeout, DialogOpen):
            self.ask(script("submit.js"), form)
        while time.monotonic() < end:
            with contextlib.suppress(PageMoved, DialogOpen):
                if not self.ask("return arguments[0] in window", mark):
                    return Arrival(new=True)
            time.sleep(ANSWER_PAUSE)
        return Arrival(new=False, late=True)

    def ask(
        self, function: str, *args: Any, timeout: float | None = None, follow: bool = False
    ) -> Any:
        """Run a function in the page or frame that WebDriver is in; ``follow`` has no effect."""
        seconds = self.driver.command_timeout if timeout is None else timeout
        with transport_errors(), self.driver.within(seconds):
            # what describes a document has whole characters only, and minds pages that break this
            return self.driver.execute_script(function if follow else whole(function), *args)

    def cdp(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol to the tab that WebDriver is in."""
        with transport_errors():
            return self.driver.cdp(method, **params)

    def address(self) -> str:
        """Return the URL that ChromeDriver gives for the tab."""
        with transport_errors():
            return str(self.driver.current_url)

    def reset(self) -> None:
        """Show about:blank."""
        try:
            self.driver.get("about:blank")
        except WebDriverException as error:
            raise self.health.lost(first_line(error)) from error
        self.health.show(TabState.BLANK)

    def alive(self, timeout: float) -> bool:
        """Whether the session lists its windows within ``timeout`` seconds."""
        try:
            with self.within(timeout):
                return bool(self.driver.window_handles)
        except (BrowserError, WebDriverException):
            return False

    def alone(self) -> bool:
        """Return False: listing the windows costs as much as closing them."""
        return False

    def within(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Give each command of WebDriver in this block at most ``seconds``."""
        return self.driver.within(seconds)

    def attach(self, address: DebuggerAddress | None) -> None:
        """Do nothing: WebDriver is in the tab that it switched to."""

    def cut(self) -> None:
        """Do nothing: a command of WebDriver ends with the session."""

    def hang_up(self) -> None:
        """Close the connections to the endpoint."""
        self.driver.hang_up()


@contextmanager
def transport_errors() -> Iterator[None]:
    """Turn Selenium's errors in this block into those of a transport."""
    try:
        yield
    except WebDriverException as error:
        text = (error.msg or "").strip() or type(error).__name__
        match error:
            case UnexpectedAlertPresentException():
                raise DialogOpen(text) from error
            case _ if aborted(error):
                raise PageMoved(text) from error
            case TimeoutException():
                raise ScriptTimeout(text) from error
            case JavascriptException():
                raise ScriptError(text) from error
            case _:
                raise TransportError(text) from error


def aborted(error: WebDriverException) -> bool:
    """Whether a command met a page that went elsewhere; ChromeDriver calls that a time-out."""
    return ABORTED.search(error.msg or "") is not None
