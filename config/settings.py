"""The settings: where this installation finds things, and how patient it is. The ``CRAWLER_*``
variables are read once and checked whole.

Nothing else in the package reads the environment: the library gets the values as arguments. What to
crawl is no setting.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from . import SettingsError, django
from .service_urls import (
    BROKER_SCHEMES,
    CHROME_SCHEMES,
    FRONTIER_SCHEMES,
    WEB_SCHEMES,
    broker_beside,
    check_url,
    with_password,
    with_verification,
)

PREFIX = "CRAWLER_"
#: The source of a setting that nobody set.
DEFAULT = "default"

#: Seconds that the HTTP client to ChromeDriver or the Grid waits longer than Chrome may take to
#: load a page.
HTTP_MARGIN = 15.0
#: Seconds between the soft and the hard time limit of a run.
HARD_MARGIN = 30.0

#: A token, as RFC 6750 writes it, and too long to be guessed.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,256}={0,2}")

#: Characters of the secret that signs webhooks.
SIGNING_MIN, SIGNING_MAX = 16, 256

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
#: A URL may hold a password, so it is never shown: not by ``repr``, not in an error.
SecretUrl = Annotated[str | None, Field(repr=False)]

#: Minute, hour, day of month, month, day of week.
CRON_FIELDS = 5
#: The word behind them that has a crawl remember its pages.
RECRAWL = "recrawl"


class Settings(BaseSettings):
    """All settings. Times are seconds; None means "not configured". :func:`load` makes them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, first things first: arguments, the environment, the Django project
        if there is one.
        """
        project = django.values(cls.model_fields, BROKER_SCHEMES)
        return init_settings, env_settings, InitSettingsSource(settings_cls, project)

    # Where things are
    redis_password_file: Path | None = Field(default=None, examples=["/run/secrets/redis_password"])
    """A file with the password of ``redis_url``, for a URL that has none. A ``broker_url`` that is
    set keeps its own."""

    redis_url: SecretUrl = Field(
        default=None, examples=["redis://localhost:6379/0"], validate_default=True
    )
    """The frontier's Redis: ``redis://``, ``rediss://`` (TLS), ``unix://``, ``redis+cluster://``,
    ``redis+sentinel://``. Unset: a private one."""

    broker_url: SecretUrl = Field(
        default=None, examples=["redis://localhost:6379/1"], validate_default=True
    )
    """Celery's Redis. Unset: the next database of ``redis_url``."""

    chrome_url: SecretUrl = Field(default=None, examples=["http://localhost:4444"])
    """A Selenium Grid or a ChromeDriver; or ``ws://``, ``wss://``: a bare DevTools endpoint, as
    hosted browsers give, or a Chrome with ``--remote-debugging-port``. Unset: a Chrome on this
    machine."""

    chrome_binary: Path | None = Field(default=None, examples=["/usr/bin/chromium-headless-shell"])
    """The local Chrome. Unset: a headless shell, Chrome or Chromium on the path, else Selenium
    Manager's."""

    chromedriver: Path | None = Field(default=None, examples=["/usr/bin/chromedriver"])
    """The local ChromeDriver. Unset: the one on the path, else Selenium Manager's."""

    chrome_shared: int = Field(default=4, ge=1, le=100)
    """How many sessions of a worker share one local Chrome, each with a browser context of its own,
    which spares memory. 1: each has its own Chrome. Four spare nearly as much as eight do, and
    fewer pages are tried again when a Chrome dies. With more than eight the one thread that serves
    all of them may be busy all the time."""

    flower_url: str | None = Field(
        default=None, pattern=r"^https?://[^@\s]+$", examples=["https://flower.example.com/"]
    )
    """The address of Flower for people: the pages of Django's admin link to it. Without user and
    password, as everybody there sees it."""

    state_dir: Path = Path(".crawler")
    """The folder of the private Redis: what a second ``crawler start`` resumes from."""

    files_dir: Path | None = Field(default=None, examples=["/var/lib/crawler/files"])
    """The folder for pictures, prints and downloads of the crawls that ask for them. Unset:
    ``files`` in ``state_dir``."""

    heartbeat_file: Path | None = Field(default=None, examples=["/run/crawler/alive"])
    """A file that a worker touches at each tick, for probes. Unset: none."""

    errors_dir: Path | None = Field(default=None, examples=["/var/lib/crawler/errors"])
    """A folder for error snapshots, one folder in it per crawl. Unset: none, but ``crawler start
    --output DIR`` has its own."""

    # Which work
    crawls: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), examples=["shop.crawls,news.crawls"]
    )
    """Modules, ``module:attribute`` references or files with crawls that this worker knows;
    separated by commas."""

    schedule: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), examples=["books 0 3 * * * recrawl; shop */30 8-18 * * 1-5"]
    )
    """What `celery beat` starts: the name of a crawl, then minute, hour, day of month, month and
    day of week (UTC), as in a crontab; separated by semicolons. A crawl that has ended begins
    again; with the word recrawl at the end of its entry it remembers its pages."""

    queue: str = Field(default="crawler", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """The Celery queue of our tasks."""

    key_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9_.:-]{0,64}$", examples=["shop:"])
    """Put before every key, the frontier's and the broker's, so that installations can share a
    Redis."""

    # How often
    tick_interval: Seconds = 10.0
    """Seconds between two ticks of a worker (each varies by a quarter): what was lost is found
    again by one of them."""

    events: bool = True
    """Whether workers and clients send the events that Flower shows: about 0.15 ms of CPU a run."""

    start_hooks: bool = True
    """Whether a crawl's hook ``start`` begins its runs. Off: messages to workers begin the runs of
    all crawls. ``crawler start --local`` switches it off for its own workers."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The lowest level of the messages that are logged."""

    log_format: Literal["text", "json"] = "text"
    """The form of a worker's log: lines for people, or one JSON object each, with the crawl, URL
    and task of the message."""

    worker_job_completion_rate_per_second: Seconds | None = Field(
        default=None, le=10_000, examples=[20]
    )
    """How many runs (of a page each) all workers together complete in a second, for load tests.
    Unset: as many as they can."""

    # The jobs API
    api_tokens: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), repr=False, examples=["a-long-random-text"]
    )
    """The tokens that its clients show, separated by commas; each of 16 characters or more."""

    api_tokens_file: Path | None = Field(default=None, examples=["/run/secrets/tokens"])
    """A file with such tokens, one per line; # begins a comment. Read when the server starts."""

    api_rate: int = Field(default=600, ge=0, le=10_000_000)
    """Requests that each token may make in a minute, over all servers; 0: any number."""

    api_body_max: int = Field(default=65_536, ge=1_024, le=1_048_576)
    """Bytes that the body of a request may have."""

    api_private: bool = False
    """Whether jobs may start at private addresses, the server's own among them."""

    api_wait_max: float = Field(default=60.0, ge=0, le=60)
    """Seconds that a request which waits for the end of a job (?wait=) is held, at most."""

    webhook_secret_file: Path | None = Field(default=None, examples=["/run/secrets/webhook_secret"])
    """A file with the ``webhook_secret``, where that is not set itself. Read with the settings."""

    webhook_secret: str | None = Field(
        default=None,
        min_length=SIGNING_MIN,
        max_length=SIGNING_MAX,
        repr=False,
        examples=["a-long-random-text"],
        validate_default=True,
    )
    """The secret that signs the webhooks of jobs, of 16 characters or more: the same for servers
    and workers. Unset: orders with a webhook are refused."""

    job_retention: Seconds = 86_400.0
    """Seconds for which a job that ended is remembered, with its results."""

    traces_url: SecretUrl = Field(default=None, examples=["http://localhost:4318/v1/traces"])
    """An OpenTelemetry collector (OTLP over HTTP) that gets a span of each run and step; needs the
    extra `otel`. Unset: none."""

    # How patient, in the order in which the limits must lie
    redis_connect_timeout: Seconds = 2.0
    """Seconds to connect to Redis."""

    redis_timeout: Seconds = 4.0
    """Seconds for an answer of Redis; without it, a frozen server blocks for ever."""

    script_timeout: Seconds = 20.0
    """Seconds for one script in a page."""

    page_load_timeout: Seconds = 45.0
    """Seconds for Chrome to load a page; above ``script_timeout``."""

    run_timeout: Seconds = 200.0
    """Seconds for a whole run: the task's soft time limit, above each crawl's page deadline (180);
    the hard one lies 30 above."""

    visibility_timeout: Seconds = 3600.0
    """Seconds after which the broker hands an unacknowledged message to another worker; above the
    hard time limit."""

    soft_shutdown_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """Seconds that runs in flight may take to end in a cold shutdown; 0 gives them none."""

    # The browser
    session_timeout: Seconds = 60.0
    """Seconds that a run waits for a new browser session, in a Grid's queue as well, before it
    gives its place to another run; below ``run_timeout``, and best a little above the Grid's
    ``SE_SESSION_REQUEST_TIMEOUT``."""

    session_idle: Seconds = 120.0
    """Seconds after which an unused session of a Grid is given back; below its
    ``SE_NODE_SESSION_TIMEOUT`` (300)."""

    session_pages: int = Field(default=500, ge=1)
    """Pages after which a session is replaced."""

    devtools: Literal["local", "all", "none"] = "local"
    """Whose pages are fetched over Chrome's own protocol, which is faster than WebDriver: those of
    a ``local`` Chrome, of ``all`` that can be reached that way, or of ``none``. Hooks get a
    WebDriver in any case."""

    session_age: Seconds = 1800.0
    """Seconds after which a session is replaced."""

    @field_validator("redis_password_file")
    @classmethod
    def _password(cls, path: Path | None) -> Path | None:
        if path and not _secret(path):
            raise ValueError("is empty")
        return path

    @field_validator("redis_url")
    @classmethod
    def _frontier(cls, url: str | None, others: ValidationInfo) -> str | None:
        path = others.data.get("redis_password_file")
        checked = url and check_url(url, FRONTIER_SCHEMES)
        return with_password(checked, _secret(path)) if checked and path else checked

    @field_validator("schedule", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        parts = value.split(";") if isinstance(value, str) else value
        return tuple(part for part in map(str.strip, parts) if part)

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            words = entry.split()
            if len(words) != 1 + CRON_FIELDS and words[1 + CRON_FIELDS :] != [RECRAWL]:
                raise ValueError(
                    f"{entry!r} is not a name and {CRON_FIELDS} fields of a crontab, perhaps with"
                    f" the word {RECRAWL} behind"
                )
        return entries

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, url: str | None, others: ValidationInfo) -> str | None:
        if url:
            return with_verification(check_url(url, BROKER_SCHEMES))
        # absent if it is faulty itself: one fault is enough
        frontier = others.data.get("redis_url")
        if frontier and "+cluster://" in frontier:
            raise ValueError(
                "must be set, to a Redis that is no Cluster: Celery cannot use the frontier's"
            )
        return frontier and broker_beside(frontier)

    @field_validator("chrome_url")
    @classmethod
    def _chrome(cls, url: str | None) -> str | None:
        checked = url and check_url(url, CHROME_SCHEMES)
        # at the end of others may stand a token
        return checked.rstrip("/") if checked and checked.startswith("http") else checked

    @field_validator("api_tokens")
    @classmethod
    def _tokens(cls, tokens: tuple[str, ...]) -> tuple[str, ...]:
        if any(not TOKEN.fullmatch(token) for token in tokens):
            raise ValueError("each must have 16 to 256 characters: letters, digits and -._~+/=")
        return tokens

    @field_validator("crawls", "api_tokens", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part for part in map(str.strip, value.split(",")) if part)
            if isinstance(value, str)
            else value
        )

    @field_validator("webhook_secret_file")
    @classmethod
    def _webhook_file(cls, path: Path | None) -> Path | None:
        if path and not SIGNING_MIN <= len(_secret(path)) <= SIGNING_MAX:
            raise ValueError(f"must hold {SIGNING_MIN} to {SIGNING_MAX} characters")
        return path

    @field_validator("webhook_secret", mode="before")
    @classmethod
    def _webhook(cls, secret: Any, others: ValidationInfo) -> Any:
        path = others.data.get("webhook_secret_file")
        return _secret(path) if path and not secret else secret

    @field_validator("traces_url")
    @classmethod
    def _traces(cls, url: str | None) -> str | None:
        return url and check_url(url, WEB_SCHEMES)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Refuse a limit that ends before the one inside it: it would hide the cause."""
        ladder = (
            ("script_timeout", self.script_timeout, "page_load_timeout", self.page_load_timeout),
            (
                "page_load_timeout + 15",
                self.page_load_timeout + HTTP_MARGIN,
                "run_timeout",
                self.run_timeout,
            ),
            ("session_timeout", self.session_timeout, "run_timeout", self.run_timeout),
            (
                "run_timeout + 30",
                self.run_timeout + HARD_MARGIN,
                "visibility_timeout",
                self.visibility_timeout,
            ),
        )
        for inner, low, outer, high in ladder:
            if low >= high:
                raise ValueError(
                    f"{variable(outer)}: {high:g} s must be more than {inner} ({low:g} s)"
                )
        return self

    @property
    def http_timeout(self) -> float:
        """Seconds that the HTTP client of ChromeDriver or the Grid waits for a response."""
        return self.page_load_timeout + HTTP_MARGIN

    @property
    def hard_timeout(self) -> float:
        """Seconds after which Celery kills the process of a run."""
        return self.run_timeout + HARD_MARGIN


#: Variables that were taken out of the environment, so that no child of this process has them; see
#: ``children.py``.
withdrawn: dict[str, str] = {}


def load(**values: Any) -> Settings:
    """Return the settings of this process: ``values`` first, then the environment (read at each
    call), then those of the Django project that it belongs to, if any, then the defaults.

    Raises:
        SettingsError: something is wrong; the text names every faulty variable.
    """
    ours = [variable(name) for name in Settings.model_fields]
    kept = {
        name.removeprefix(PREFIX).lower(): withdrawn[name] for name in ours if name in withdrawn
    }
    try:
        return Settings(**(kept | values))
    except django.ProjectError as error:
        raise SettingsError(str(error)) from error
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise SettingsError("; ".join(map(_fault, faults))) from error


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A setting as it holds here: its variable, its value, and where that comes from.

    ``is_secret``: the value may hold a password, and is not for people.
    """

    variable: str
    value: Any
    source: str
    is_secret: bool


