"""The reasons for which pages fail: what each means, whether it is tried again, and what to do.

docs/failures.md is made of it, and ``crawler failed`` shows what applies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a reason, whether a page that fails for it is ``retried``, and what to do."""

    text: str
    retried: bool
    mend: str = ""


_SITE = "nothing, if it is rare: the site or the way there"
_AGAIN = "crawler retry NAME --reason {} when the site is well again"

#: By reason: ``http_4xx`` and ``http_5xx`` stand for those that are not here, ``redirect_``,
#: ``step_`` and ``STEP:`` for a family.
REASONS: Mapping[str, Meaning] = {
    # the site's answer
    "http_4xx": Meaning("the site answered with this status: it has no such page for us", False),
    "http_403": Meaning(
        "the site refuses us", False, "slow down, another user_agent, proxies, or a log-in"
    ),
    "http_408": Meaning("the site says that we were too slow", True, _SITE),
    "http_429": Meaning(
        "the site asks for patience; the host waits as long as it says", True, "a longer delay"
    ),
    "http_500": Meaning("the site is at fault, which may pass", True, _AGAIN),
    "http_502": Meaning("the site is at fault, which may pass", True, _AGAIN),
    "http_503": Meaning("the site is at fault, or asks for patience", True, _AGAIN),
    "http_504": Meaning("the site is at fault, which may pass", True, _AGAIN),
    "http_5xx": Meaning("the site is at fault", False, _AGAIN),
    "auth_required": Meaning(
        "the page asks for a user and a password, or does not take ours",
        False,
        "the field basic_auth",
    ),
    "login": Meaning(
        "the page was logged out under three log-ins in a row",
        False,
        "see the hooks before_all and logged_out, or the field login",
    ),
    "robots": Meaning(
        "the site's robots.txt forbids the page", False, "robots = false, if you may"
    ),
    "robots_unavailable": Meaning(
        "the site's robots.txt cannot be read, for a fault of its server; that forbids all for now",
        True,
        _AGAIN,
    ),
    "breaker": Meaning("its host failed so often in a row, and was given up", False, _AGAIN),
    # the way there
    "dns": Meaning("the name has no address", True, "see that the name exists; " + _AGAIN),
    "refused": Meaning("nobody listens at that port", True, _AGAIN),
    "reset": Meaning("the site cut the connection", True, _SITE),
    "timeout": Meaning(
        "the page did not load in time", True, "CRAWLER_PAGE_LOAD_TIMEOUT, or fewer at once"
    ),
    "unreachable": Meaning("there is no way to that address", True, _SITE),
    "empty_response": Meaning("the site closed the connection without an answer", True, _SITE),
    "truncated": Meaning("the site broke off in the middle of the page", True, _SITE),
    "bad_response": Meaning("the answer is not HTTP as Chrome reads it", True, _SITE),
    "certificate": Meaning(
        "the site's certificate is not trusted", False, "the field flags can ignore it, if you may"
    ),
    "tls": Meaning("no secure connection could be agreed on", False, _SITE),
    "encoding": Meaning("robots.txt is packed in a way that nobody reads", True, _SITE),
    "protocol": Meaning("the answer to a plain request is not HTTP", True, _SITE),
    "proxy": Meaning("the proxy does not work; another one is taken", True, "see the proxy"),
    "proxy_auth": Meaning("the proxy does not take our user and password", True, "see the proxy"),
    "private_address": Meaning(
        "the page is at a private address, and the crawl did not start there",
        False,
        "start there, if it is meant",
    ),
    "unsafe_port": Meaning("Chrome does not go to that port", False),
    # where it led
    "redirect_": Meaning(
        "it led to a page that does not belong to the crawl, for the reason that follows",
        False,
        "the fields scope, allow and deny",
    ),
    "redirect_loop": Meaning("its redirects never end", False, _SITE),
    "refresh_loop": Meaning("the pages refresh to each other without end", False, _SITE),
    "bad_redirect": Meaning("it redirects to what is no address of a page", False),
    "unsupported_scheme": Meaning("it leads to what is no page (mailto:, intent:, …)", False),
    "malformed": Meaning("its URL is none", False),
    "blocked": Meaning(
        "Chrome or one of its rules blocks the answer", False, "see the field block"
    ),
    # the document
    "download": Meaning(
        "it is a file, and files are not kept", False, "downloads = true keeps them"
    ),
    "download_too_large": Meaning("the file is too large", False, "a higher download_limit"),
    "download_timeout": Meaning(
        "the file did not arrive in time", True, "a longer download_timeout"
    ),
    "no_content": Meaning("the answer has no document (204, 205)", False),
    "no_document": Meaning("no document came, and Chrome does not say why", True, _SITE),
    "unsettled": Meaning("the page went on to other pages all the time", True, _SITE),
    "unreadable": Meaning("the document could not be read", True, _SITE),
    "unknown": Meaning("Chrome does not say what happened", True, _SITE),
    "dialogs": Meaning("the page opens one dialog after another", False),
    "hung": Meaning("a script of the page never ends", True, "CRAWLER_SCRIPT_TIMEOUT"),
    # what the crawl asked of it
    "wait_timeout": Meaning(
        "what the crawl waits for did not come", True, "see wait_for, wait_timeout and the picture"
    ),
    "step_": Meaning(
        "the step of this number could not be done in time", True, "see the field steps"
    ),
    "bad_selector": Meaning("a selector cannot be read by Chrome", False, "mend the selector"),
    "bad_script": Meaning("a script of the crawl raises", False, "mend the script"),
    "invalid_item": Meaning(
        "its model refuses the item; the reason has the field, and what is wrong with its value",
        False,
        'mend the model, then crawler retry NAME --reason invalid_item; or invalid_items = "warn"',
    ),
    # the run
    "browser_lost": Meaning(
        "Chrome or its tab died over the page; that is a strike", True, "memory, /dev/shm"
    ),
    "shared_browser_lost": Meaning(
        "the Chrome that it shared with other pages died; it is tried again in one of its own, and"
        " not to blame for the first",
        True,
        "memory, /dev/shm",
    ),
    "browser_away": Meaning("the Grid broke off; the page is not to blame", True, "see the Grid"),
    "lost": Meaning("its worker fell silent, which is a strike", True, "see the workers' log"),
    "worker_died": Meaning("its worker's process died, which is a strike", True, "memory"),
    "poison": Meaning(
        "it took so many browsers or workers with it (crash_strikes)",
        False,
        "see the page by crawler run",
    ),
    "corrupt": Meaning("its entry in Redis cannot be read: somebody else wrote it", False),
    "form_sent": Meaning(
        "a form was sent, and its page failed then, for the reason that follows: no form is sent"
        " twice",
        False,
        "see whether the site took it; crawler retry NAME --reason {} sends it again; form_retry ="
        " true, if that is safe",
    ),
    "no_form_document": Meaning(
        "there was no document of the site from which the form could be sent; it was not", True
    ),
    "cancelled": Meaning("the crawl was cancelled before the form was sent", True),
    "shutdown": Meaning("its worker ended; the page is not to blame", True),
    "released": Meaning("its worker gave it back; the page is not to blame", True),
    "logged_out": Meaning("the log-in had expired; it is done again", True),
    # code
    "retry:": Meaning(
        "a hook or the field retry had the page tried again, until its last attempt",
        True,
        "see the page and its picture; more attempts, or a longer after",
    ),
    "blocked:": Meaning(
        "a hook or the field blocked says that the site keeps us out; the host waits",
        True,
        "slow down, proxies, or a log-in; then crawler retry NAME --reason …",
    ),
    "STEP:": Meaning(
        "a hook of this step raised; the reason has the error, the file and the line",
        False,
        "mend the hook, then crawler retry NAME --reason …",
    ),
    "internal:": Meaning("a fault of this program", False, "report it, with the worker's log"),
    "other": Meaning("a kind of failure beyond those that are counted by name", False),
}

_STATUS = re.compile(r"http_(\d)\d\d")


def meaning(kind: str) -> Meaning | None:
    """Return the meaning of a kind of failure; None: it is Chrome's own word."""
    if found := REASONS.get(kind):
        return found
    if status := _STATUS.fullmatch(kind):
        return REASONS.get(f"http_{status.group(1)}xx")
    for family in ("redirect_", "step_"):
        if kind.startswith(family):
            return REASONS[family]
    if ": " in kind:
        family, _, _ = kind.partition(" ")
        return REASONS.get(family, REASONS["STEP:"])
    return None
