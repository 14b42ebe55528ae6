"""What a load test does, as data: who orders how many jobs, of what, for how long, and what the
system must keep to meanwhile. From a TOML file, or one of the two experiments.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..definition.field_types import COUNT_MAX
from ..errors import SetupError

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10_000)]

#: A target on times: what is timed, and which of its figures is held to it.
TIME_TARGET = re.compile(r"(waiting|processing|total)_(p[1-9][0-9]?|mean|max)")
#: Another one: the share of jobs that fail, and of orders that are refused.
FAILURES = "failures"


class _Table(BaseModel):
    """A table of a scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class JobOrder(_Table):
    """The body of each order, as POST /jobs takes it. Without a crawl and a URL: a page of this
    machine.
    """

    crawl: str | None = None
    url: str | None = None
    page_limit: Annotated[int, Field(ge=1, le=COUNT_MAX)] | None = 1
    depth_limit: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    message: Any = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.crawl is not None and self.url is not None:
            raise ValueError("names a crawl and a url; name one")
        return self

    def body(self, page: str) -> dict[str, Any]:
        """Return the order as JSON; ``page`` is the URL where it has none."""
        body = self.model_dump(exclude_none=True)
        return body if "crawl" in body else {"url": page, **body}


class WorkerPlan(_Table):
    """The workers that are brought up, where none are configured."""

    #: Browsers at once.
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    #: Jobs of one page that all of them together complete in a second; None: as many as they can.
    rate: Rate | None = None


class Scenario(_Table):
    """A load test. Rates are jobs a second, by all users together."""

    name: Annotated[str, Field(pattern=r"^[\w .-]{1,60}$")] = "load test"
    about: str = ""
    #: A locustfile with users of one's own, beside this file; then ``users`` says how many.
    locustfile: Path | None = None
    users: Count = 0
    #: Users that order at ``rate``, and wait for nothing.
    publishers: Count = 0
    rate: Rate | None = None
    #: At even distances, or as strangers come.
    arrivals: Literal["even", "random"] = "even"
    #: Users that wait for the end of each job of a publisher, and read its results.
    subscribers: Count = 0
    #: Users that order a job, wait for its end, and order the next one.
    waiters: Count = 0
    duration: Seconds = 60.0
    times: Annotated[tuple[Rate, ...], Field(min_length=1, max_length=20)] = (1.0,)
    job: JobOrder = JobOrder()
    workers: WorkerPlan = WorkerPlan()
    targets: Mapping[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    #: Which experiment of the classroom it is, of those that there are.
    experiment: Literal[1, 2] | None = None

    @field_validator("targets")
    @classmethod
    def _targets(cls, targets: Mapping[str, float]) -> Mapping[str, float]:
        for name in targets:
            if name != FAILURES and not TIME_TARGET.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no target: waiting, processing or total with _p50 (any up to"
                    f" p99), _mean or _max, in seconds; or {FAILURES}, a share of 1"
                )
        return targets

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.locustfile is not None:
            if not self.users or self.publishers or self.waiters or self.subscribers:
                raise ValueError("with a locustfile, users says how many, and nothing else does")
            if self.rate is not None or self.times != (1.0,):
                raise ValueError("rate and times are for publishers, not for a locustfile")
            return self
        if self.users:
            raise ValueError("users is for a locustfile; here: publishers, subscribers, waiters")
        if not self.publishers and not self.waiters:
            raise ValueError("nobody orders a job: say publishers (with a rate), or waiters")
        if (self.publishers > 0) != (self.rate is not None):
            raise ValueError("publishers need a rate, and a rate needs publishers")
        if self.subscribers and not self.publishers:
            raise ValueError("subscribers need publishers, whose jobs they wait for")
        return self

    @property
    def people(self) -> int:
        """How many users there are."""
        return self.users + self.publishers + self.subscribers + self.waiters

    def changed(self, **changes: Any) -> Scenario:
        """Return the scenario with other values, checked again; None changes nothing.

        Raises:
            SetupError: they do not go together.
        """
        kept = {name: value for name, value in changes.items() if value is not None}
        return check(self.model_dump() | kept, "the options") if kept else self


#: The experiments of the classroom: five users, and a worker that completes a job a second.
EXPERIMENTS = {
    1: Scenario(
        name="Experiment 1",
        about="Five users order a job each, wait for its end, and order the next one.",
        waiters=5,
        workers=WorkerPlan(rate=1.0),
        experiment=1,
    ),
    2: Scenario(
        name="Experiment 2",
        about="Five users order a job a second each, and wait for nothing.",
        publishers=5,
        rate=5.0,
        workers=WorkerPlan(rate=1.0),
        experiment=2,
    ),
}


def read(path: Path) -> Scenario:
    """Return the scenario in the TOML file at ``path``; of a locustfile, one that runs its users.

    Raises:
        SetupError: it cannot be read, or is none; the text says what is wrong.
    """
    if path.suffix == ".py":
        if not path.is_file():
            raise SetupError(f"there is no file {path}")
        return Scenario(name=re.sub(r"[^\w .-]", " ", path.stem)[:60], locustfile=path, users=10)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SetupError(f"{path} is no TOML: {error}") from error
    if "experiment" in values:
        raise SetupError(f"{path}: experiment is no field of a file; use --experiment")
    scenario = check({"name": path.stem, **values}, str(path))
    if scenario.locustfile is None:
        return scenario
    file = path.parent / scenario.locustfile
    if not file.is_file():
        raise SetupError(f"{path}: there is no locustfile {file}")
    return scenario.model_copy(update={"locustfile": file})


def check(values: Mapping[str, Any], source: str) -> Scenario:
    """Return the scenario with these values, which come from ``source``.

    Raises:
        SetupError: what is wrong, a line for each fault.
    """
    try:
        return Scenario(**values)
    except (ValidationError, TypeError) as error:
        if not isinstance(error, ValidationError):
            raise SetupError(f"{source}: {error}") from error
        faults = [_words(fault) for fault in error.errors()]
        raise SetupError("\n  ".join([f"{source} is no scenario:", *faults])) from error


def _words(fault: Any) -> str:
    where = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {"job": JobOrder, "workers": WorkerPlan}
        fields = tables.get(str(fault["loc"][0]), Scenario).model_fields
        near = difflib.get_close_matches(str(fault["loc"][-1]), fields, n=1)
        return f"{where}: there is no such field" + (f"; did you mean {near[0]}?" if near else "")
    text = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
