"""The page that Chrome shows, as hooks see it."""

from __future__ import annotations

import time
from typing import Any

from selenium.common.exceptions import InvalidSelectorException, JavascriptException, NoSuchElementException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from ..model import Json, Page, Response
from .driver import Driver

#: Seconds between two looks at a page that something is awaited of.
PAUSE = 0.05

TEXTS = "return Array.from(document.querySelectorAll(arguments[0]), e => (e.innerText ?? e.textContent).trim())"
TEXT = "const e = document.querySelector(arguments[0]); return e && (e.innerText ?? e.textContent).trim()"
ATTRS = "return Array.from(document.querySelectorAll(arguments[0]), e => e.getAttribute(arguments[1])).filter(v => v !== null)"
ATTR = "const e = document.querySelector(arguments[0]); return e && e.getAttribute(arguments[1])"
EXPRESSION = "return (async () => (\n%s\n))().then(value => ({value}), error => ({error: String(error)}))"
SCROLL = "const e = document.documentElement; scrollTo(0, e.scrollHeight); return e.scrollHeight"


class Tab:
    """What can be asked of the document that a tab of Chrome shows, and done to it.

    CSS selectors are the browser's. One that is not valid raises ValueError; what is not there gives None, or an empty list.
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
        return str(self.driver.title)

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
        """The attribute ``name``, as written, of the first element that matches; None if either is missing."""
        value: str | None = self._select(ATTR, css, name)
        return value

    def attrs(self, css: str, name: str) -> list[str]:
        """The attribute ``name``, as written, of every element that matches and has it."""
        return list(self._select(ATTRS, css, name))

    def evaluate(self, js: str, *args: Any) -> Any:
        """The value of an expression, or what statements ``return``; ``args`` are ``arguments[0]`` and so on.

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
        while not self._select("return document.querySelector(arguments[0]) !== null", css):
            if time.monotonic() > end:
                raise TimeoutError(f"nothing matches {css!r} within {timeout:g} s at {self.url}")
            time.sleep(PAUSE)

    def click(self, css: str) -> None:
        """Click the first element that matches; LookupError if there is none."""
        self._element(css).click()

    def fill(self, css: str, text: str) -> None:
        """Replace what is in the first field that matches, as if it were typed; LookupError if there is none."""
        field = self._element(css)
        field.clear()
        field.send_keys(text)

    def scroll_to_end(self, timeout: float = 30.0, pause: float = 0.5) -> None:
        """Scroll down until the page no longer grows for ``pause`` seconds, or ``timeout`` seconds have passed."""
        end = time.monotonic() + timeout
        height, grown = -1, time.monotonic()
        while (now := time.monotonic()) < end:
            tall = self.driver.execute_script(SCROLL)
            if tall > height:
                height, grown = tall, now
            elif now - grown > pause:
                return
            time.sleep(PAUSE)

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        return bytes(self.driver.get_screenshot_as_png())

    def _select(self, js: str, css: str, *args: Any) -> Any:
        try:
            return self.driver.execute_script(js, css, *args)
        except WebDriverException as error:
            if "is not a valid selector" in (error.msg or ""):
                raise ValueError(f"{css!r} is not a CSS selector") from error
            raise

    def _element(self, css: str) -> WebElement:
        try:
            return self.driver.find_element(By.CSS_SELECTOR, css)
        except InvalidSelectorException as error:
            raise ValueError(f"{css!r} is not a CSS selector") from error
        except NoSuchElementException as error:
            raise LookupError(f"nothing matches {css!r} at {self.url}") from error


class LivePage(Tab):
    """A run's page: ``url`` (where it ended up), ``depth``, and what can be asked of it; questions go to the live document."""

    def __init__(self, driver: Driver, page: Page, response: Response) -> None:
        super().__init__(driver)
        self.page, self.response, self.depth = page, response, page.depth

    def __repr__(self) -> str:
        return f"<page {self.url}>"

    @property
    def url(self) -> str:
        """Where the page ended up, after redirects."""
        return self.response.url