def effective(settings: Settings) -> list[EffectiveSetting]:
    """Return each of ``settings``, as :func:`load` made them without values of its caller.

    The source is the environment, the Django project, a file, another setting, or the default.
    """
    project = django.values(Settings.model_fields, BROKER_SCHEMES)
    found = []
    for name, value in settings:
        field = Settings.model_fields[name]
        if is_given(name):
            source = "environment"
        elif value == field.default:
            source = DEFAULT
        elif name in project:
            source = "Django project"
        elif name == "webhook_secret":
            source = variable("webhook_secret_file")
        else:
            source = f"made of {variable('redis_url')}"  # the broker beside it
        found.append(EffectiveSetting(variable(name), value, source, is_secret=not field.repr))
    return found


def is_given(name: str) -> bool:
    """Whether the environment gives the setting ``name``: not the Django project, or a default."""
    given = {one.upper() for one, value in os.environ.items() if value} | set(withdrawn)
    return variable(name) in given


def environment(settings: Settings) -> dict[str, str]:
    """Return ``settings`` as variables for the processes that this one starts: :func:`load` makes
    equal settings of them there.
    """
    variables = {}
    for name, value in settings:
        if value is not None and value != Settings.model_fields[name].default:
            mark = ";" if name == "schedule" else ","
            variables[variable(name)] = mark.join(value) if isinstance(value, tuple) else str(value)
    return variables


