"""What a visit asks for, done on the page that Chrome shows: waits, scrolling, steps; and the links
inside of its frames.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from selenium.common.exceptions import JavascriptException, TimeoutException, WebDriverException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from ..definition.steps import Step, Visit, key_of
from ..errors import PageError
from ..model import Link
from ..profile import Profile
from ..secret_refs import reveal
from .page import DEEP, LivePage
from .transport.javascript import script
from .transport.webdriver import Driver, first_line

log = logging.getLogger(__name__)

#: Seconds between two looks at a page that something is awaited of: at first, when most pages are
#: about to have it, and at most.
FIRST_PAUSE, PAUSE = 0.005, 0.05
#: Seconds for which the next round of a repeated step is waited for: then it was the last.
REPEAT_PATIENCE = 2.0
#: Frames that are looked into, and how deep they may lie in each other.
FRAMES_MAX, FRAME_DEPTH_MAX = 50, 4

CHOOSE = """
const [list, wanted] = arguments;
const options = Array.from(list.options);
const option = options.find(o => o.value === wanted) || options.find(o => o.text.trim() === wanted);
if (!option) return false;
list.value = option.value;
for (const kind of ["input", "change"]) list.dispatchEvent(new Event(kind, {bubbles: true}));
return true
"""


class Session(Protocol):
    """What has to be known of the session: where watch.js keeps what a page loads, and what steps
    may refer to.
    """

    watch: str
    profile: Profile
    secrets: Mapping[str, str]


class StepRunner:
    """Makes the page ``live`` what ``visit`` asks for.

    Raises (in each of its methods):
        PageError: ``wait_timeout`` and ``step_<number>_<action>`` (a later attempt may succeed), or ``bad_selector`` and
            ``bad_script`` (the definition is wrong). No text that was to be filled in is in it.
    """

    def __init__(self, live: LivePage, visit: Visit, session: Session) -> None:
        self.live, self.visit, self._session = live, visit, session
        self.driver: Driver = live.driver

    def run(self) -> None:
        """Waits, then scrolling, then steps."""
        visit = self.visit
        if visit.wait_for or visit.wait_until or visit.wait_quiet:
            self._wait(
                "wait_timeout",
                visit.wait_timeout,
                visit.wait_for,
                visit.wait_until,
                visit.wait_quiet,
            )
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
        """Wait until all of it is so at once."""
        js = script("ready.js").replace("= PREDICATE;", f"= (\n{until}\n);" if until else "= true;")
        loads = (quiet and quiet * 1000, self._session.watch, self._session.profile.loads_images)
        ask = partial(self.driver.ask, DEEP + js, list(selectors), bool(until), *loads)
        end, pause = time.monotonic() + timeout, FIRST_PAUSE
        while True:
            try:
                missing = ask()
            except TimeoutException as error:
                raise self.driver.lost("the page does not answer", hung=True) from error
            except WebDriverException as error:
                if "is not a valid selector" in (error.msg or ""):
                    raise self._error("bad_selector", error, retryable=False) from None
                if isinstance(error, JavascriptException):
                    raise self._error("bad_script", error, retryable=False) from None
                missing = ["a page"]  # it went elsewhere in the midst of the question
            if missing is not None and not missing:
                return
            if time.monotonic() > end:
                log.info(
                    "%s: not within %g s: %s",
                    self.live.page.url,
                    timeout,
                    ", ".join(missing or ["a page without a dialog"]),
                )
                raise self._error(reason)
            time.sleep(pause)
            pause = min(2 * pause, PAUSE)

    def _step(self, step: Step, reason: str) -> None:
        """One step, as often as it asks for."""
        timeout = self.visit.wait_timeout if step.timeout is None else step.timeout
        for time_ in range(step.times):
            try:
                self._do(step, reason, min(timeout, REPEAT_PATIENCE) if time_ else timeout)
            except PageError as error:
                if not error.retryable or not (time_ or step.optional):
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
                live.scroll_to_end(
                    timeout if step.timeout is not None else self.visit.scroll_timeout
                )
            case "press":
                keys = ActionChains(self.driver, duration=0).send_keys(key_of(step.value) or "")
                self._patiently(reason, timeout, keys.perform)
            case "click":
                self._patiently(reason, timeout, partial(self._click, step.css))
            case "fill" | "choose":
                text = reveal(step.value, self._session.secrets)
                self.driver.secrets.add(text)
                self._patiently(
                    reason,
                    timeout,
                    partial(live.fill if step.action == "fill" else self._choose, step.css, text),
                )

    def _click(self, css: str) -> None:
        element = self.live.element(css)
        if not element.is_enabled():
            raise LookupError(f"{css} is disabled")
        element.click()

    def _choose(self, css: str, value: str) -> None:
        if not self.driver.execute_script(CHOOSE, self.live.element(css), value):
            raise LookupError(f"{css} has no such option")

    def _patiently(self, reason: str, timeout: float, do: Callable[[], None]) -> None:
        """Do it as soon as its element is there, in sight and not covered."""
        end = time.monotonic() + timeout
        while True:
            try:
                do()
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
        """The error of this page; why is logged, without what was to be typed: Chrome does not
        repeat that.
        """
        if error is not None:
            said = first_line(error) if isinstance(error, WebDriverException) else str(error)
            log.info("%s: %s: %s", self.live.page.url, reason, said)
        return PageError(self.live.page.url, reason, retryable=retryable)


def links_in_frames(driver: Driver, limit: int) -> tuple[Link, ...]:
    """The links inside of the page's frames, of whatever site, at most ``limit``; frames that are
    gone meanwhile have none.
    """
    found: dict[Link, None] = {}
    left = FRAMES_MAX

    def look(depth: int) -> None:
        nonlocal left
        for frame in driver.find_elements(By.CSS_SELECTOR, "iframe, frame"):
            if left <= 0 or len(found) >= limit:
                return
            left -= 1
            try:
                driver.switch_to.frame(frame)
            except WebDriverException:
                continue
            try:
                rows = driver.execute_script(script("collect.js"), "_", 0, limit, False)["links"]
                found.update(
                    dict.fromkeys(Link(*row.split("\t")) for row in rows.split("\n") if row)
                )
                if depth < FRAME_DEPTH_MAX:
                    look(depth + 1)
            except WebDriverException as error:
                log.debug("a frame of %s cannot be read: %s", driver.at, first_line(error))
            driver.switch_to.parent_frame()

    look(1)
    driver.switch_to.default_content()
    return tuple(found)[:limit]


def watcher(name: str) -> str:
    """The script that keeps, under ``name``, what a page is loading."""
    return script("watch.js").replace("NAME,", f"{json.dumps(name)},")
