"""The fields of a crawl: their bounds, defaults, descriptions and examples.

One table for Python, TOML, JSON and the documentation. In TOML, which has no null, ``"none"`` means
no limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields as dataclass_fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import Fault
from ..model import LINK, Policy
from ..secret_refs import SECRET_PREFIX
from ..urls.patterns import DENY_EXTENSIONS, SCOPE_KINDS
from .conditions import SIGNS
from .expectations import KEYS as EXAMPLE_KEYS
from .field_errors import example_of, field_fault
from .field_types import (
    BLOCK_KINDS,
    DAY,
    Blocks,
    Concurrency,
    Conditions,
    Count,
    Credentials,
    Delay,
    Depth,
    Duration,
    Examples,
    ExtractRule,
    File,
    Flag,
    Frames,
    Globs,
    Headers,
    Hosts,
    Interval,
    LoginTable,
    LogLevel,
    Message,
    Name,
    Names,
    OrNone,
    Patterns,
    Place,
    Proxies,
    Referer,
    RobotsName,
    Routes,
    ScopeKind,
    Seconds,
    Since,
    Sitemaps,
    Size,
    Steps,
    Text,
    Texts,
    Timezone,
    Urls,
    Whole,
)
from .route_options import OPTIONS, sound_tables
from .steps import ACTIONS, QUIET_MAX

_DEFAULT = Policy()


def _field(default: Any, description: str, example: str, **bounds: Any) -> Any:
    return Field(default, description=description, examples=[example], **bounds)


class Fields(BaseModel):
    """All that the author of a crawl may say, other than hooks. Times are seconds; None means no
    limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: Name = _field(..., "Names the crawl, in Redis, too.", 'name="books"')
    url: Urls = _field(
        ..., "Where the crawl starts: one URL, or a list.", 'url="https://books.toscrape.com/"'
    )
    seeds: File = _field(
        None,
        "A file of further URLs to start with, one per line (# begins a comment); from a TOML"
        " file's own folder.",
        'seeds="seeds.txt"',
    )
    sitemaps: Sitemaps = _field(
        (),
        "Sitemaps whose URLs it starts with, too; auto: those that robots.txt names.",
        'sitemaps=["https://books.toscrape.com/sitemap.xml"]',
    )
    sitemaps_since: OrNone[Since] = _field(
        None,
        "Only pages of sitemaps that were modified since then, as far as the sitemaps say so: a"
        " date, or last: since the last crawl began that came to its end (with recrawl).",
        'sitemaps_since="last"',
    )

    concurrency_limit: Concurrency = _field(
        _DEFAULT.concurrency_limit, "Pages in flight, over all workers.", "concurrency_limit=4"
    )
    depth_limit: OrNone[Depth] = _field(
        _DEFAULT.depth_limit,
        "Links from the entry page, which is 0; deeper links are not queued.",
        "depth_limit=3",
    )
    page_limit: OrNone[Count] = _field(
        _DEFAULT.page_limit, "The crawl ends after so many pages.", "page_limit=1_000"
    )
    page_limit_counts: Literal["started", "done"] = _field(
        _DEFAULT.page_limit_counts,
        "What page_limit counts: pages begun, or pages done.",
        'page_limit_counts="done"',
    )
    time_limit: OrNone[Duration] = _field(
        _DEFAULT.time_limit,
        "The crawl ends after so much active time; pauses do not count.",
        "time_limit=3_600",
    )
    idle_limit: OrNone[Duration] = _field(
        _DEFAULT.idle_limit,
        "The crawl ends after so much time without any page done.",
        "idle_limit=600",
    )
    error_limit: OrNone[Count] = _field(
        _DEFAULT.error_limit, "The crawl ends after so many failed pages.", "error_limit=100"
    )
    item_limit: OrNone[Count] = _field(
        _DEFAULT.item_limit,
        "The crawl ends after so many pages whose extract gave something.",
        "item_limit=500",
    )
    queue_limit: OrNone[Count] = _field(
        _DEFAULT.queue_limit,
        "Pages waiting; further links are counted as skipped, and stay unknown.",
        "queue_limit=100_000",
    )
    host_page_limit: OrNone[Count] = _field(
        _DEFAULT.host_page_limit, "Pages accepted per host.", "host_page_limit=5_000"
    )
    pattern_limit: OrNone[Annotated[Whole, Field(ge=0, le=1_000_000_000)]] = _field(
        _DEFAULT.pattern_limit,
        "Pages per pattern of URLs (without their numbers, dates, ids and values of queries), as"
        " far as links lead there; a tenth for patterns with four or more names in the query, a"
        " hundredth for those of calendars and session ids, a thousandth for paths that repeat"
        " themselves, but not below 1,000. None or 0: no limit.",
        "pattern_limit=20_000",
    )
    results_limit: Annotated[Whole, Field(ge=1, le=1_000_000_000)] = _field(
        _DEFAULT.results_limit, "Results that Redis keeps, about.", "results_limit=100_000"
    )

    delay: Delay = _field(
        _DEFAULT.delay, "Between two requests to one host, over all workers.", "delay=0.5"
    )
    jitter: Flag = _field(
        _DEFAULT.jitter,
        "Whether each delay is drawn between one and one and a half of it.",
        "jitter=True",
    )
    host_concurrency: OrNone[Annotated[Whole, Field(ge=1, le=10_000)]] = _field(
        _DEFAULT.host_concurrency, "Pages in flight per host.", "host_concurrency=2"
    )
    throttle: Flag = _field(
        _DEFAULT.throttle, "Whether the delay follows the host's response time.", "throttle=True"
    )
    robots: Flag = _field(True, "Whether robots.txt is obeyed.", "robots=True")
    robots_name: RobotsName | None = _field(
        None,
        "The name whose group in robots.txt counts; None: that in user_agent. Else celery-crawler's"
        " counts, then that of *.",
        'robots_name="ExampleBot"',
    )
    attempts: Annotated[Whole, Field(ge=1, le=100)] = _field(
        _DEFAULT.attempts, "How often a page is tried.", "attempts=3"
    )
    hook_attempts: Annotated[Whole, Field(ge=1, le=100)] = _field(
        _DEFAULT.hook_attempts,
        "How often a page is tried whose hook before, extract or filter raises (other than Retry,"
        " Skip or Blocked).",
        "hook_attempts=3",
    )
    form_retry: Flag = _field(
        False,
        "Whether a form that a hook follows may be sent again, if its page fails: as one that only"
        " searches. Else it is sent once, and a page that fails then is not tried again.",
        "form_retry=True",
    )
    after_attempts: Annotated[Whole, Field(ge=1, le=100)] = _field(
        _DEFAULT.after_attempts,
        "How often a hook after, failed or after_all is called that raises, or whose process dies.",
        "after_attempts=5",
    )
    crash_strikes: Annotated[Whole, Field(ge=1, le=100)] = _field(
        _DEFAULT.crash_strikes, "How often a page may take the browser with it.", "crash_strikes=2"
    )
    backoff: Annotated[Seconds, Field(ge=0, le=DAY)] = _field(
        _DEFAULT.backoff, "Before the first retry; it doubles.", "backoff=5"
    )
    backoff_cap: Annotated[Seconds, Field(ge=0, le=DAY)] = _field(
        _DEFAULT.backoff_cap, "Longest time before a retry.", "backoff_cap=600"
    )
    retry_after_cap: Annotated[Seconds, Field(ge=0, le=DAY)] = _field(
        _DEFAULT.retry_after_cap,
        "Longest time for which a host's Retry-After is believed.",
        "retry_after_cap=3_600",
    )
    breaker_failures: Annotated[Whole, Field(ge=0, le=1_000_000)] = _field(
        _DEFAULT.breaker_failures,
        "Failures in a row after which a host is left alone for a while; 0: never.",
        "breaker_failures=10",
    )
    breaker_snooze: Annotated[Seconds, Field(gt=0, le=DAY)] = _field(
        _DEFAULT.breaker_snooze, "For how long, the first time; it doubles.", "breaker_snooze=60"
    )
    breaker_trips: Annotated[Whole, Field(ge=0, le=1_000_000)] = _field(
        _DEFAULT.breaker_trips,
        "How often in a row it may be left alone before its pages count as failed; 0: always.",
        "breaker_trips=5",
    )
    lease: Annotated[Seconds, Field(ge=5, le=3_600)] = _field(
        _DEFAULT.lease,
        "After so much silence of its worker a page is given to another.",
        "lease=60",
    )
    page_deadline: Annotated[Seconds, Field(ge=5, le=DAY)] = _field(
        _DEFAULT.page_deadline,
        "Longest time that a page may take, hooks included.",
        "page_deadline=180",
    )

    scope: ScopeKind = _field(
        "same-host",
        f"Which links belong to the crawl: {', '.join(SCOPE_KINDS)}, or a function.",
        'scope="same-domain"',
    )
    allow: Patterns = _field(
        (),
        "Hostnames that belong to the crawl as well; regular expressions of which a link must match"
        " one.",
        'allow=[r"/catalogue/"]',
    )
    deny: Patterns = _field(
        (),
        "Hostnames and regular expressions of links that are not followed.",
        'deny=[r"/reviews/"]',
    )
    deny_extensions: Texts = _field(
        DENY_EXTENSIONS,
        "Endings of links that lead to files, and are not followed.",
        'deny_extensions=["pdf", "zip"]',
    )
    restrict_css: Texts = _field(
        (),
        "Only links inside of what these selectors find are followed.",
        'restrict_css=["main", ".pager"]',
    )
    nofollow: Flag = _field(
        False, "Whether links and pages that say nofollow are taken at their word.", "nofollow=True"
    )
    private_hosts: Hosts = _field(
        (),
        "Hosts at private addresses that may be crawled besides the one it starts on.",
        'private_hosts=["wiki.corp"]',
    )
    public_only: Flag = _field(
        False, "Whether it is kept from private addresses even where it starts.", "public_only=True"
    )
    keep_fragment: Flag = _field(
        False, "Whether what follows # chooses the page.", "keep_fragment=True"
    )
    ignore_tracking: Flag = _field(
        True,
        "Whether URLs that differ in tracking parameters and session ids are one page.",
        "ignore_tracking=False",
    )
    ignore_params: Texts = _field(
        (),
        "Further parameters that do not change the page; * stands for anything.",
        'ignore_params=["sort"]',
    )

    user_agent: Text | None = _field(
        None, "What Chrome calls itself; None: its own name.", 'user_agent="Mozilla/5.0 (…)"'
    )
    referer: Referer = _field(
        (),
        "What pages say led to them, as the header Referer of their requests: a URL, for all of"
        f' them; or "{LINK}", the page on which their link was found, as in a browser; or a list of'
        " both, where the URL is for the pages that it starts with.",
        f'referer=["https://www.google.com/", "{LINK}"]',
    )
    language: Text | None = _field(
        None, "Which language is asked for, as in Accept-Language.", 'language="de-CH,de"'
    )
    window: tuple[Size, Size] = _field(
        (1280, 1024), "Width and height of the window, in pixels.", "window=[1280, 1024]"
    )
    page_load_timeout: Annotated[Seconds, Field(gt=0, le=600)] | None = _field(
        None,
        "In how many seconds a page must load, if they are less than its worker's"
        " CRAWLER_PAGE_LOAD_TIMEOUT.",
        "page_load_timeout=20",
    )
    fetch: Literal["chrome", "http", "auto"] = _field(
        "chrome",
        "Whether pages are fetched by Chrome; or by http without a browser, which is brought where"
        " a page needs one; or (auto) by http while a comparison with Chrome finds no difference.",
        'fetch="auto"',
    )
    conditional: Flag = _field(
        False,
        "Whether pages that came by HTTP are asked for again, in another generation or by revisit,"
        " only if they have changed (ETag, Last-Modified); their documents are kept on the machines"
        " of the workers.",
        "conditional=True",
    )
    load_strategy: Literal["normal", "eager"] = _field(
        "normal",
        "Whether images and frames are waited for (normal), or not (eager).",
        'load_strategy="eager"',
    )
    images: Flag = _field(True, "Whether images are loaded.", "images=False")
    flags: Texts = _field((), "Further command line flags for Chrome.", 'flags=["--disable-http2"]')

    block: Blocks = _field(
        (),
        f"What is not loaded: {', '.join(BLOCK_KINDS)}, and patterns of URLs, in which * stands for"
        " anything.",
        'block=["font", "media", "*://*.doubleclick.net/*"]',
    )
    headers: Headers | None = _field(
        None,
        "Headers for every request of a page, to whatever host: no place for secrets.",
        'headers={"X-Crawler": "https://example.com/why"}',
        repr=False,
    )
    basic_auth: Credentials | None = _field(
        None,
        f"What a host is told that asks for a user and a password by HTTP; ${SECRET_PREFIX}… is a"
        " variable of the workers.",
        f'basic_auth={{"intranet.example.com": "${SECRET_PREFIX}INTRANET"}}',
        repr=False,
    )
    proxy: Proxies = _field(
        (),
        "Proxies (http, socks5) that browser sessions go through in turn; or references to"
        " variables of the workers.",
        f'proxy=["socks5://me:password@proxy.example.com:1080", "${SECRET_PREFIX}PROXY"]',
        repr=False,
    )
    proxy_pause: Annotated[Seconds, Field(gt=0, le=DAY)] = _field(
        300.0, "For how long a proxy that failed is set aside.", "proxy_pause=60"
    )
    downloads: Literal["refuse", "save"] = _field(
        "refuse",
        "What becomes of downloads: the page fails, or the file is kept.",
        'downloads="save"',
    )
    download_limit: Count = _field(
        100_000_000, "Bytes that a page may download.", "download_limit=10_000_000"
    )
    download_timeout: Annotated[Seconds, Field(gt=0, le=3_600)] = _field(
        60.0, "For how long it may.", "download_timeout=120"
    )
    timezone: Timezone | None = _field(
        None, "Where the browser's clock is; None: the machine's.", 'timezone="Europe/Zurich"'
    )
    geolocation: Place | None = _field(
        None,
        "Where pages may know the browser to be: latitude, longitude, metres of accuracy; None:"
        " they may not know.",
        "geolocation=[47.37, 8.54]",
    )
    mobile: Flag = _field(
        False, "Whether Chrome is one of a phone, whose screen is the window.", "mobile=True"
    )
    scale: Annotated[Seconds, Field(gt=0, le=10)] = _field(
        1.0, "Pixels of a phone's screen for one of its page.", "scale=3"
    )

    wait_for: Texts = _field(
        (), "Selectors that must match before a page is read.", 'wait_for=["#results"]'
    )
    wait_for_response: Globs = _field(
        (),
        "Patterns of URLs, in which * stands for anything: a response for each of them must have"
        " come before a page is read.",
        'wait_for_response="*/api/products*"',
    )
    wait_until: Text | None = _field(
        None,
        "A JavaScript expression that must be true before a page is read.",
        'wait_until="window.ready === true"',
        min_length=1,
    )
    wait_quiet: Annotated[Seconds, Field(gt=0, le=QUIET_MAX)] | None = _field(
        None, "For how long a page must have loaded nothing before it is read.", "wait_quiet=0.5"
    )
    wait_timeout: Annotated[Seconds, Field(gt=0, le=600)] = _field(
        10.0,
        "For how long any of this is waited for; then the page is tried again.",
        "wait_timeout=20",
    )
    interstitial_wait: Annotated[Seconds, Field(ge=0, le=600)] = _field(
        5.0,
        "For how long a page with hardly anything on it may take to lead on by itself, and within"
        " how many seconds a declared refresh of any other page is a link; 0 for none.",
        "interstitial_wait=10",
    )
    scroll: Flag = _field(
        False, "Whether a page is scrolled to its end, as long as it grows.", "scroll=True"
    )
    scroll_timeout: Annotated[Seconds, Field(gt=0, le=600)] = _field(
        30.0, "For how long, at most.", "scroll_timeout=60"
    )
    steps: Steps = _field(
        (),
        "What is then done on a page, before it is read, in tables with one of"
        f" {', '.join(ACTIONS)}.",
        'steps=[{"click": "#accept", "optional": True}, {"click": "button.more", "times": 20}]',
        repr=False,
    )
    login: LoginTable = _field(
        None,
        "A log-in without code: url of the form, fill (selectors and texts), submit, expect and"
        " perhaps expired (selectors).",
        'login={"url": "https://club.example/", "fill": {"#me": "reader", "#pw": "…"}, "submit":'
        ' "button", "expect": ".account"}',
        repr=False,
    )
    frames: Frames = _field(
        "links",
        "Whether documents in frames are links of their page (links), or also the links inside of"
        " them (inner, true); whether those in scope are a part of the page (part); or none of"
        " this (ignore, false).",
        'frames="part"',
    )
    screenshot: Literal["window", "page"] | None = _field(
        None,
        "Whether a picture of each page is kept: of the window, or of the whole page.",
        'screenshot="page"',
    )
    pdf: Flag = _field(False, "Whether each page is kept as PDF, too.", "pdf=True")
    capture: Globs = _field(
        (),
        "Which responses that a page loads its hooks may read, by page.responses(): patterns of"
        " URLs, in which * stands for anything.",
        'capture=["*/api/products*"]',
    )
    capture_body_limit: Annotated[Whole, Field(ge=1, le=100_000_000)] = _field(
        1_000_000, "Bytes of one such body that are kept.", "capture_body_limit=5_000_000"
    )
    capture_limit: Annotated[Whole, Field(ge=1, le=1_000_000_000)] = _field(
        10_000_000, "Bytes of all such bodies of a page.", "capture_limit=50_000_000"
    )
    response_headers: Flag = _field(
        False,
        "Whether response has the headers, the redirects and more of what WebDriver does not tell.",
        "response_headers=True",
    )
    keep_links: Flag = _field(
        False,
        "Whether results carry the URLs of the links of their pages: 5,000 of each, and 256 kB.",
        "keep_links=True",
    )
    keep_headers: Names = _field(
        (),
        "Which headers of the response results carry, with its status text and its redirects: their"
        " names, in which * stands for anything; true for all. Values of credentials (set-cookie"
        " and others) are *** unless the name is written out.",
        'keep_headers=["content-type", "x-*"]',
    )
    keep_cookies: Names = _field(
        (),
        "Which cookies of a page results carry: their names, in which * stands for anything; true"
        " for all. Values are *** unless the name is written out.",
        'keep_cookies=["currency"]',
    )
    console: Flag = _field(
        False,
        "Whether results carry the errors and warnings of the page's console.",
        "console=True",
    )
    timings: Flag = _field(
        False, "Whether results carry how long the parts of loading took.", "timings=True"
    )

    extract: ExtractRule = _field(
        None,
        "What to take from a page: selectors by field (docs/tables.md), or a pydantic model whose"
        " fields carry them.",
        'extract={"title": "h1", "tags": ["a.tag"]}',
    )
    invalid_items: Literal["warn", "fail"] = _field(
        "warn",
        "What becomes of an item that its model refuses: it is left out, and counted with an"
        " example (warn), or its page fails with the reason invalid_item (fail).",
        'invalid_items="fail"',
    )
    revisit: OrNone[Interval] = _field(
        None,
        "Time after which a page that is done is visited again by itself: seconds, or a text like"
        ' "90m", "12h", "1d", "2w". The crawl then ends by a limit only, or when it is stopped.',
        'revisit="1d"',
    )
    only_changes: Flag = _field(
        False,
        "Whether results of pages whose item is the same as at the last visit are left out of the"
        " results; they are counted, and the hook after is called for them, too.",
        "only_changes=True",
    )
    accept_status: tuple[Annotated[Whole, Field(ge=100, le=599)], ...] = _field(
        (), "Statuses other than success with which a page counts as done.", "accept_status=[404]"
    )
    blocked: Conditions = _field(
        (),
        "By what a page is known that keeps us out, in tables with"
        f" {', '.join(SIGNS)}; also reason and after: its host waits, and it is tried again by a"
        " new session, through the next proxy.",
        'blocked=[{"selector": ".captcha", "after": 600}]',
    )
    retry: Conditions = _field(
        (),
        "By what a page is known that is tried again, in such tables.",
        'retry=[{"text": "try again later", "after": 60}]',
    )
    skip: Conditions = _field(
        (),
        "By what a page is known that is done without an item, in such tables (without after). Its"
        " links are queued.",
        'skip=[{"selector": ".sold-out", "reason": "sold out"}]',
    )
    keep_html: Flag = _field(
        False,
        "Whether the HTML of each page, as rendered, is kept as a file, which its result names.",
        "keep_html=True",
    )
    log_level: LogLevel = _field(
        None,
        "The lowest level of the messages that its runs log, in place of the worker's"
        " CRAWLER_LOG_LEVEL.",
        'log_level="DEBUG"',
    )
    error_snapshots: Annotated[Whole, Field(ge=0, le=1_000)] = _field(
        20,
        "Kinds of failure (reason and host) of which HTML and a picture are kept, where a folder"
        " for them is set.",
        "error_snapshots=20",
    )
    examples: Examples = _field(
        (),
        "Pages of it and what is expected of their items, in tables with"
        f" {', '.join(EXAMPLE_KEYS)}: `crawler validate --live` looks at each"
        " ([commands](commands.md#examples)).",
        'examples=[{"url": "/books/1", "expect": {"title": "Tea", "price": "present"}}]',
        repr=False,
    )
    message: Message = _field(
        None,
        "JSON from its starter, for its hooks: they ask for `crawl`, and read `crawl.message`.",
        'message={"shop": 7}',
    )
    routes: Routes = _field(
        {},
        "Types of pages by name, each with options of its own: [routes](routes.md).",
        'routes={"book": {"match": "/books/", "extract": {"title": "h1"}}}',
        repr=False,
    )

    def policy(self) -> Policy:
        """Return the limits that the frontier enforces."""
        names = [field.name for field in dataclass_fields(Policy) if hasattr(self, field.name)]
        return Policy(**{name: getattr(self, name) for name in names})


