"""The page that Chrome shows, as hooks see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver.remote.webelement import WebElement

from ..errors import WaitTimeout
from ..local.private_files import write_private
from ..model import Json, Page, Response
from ..text.encodable import encodable, encodable_value
from .artifacts import screenshots
from .frames import FrameReader
from .transport.base import TransportError
from .transport.javascript import finding, script, whole

if TYPE_CHECKING:
    from .artifacts.page_responses import CapturedResponse, PageResponses
    from .elements import Element
    from .transport.base import Transport
    from .transport.webdriver import Driver

#: Seconds between two looks at a page for what is awaited of it.
PAUSE = 0.05

VISIBLE = "(e.innerText ?? e.textContent).trim()"
TEXTS = f"return all(arguments[0]).map(e => {VISIBLE})"
TEXT = f"const e = one(arguments[0]); return e && {VISIBLE}"
ATTRS = "return all(arguments[0]).map(e => e.getAttribute(arguments[1])).filter(v => v !== null)"
ATTR = "const e = one(arguments[0]); return e && e.getAttribute(arguments[1])"
ELEMENT = "return one(arguments[0])"
EXISTS = "return one(arguments[0]) !== null"
#: Which selectors match, and the visible text, if it is asked for.
MATCHING = """
const [selectors, text] = arguments;
return {matching: selectors.filter(css => one(css) !== null),
        text: text ? (document.body?.innerText ?? "").slice(0, TEXT_MAX) : ""}"""
#: Characters of the visible text in which is searched.
TEXT_MAX = 1_000_000
#: An expression that is evaluated; its own errors are told apart from one that cannot be compiled.
EXPRESSION = r"""
return (async () => (
%s
))().then((value) => ({value}), (error) => ({error: String(error)}))"""
SCROLL = "const e = document.documentElement; scrollTo(0, e.scrollHeight); return e.scrollHeight"


class Tab:
    """The document that a tab of Chrome shows: questions to it, and actions on it.

    CSS selectors are the browser's; where nothing in the document matches, its open shadow roots
    are searched, too. A selector that is not valid raises ValueError. Where nothing matches, the
    value is None, or an empty list.
    """

    #: Whether documents in frames, of the same origin, are parts of this one.
    in_frames = False
    #: Whether a document at a URL, in a frame, may be read as a part of this one.
    admits: Callable[[str], bool] = staticmethod(lambda url: True)  # noqa: ARG005

    def __init__(self, driver: Driver, transport: Transport) -> None:
        self.driver, self.transport = driver, transport

    def finding(self, function: str) -> str:
        """Return a JavaScript ``function`` with what finds elements of this page."""
        return finding(function, in_frames=self.in_frames)

    @property
    def url(self) -> str:
        """The URL of the tab at this moment."""
        return str(self.driver.current_url)

    @property
    def title(self) -> str:
        """The document's title at this moment."""
        return encodable(str(self.transport.ask("return document.title")))

    @property
    def html(self) -> str:
        """The document's source at this moment, as scripts have left it."""
        return str(self.driver.page_source)

    @property
    def cookies(self) -> list[dict[str, Json]]:
        """The cookies that this page may see, and those that only its server may."""
        return list(self.driver.get_cookies())

    def text(self, css: str) -> str | None:
        """Return the visible text of the first element that matches, or None."""
        text: str | None = self._select(TEXT, css)
        return text

    def texts(self, css: str) -> list[str]:
        """Return the visible text of every element that matches."""
        return list(self._select(TEXTS, css))

    def attr(self, css: str, name: str) -> str | None:
        """Return the attribute ``name``, as written, of the first element that matches; None if
        either is missing.
        """
        value: str | None = self._select(ATTR, css, name)
        return value

    def attrs(self, css: str, name: str) -> list[str]:
        """Return the attribute ``name``, as written, of every element that matches and has it."""
        return list(self._select(ATTRS, css, name))

    def select_all(self, css: str) -> list[Element]:
        """Return every element of the rendered document that matches, as it is at this moment: in
        one trip to Chrome, whatever is asked of them afterwards.

        They lie in the document that tables of selectors read. ValueError if ``css`` is not valid.
        """
        from .elements import elements  # parsel takes 0.1 s to import

        return elements(*self._source(), css)

    def _source(self) -> tuple[str, str]:
        """Return the source of the document at this moment, with its shadow roots, and with its
        frames if they are parts of it; and its URL.
        """
        if self.in_frames:
            html = FrameReader(self.driver, 0, admits=self.admits).read()
            return encodable(html), self.url
        found = self.transport.ask(script("source.js"))
        return encodable(str(found["html"])), str(found["url"])

    def matching(self, selectors: Sequence[str], *, text: bool = False) -> tuple[list[str], str]:
        """Return those of ``selectors`` that match something, and the visible text of the document,
        its first million characters, if ``text`` asks for it ("" else): in one question.
        """
        with selector_errors(", ".join(selectors)):
            function = self.finding(MATCHING.replace("TEXT_MAX", str(TEXT_MAX)))
            found = self.transport.ask(function, list(selectors), text)
        return list(found["matching"]), encodable(found["text"])

    def evaluate(self, js: str, *args: Any) -> Any:
        """Return the value of an expression, or what statements ``return``.

        ``args`` are ``arguments[0]`` and so on. A promise is waited for; if a dialog opens
        meanwhile, the value is None.
        """
        try:
            answer = self.driver.execute_script(whole(EXPRESSION % js), *args)
        except JavascriptException:  # it cannot be compiled: nothing of it has run
            return self.driver.execute_script(whole(js), *args)
        if answer is None:
            return None
        if "error" in answer:
            raise JavascriptException(f"javascript error: {answer['error']}")
        return answer.get("value")

    def wait_for(self, css: str, timeout: float = 10.0) -> None:
        """Wait until something matches; WaitTimeout (a TimeoutError) after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while not self._select(EXISTS, css):
            if time.monotonic() > end:
                raise WaitTimeout(self.url, css, timeout)
            time.sleep(PAUSE)

    def click(self, css: str) -> None:
        """Click the first element that matches; LookupError if there is none."""
        self.element(css).click()

    def fill(self, css: str, text: str) -> None:
        """Replace what is in the first field that matches, as if it were typed.

        LookupError if there is none. What goes into a password field is kept out of logs.
        """
        field = self.element(css)
        if field.get_attribute("type") == "password":
            self.driver.secrets.add(text)
        field.clear()
        field.send_keys(text)

    def scroll_to_end(self, timeout: float = 30.0, pause: float = 0.5) -> None:
        """Scroll down until the page no longer grows for ``pause`` seconds, or ``timeout`` seconds
        have passed.
        """
        end = time.monotonic() + timeout
        height, grown = -1, time.monotonic()
        while (now := time.monotonic()) < end:
            current = self.driver.execute_script(SCROLL)
            if current > height:
                height, grown = current, now
            elif now - grown > pause:
                return
            time.sleep(PAUSE)

    @contextmanager
    def frame(self, css: str) -> Iterator[Tab]:
        """Give the document inside of the first frame that matches, of whatever site, for a
        ``with`` block; LookupError if none does.

        Within the block questions to the page are answered by the frame, too.
        """
        self.driver.switch_to.frame(self.element(css))
        try:
            yield Frame(self.driver, self.transport)
        finally:
            self.driver.switch_to.parent_frame()

    def screenshot(
        self, path: str | Path | None = None, *, css: str | None = None, whole: bool = False
    ) -> bytes:
        """Return a picture of the window, as PNG: or of the first element that matches ``css``, or
        of the ``whole`` page, whatever its length.

        With ``path`` it is also written to that file. Of a page only the upper 16,384 pixels are in
        the picture.
        """
        if css is not None:
            return write(path, bytes(self.element(css).screenshot_as_png))
        shoot = screenshots.whole if whole else screenshots.window
        return write(path, shoot(self.driver))

    def pdf(self, path: str | Path | None = None) -> bytes:
        """Return the page as PDF, as if it were printed; with ``path`` also write it to a file."""
        return write(path, screenshots.pdf(self.driver))

    def element(self, css: str) -> WebElement:
        """Return Selenium's element for the first that matches; LookupError if there is none."""
        with selector_errors(css):
            element = self.driver.execute_script(finding(ELEMENT), css)
        if not isinstance(element, WebElement):
            raise LookupError(f"nothing matches {css!r} at {self.url}")
        return element

    def _select(self, js: str, css: str, *args: Any) -> Any:
        with selector_errors(css):
            return encodable_value(self.transport.ask(self.finding(js), css, *args))


