"""A crawl, as its author writes it; and how a reference (``shop.crawls:books``, ``books.py``,
``books.toml``, a URL) is one.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from .. import hooks as hooking
from ..errors import DefinitionError, Fault
from ..model import Band, Json, Link, Page, Plan, Policy, Response
from ..net.guard import Guard, Resolve, system_resolve
from ..net.proxies import PROXY_PAGES, Proxies
from ..redaction import masked, password_of
from ..secret_refs import references
from ..urls.scope import Chosen, Scope, doubtful_host
from ..urls.url import Rules, canonical, parse_url
from .fields import SECRETS, Fields, check_fields, example
from .login import login_hooks
from .steps import Visit, parse_steps

if TYPE_CHECKING:
    from ..profile import Profile

#: Rounds of hashing that make a password slow to guess by a digest: about 0.1 s for each field,
#: once per process.
GUESS_ROUNDS = 200_000

F = TypeVar("F", bound=Callable[..., Any])
#: Calls the filter hook with ``link`` or ``links``, and whatever else its caller has for it.
Keep = Callable[..., Any]


class Crawl:
    """What to crawl: fields (see ``fields``), and hooks, which are added with decorators.

    Making one never fails; :meth:`validate` reports all that is wrong with it at once. A field is
    read as an attribute and is then validated, with its default filled in.
    """

    name: str
    concurrency_limit: int
    depth_limit: int | None
    delay: float
    page_deadline: float
    robots: bool
    keep_html: bool
    message: Json
    accept_status: tuple[int, ...]
    error_snapshots: int

    def __init__(self, **fields: Any) -> None:
        self._given = fields
        self._registered: list[tuple[str, Any]] = []
        #: The hooks of its author, by step.
        self.hooks: dict[str, Callable[..., Any]] = {}
        #: The name of the crawl with code that this is a variant of, and what it changes.
        self.base: str | None = None
        self._changes: dict[str, Any] = {}

    # What its author adds

    def before_all(self, hook: F) -> F:
        """Call ``hook`` once per crawl, before its first page; what it leaves in the browser (a
        log-in) is kept for all.
        """
        return self._hook("before_all", hook)

    def logged_out(self, hook: F) -> F:
        """Call ``hook`` with each page that came. If it returns something true, the log-in has
        expired: the page waits for ``before_all`` to be done again, once for all.
        """
        return self._hook("logged_out", hook)

    def before(self, hook: F) -> F:
        """Call ``hook`` before each page is fetched."""
        return self._hook("before", hook)

    def extract(self, hook: F) -> F:
        """Call ``hook`` for the data of each page; what it returns (or the list of what it yields)
        must be JSON.
        """
        return self._hook("extract", hook)

    def filter(self, hook: F) -> F:
        """Call ``hook`` to choose among the links that are in scope.

        If it names ``link``, it is called for each and keeps those for which it returns something
        true, or a ``Band``, their priority. If it names ``links``, it is called once and returns
        those to keep: links, URLs, or pairs of one and a band.
        """
        return self._hook("filter", hook)

    def after(self, hook: F) -> F:
        """Call ``hook`` with the result of each page that is done."""
        return self._hook("after", hook)

    def after_all(self, hook: F) -> F:
        """Call ``hook`` when the crawl has ended, however it did; again if it raises, or if its
        process dies in it.
        """
        return self._hook("after_all", hook)

    def start(self, hook: F) -> F:
        """Call ``hook`` for each further run, instead of sending a Celery task."""
        return self._hook("start", hook)

    def _hook(self, step: str, hook: F) -> F:
        self._registered.append((step, hook))
        self.hooks[step] = hook
        self._forget()
        return hook

    # What it says

    def validate(self) -> None:
        """Raises DefinitionError, with every fault, unless all is well."""
        _ = self._fields

    def __getattr__(self, name: str) -> Any:
        if name in Fields.model_fields:
            return getattr(self._fields, name)
        # raises what was raised: an error inside of a property, for instance
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        return masked(f"<Crawl {self._given.get('name')!r} {self._given.get('url')!r}>")

    @cached_property
    def _fields(self) -> Fields:
        fields, faults = check_fields(self._given)
        faults += self._faults(fields)
        if fields is None or faults:
            raise DefinitionError(str(self._given.get("name", "")), tuple(faults))
        return fields

    def _faults(self, fields: Fields | None) -> list[Fault]:
        """What is wrong beyond single values."""
        faults = []
        if isinstance(mapping := self._given.get("extract"), Mapping):
            from . import selectors

            faults += [
                Fault(where, what, example("extract")) for where, what in selectors.faults(mapping)
            ]
            if "extract" in self.hooks:
                faults.append(Fault("extract", "is given both as a table and as a hook; keep one"))
        for css in _listed(self._given.get("restrict_css")):
            from . import selectors

            if isinstance(css, str) and (problem := selectors.css_problem(css)):
                faults.append(Fault("restrict_css", problem, example("restrict_css")))
        if fields and max(fields.wait_timeout, fields.scroll_timeout) >= fields.page_deadline:
            what = (
                f"must lie above wait_timeout ({fields.wait_timeout:g}) and scroll_timeout"
                f" ({fields.scroll_timeout:g})"
            )
            faults.append(Fault("page_deadline", what, example("page_deadline")))
        hosts = [parse_url(url).host for url in fields.url] if fields else []
        for name in ("allow", "deny"):
            for item in _listed(self._given.get(name)):
                if isinstance(item, str) and doubtful_host(item, hosts):
                    what = (
                        f"{item!r} reads as a hostname, but none can end like that; to search in"
                        " URLs, write it with a slash"
                    )
                    faults.append(Fault(name, what, f'{name}=[r"/{re.escape(item)}"]'))
        known: dict[str, str] = {}
        for step, hook in self._registered:
            for what in hooking.faults(step, hook):
                faults.append(
                    Fault(step, f"the hook {hooking.hook_name(hook)} {what}", _HOOK_EXAMPLES[step])
                )
            called = hooking.hook_name(hook)
            if known.setdefault(step, called) != called:
                faults.append(
                    Fault(step, f"has two hooks, {known[step]} and {called}; there can be one")
                )
        if self._given.get("login") and "before_all" in self.hooks:
            faults.append(
                Fault("login", "is given both as a table and as a before_all hook; keep one")
            )
        if (
            "logged_out" in self.hooks
            and not self._given.get("login")
            and "before_all" not in self.hooks
        ):
            faults.append(
                Fault(
                    "logged_out",
                    "needs a before_all hook, which logs in again",
                    _HOOK_EXAMPLES["before_all"],
                )
            )
        if callable(scope := self._given.get("scope")):
            faults += [
                Fault("scope", f"the function {what}", "scope=lambda url: '/en/' in url")
                for what in hooking.faults("scope", scope)
            ]
        return faults

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it starts."""
        return self._fields.url

    @property
    def secrets(self) -> frozenset[str]:
        """The values in it that must be read nowhere: passwords of its URLs, headers, credentials,
        and what steps fill in.
        """
        fields = self._fields
        typed = [
            step.value for step in parse_steps(fields.steps) if step.action in ("fill", "choose")
        ]
        typed += (fields.login or {"fill": {}})["fill"].values()
        told = (given.partition(":")[2] for given in (fields.basic_auth or {}).values())
        urls = map(password_of, (*fields.url, *fields.proxy))
        return frozenset(filter(None, (*urls, *(fields.headers or {}).values(), *told, *typed)))

    @cached_property
    def calls(self) -> Mapping[str, Callable[..., Any]]:
        """What is called, by step: the hooks of its author, and those that a declared log-in stands
        for.
        """
        return (
            {**login_hooks(self._fields.login), **self.hooks} if self._fields.login else self.hooks
        )

    @property
    def has_code(self) -> bool:
        """Whether it has hooks (or a function as scope): then workers look it up by name, else any
        worker can run it.
        """
        return bool(self.hooks) or callable(self._given.get("scope"))

    @property
    def wants_html(self) -> bool:
        """Whether the HTML of each page is needed."""
        readers = (
            self.hooks[step]
            for step in ("logged_out", "extract", "filter", "after")
            if step in self.hooks
        )
        fields = self._fields
        return (
            fields.keep_html
            or "extract" not in self.hooks
            or bool(fields.restrict_css)
            or fields.nofollow
            or any(hooking.wants(hook, "response") for hook in readers)
        )

    def policy(self) -> Policy:
        """What the frontier enforces for it."""
        return self._policy

    @cached_property
    def _policy(self) -> Policy:
        return self._fields.policy()

    def profile(self, flags: Iterable[str] = ()) -> Profile:
        """What it asks of the browser; its own command line flags come after ``flags``, so they
        count.
        """
        from ..profile import Profile  # brings Selenium along

        fields = self._fields
        same = (
            "user_agent",
            "language",
            "window",
            "load_strategy",
            "images",
            "block",
            "timezone",
            "geolocation",
            "mobile",
            "scale",
            "console",
            "timings",
            "download_limit",
            "download_timeout",
        )
        return Profile(
            fields.name,
            flags=(*flags, *fields.flags),
            headers=tuple(sorted((fields.headers or {}).items())),
            exchanges=fields.response_headers,
            basic_auth=tuple(sorted((self._told() | (fields.basic_auth or {})).items())),
            references=tuple(
                sorted(
                    {
                        *references(fields.steps),
                        *references(fields.basic_auth),
                        *references(fields.login),
                    }
                )
            ),
            downloads=fields.downloads == "save",
            watch=bool(self.visit and self.visit.watches),
            pages=PROXY_PAGES if fields.proxy else None,
            **{name: getattr(fields, name) for name in same},
        )

    def _told(self) -> dict[str, str]:
        """The credentials that stand in its entries' URLs, for ``basic_auth``: pages are requested
        without them.
        """
        told = {}
        for url in self._fields.url:
            if (parts := urlsplit(url)).username:
                address = parse_url(url)
                told[f"{address.host}:{address.port}"] = (
                    f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                )
        return told

    def proxies(self, secrets: Mapping[str, str]) -> Proxies:
        """The proxies that its browsers go through in turn; ``secrets`` are what it may refer
        to.
        """
        return Proxies(self._fields.proxy, self._fields.proxy_pause, secrets)

    @cached_property
    def visit(self) -> Visit | None:
        """What it does on a page before it reads it; None: nothing."""
        fields = self._fields
        same = (
            "wait_for",
            "wait_until",
            "wait_quiet",
            "wait_timeout",
            "scroll",
            "scroll_timeout",
            "frames",
            "screenshot",
            "pdf",
        )
        return (
            Visit(steps=parse_steps(fields.steps), **{name: getattr(fields, name) for name in same})
            or None
        )

    def definition(self) -> dict[str, Json] | None:
        """It as JSON, from which :meth:`from_definition` makes it again; of a variant, what it
        changes. None if it has code.
        """
        if self.base:
            return {name: _plain(value) for name, value in self._changes.items()}
        return None if self.has_code else self._said()

    @classmethod
    def from_definition(cls, definition: Mapping[str, Json]) -> Crawl:
        """The crawl without code that :meth:`definition` described."""
        return cls(**definition)

    def replace(self, **fields: Any) -> Crawl:
        """It with other values for some fields, and the same hooks."""
        other = Crawl(**(self._given | fields))
        for step, hook in self._registered:
            other._hook(step, hook)
        return other

    def variant(self, **fields: Any) -> Crawl:
        """It with other values for some fields, among them its name; whoever knows this crawl can
        run that one.

        The values of ``fields`` are JSON.
        """
        other = self.replace(**fields)
        if self.has_code:
            other.base, other._changes = self.base or self.name, self._changes | fields
        return other

    @cached_property
    def digest(self) -> str:
        """Tells two versions of a crawl apart: of its fields, and of the source of its hooks. The
        same in every process.
        """
        fields = self._said()
        secrets = SECRETS | ({"url"} if any(map(password_of, self._fields.url)) else set())
        # people see the digest: no password must be guessed by it
        for name in secrets & fields.keys():
            secret = json.dumps(fields[name], sort_keys=True).encode("utf-8", "surrogatepass")
            fields[name] = hashlib.pbkdf2_hmac(
                "sha256", secret, f"{self.name}:{name}".encode(), GUESS_ROUNDS
            ).hex()
        said = {
            "fields": fields,
            "hooks": {step: _source(hook) for step, hook in sorted(self.hooks.items())},
        }
        return hashlib.blake2b(
            json.dumps(said, sort_keys=True).encode("utf-8", "surrogatepass"), digest_size=8
        ).hexdigest()

    def _said(self) -> dict[str, Json]:
        """The fields that differ from their defaults, as JSON."""
        fields = self._fields
        said = {name: getattr(fields, name) for name in type(fields).model_fields}
        return {
            name: _plain(value)
            for name, value in said.items()
            if value != type(fields).model_fields[name].default
        }

    def plan(self) -> Plan:
        """What the frontier keeps about it."""
        return Plan(
            self.name,
            self.policy(),
            self.digest,
            self.definition(),
            "before_all" in self.calls,
            self.base,
        )

    # What it makes of pages and links

    @cached_property
    def scope_(self) -> Scope:
        """Its bounds."""
        fields = self._fields
        rules = Rules(fields.keep_fragment, fields.ignore_tracking, fields.ignore_params)
        make = partial(
            Scope,
            fields.url,
            fields.scope,
            allow=fields.allow,
            deny=fields.deny,
            deny_extensions=fields.deny_extensions,
            nofollow=fields.nofollow,
            private_hosts=fields.private_hosts,
            rules=rules,
        )
        polite = (
            fields.delay
            or fields.host_cap
            or fields.robots
            or fields.throttle
            or fields.breaker_failures
        )
        scope = make(lanes=False)
        return scope if scope.one_host or not polite else make(lanes=True)

    def entries(self) -> tuple[Page, ...]:
        """The pages that it starts with, each once."""
        pages: dict[str, Page] = {}
        for url in self.urls:
            page = self.page(url)
            pages.setdefault(page.key, page)
        return tuple(pages.values())

    def page(self, url: str) -> Page:
        """The page at depth 0 for ``url``. Raises InvalidURL."""
        return self.scope_.entry(url)

    def canonical(self, url: str) -> str:
        """The form by which this crawl recognises ``url``. Raises InvalidURL."""
        return canonical(url, self.scope_.rules)

    def refuses(self, url: str, page: Page | None = None) -> str | None:
        """Why ``url``, where a redirect took ``page``, is out of bounds (a word of
        ``scope.REASONS``); None if it is not.
        """
        return self.scope_.refuses(url, page)

    def guard(self, resolve: Resolve = system_resolve) -> Guard:
        """Says which hosts it must not talk to. Make one per process: it remembers what names
        resolve to.
        """
        entries = () if self._fields.public_only else self.scope_.hosts
        return Guard(entries, self._fields.private_hosts, resolve=resolve)

    def select(self, response: Response) -> Json:
        """What its table of selectors (or the default one) takes from ``response``."""
        from . import selectors

        wanted = selectors.DEFAULT_EXTRACT if self._fields.extract is None else self._fields.extract
        return selectors.extract(response.html or "", wanted)

    def choose(
        self,
        page: Page,
        links: Iterable[Link],
        *,
        response: Response | None = None,
        keep: Keep | None = None,
        explain: bool = False,
    ) -> Chosen:
        """The pages that the ``links`` of ``page`` become: in scope, not too deep, chosen by the
        filter hook, each once.

        ``keep`` calls the filter hook (with ``link`` or ``links``) for a caller that has more
        arguments for it than are known here. ``response``, with its HTML, is needed for
        ``restrict_css`` and for pages that say nofollow. ``explain`` asks for the reason of each
        dropped link.
        """
        hook = self.hooks.get("filter")
        chooser = (
            partial(_filtered, hook, keep or partial(self._call_filter, hook, page, response))
            if hook
            else None
        )
        links, dropped, reasons = self._reachable(page, tuple(links), response, explain)
        chosen = self.scope_.choose(page, links, keep=chooser, explain=explain)
        return (
            Chosen(chosen.pages, {**dropped, **chosen.dropped}, reasons + chosen.reasons)
            if dropped
            else chosen
        )

    def _call_filter(
        self, hook: Callable[..., Any], page: Page, response: Response | None, **of: Any
    ) -> Any:
        return hooking.call(hook, {"crawl": self, "page": page, "response": response, **of})

    def _reachable(
        self, page: Page, links: tuple[Link, ...], response: Response | None, explain: bool
    ) -> tuple[tuple[Link, ...], dict[str, int], tuple[tuple[Link, str], ...]]:
        """The links that depth and the page itself leave, and the others with the reason."""
        fields = self._fields
        if fields.depth_limit is not None and page.depth >= fields.depth_limit:
            kept: tuple[Link, ...] = ()
            reason = "depth"
        elif (
            response is None
            or response.html is None
            or not (fields.nofollow or fields.restrict_css)
        ):
            return links, {}, ()
        else:
            from . import selectors

            if fields.nofollow and selectors.says_nofollow(response.html):
                kept, reason = (), "nofollow"
            elif fields.restrict_css:
                look = self.scope_.look
                inside = {
                    look(url).key
                    for url in selectors.links_within(
                        response.html, response.url, fields.restrict_css
                    )
                }
                kept, reason = (
                    tuple(
                        link
                        for link in links
                        if look(link.url).key in inside or look(link.url).reason
                    ),
                    "restrict",
                )
            else:
                return links, {}, ()
        remain = set(map(id, kept))
        lost = tuple((link, reason) for link in links if id(link) not in remain)
        return kept, {reason: len(lost)} if lost else {}, lost if explain else ()

    def _forget(self) -> None:
        for name in ("_fields", "_policy", "digest", "scope_", "visit", "calls"):
            self.__dict__.pop(name, None)


