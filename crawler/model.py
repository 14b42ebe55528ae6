"""The values that travel: between rooms, through Redis, to hooks. Frozen, small, and without
behaviour beyond their own facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from hashlib import blake2b, sha1
from typing import TYPE_CHECKING, Any

#: Begins the names of counts of what hooks and conditions decided about pages.
DECISION = "decision:"
#: Stands, as a Referer, for the page on which a link was found.
LINK = "link"
#: What JSON can hold. Only this crosses a process.
Json = Any
#: Hexadecimal digits of a page's id; those of earlier versions were its first 16.
ID_LENGTH, ID_LENGTH_BEFORE = 32, 16
#: Characters of the name of a route.
ROUTE_NAME_MAX = 40
#: The name of a crawl: part of its keys in Redis, of URLs and of file names. A dot at its end would
#: lead out of a folder, or be lost on some file systems.
CRAWL_NAME = re.compile(r"[A-Za-z0-9_.-]{0,63}[A-Za-z0-9_-]")
#: Names that stand for devices on Windows, with any ending.
DEVICE_NAME = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:\..*)?", re.IGNORECASE)


def is_crawl_name(text: str) -> bool:
    """Whether a crawl can be called ``text``."""
    return bool(CRAWL_NAME.fullmatch(text)) and not DEVICE_NAME.fullmatch(text)


class Status(StrEnum):
    """The status of a crawl. FINISHED, STOPPED and FAILED are ends: a crawl leaves them only when
    it is begun again or re-opened.
    """

    NEW = "NEW"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    # a limit was reached: pages already begun may still be retried, no new page is begun
    DRAINING = "DRAINING"
    STOPPING = "STOPPING"
    FINISHED = "FINISHED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether no run will ever find work here again by itself."""
        return self in (Status.FINISHED, Status.STOPPED, Status.FAILED)


class Outcome(StrEnum):
    """The answer of ``queue.register``. Each is a success; all but PAGE mean that this run has
    nothing to do.
    """

    PAGE = "PAGE"
    BUSY = "BUSY"  # the concurrency limit is reached, or every browser session is taken
    WAIT = "WAIT"  # work exists, none of it is due yet
    EMPTY = "EMPTY"  # nothing queued, but pages in flight may still add some
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    FINISHED = "FINISHED"
    # the page was done by another run meanwhile, or is a known one under another URL
    DUPLICATE = "DUPLICATE"
    DELIVERED = "DELIVERED"  # a hook took the result of an earlier run
    # this worker cannot run the crawl: the wake-up went on to one that can
    FORWARDED = "FORWARDED"
    # nor can any other that is alive: the wake-up went back to the frontier
    UNKNOWN_CRAWL = "UNKNOWN_CRAWL"


class FailureClass(StrEnum):
    """The class of a page's failure; it decides what becomes of the page."""

    RETRY = "retry"  # the page's fault, may pass: back-off, then failed after the last attempt
    TERMINAL = "terminal"  # the page's fault, will not pass: failed at once
    # the host asks for patience: its lane is blocked, the page is queued again
    THROTTLE = "throttle"
    CRASH = "crash"  # it took the browser or the worker with it: a strike
    INFRA = "infra"  # not the page's fault: back to the head of its lane, no attempt burned
    # the browser's endpoint broke off: as INFRA; as CRASH if one page is the last again and again
    AWAY = "away"
    # the Chrome that it shared with others died: at once again, in a Chrome of its own
    SHARED = "shared"
    HOOK = "hook"  # user code raised or took too long: failed, the chain goes on


class Priority(IntEnum):
    """The place of a page among those of its lane: high before normal before low."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @classmethod
    def of(cls, value: Any) -> Priority:
        """Return the priority that ``value`` is, or names. Raises ValueError."""
        if isinstance(value, cls):
            return value
        names = {one.name.lower(): one for one in cls}
        if isinstance(value, str) and value.lower() in names:
            return names[value.lower()]
        raise ValueError(f"priority is one of {', '.join(map(repr, names))}, not {value!r}")


class PageData(dict[str, Json]):
    """The data that came with the link to a page, or its form: a dictionary that cannot be changed,
    so that all hooks of the page read the same. JSON takes it as it is; ``dict(data)`` is one to
    change.
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("data and form of a page cannot be changed; dict(page.data) is a copy")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[str, Json]]]:
        return type(self), (dict(self),)