def check_fields(raw: Mapping[str, Any]) -> tuple[Fields | None, list[Fault]]:
    """Return the validated fields of ``raw`` and no faults; or None and all that is wrong with
    single values.
    """
    try:
        return Fields.model_validate(dict(raw)), []
    except ValidationError as errors:
        details = errors.errors(include_url=False)
        return None, [field_fault(error, raw, Fields.model_fields) for error in details]


#: Keys of tables that mean something else there than the field of that name.
_OWN_KEYS: Mapping[str, frozenset[str]] = {
    "extract": frozenset({"name", "url"}),
    "message": frozenset({"name", "url"}),
    "login": frozenset({"url"}),
    "examples": frozenset(EXAMPLE_KEYS),
    **dict.fromkeys(("blocked", "retry", "skip"), frozenset({"url"})),
    "steps": frozenset(ACTIONS),
}


def misplaced_fields(raw: Mapping[str, Any]) -> list[Fault]:
    """Return a fault for each key, in a table of a TOML file, that has the name of a field: TOML
    takes what is written below a table for a part of it.
    """
    tables = [(value, name, name) for name, value in raw.items() if name != "routes"]
    for route, options in sound_tables(raw.get("routes")):
        where = f"routes.{route}"
        misfits = {name: value for name, value in options.items() if name not in OPTIONS}
        tables.append((misfits, "routes", where))
        tables += [(options[name], name, f"{where}.{name}") for name in options if name in OPTIONS]
    return [fault for place in tables for fault in _misplaced(*place)]


def _misplaced(value: Any, top: str, where: str) -> Iterator[Fault]:
    if isinstance(value, list):
        for place, part in enumerate(value):
            yield from _misplaced(part, top, f"{where}[{place}]")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if top == "examples" and key in ("expect", "data"):
                continue  # names of an item's fields, and of what a link brings
            here = f"{where}.{key}"
            if key in Fields.model_fields and key not in _OWN_KEYS.get(top, ()):
                what = (
                    f"{key} is a field of the crawl, but lies in the table [{where}]; write it"
                    " above the first table of the file (a key of that table needs another name)"
                )
                yield Fault(here, what, example(key).replace("=", " = ", 1))
            else:
                yield from _misplaced(part, top, here)


def example(name: str) -> str:
    """Return how a right value of the field ``name`` is written; "" if there is no such field."""
    return example_of(Fields.model_fields.get(name))