_HOOK_EXAMPLES = {
    "before_all": "def log_in(browser): …",
    "before": "def prepare(page, browser): …",
    "logged_out": "def expired(page): return page.text('#login') is not None",
    "extract": 'def book(page): return {"title": page.text("h1")}',
    "filter": 'def wanted(link): return "/en/" in link.url',
    "after": "def save(result): …",
    "after_all": "def report(snapshot): …",
    "start": "def start(ticket): …",
}


def _filtered(
    hook: Callable[..., Any], keep: Keep, links: tuple[Link, ...]
) -> Iterable[tuple[Link, Band]]:
    """The links that the filter hook chooses, with their priorities."""
    if hooking.wants(hook, "link"):
        for link in links:
            answer = keep(link=link, links=links)
            if isinstance(answer, Band):
                yield link, answer
            elif answer:
                yield link, Band.NORMAL
        return
    answer = keep(links=links)
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes | Mapping):
        raise TypeError(
            f"the filter hook {hooking.hook_name(hook)} must return the links to keep, not"
            f" {type(answer).__name__}"
        )
    for one in answer:
        yield _choice(one, hook)


def _choice(one: Any, hook: Callable[..., Any]) -> tuple[Link, Band]:
    match one:
        case Link():
            return one, Band.NORMAL
        case str():
            return Link(one), Band.NORMAL
        case (Link() as link, Band() as band):
            return link, band
        case (str() as url, Band() as band):
            return Link(url), band
    raise TypeError(
        f"the filter hook {hooking.hook_name(hook)} returned {one!r}, which is neither a link nor"
        " a URL"
    )


