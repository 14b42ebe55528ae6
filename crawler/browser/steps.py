"""Do a visit in Chrome: waits, scrolling, steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import ActionChains

from ..definition.steps import Step, Visit, key_of
from ..errors import PageError
from ..observe.logs import logger
from ..secret_refs import reveal
from .transport.base import ScriptError, ScriptTimeout, TransportError, first_line
from .transport.javascript import script

if TYPE_CHECKING:
    from .page import LivePage

log = logger(__name__)

#: Seconds between two looks at a page for what is awaited of it: at first, when most pages are
#: about to have it, and at most.
FIRST_PAUSE, PAUSE = 0.005, 0.05
#: Seconds for which the next round of a repeated step is waited for; then the last one was the end.
REPEAT_TIMEOUT = 2.0

CHOOSE = """
const [list, wanted] = arguments;
const options = Array.from(list.options);
const option = options.find(o => o.value === wanted) || options.find(o => o.text.trim() === wanted);
if (!option) return false;
list.value = option.value;
for (const kind of ["input", "change"]) list.dispatchEvent(new Event(kind, {bubbles: true}));
return true
"""


class StepRunner:
    """Does on the page ``live`` what ``visit`` asks for.

    ``watch`` is the property in which the page keeps what it loads, ``images`` says whether images
    are loaded, ``secrets`` are what steps may refer to.

    Raises (in each of its methods):
        PageError: ``wait_timeout`` and ``step_<number>_<action>`` (a later attempt may succeed), or
            ``bad_selector`` and ``bad_script`` (the definition is wrong). No text that was to be
            filled in is in it.
    """

    def __init__(
        self, live: LivePage, visit: Visit, *, watch: str, images: bool, secrets: Mapping[str, str]
    ) -> None:
        self.live, self.visit, self._secrets = live, visit, secrets
        self._watch, self._images = watch, images
        self.driver, self.transport = live.driver, live.transport

    def run(self) -> None:
        """Do the waits, then scroll, then do the steps."""
        visit, timeout = self.visit, self.visit.wait_timeout
        if visit.wait_for or visit.wait_until or visit.wait_quiet:
            conditions = (visit.wait_for, visit.wait_until, visit.wait_quiet)
            self._wait("wait_timeout", timeout, *conditions)
        if visit.wait_for_response:
            self._wait_for_responses(visit.wait_for_response, timeout)
        if visit.scroll:
            self.live.scroll_to_end(visit.scroll_timeout)
        for number, step in enumerate(visit.steps, 1):
            self._step(step, f"step_{number}_{step.action}")

    def _wait(
        self,
        reason: str,
        timeout: float,
        selectors: Sequence[str] = (),
        until: str | None = None,
        quiet: float | None = None,
    ) -> None:
        """Wait until all of it is true at once."""
        js = script("ready.js").replace("= PREDICATE;", f"= (\n{until}\n);" if until else "= true;")
        loads = (quiet and quiet * 1000, self._watch, self._images)
        args = (list(selectors), bool(until), *loads)
        end, pause = time.monotonic() + timeout, FIRST_PAUSE
        while missing := self._missing(self.live.finding(js), args):
            if time.monotonic() > end:
                url, rest = self.live.page.url, ", ".join(missing)
                log.info("%s: not within %g s: %s", url, timeout, rest)
                raise self._error(reason)
            time.sleep(pause)
            pause = min(2 * pause, PAUSE)

    def _wait_for_responses(self, patterns: Sequence[str], timeout: float) -> None:
        """Wait until a response for each of ``patterns`` has come whole."""
        captured, end = self.live.captured, time.monotonic() + timeout
        while captured and (missing := set(patterns) - captured.here(patterns)):
            if time.monotonic() > end:
                log.info("%s: not within %g s: %s", self.live.page.url, timeout, sorted(missing))
                raise self._error("wait_timeout")
            time.sleep(PAUSE)

    def _missing(self, js: str, args: Sequence[object]) -> list[str]:
        """Ask the page what is still missing."""
        try:
            missing: list[str] | None = self.transport.ask(js, *args)
        except ScriptTimeout as error:
            lost = self.transport.health.lost("the page does not answer", hung=True)
            raise lost from error
        except TransportError as error:
            if "is not a valid selector" in str(error):
                raise self._error("bad_selector", error, retryable=False) from None
            if isinstance(error, ScriptError):
                raise self._error("bad_script", error, retryable=False) from None
            return ["a page"]  # it went elsewhere in the midst of the question
        return ["a page without a dialog"] if missing is None else missing

    def _step(self, step: Step, reason: str) -> None:
        """Do one step, as often as it asks for."""
        timeout = self.visit.wait_timeout if step.timeout is None else step.timeout
        for number in range(step.times):
            try:
                self._do(step, reason, min(timeout, REPEAT_TIMEOUT) if number else timeout)
            except PageError as error:
                if not error.retryable or not (number or step.optional):
                    raise
                return

    def _do(self, step: Step, reason: str, timeout: float) -> None:
        live = self.live
        match step.action:
            case "wait":
                self._wait(reason, timeout, (step.css,))
            case "until":
                self._wait(reason, timeout, until=step.value)
            case "quiet":
                self._wait(reason, timeout, quiet=step.value)
            case "pause":
                time.sleep(step.value)
            case "scroll":
                own = timeout if step.timeout is not None else self.visit.scroll_timeout
                live.scroll_to_end(own)
            case "press":
                keys = ActionChains(self.driver, duration=0).send_keys(key_of(step.value) or "")
                self._retry_until(reason, timeout, keys.perform)
            case "click":
                self._retry_until(reason, timeout, partial(self._click, step.css))
            case "fill" | "choose":
                text = reveal(step.value, self._secrets)
                self.driver.secrets.add(text)
                act = live.fill if step.action == "fill" else self._choose
                self._retry_until(reason, timeout, partial(act, step.css, text))

    def _click(self, css: str) -> None:
        element = self.live.element(css)
        if not element.is_enabled():
            raise LookupError(f"{css} is disabled")
        element.click()

    def _choose(self, css: str, value: str) -> None:
        if not self.driver.execute_script(CHOOSE, self.live.element(css), value):
            raise LookupError(f"{css} has no such option")

    def _retry_until(self, reason: str, timeout: float, act: Callable[[], None]) -> None:
        """Act as soon as the element is there, in sight and not covered."""
        end = time.monotonic() + timeout
        while True:
            try:
                act()
                return
            except ValueError as error:
                raise self._error("bad_selector", error, retryable=False) from None
            except TimeoutException:
                return  # done, and the page that it led to is slow
            except (LookupError, WebDriverException) as error:
                if time.monotonic() > end:
                    raise self._error(reason, error) from None
            time.sleep(PAUSE)

    def _error(
        self, reason: str, error: Exception | None = None, *, retryable: bool = True
    ) -> PageError:
        """Return the error of this page. Its cause is logged, without the text that was to be
        typed: Chrome does not repeat that.
        """
        if error is not None:
            text = first_line(error) if isinstance(error, WebDriverException) else str(error)
            log.info("%s: %s: %s", self.live.page.url, reason, text)
        return PageError(self.live.page.url, reason, retryable=retryable)
