"""The failure of a page: its class, its reason, and its error without secrets."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..definition.credentials import secrets_of
from ..errors import BrowserLost, CrawlerError, FrontierRefused, HookFailed, PageError
from ..hooks import note_of
from ..model import FailureClass, Page
from ..observe.logs import Lines, logger
from ..redaction import Secrets
from ..text.encodable import encodable, is_tellable, text_of_error

if TYPE_CHECKING:
    from ..definition.crawl import Crawl

log = logger(__name__)

#: Characters of the text of an error that a reason keeps.
REASON_MAX = 200


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
    error: Exception | None = field(default=None, compare=False, repr=False)


class HookError(CrawlerError):
    """A hook raised ``cause`` at ``step``, in the line ``place`` ("shop/crawls.py:31") of its
    author's code. Never leaves a run, where one place acts on it.
    """

    def __init__(self, step: str, cause: Exception, place: str = "") -> None:
        super().__init__(step, cause, place)
        self.step, self.cause, self.place = step, cause, place

    @property
    def reason(self) -> str:
        """The error in a line, with its place; it may hold a secret."""
        text = one_line(self.cause)
        return f"{text} ({self.place})" if self.place else text


class LoggedOut(CrawlerError):
    """The log-in ``version`` has expired: the page is not that of a user who is logged in.

    ``status`` is the page's. Never leaves a run.
    """

    def __init__(self, url: str, version: int, status: int | None = None) -> None:
        super().__init__(url, version, status)
        self.url, self.version, self.status = url, version, status


def diagnose(error: Exception) -> tuple[FailureClass, str, int | None]:
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
        case BrowserLost(away=True):
            return FailureClass.AWAY, "browser_away", None
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


def one_line(error: Exception) -> str:
    """Return the type and the first line of an error, cut to what fits a table."""
    first = text_of_error(error).strip().partition("\n")[0]
    name = encodable(type(error).__name__, REASON_MAX)
    return f"{name}: {first}"[:REASON_MAX] if first else name


def start_reason(error: Exception, crawl: Crawl) -> str:
    """Return in a line why a run of ``crawl`` could not be started, without secrets."""
    _, _, place = note_of(error).partition("\n")
    reason = HookError("start", error, place).reason
    return encodable(Secrets(secrets_of(crawl)).hide(reason))


def without_secrets(error: Exception, secrets: Secrets, crawl: str) -> Exception:
    """Return ``error``, or a substitute if the error or its traceback holds a secret, or if its
    text cannot be made or encoded.

    The traceback of a replaced error is logged without the secret. ``crawl`` is the name to log.
    """
    text = secrets.redacted_traceback(error)
    if text is None and is_tellable(error):
        return error
    if text is None:
        text = encodable("".join(traceback.format_exception(error)))
        what = "an error whose text cannot be sent on"
    else:
        text, what = encodable(text), "an error that holds a secret, which is left out here"
    log.error("%s: %s:\n%s", crawl, what, Lines(text.rstrip()))
    substitute = HookFailed(secrets.hide(one_line(error)))
    if note := note_of(error):
        substitute.add_note(secrets.hide(encodable(note)))
    return substitute
