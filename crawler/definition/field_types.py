"""What a field of a crawl may hold: the types of fields, and the checks that they make.

A check says what is wrong with a value, and how a right one is written.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
)

from ..model import LINK, Priority, is_crawl_name
from ..redaction import looks_secret, names_secret, password_of
from ..secret_refs import SECRET_PREFIX, references
from ..text.nesting import NESTING_MAX, is_deeper
from ..urls.modified import first_moment
from ..urls.patterns import SCOPE_KINDS, parse_pattern
from ..urls.proxy_url import parse_proxy
from ..urls.url import InvalidURL, normal_host, parse_url
from .conditions import condition_faults
from .expectations import example_problems, plain
from .field_errors import shown
from .item_models import is_extract
from .login import login_faults
from .route_options import sound_tables
from .steps import step_faults

#: Seconds.
DAY, YEAR = 86_400.0, 31_536_000.0
#: Seconds of the units in which an interval may be written.
UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY, "w": 7 * DAY}
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
Duration = Annotated[Seconds, Field(gt=0, le=YEAR)]
Interval = Annotated[Seconds, BeforeValidator(_interval), Field(ge=1, le=YEAR)]
Delay = Annotated[Seconds, Field(ge=0, le=DAY)]
Size = Annotated[Whole, Field(ge=1, le=16_384)]
Text = Annotated[str, Field(strict=True)]
Name = Annotated[Text, AfterValidator(_name)]
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
RobotsName = Annotated[Text, AfterValidator(_robots_name)]
ScopeKind = Annotated[str | Callable[..., Any], PlainValidator(_scope)]