def _listed(value: Any) -> list[Any]:
    return (
        list(value)
        if isinstance(value, list | tuple | set | frozenset)
        else []
        if value is None
        else [value]
    )


def _plain(value: Any) -> Json:
    """``value`` as JSON that means the same in another process."""
    match value:
        case re.Pattern():
            flags = "".join(
                letter
                for letter, flag in zip("imsx", (re.I, re.M, re.S, re.X), strict=True)
                if value.flags & flag
            )
            return f"(?{flags}:{value.pattern})"
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | str() | int() | float():
            return value
    return _source(value)


def _source(code: Any) -> str:
    """What ``code`` (a function, mostly) does: its source; without one, its byte code."""
    if isinstance(code, partial):
        return f"{_source(code.func)} {code.args!r} {sorted(code.keywords.items())!r}"
    code = inspect.unwrap(code)
    compiled = getattr(code, "__code__", None)
    names = (
        f"{compiled.co_varnames!r} {compiled.co_names!r}" if compiled else hooking.hook_name(code)
    )
    try:
        source = inspect.getsource(
            code if inspect.isroutine(code) or inspect.isclass(code) else type(code)
        )
    except (OSError, TypeError):
        return f"{compiled.co_code.hex()} {names}" if compiled else names
    # of several on one line
    return f"{source} {names}" if hooking.hook_name(code).endswith("<lambda>") else source


# References
