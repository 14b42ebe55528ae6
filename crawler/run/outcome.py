"""The failure of a page: its class, its reason, and its error without secrets."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..definition.credentials import secrets_of
from ..errors import (
    Blocked,
    BrowserLost,
    BrowserUnavailable,
    CrawlerError,
    Decision,
    FrontierRefused,
    HookFailed,
    PageError,
)
from ..hooks import note_of
from ..model import FailureClass, Page
from ..observe.logs import Lines, logger
from ..redaction import Secrets
from ..text.encodable import encodable, is_tellable, text_of_error, type_of_error

if TYPE_CHECKING:
    from ..definition.crawl import Crawl

log = logger(__name__)

#: Characters of the text of an error that a reason keeps.
REASON_MAX = 200
#: Characters of the traceback of a hook's error that are logged, at most.
TRACEBACK_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that a run could not do.

    ``retry_in`` is in seconds; None: the page is in *failed*.
    """

    page: Page
    failure: FailureClass
    reason: str
    status: int | None = None
    retry_in: float | None = None
    error: BaseException | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        then = "failed" if self.retry_in is None else f"is tried again in {self.retry_in:.0f} s"
        return f"{self.page.url} {then}: {self.reason}"


class HookError(CrawlerError):
    """A hook raised ``cause`` at ``step``, in the line ``place`` ("shop/crawls.py:31") of its
    author's code, for a page of the ``route`` ("": of none). Never leaves a run, where one place
    acts on it.
    """

    def __init__(self, step: str, cause: BaseException, place: str = "", route: str = "") -> None:
        super().__init__(step, cause, place, route)
        self.step, self.cause, self.place, self.route = step, cause, place, route

    @property
    def reason(self) -> str:
        """The error in a line, with its route and place; it may hold a secret."""
        text, route = one_line(self.cause), f"route {self.route}" if self.route else ""
        where = ", ".join(filter(None, [route, self.place]))
        return f"{text} ({where})" if where else text


class LoggedOut(CrawlerError):
    """The log-in ``version`` has expired: the page is not that of a user who is logged in.

    ``status`` is the page's. Never leaves a run.
    """

    def __init__(self, url: str, version: int, status: int | None = None) -> None:
        super().__init__(url, version, status)
        self.url, self.version, self.status = url, version, status


def diagnose(error: BaseException) -> tuple[FailureClass, str, int | None]:
    """Return (class, reason, HTTP status) of a page that failed with ``error``.

    The reason is short: it is counted, and people read it.
    """
    match error:
        case PageError(status=status) if status == 429 or error.retry_after is not None:
            return FailureClass.THROTTLE, error.reason, status
        case PageError():
            failure = FailureClass.RETRY if error.retryable else FailureClass.TERMINAL
            reason = f"{error.reason}: {error.advice}" if error.advice else error.reason
            return failure, reason, error.status
        case Blocked():
            return FailureClass.THROTTLE, str(error), None
        case Decision():
            return FailureClass.RETRY, str(error), None
        case BrowserLost(away=True):
            return FailureClass.AWAY, "browser_away", None
        case BrowserLost(shared=True):
            return FailureClass.SHARED, "shared_browser_lost", None
        case BrowserUnavailable():  # its own: after a shared one died, or one that HTTP asks for
            return FailureClass.INFRA, f"no_browser: {one_line(error)}", None
        case BrowserLost(hung=True):
            return FailureClass.RETRY, "hung", None
        case BrowserLost():
            return FailureClass.CRASH, "browser_lost", None
        case FrontierRefused():
            # Redis is full: the page can wait until it is not
            return FailureClass.INFRA, one_line(error), None
        case HookError(step="after"):  # one that needs the page, before it is reported
            return FailureClass.RETRY, f"{error.step}: {error.reason}", None
        case HookError():
            return FailureClass.HOOK, f"{error.step}: {error.reason}", None
        case _:
            return FailureClass.TERMINAL, f"internal: {one_line(error)}", None


#: Begins the reason of a delivery that a process of another version took; the hook's name follows.
NO_HOOK = "this worker's version of the crawl has no hook"


def one_line(error: BaseException) -> str:
    """Return the type and the first line of an error, cut to what fits a table."""
    first = text_of_error(error).strip().partition("\n")[0]
    name = type_of_error(error)[:REASON_MAX]
    return f"{name}: {first}"[:REASON_MAX] if first else name


def start_reason(error: BaseException, crawl: Crawl) -> str:
    """Return in a line why a run of ``crawl`` could not be started, without secrets."""
    _, _, place = note_of(error).partition("\n")
    reason = HookError("start", error, place).reason
    return encodable(Secrets(secrets_of(crawl)).hide(reason))


def without_secrets(error: BaseException, secrets: Secrets, crawl: str) -> Exception:
    """Return ``error``, or a substitute if the error or its traceback holds a secret, if its
    text cannot be made or encoded, or if it is none that a program may go on after (SystemExit).

    The traceback of a replaced error is logged without the secret. ``crawl`` is the name to log.
    """
    if is_tellable(error):
        whole = "".join(traceback.format_exception(error))
        text = secrets.hide(whole)
        if text == whole and len(text) <= TRACEBACK_MAX and isinstance(error, Exception):
            return error
    else:  # its own code makes its text, and may do so again and again
        whole = "".join(traceback.format_tb(error.__traceback__)) + one_line(error)
        text = secrets.hide(whole)
    if text != whole:
        what = "an error that holds a secret, which is left out here"
    elif isinstance(error, Exception):
        what = "an error whose text cannot be sent on"
    else:
        what = "an error that would end this process"
    text = encodable(text, TRACEBACK_MAX)
    log.error("%s: %s:\n%s", crawl, what, Lines(text.rstrip()))
    substitute = HookFailed(secrets.hide(one_line(error)))
    if note := note_of(error):
        substitute.add_note(secrets.hide(encodable(note)))
    return substitute