#: The data of a page whose link brought none.
NO_DATA = PageData()


#: The names of a live page that ask its document; see ``browser/page.py``.
OF_DOCUMENT = frozenset((
    "attr", "attrs", "click", "cookies", "driver", "element", "evaluate", "fill", "frame", "html",
    "matching", "pdf", "response", "responses", "screenshot", "scroll_to_end", "select_all", "text",
    "texts", "title", "wait_for",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """A URL at a depth (links from the entry page, which is 0).

    ``url`` is fetched as it was found; ``key`` is its canonical form and only serves to recognise
    it. ``attempt`` counts from 1 and includes the present one; ``strikes`` counts crashes. ``lane``
    groups pages that share a delay ("" is the only lane of a crawl that needs no more). ``route``
    is the name that its link gave ("": none), ``data`` what the link brought along, ``referer`` the
    URL of the page on which it was found, where its crawl asks for that ("": it does not). ``form``
    are the fields that are submitted to ``url``, by name; None: it is fetched as a link.
    """

    url: str
    depth: int = 0
    key: str = ""
    lane: str = ""
    priority: Priority = Priority.NORMAL
    attempt: int = 0
    strikes: int = 0
    parent: str | None = None
    id: str = ""
    route: str = ""
    data: Mapping[str, Json] = field(default_factory=lambda: NO_DATA, hash=False)
    referer: str = ""
    form: Mapping[str, Json] | None = field(default=None, hash=False, repr=False)
    # on its way to the frontier: it is to be queued also where it is known
    again: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.data) is not PageData:
            object.__setattr__(self, "data", PageData(self.data))
        if self.form is not None and type(self.form) is not PageData:
            object.__setattr__(self, "form", PageData(self.form))
        if not self.id:
            object.__setattr__(self, "id", page_id(self.key or self.url))

    if not TYPE_CHECKING:  # type checkers know that there is no such attribute

        def __getattr__(self, name: str) -> Any:
            what = f"a page has no {name!r}"
            if name in OF_DOCUMENT:
                what = (
                    f"the page has no {name!r} here, as it has no document: it is about to be"
                    " fetched, or has failed; hooks with a live page (extract, after) can ask"
                )
            raise AttributeError(what)


def page_id(canonical: str) -> str:
    """Return 32 hexadecimal digits that stand for a canonical URL in every process, for ever.

    Redis's scripts can make them, too. A site can find two URLs whose first 16 digits are alike
    within hours, which is why there are more.
    """
    digest = sha1(canonical.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    return digest[:ID_LENGTH]


def short_id(page_id: str) -> str:
    """Return what people and programs may call a page by: the first 16 digits of its id, which were
    the whole of it in earlier versions. Two pages may have the same.
    """
    return page_id[:ID_LENGTH_BEFORE]


@dataclass(frozen=True, slots=True)
class Link:
    """An ``<a href>`` (or area) as Chrome resolved it: its absolute ``url``, ``rel`` and visible
    ``text`` (both may be "").
    """

    url: str
    rel: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file that a page left: its ``name`` in the crawl's folder, ``size`` in bytes, SHA-256 as
    ``digest``; ``path`` is its place on this machine.
    """

    name: str
    size: int
    digest: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """The response to the request of a page. A field that is unknown is None, never a guess.

    ``url`` is the committed URL (after redirects, and after what scripts did to it). ``timing``
    holds milliseconds since the navigation began (``response``, ``dom``, ``load``) and ``total``,
    as far as Chrome knew them. Headers have their names in lower case, and *** for cookies and
    credentials, unless ``keep_headers`` names them; ``redirects`` are the URLs that led to ``url``.
    ``console`` holds errors and warnings, ``timings`` durations, ``cookies`` those of the page by
    name (*** unless ``keep_cookies`` names them), for crawls that ask for them; ``files`` pictures,
    prints and downloads. ``not_modified``: the server says that the document is that of the last
    visit, and it was not sent again.
    """

    url: str
    status: int | None = None
    status_text: str | None = None
    headers: Mapping[str, str] | None = None
    content_type: str | None = None
    html: str | None = None
    title: str = ""
    redirects: tuple[str, ...] | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    request_headers: Mapping[str, str] | None = None
    files: tuple[File, ...] = ()
    console: tuple[Mapping[str, str], ...] | None = None
    timings: Mapping[str, float] | None = None
    # "http" or "chrome", of a crawl that may fetch pages without a browser; None: of another one
    fetch: str | None = None
    cookies: Mapping[str, str] | None = None
    not_modified: bool = False

    @property
    def ok(self) -> bool | None:
        """Whether the status is 2xx; None if it is unknown."""
        return None if self.status is None else 200 <= self.status < 300


class Change(StrEnum):
    """How the item of a page compares with that of its last visit."""

    NEW = "new"  # the crawl did not know the page
    CHANGED = "changed"
    SAME = "same"
    UNKNOWN = "unknown"  # nothing is remembered: the page is only tried

    @classmethod
    def between(cls, before: str, now: str) -> Change:
        """Return the change between two digests; the first is "" for a page that is new."""
        if not before:
            return cls.NEW
        return cls.SAME if before == now else cls.CHANGED


#: The changes that a crawl counts.
CHANGES = (Change.NEW.value, Change.CHANGED.value, Change.SAME.value)
#: Characters of a title that a result keeps.
TITLE_MAX = 200
#: Bytes of a digest by which the items of two visits are compared.
ITEM_DIGEST = 4


def item_digest(data: Json) -> str:
    """Return hexadecimal digits that stand for ``data``, in whatever order its keys are.

    Raises:
        TypeError, ValueError: it is no JSON.
    """
    plain = json.loads(json.dumps(data))  # its keys are text, and can be sorted
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=ITEM_DIGEST).hexdigest()


def items_of(data: Json) -> list[Json]:
    """Return the items in what ``extract`` gave: nothing, one, or a list of them."""
    found = data if isinstance(data, list) else [data]
    return [one for one in found if one not in (None, "", [], {})] if data else []


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run, for ``after`` and the sinks. ``links`` are the URLs of the links that
    the page holds; of a delivery that is made again, those that ``keep_links`` kept. ``ms`` is the
    time from claim to result, in milliseconds. ``version`` tells the definition by which the page
    was done from others: see :func:`short_version`. ``skipped``: why a hook skipped the page, which
    then has no item; None: none did. ``kept`` has what the crawl asks to be kept besides the item;
    ``links_found`` stands in for the number of ``links`` where that is another one.
    ``change`` compares the item with that of the page's last visit; ``again``: that was since
    the crawl began.
    """

    crawl: str
    page: Page
    response: Response
    data: Json
    links: tuple[str, ...]
    ms: float
    version: str = ""
    skipped: str | None = None
    kept: Mapping[str, Json] = field(default_factory=dict)
    links_found: int | None = None
    change: Change = Change.UNKNOWN
    again: bool = False

    def record(self) -> dict[str, Json]:
        """Return the line of this page in a file of pages.

        Fields that only some crawls ask for are only there for those.
        """
        response = self.response
        extras: dict[str, Json] = {} if self.skipped is None else {"skipped": self.skipped}
        if self.again:
            extras["again"] = True
        if response.fetch is not None:
            extras["fetch"] = response.fetch
        if response.not_modified:
            extras["not_modified"] = True
        if response.files:
            extras["files"] = [
                {"name": file.name, "size": file.size, "digest": file.digest}
                for file in response.files
            ]
        if response.console is not None:
            extras["console"] = [dict(entry) for entry in response.console]
        if response.timings is not None:
            extras["timings"] = dict(response.timings)
        return {
            "url": self.page.url,
            "final_url": self.response.url,
            "status": self.response.status,
            "depth": self.page.depth,
            **({"title": response.title[:TITLE_MAX]} if response.title else {}),
            **({"route": self.page.route} if self.page.route else {}),
            "data": self.data,
            "items": len(items_of(self.data)),
            "links": len(self.links) if self.links_found is None else self.links_found,
            "ms": round(self.ms),
            "change": self.change.value,
            "version": self.version,
            "id": short_id(self.page.id),
            **({"parent": short_id(self.page.parent)} if self.page.parent else {}),
            **extras,
            **self.kept,
        }


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that the frontier enforces for one crawl. Times in seconds; None means no limit."""

    concurrency_limit: int = 4
    depth_limit: int | None = 3
    page_limit: int | None = None
    page_limit_counts: str = "started"  # or "done"
    time_limit: float | None = None  # of active time: pauses do not count
    idle_limit: float | None = None  # without any page done
    error_limit: int | None = None  # pages in failed
    item_limit: int | None = None  # pages whose extract gave something
    # pages waiting; further links are counted as skipped, and stay unknown
    queue_limit: int | None = None
    host_page_limit: int | None = None  # pages accepted per lane
    # pages per pattern of paths and of query names, among links; fewer of patterns that seem to be
    # without end, see lua/lib/links.lua. None or 0: no limit
    pattern_limit: int | None = 1_000_000
    delay: float = 0.0  # between two requests to one lane, over all workers
    jitter: bool = True  # the delay times 1.0 to 1.5: the gap is never below the delay
    host_concurrency: int | None = None  # pages in flight per lane
    throttle: bool = False  # automatic: the delay follows the lane's response time
    attempts: int = 3
    hook_attempts: int = 1  # of a page whose hook raises
    crash_strikes: int = 2
    backoff: float = 5.0  # first retry; doubles, full jitter
    backoff_cap: float = 600.0
    retry_after_cap: float = 3_600.0
    breaker_failures: int = 10  # failures in a row that snooze a lane; 0 switches the breaker off
    breaker_snooze: float = 60.0  # doubles up to a day
    # snoozes in a row after which the lane's pages are failed, reason "breaker"; 0: never
    breaker_trips: int = 5
    lease: float = 60.0
    page_deadline: float = 180.0  # hard: no lease is renewed beyond it
    after_attempts: int = 5  # calls of a hook that raises, until its delivery is a dead letter
    results_limit: int = 100_000  # results that the stream keeps, about


@dataclass(frozen=True, slots=True)
class Plan:
    """The frontier's record of a crawl: name, policy, definition (JSON; None for a crawl with
    code), and the digest of the definition.

    ``base`` names the crawl with code that this one is a variant of; the definition then holds only
    its changes.
    """

    name: str
    policy: Policy
    digest: str
    definition: dict[str, Json] | None = None
    before_all: bool = True  # False: there is no such hook, so no run waits for it
    base: str | None = None
    failed_hook: bool = False  # whether a page's last failure is delivered to a hook
    end_hook: bool = False  # whether the crawl's end is
    # the hosts at which it starts, and whether each was at a private address when it was created
    entries: Mapping[str, bool] = field(default_factory=dict)


def short_version(digest: str) -> str:
    """Return what people and programs call a version of a definition by: the first 8 digits of its
    digest.
    """
    return digest[:8]


@dataclass(frozen=True, slots=True)
class Claim:
    """A page that is being worked on, and the proof of it. ``deadline`` is the hard end, ``since``
    the instant at which it was claimed (None: not known): epoch seconds by Redis's clock.
    """

    page: Page
    token: str
    worker: str
    deadline: float
    since: float | None = field(default=None, compare=False)
    # the digest of the item that the page had at its last visit; "": it is new; None: not known
    known: str | None = field(default=None, compare=False)
    again: bool = field(default=False, compare=False)  # it was visited since the crawl began
    # it was in flight when a Chrome that it shared died: it is tried in one of its own
    alone: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """A run's turn at the frontier: a claim (outcome PAGE), or why there is none.

    ``wait``: seconds until more is due, where that is known. ``first`` asks this run to do
    ``before_all``; ``login`` is the version of the log-in that is kept with the crawl (0: none; no
    two are alike), ``entries`` that of what was decided about its entries. ``paced``: the page's
    lane serves no other run until this one calls ``sent``.
    """

    outcome: Outcome
    claim: Claim | None = None
    wait: float | None = None
    first: bool = False
    login: int = 0
    ended: bool = False  # this very call ended the crawl
    paced: bool = False
    entries: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts and state of a frontier at one instant. Times are seconds; ``started`` and ``ended``
    are epoch seconds or None.
    """

    name: str
    status: Status
    reason: str | None
    generation: int
    accepted: int
    queued: int
    delayed: int
    processing: int
    done: int
    failed: int
    # started, items, retried, reaped, stale, crashed, dup, skipped_…
    counts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)  # failed pages by kind
    # of some counts: the first page, or link, that was counted
    examples: Mapping[str, str] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    active: float = 0.0
    held_until: float | None = None  # no claim before (infrastructure is away)
    tickets: int = 0
    begun: float | None = None  # when the first page was handed out, epoch seconds
    delivering: int = 0  # results, failures and the crawl's end that their hooks have yet to take
    known: int = 0  # pages that were known when this generation began
    revisits: int = 0  # pages that are to be visited again by themselves
    next_revisit: float | None = None  # when the first of them is due, epoch seconds

    @property
    def versions(self) -> dict[str, dict[str, int]]:
        """The pages ``done`` and ``failed`` by each version of the definition: see
        :func:`short_version`.
        """
        return self._counts_by("version:")

    @property
    def routes(self) -> dict[str, dict[str, int]]:
        """The pages ``done`` and ``failed`` by each route that they took, and the ``ms`` that these
        runs took; those without a route under "none". Empty: the crawl has no routes.
        """
        return self._counts_by("route:")

    def _counts_by(self, prefix: str) -> dict[str, dict[str, int]]:
        groups: dict[str, dict[str, int]] = {}
        for name, number in self.counts.items():
            if name.startswith(prefix):
                _, group, what = name.split(":", 2)
                groups.setdefault(group, {})[what] = number
        return groups

    @property
    def decisions(self) -> dict[str, dict[str, int]]:
        """How often hooks and conditions decided so about pages: by word (``skip``, ``retry``,
        ``blocked``) and reason.
        """
        decisions: dict[str, dict[str, int]] = {}
        for name, number in self.counts.items():
            if name.startswith(DECISION):
                word, reason = name.removeprefix(DECISION).split(":", 1)
                decisions.setdefault(word, {})[reason] = number
        return decisions

    @property
    def whole(self) -> bool:
        """Whether the crawl came to its end by itself, and looked for all pages: what it did not
        meet is not there. A limit may cut pages off, and ``sitemaps_since`` leaves some out.
        """
        left_out = (self.counts.get(f"skipped_{reason}", 0) for reason in ("full", "lastmod"))
        return self.status is Status.FINISHED and not self.queued + sum(left_out)

    @property
    def vanished(self) -> int:
        """How many known pages are gone, or were not met, as far as that can be said."""
        unmet = self.known - self.counts.get("met", 0) if self.whole else 0
        return self.counts.get("vanished", 0) + max(0, unmet)

    @property
    def changes(self) -> dict[str, int]:
        """How many pages that are done were ``new``, ``changed`` or the ``same``."""
        return {change: self.counts.get(f"change_{change}", 0) for change in CHANGES}

    @property
    def over(self) -> bool:
        """Whether the crawl has ended, and no hook is still to be called."""
        return self.status.ended and not self.delivering
