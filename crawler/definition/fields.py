"""The fields of a crawl: their types, bounds, defaults, descriptions and examples.

One table for Python, TOML, JSON and the documentation. In TOML, which has no null, ``"none"`` means
no limit.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
)

from ..errors import Fault
from ..model import LINK, Policy, Priority, is_crawl_name
from ..redaction import looks_secret, names_secret, password_of
from ..secret_refs import SECRET_PREFIX, references
from ..text.nesting import NESTING_MAX, is_deeper
from ..urls.modified import first_moment
from ..urls.patterns import DENY_EXTENSIONS, SCOPE_KINDS, parse_pattern
from ..urls.proxy_url import parse_proxy
from ..urls.url import InvalidURL, normal_host, parse_url
from .conditions import SIGNS, condition_faults
from .expectations import KEYS as EXAMPLE_KEYS
from .expectations import example_problems, plain
from .field_errors import example_of, field_fault, shown
from .item_models import is_extract
from .login import login_faults
from .route_options import OPTIONS, sound_tables
from .steps import ACTIONS, QUIET_MAX, step_faults

_DAY, _YEAR = 86_400.0, 31_536_000.0
_DEFAULT = Policy()
#: Seconds of the units in which an interval may be written.
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": _DAY, "w": 7 * _DAY}
T = TypeVar("T")

#: Kinds of things that can be blocked without a pattern.
BLOCK_KINDS = ("image", "font", "media", "style")
#: Headers that hold secrets, and what to use instead.
SECRET_HEADERS = {
    "authorization": "use basic_auth, or log in with before_all",
    "proxy-authorization": "use proxy",
    "cookie": "log in with before_all",
}
#: Headers that Chrome itself sets.
OWN_HEADERS = frozenset((
    "host", "connection", "content-length", "transfer-encoding", "upgrade", "keep-alive", "te",
    "trailer",
))  # fmt: skip
#: The largest number that is counted: Redis's scripts write more digits than these inexactly.
COUNT_MAX = 10**14
#: Characters of JSON that a crawl's message may have: it travels with the definition.
MESSAGE_MAX = 65_536
#: Stands for the time of the last crawl.
LAST = "last"
#: Stands, among the sitemaps of a crawl, for those that robots.txt names.
AUTO = "auto"
#: Why a URL is none, by the reason of InvalidURL.
_URL_FAULTS = {
    "malformed": "has no host that could exist",
    "port": "has a port that does not exist",
    "characters": "holds control characters",
    "length": "is longer than 2,083 characters",
    "scheme": "is neither http nor https",
}


def _name(value: str) -> str:
    if not is_crawl_name(value):
        raise ValueError(
            f"{value!r} may hold letters, digits, dots, dashes and underscores, 1 to 64 of them,"
            " has no dot at its end, and names no device (CON, NUL, COM1)"
        )
    return value


def _url(value: str) -> str:
    try:
        parse_url(value)
    except InvalidURL as invalid:
        why = _URL_FAULTS[invalid.reason]
        if invalid.reason == "scheme" and "://" not in value:
            why = "has no http:// or https:// in front"
        raise ValueError(f"{shown(value)} {why}") from None
    return value.strip()


def _sitemap(value: str) -> str:
    return AUTO if value == AUTO else _url(value)


def _path_as_text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _pattern(value: object) -> str | re.Pattern[str]:
    if not isinstance(value, str | re.Pattern) or value == "" or _is_of_bytes(value):
        raise ValueError(f"{shown(value)} is neither a hostname nor a regular expression")
    try:
        parse_pattern(value)
    except re.error as error:
        raise ValueError(f"{shown(value)} is no regular expression: {error}") from None
    except InvalidURL:
        raise ValueError(f"{shown(value)} is no hostname") from None
    return value


def _is_of_bytes(value: str | re.Pattern[Any]) -> bool:
    return isinstance(value, re.Pattern) and isinstance(value.pattern, bytes)


def _host(value: str) -> str:
    try:
        return normal_host(value)
    except InvalidURL:
        raise ValueError(f"{shown(value)} is no hostname") from None


def _scope(value: object) -> object:
    if callable(value) or value in SCOPE_KINDS:
        return value
    what = f"is none of {', '.join(SCOPE_KINDS)}, and no function"
    raise ValueError(f"{shown(value)} {what}{_hint(str(value), SCOPE_KINDS)}")


def _hint(value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _message(value: Any) -> Any:
    if is_deeper(value):
        raise ValueError(f"is nested more than {NESTING_MAX} levels deep")
    try:
        length = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise ValueError(f"{shown(value)} is no JSON") from None
    if length > MESSAGE_MAX:
        raise ValueError(f"has {length:,} characters of JSON, at most {MESSAGE_MAX:,} are kept")
    if any(_is_secret(name, text) for name, text in _texts(value)):
        raise ValueError(
            "holds what looks like credentials, and is kept and shown as it is; let the hook read a"
            f" variable of its worker, ${SECRET_PREFIX}…, or use proxy, basic_auth or login"
        )
    return value


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts within ``value``, which is JSON, each with the name that it stands under."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(part, str(key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part, name)


def _is_secret(name: str, text: str) -> bool:
    """Whether ``text`` looks like credentials, by its form or by its name."""
    by_name = names_secret(name) and text and not any(references(text))
    return bool(by_name) or looks_secret(text)


def _frames(value: object) -> object:
    """Return the word that a flag means, which this field was before."""
    return {True: "inner", False: "ignore"}[value] if isinstance(value, bool) else value


def _as_list(value: object) -> object:
    """Return a list: of a single value, one with that value; of a set, one in an order that is the
    same in every process.
    """
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return [value] if isinstance(value, str | re.Pattern) else value


def _none_in_words(value: object) -> object:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _steps(value: object) -> tuple[Mapping[str, Any], ...]:
    if problems := step_faults(value):
        raise ValueError("; ".join(problems))
    # a list, or there was a problem
    return tuple(dict(step) for step in value)  # type: ignore[attr-defined]


def _login(value: object) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if problems := login_faults(value):
        raise ValueError("; ".join(problems))
    # a table, or there was a problem
    table: dict[str, Any] = dict(value)  # type: ignore[call-overload]
    _url(table["url"])
    return table | {"fill": dict(table["fill"])}


def _routes(value: object) -> dict[str, dict[str, Any]]:
    """Return the tables of routes; what is in them is checked with the whole crawl."""
    return {
        name: {option: _plain_priority(part) for option, part in table.items()}
        for name, table in sound_tables(value)
    }


def _plain_priority(value: Any) -> Any:
    return value.name.lower() if isinstance(value, Priority) else value


def _extract(value: object) -> object:
    if not is_extract(value):
        raise ValueError(f"{shown(value)} is no table of names and selectors, and no model")
    return dict(value) if isinstance(value, Mapping) else value


def _conditions(value: object, info: ValidationInfo) -> tuple[Mapping[str, Any], ...]:
    if problems := condition_faults(str(info.field_name), value):
        raise ValueError("; ".join(problems))
    tables: Any = [value] if isinstance(value, Mapping) else value
    return tuple(dict(table) for table in tables)


def _examples(value: object) -> tuple[Mapping[str, Any], ...]:
    if problems := example_problems(value):
        raise ValueError("; ".join(problems))
    tables: Any = [value] if isinstance(value, Mapping) else value
    return tuple(dict(plain(table)) for table in tables)


def _robots_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", value):
        raise ValueError(f"{shown(value)} is no name: letters, digits, dots, dashes, underscores")
    return value


def _glob(value: str) -> str:
    if not value.startswith(("*", "http://", "https://")):
        raise ValueError(f"{shown(value)} matches no URL: write */…, or a whole URL")
    return value


def _block(value: str) -> str:
    if value in BLOCK_KINDS or any(mark in value for mark in "*./:"):
        return value
    what = f"is none of {', '.join(BLOCK_KINDS)}, and no pattern of a URL, like *://*.example.com/*"
    raise ValueError(f"{shown(value)} {what}")


def _header(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise ValueError(f"{shown(name)} is no name of a header")
    if name.lower() in SECRET_HEADERS:
        raise ValueError(
            f"{name} would go to every host that a page loads from; {SECRET_HEADERS[name.lower()]}"
        )
    if names_secret(name):
        raise ValueError(
            f"{name} is a name of credentials, which would go to every host that a page loads from;"
            " use basic_auth or login, or send it from a hook to its own host"
        )
    if name.lower() in OWN_HEADERS:
        raise ValueError(f"{name} is Chrome's own to set")
    if name.lower() == "referer":
        raise ValueError("Chrome blocks requests with a Referer of ours; use the field referer")
    return name


def _header_value(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a header's value is one line of printable characters")
    if looks_secret(value):
        raise ValueError(
            "a header's value looks like credentials, and would go to every host that a page loads"
            f" from; use proxy, basic_auth or login, with a reference like ${SECRET_PREFIX}SHOP"
        )
    return value


def _proxy(value: str) -> str:
    if not any(references(value)):
        parse_proxy(value)
    return value


def _credentials(value: str) -> str:
    if ":" not in value and not any(references(value)):
        raise ValueError(
            "what is given is neither user:password nor a reference to a variable,"
            f" ${SECRET_PREFIX}…"
        )
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _referer(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > 2 or (len(values) == 2 and (values[0] == LINK or values[1] != LINK)):
        raise ValueError(f'is neither a URL nor "{LINK}", nor a list of a URL and "{LINK}"')
    for value in values:
        if value != LINK and password_of(_url(value)):
            raise ValueError("holds a password, which every site would be told")
    return values


def _names(value: object) -> object:
    """Return the patterns of names that are meant: all of them by a flag that is set."""
    return {True: ["*"], False: []}[value] if isinstance(value, bool) else _as_list(value)


def _name_pattern(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError(f"{shown(value)} is no name of a header or cookie, nor a pattern of one")
    return value


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":") if re.search(r":[0-9]{1,5}$", value) else (value, "", "")
    return _host(host) + (f":{port}" if port else "")


def _since(value: object) -> object:
    """Return a date as text; TOML has dates of its own."""
    text = value.isoformat() if isinstance(value, date) else value
    if text == LAST or not isinstance(text, str):
        return text
    try:
        first_moment(text)
    except ValueError:
        raise ValueError(f"{shown(value)} is neither a date, like 2026-11-30, nor {LAST}") from None
    return text


def _interval(value: object) -> object:
    """Return the seconds that a text like "1d" means."""
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"([0-9]+(?:[.][0-9]+)?)\s*([smhdw])", value.strip().lower())
    if not parts:
        raise ValueError(f"{shown(value)} is no time: seconds, or a text like 90m, 12h, 1d, 2w")
    return float(parts[1]) * UNITS[parts[2]]


def _timezone(value: str) -> str:
    known = available_timezones()
    if known and value not in known:
        raise ValueError(f"{shown(value)} is no time zone{_hint(value, known)}")
    return value


def _place(value: object) -> tuple[float, float, float]:
    parts: Sequence[object] = value if isinstance(value, list | tuple) else ()
    numbers = [part for part in parts if type(part) in (int, float)]
    if len(parts) not in (2, 3) or len(numbers) != len(parts):
        raise ValueError("is no list of latitude, longitude and, perhaps, metres of accuracy")
    latitude, longitude, accuracy = (*map(float, numbers), 10.0)[:3]  # type: ignore[arg-type]
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and accuracy > 0):
        raise ValueError(
            "is no place on earth: latitude from -90 to 90, longitude from -180 to 180"
        )
    return latitude, longitude, accuracy


Whole = Annotated[int, Field(strict=True)]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Message = Annotated[Any, AfterValidator(_message)]
#: Types of fields that the jobs API takes as well, which narrows some.
Count = Annotated[Whole, Field(ge=1, le=COUNT_MAX)]
Depth = Annotated[Whole, Field(ge=0, le=1_000_000)]
Concurrency = Annotated[Whole, Field(ge=1, le=10_000)]
Duration = Annotated[Seconds, Field(gt=0, le=_YEAR)]
Interval = Annotated[Seconds, BeforeValidator(_interval), Field(ge=1, le=_YEAR)]
Delay = Annotated[Seconds, Field(ge=0, le=_DAY)]
Size = Annotated[Whole, Field(ge=1, le=16_384)]
Text = Annotated[str, Field(strict=True)]
#: A limit, or none.
OrNone = Annotated[T | None, BeforeValidator(_none_in_words)]
Frames = Annotated[Literal["links", "inner", "part", "ignore"], BeforeValidator(_frames)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_list)]
Urls = Annotated[
    tuple[Annotated[Text, AfterValidator(_url)], ...],
    BeforeValidator(_as_list),
    Field(min_length=1),
]
Sitemaps = Annotated[
    tuple[Annotated[Text, AfterValidator(_sitemap)], ...], BeforeValidator(_as_list)
]
Since = Annotated[Text, BeforeValidator(_since)]
File = Annotated[Annotated[Text, Field(min_length=1)] | None, BeforeValidator(_path_as_text)]
Hosts = Annotated[tuple[Annotated[Text, AfterValidator(_host)], ...], BeforeValidator(_as_list)]
Patterns = Annotated[
    tuple[Annotated[str | re.Pattern[str], PlainValidator(_pattern)], ...],
    BeforeValidator(_as_list),
]
Names = Annotated[
    tuple[Annotated[Text, AfterValidator(_name_pattern)], ...], BeforeValidator(_names)
]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None, BeforeValidator(_upper)]
Referer = Annotated[tuple[Text, ...], BeforeValidator(_as_list), AfterValidator(_referer)]
Globs = Annotated[tuple[Annotated[Text, AfterValidator(_glob)], ...], BeforeValidator(_as_list)]
Routes = Annotated[dict[str, dict[str, Any]], PlainValidator(_routes)]
Steps = Annotated[tuple[Mapping[str, Any], ...], PlainValidator(_steps)]
Conditions = Annotated[tuple[Mapping[str, Any], ...], PlainValidator(_conditions)]
Examples = Annotated[tuple[Mapping[str, Any], ...], PlainValidator(_examples)]
LoginTable = Annotated[Mapping[str, Any] | None, PlainValidator(_login)]
ExtractRule = Annotated[
    Mapping[str, Any] | list[Any] | type[BaseModel] | None, PlainValidator(_extract)
]
Blocks = Annotated[tuple[Annotated[Text, AfterValidator(_block)], ...], BeforeValidator(_as_list)]
Headers = dict[
    Annotated[Text, AfterValidator(_header)], Annotated[Text, AfterValidator(_header_value)]
]
Proxies = Annotated[tuple[Annotated[Text, AfterValidator(_proxy)], ...], BeforeValidator(_as_list)]
Credentials = dict[
    Annotated[Text, AfterValidator(_host_and_port)], Annotated[Text, AfterValidator(_credentials)]
]
Timezone = Annotated[Text, AfterValidator(_timezone)]
Place = Annotated[tuple[float, float, float], PlainValidator(_place)]
ScopeKind = Annotated[str | Callable[..., Any], PlainValidator(_scope)]


def _field(default: Any, description: str, example: str, **bounds: Any) -> Any:
    return Field(default, description=description, examples=[example], **bounds)


class Fields(BaseModel):
    """All that the author of a crawl may say, other than hooks. Times are seconds; None means no
    limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: Annotated[Text, AfterValidator(_name)] = _field(
        ..., "Names the crawl, in Redis, too.", 'name="books"'
    )
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
    robots_name: Annotated[Text, AfterValidator(_robots_name)] | None = _field(
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
    backoff: Annotated[Seconds, Field(ge=0, le=_DAY)] = _field(
        _DEFAULT.backoff, "Before the first retry; it doubles.", "backoff=5"
    )
    backoff_cap: Annotated[Seconds, Field(ge=0, le=_DAY)] = _field(
        _DEFAULT.backoff_cap, "Longest time before a retry.", "backoff_cap=600"
    )
    retry_after_cap: Annotated[Seconds, Field(ge=0, le=_DAY)] = _field(
        _DEFAULT.retry_after_cap,
        "Longest time for which a host's Retry-After is believed.",
        "retry_after_cap=3_600",
    )
    breaker_failures: Annotated[Whole, Field(ge=0, le=1_000_000)] = _field(
        _DEFAULT.breaker_failures,
        "Failures in a row after which a host is left alone for a while; 0: never.",
        "breaker_failures=10",
    )
    breaker_snooze: Annotated[Seconds, Field(gt=0, le=_DAY)] = _field(
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
    page_deadline: Annotated[Seconds, Field(ge=5, le=_DAY)] = _field(
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
    proxy_pause: Annotated[Seconds, Field(gt=0, le=_DAY)] = _field(
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