class LivePage(Tab):
    """A run's page: ``url`` (where it ended up), ``depth``, ``route`` (that it takes; "": none),
    ``data`` (which its link brought), and what can be asked of it; questions go to the live
    document. What :class:`Page` has besides (``id``, ``attempt``, ``parent``), it has, too.
    """

    def __init__(
        self, driver: Driver, transport: Transport, page: Page, response: Response
    ) -> None:
        super().__init__(driver, transport)
        self.page, self.response = page, response
        self.depth, self.route, self.data = page.depth, page.route, page.data

    #: What is captured of the page; None: its crawl captures nothing.
    captured: PageResponses | None = None

    def responses(self, pattern: str | None = None) -> list[CapturedResponse]:
        """Return the responses that the page has loaded so far, of those that the field ``capture``
        names; with ``pattern`` (``*`` stands for anything) only those whose URLs match it, too.

        Raises:
            LookupError: the crawl, or the page's route, captures nothing.
        """
        if self.captured is None or not self.captured.patterns:
            raise LookupError('nothing is captured; for example: capture=["*/api/*"]')
        return self.captured.captured(pattern)

    def __repr__(self) -> str:
        return f"<page {self.url}>"

    def __getattr__(self, name: str) -> Any:
        if name in Page.__slots__ and "page" in self.__dict__:
            return getattr(self.page, name)
        raise AttributeError(f"a page has no {name!r}")

    @property
    def url(self) -> str:
        """The URL at which the page ended up, after redirects."""
        return self.response.url


class Frame(Tab):
    """The document inside of a frame."""

    @property
    def url(self) -> str:
        """The URL of the frame at this moment."""
        return str(self.driver.execute_script("return location.href"))


@contextmanager
def selector_errors(css: str) -> Iterator[None]:
    """Raise ValueError if an error in this block says that the selector ``css`` is wrong."""
    try:
        yield
    except (WebDriverException, TransportError) as error:
        if "is not a valid selector" in str(error):
            raise ValueError(f"{css!r} is not a CSS selector") from error
        raise


def write(path: str | Path | None, data: bytes) -> bytes:
    """Write ``data`` to the file ``path``, unless that is None, and return it. A new file is for
    its owner only.
    """
    if path is not None:
        write_private(Path(path), data)
    return data
