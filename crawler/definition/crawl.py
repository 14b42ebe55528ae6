"""A crawl, as its author writes it: fields and hooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ..errors import DefinitionError
from ..hooks import Hook, wants
from ..model import Json
from ..redaction import masked
from .fields import Fields, check_fields, example
from .item_models import is_model
from .login import login_hooks
from .route_options import has_code, hooks_of, merged, sound_tables, without_hooks, without_steps

F = TypeVar("F", bound=Callable[..., Any])

#: The names of the fields. (Pydantic takes longer to say them than a field takes to be read.)
FIELDS = frozenset(Fields.model_fields)


class Crawl:
    """The definition of a crawl: fields, which ``docs/settings.md`` explains, and hooks, which are
    added with decorators.

    Making one never fails; :meth:`validate` reports all that is wrong with it at once. A field is
    read as an attribute; then it is validated, with its default filled in.
    """

    name: str
    url: tuple[str, ...]
    seeds: str | None
    sitemaps: tuple[str, ...]
    sitemaps_since: str | None

    concurrency_limit: int
    depth_limit: int | None
    page_limit: int | None
    page_limit_counts: Literal["started", "done"]
    time_limit: float | None
    idle_limit: float | None
    error_limit: int | None
    item_limit: int | None
    queue_limit: int | None
    host_page_limit: int | None
    pattern_limit: int | None
    results_limit: int

    delay: float
    jitter: bool
    host_concurrency: int | None
    throttle: bool
    robots: bool
    robots_name: str | None
    attempts: int
    after_attempts: int
    hook_attempts: int
    form_retry: bool
    crash_strikes: int
    backoff: float
    backoff_cap: float
    retry_after_cap: float
    breaker_failures: int
    breaker_snooze: float
    breaker_trips: int
    lease: float
    page_deadline: float

    scope: str | Callable[..., Any]
    allow: tuple[str | re.Pattern[str], ...]
    deny: tuple[str | re.Pattern[str], ...]
    deny_extensions: tuple[str, ...]
    restrict_css: tuple[str, ...]
    nofollow: bool
    private_hosts: tuple[str, ...]
    public_only: bool
    keep_fragment: bool
    ignore_tracking: bool
    ignore_params: tuple[str, ...]

    user_agent: str | None
    language: str | None
    window: tuple[int, int]
    referer: tuple[str, ...]
    page_load_timeout: float | None
    load_strategy: Literal["normal", "eager"]
    images: bool
    flags: tuple[str, ...]
    block: tuple[str, ...]
    headers: dict[str, str] | None
    basic_auth: dict[str, str] | None
    proxy: tuple[str, ...]
    proxy_pause: float
    downloads: Literal["refuse", "save"]
    download_limit: int
    download_timeout: float
    timezone: str | None
    geolocation: tuple[float, float, float] | None
    mobile: bool
    scale: float

    wait_for: tuple[str, ...]
    wait_for_response: tuple[str, ...]
    wait_until: str | None
    wait_quiet: float | None
    wait_timeout: float
    interstitial_wait: float
    fetch: Literal["chrome", "http", "auto"]
    conditional: bool
    scroll: bool
    scroll_timeout: float
    steps: tuple[Mapping[str, Any], ...]
    login: Mapping[str, Any] | None
    frames: Literal["links", "inner", "part", "ignore"]
    screenshot: Literal["window", "page"] | None
    pdf: bool
    capture: tuple[str, ...]
    capture_body_limit: int
    capture_limit: int
    response_headers: bool
    keep_links: bool
    keep_headers: tuple[str, ...]
    keep_cookies: tuple[str, ...]
    console: bool
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None
    timings: bool

    invalid_items: Literal["warn", "fail"]
    only_changes: bool
    revisit: float | None
    accept_status: tuple[int, ...]
    blocked: tuple[Mapping[str, Any], ...]
    retry: tuple[Mapping[str, Any], ...]
    skip: tuple[Mapping[str, Any], ...]
    keep_html: bool
    error_snapshots: int
    examples: tuple[Mapping[str, Any], ...]
    message: Json
    routes: dict[str, dict[str, Any]]

    def __init__(self, **fields: Any) -> None:
        #: The fields as their author wrote them.
        self.raw: Mapping[str, Any] = fields
        self._added_hooks: list[tuple[str, Hook]] = []
        self._added_routes: list[tuple[str, dict[str, Any]]] = []
        self._can_follow = False  # by a hook that this copy is without
        #: The hooks of its author, by step.
        self.hooks: dict[str, Hook] = {}
        #: Whether ``after`` is called before the page is reported.
        self.after_needs_page = False
        #: The name of the crawl with code that this is a variant of, and the fields it changes.
        self.base: str | None = None
        self.changes: Mapping[str, Any] = {}
        #: Values that other modules worked out from this crawl (see ``derived``).
        self.derived: dict[Any, Any] = {}

    # Hooks

    def before_all(self, hook: F) -> F:
        """Call ``hook`` once per crawl, before its first page. The log-in that it leaves in the
        browser is shared with every session.
        """
        return self._add_hook("before_all", hook)

    def logged_out(self, hook: F) -> F:
        """Call ``hook`` with each page that came. If it returns something true, the log-in has
        expired: the page waits until ``before_all`` was called again, once for all pages.
        """
        return self._add_hook("logged_out", hook)

    def before(self, hook: F) -> F:
        """Call ``hook`` before each page is fetched."""
        return self._add_hook("before", hook)

    def extract(self, hook: F) -> F:
        """Call ``hook`` for the data of each page. It returns JSON, or yields items that are; an
        instance of a pydantic model, or of a dataclass, becomes JSON.

        A pydantic model, whose fields carry selectors, is the field ``extract``.
        """
        code: object = hook
        if "extract" in self.raw or not is_model(code):
            return self._add_hook("extract", hook)
        self.raw = {**self.raw, "extract": code}
        self._forget()
        return hook

    def filter(self, hook: F) -> F:
        """Call ``hook`` to choose among the links that are in scope.

        If it names ``link``, it is called for each link and keeps those for which it returns
        something true, or their ``Priority``. If it names ``links``, it is called once and
        returns those to keep: links, URLs, or pairs of one and a priority.
        """
        return self._add_hook("filter", hook)

    @overload
    def after(self, hook: F) -> F: ...

    @overload
    def after(self, *, needs_page: bool = False) -> Callable[[F], F]: ...

    def after(self, hook: F | None = None, *, needs_page: bool = False) -> F | Callable[[F], F]:
        """Call ``hook`` with the result of each page that is done, at least once: again if it
        raises, or if its process dies, up to ``after_attempts`` times. Later calls have no live
        page (``page`` and ``browser`` are None).

        With ``needs_page`` it is called before the page is reported, and if it raises, the page is
        tried again.
        """

        def add(hook: F) -> F:
            self.after_needs_page = needs_page
            return self._add_hook("after", hook)

        return add if hook is None else add(hook)

    def failed(self, hook: F) -> F:
        """Call ``hook`` with each page that has failed for good, at least once, as ``after``."""
        return self._add_hook("failed", hook)

    def after_all(self, hook: F) -> F:
        """Call ``hook`` when the crawl has ended, for any reason. It is called again if it raises,
        or if its process dies in it.
        """
        return self._add_hook("after_all", hook)

    def start(self, hook: F) -> F:
        """Call ``hook`` for each further run, instead of sending a Celery task."""
        return self._add_hook("start", hook)

    def _add_hook(self, step: str, hook: F) -> F:
        self._added_hooks.append((step, hook))
        self.hooks[step] = hook
        self._forget()
        return hook

    def _forget(self) -> None:
        """Forget what was worked out from fields and hooks: they have changed."""
        for name in ("fields", "calls"):
            self.__dict__.pop(name, None)
        self.derived.clear()

    def route(
        self,
        name: str,
        match: str | re.Pattern[str] | Iterable[str | re.Pattern[str]] | None = None,
        **options: Any,
    ) -> Callable[[F], F]:
        """Add the route ``name``; return a decorator for its ``extract``, if that is a function.

        Its pages are those with ``match``, one or several regular expressions, in their path and
        query; without it, those that a link leads to which names the route. The first route that
        matches takes a page. ``options`` hold for its pages, in place of the crawl's own fields and
        hooks; ``docs/routes.md`` has all of them.
        """
        table = options if match is None else {"match": match, **options}
        self._added_routes.append((name, table))
        self._forget()

        def add(extract: F) -> F:
            self._added_routes.append((name, {"extract": extract}))
            self._forget()
            return extract

        return add

    @cached_property
    def calls(self) -> Mapping[str, Hook]:
        """All hooks that a run calls, by step: those of the author, and those that a declared
        log-in stands for. Raises DefinitionError.
        """
        return {**login_hooks(self.login), **self.hooks} if self.login else self.hooks

    @property
    def has_code(self) -> bool:
        """Whether it has hooks (or a function as scope, a model as extract, or code in a route).
        Workers look up such a crawl by name; any worker can run one without code.
        """
        return (
            bool(self.hooks)
            or callable(self.raw.get("scope"))
            or is_model(self.raw.get("extract"))
            or has_code(self._written.get("routes"))
        )

    # Fields

    def validate(self) -> None:
        """Pass if nothing is wrong with the crawl.

        Raises:
            DefinitionError: something is; it holds every fault.
        """
        _ = self.fields

    @cached_property
    def fields(self) -> Fields:
        """All fields, validated. Raises DefinitionError."""
        from .validation import definition_faults, route_faults  # only a used crawl is checked

        raw = self._written
        fields, faults = check_fields(raw)
        faults += definition_faults(raw, fields, self._added_hooks, example)
        faults += route_faults(
            raw.get("routes"), self._added_routes, fields, follows=self.follows, example=example
        )
        if fields is None or faults:
            raise DefinitionError(str(self.raw.get("name", "")), tuple(faults))
        return fields

    @property
    def _written(self) -> Mapping[str, Any]:
        """The fields as their author wrote them, with the routes that were added."""
        routes = merged(self.raw.get("routes"), self._added_routes)
        return {**self.raw, "routes": routes} if self._added_routes else self.raw

    @property
    def follows(self) -> bool:
        """Whether one of its hooks asks for ``follow``, with which it may lead to any route."""
        tables = sound_tables(self._written.get("routes"))
        hooks = [hook for _, table in tables for hook in hooks_of(table).values()]
        hooks += self.hooks.values()
        return self._can_follow or any(callable(one) and wants(one, "follow") for one in hooks)

    if not TYPE_CHECKING:  # type checkers know the fields by their annotations, and no other name

        def __getattr__(self, name: str) -> Any:
            if name in FIELDS:
                return getattr(self.fields, name)
            # raises what was raised: an error inside of a property, for instance
            return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        return masked(f"<Crawl {self.raw.get('name')!r} {self.raw.get('url')!r}>")

    # Copies

    def replace(self, **fields: Any) -> Crawl:
        """Return a copy with other values for some fields, and with the same hooks and routes. The
        field ``routes`` goes on top of routes that were added with decorators.
        """
        return self._copy({**self.raw, **fields}, self._added_hooks, self._added_routes)

    def without(self, *steps: str) -> Crawl:
        """Return a copy without the hooks of ``steps``, its routes' among them."""
        hooks = [(step, hook) for step, hook in self._added_hooks if step not in steps]
        fields = dict(self.raw)
        if "routes" in fields:
            fields["routes"] = without_hooks(fields["routes"], steps)
        routes = [(name, without_steps(table, steps)) for name, table in self._added_routes]
        other = self._copy(fields, hooks, routes)
        other._can_follow = self.follows
        return other

    def for_route(self, fields: Mapping[str, Any], hooks: Mapping[str, Hook]) -> Crawl:
        """Return a copy for the pages of one route: with other values for some ``fields``, with
        ``hooks`` in place of its own, and without routes.
        """
        raw = {**self.raw, **fields}
        for name in ("routes", "examples"):
            raw.pop(name, None)
        replaced = {*hooks, *(["extract"] if "extract" in fields else [])}
        if "extract" in hooks:
            raw.pop("extract", None)
        kept = [(step, hook) for step, hook in self._added_hooks if step not in replaced]
        return self._copy(raw, [*kept, *hooks.items()])

    def _copy(
        self,
        fields: Mapping[str, Any],
        hooks: Iterable[tuple[str, Hook]],
        routes: Iterable[tuple[str, Mapping[str, Any]]] = (),
    ) -> Crawl:
        other = Crawl(**fields)
        for step, hook in hooks:
            other._add_hook(step, hook)
        other._added_routes = [(name, dict(options)) for name, options in routes]
        other.after_needs_page = self.after_needs_page
        return other

    def variant(self, **fields: Any) -> Crawl:
        """Return a copy with other values for some fields, among them its name. Workers that know
        this crawl can run the copy.

        The values of ``fields`` are JSON.
        """
        other = self.replace(**fields)
        if self.has_code:
            other.base, other.changes = self.base or self.name, {**self.changes, **fields}
        return other