def unknown(secret_prefix: str, environ: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Return variables that look like settings and are none, each with the name that was probably
    meant (or None). Those that begin with ``secret_prefix`` are left out.
    """
    ours = [variable(name) for name in Settings.model_fields]
    strangers: dict[str, str | None] = {}
    for name in os.environ if environ is None else environ:
        if name.startswith(PREFIX) and not name.startswith(secret_prefix) and name not in ours:
            strangers[name] = next(iter(difflib.get_close_matches(name, ours, 1)), None)
    return strangers


def secrets(prefix: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that begin with ``prefix``, by name: the passwords that crawls may refer
    to. Never show them.
    """
    variables = withdrawn | os.environ if environ is None else environ
    return {name: value for name, value in variables.items() if name.startswith(prefix)}


def variable(name: str) -> str:
    """Return the environment variable of the setting ``name``."""
    return PREFIX + name.upper()


def _secret(path: Path) -> str:
    """Return what the file at ``path`` holds, or raise ValueError if it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _fault(error: Any) -> str:
    """Return a fault in words with which its reader can mend it."""
    what = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # a fault between two settings names its variable itself
        return str(what)
    name = str(error["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        near = difflib.get_close_matches(name, Settings.model_fields, 1)
        return f"{name}: is no setting" + (f" ({near[0]} is)" if near else "")
    example = field.examples[0] if field.examples else field.default
    example = f"{example:g}" if isinstance(example, float) else example
    shown = "" if not field.repr else f", not {error['input']!r}"
    return f"{variable(name)}: {what[:1].lower()}{what[1:]}{shown} (for example: {example})"
