"""The page that Chrome shows, as hooks see it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver.remote.webelement import WebElement

from ..model import Json, Page, Response
from .artifacts import screenshots
from .transport.webdriver import Driver

#: Seconds between two looks at a page that something is awaited of.
PAUSE = 0.05

#: Selectors are asked of the document; only if nothing matches there, of its open shadow roots.
DEEP = """
const shadows = function* (root) {
  for (const e of root.querySelectorAll("*")) if (e.shadowRoot) { yield e.shadowRoot; yield* shadows(e.shadowRoot); }
};
const one = (css) => {
  let found = document.querySelector(css);
  if (!found) for (const root of shadows(document)) if ((found = root.querySelector(css))) break;
  return found;
};
const all = (css) => {
  const found = Array.from(document.querySelectorAll(css));
  if (!found.length) for (const root of shadows(document)) found.push(...root.querySelectorAll(css));
  return found;
};
"""
SEEN = "(e.innerText ?? e.textContent).trim()"
TEXTS = DEEP + f"return all(arguments[0]).map(e => {SEEN})"
TEXT = DEEP + f"const e = one(arguments[0]); return e && {SEEN}"
ATTRS = (
    DEEP + "return all(arguments[0]).map(e => e.getAttribute(arguments[1])).filter(v => v !== null)"
)
ATTR = DEEP + "const e = one(arguments[0]); return e && e.getAttribute(arguments[1])"
ELEMENT = DEEP + "return one(arguments[0])"
THERE = DEEP + "return one(arguments[0]) !== null"
EXPRESSION = (
    "return (async () => (\n%s\n))().then(value => ({value}), error => ({error: String(error)}))"
)
SCROLL = "const e = document.documentElement; scrollTo(0, e.scrollHeight); return e.scrollHeight"


class Tab:
    """What can be asked of the document that a tab of Chrome shows, and done to it.

    CSS selectors are the browser's; where nothing in the document matches, its open shadow roots
    are searched, too. One that is not valid raises ValueError; what is not there gives None, or an
    empty list.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    @property
    def url(self) -> str:
        """Where the tab is at this moment."""
        return str(self.driver.current_url)

    @property
    def title(self) -> str:
        """The document's title at this moment."""
        return str(self.driver.ask("return document.title"))

    @property
    def html(self) -> str:
        """The document's source at this moment, as scripts have left it."""
        return str(self.driver.page_source)

    @property
    def cookies(self) -> list[dict[str, Json]]:
        """The cookies that this page may see, and those that only its server may."""
        return list(self.driver.get_cookies())

    def text(self, css: str) -> str | None:
        """The visible text of the first element that matches, or None."""
        text: str | None = self._select(TEXT, css)
        return text

    def texts(self, css: str) -> list[str]:
        """The visible text of every element that matches."""
        return list(self._select(TEXTS, css))

    def attr(self, css: str, name: str) -> str | None:
        """The attribute ``name``, as written, of the first element that matches; None if either is
        missing.
        """
        value: str | None = self._select(ATTR, css, name)
        return value

    def attrs(self, css: str, name: str) -> list[str]:
        """The attribute ``name``, as written, of every element that matches and has it."""
        return list(self._select(ATTRS, css, name))

    def evaluate(self, js: str, *args: Any) -> Any:
        """The value of an expression, or what statements ``return``; ``args`` are ``arguments[0]``
        and so on.

        A promise is waited for; if a dialog opens meanwhile, the value is None.
        """
        try:
            answer = self.driver.execute_script(EXPRESSION % js, *args)
        except JavascriptException:  # it cannot be compiled: nothing of it has run
            return self.driver.execute_script(js, *args)
        if answer is None:
            return None
        if "error" in answer:
            raise JavascriptException(f"javascript error: {answer['error']}")
        return answer.get("value")

    def wait_for(self, css: str, timeout: float = 10.0) -> None:
        """Wait until something matches; TimeoutError after ``timeout`` seconds."""
        end = time.monotonic() + timeout
        while not self._select(THERE, css):
            if time.monotonic() > end:
                raise TimeoutError(f"nothing matches {css!r} within {timeout:g} s at {self.url}")
            time.sleep(PAUSE)

    def click(self, css: str) -> None:
        """Click the first element that matches; LookupError if there is none."""
        self.element(css).click()

    def fill(self, css: str, text: str) -> None:
        """Replace what is in the first field that matches, as if it were typed; LookupError if
        there is none.
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
            tall = self.driver.execute_script(SCROLL)
            if tall > height:
                height, grown = tall, now
            elif now - grown > pause:
                return
            time.sleep(PAUSE)

    @contextmanager
    def frame(self, css: str) -> Iterator[Tab]:
        """The document inside of the first frame that matches, of whatever site, for a ``with``
        block; LookupError if none is.

        Within the block questions to the page are answered by the frame, too.
        """
        self.driver.switch_to.frame(self.element(css))
        try:
            yield Frame(self.driver)
        finally:
            self.driver.switch_to.parent_frame()

    def screenshot(
        self, path: str | Path | None = None, *, css: str | None = None, whole: bool = False
    ) -> bytes:
        """What the window shows, as PNG: or the first element that matches ``css``, or the
        ``whole`` page, whatever its length.

        It is also written to the file ``path``, if one is given. What lies below 16,384 pixels of a
        page is not in the picture.
        """
        if css is not None:
            return written(path, bytes(self.element(css).screenshot_as_png))
        return written(
            path, screenshots.whole(self.driver) if whole else screenshots.window(self.driver)
        )

    def pdf(self, path: str | Path | None = None) -> bytes:
        """The page as PDF, as if it were printed; also written to the file ``path``, if one is
        given.
        """
        return written(path, screenshots.pdf(self.driver))

    def _select(self, js: str, css: str, *args: Any) -> Any:
        with self._naming(css):
            return self.driver.ask(js, css, *args)

    @contextmanager
    def _naming(self, css: str) -> Iterator[None]:
        """Say so if it is the selector that is wrong."""
        try:
            yield
        except WebDriverException as error:
            if "is not a valid selector" in (error.msg or ""):
                raise ValueError(f"{css!r} is not a CSS selector") from error
            raise

    def element(self, css: str) -> WebElement:
        """Selenium's element for the first that matches; LookupError if there is none."""
        with self._naming(css):
            element = self.driver.execute_script(ELEMENT, css)
        if not isinstance(element, WebElement):
            raise LookupError(f"nothing matches {css!r} at {self.url}")
        return element


class LivePage(Tab):
    """A run's page: ``url`` (where it ended up), ``depth``, and what can be asked of it; questions
    go to the live document.
    """

    def __init__(self, driver: Driver, page: Page, response: Response) -> None:
        super().__init__(driver)
        self.page, self.response, self.depth = page, response, page.depth

    def __repr__(self) -> str:
        return f"<page {self.url}>"

    @property
    def url(self) -> str:
        """Where the page ended up, after redirects."""
        return self.response.url


class Frame(Tab):
    """The document inside of a frame."""

    @property
    def url(self) -> str:
        """Where the frame is at this moment."""
        return str(self.driver.execute_script("return location.href"))


def written(path: str | Path | None, data: bytes) -> bytes:
    """``data``, which is in the file ``path`` then, unless that is None."""
    if path is not None:
        Path(path).write_bytes(data)
    return data
