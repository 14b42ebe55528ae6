"""The schemas of requests: the body of an order, and the parameters of a query. The description of
the API is made from them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..definition.field_types import Concurrency, Count, Delay, Depth, Duration
from ..model import CRAWL_NAME, Json, Policy
from .job import ID, LIMITS

#: Jobs on a page of the list: the default, and at most.
PAGE_SIZE, PAGE_MAX = 50, 100
#: A place in the list of jobs, and one among results.
PLACE = re.compile(r"[0-9]{1,16}-[a-z0-9][a-z0-9-]{0,39}")
#: A number in a query, and a place in the list of failed pages.
NUMBER = re.compile(r"[0-9]{1,9}")
#: Seconds that a request may wait for the end of a job, at most.
WAIT_MAX = 60
RESULT_PLACE = re.compile(r"[0-9]{1,18}(-[0-9]{1,18})?")

#: A URL as the API takes it: ASCII (the host in Punycode), with a host of letters, digits, dots and
#: dashes, or an IP address.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"({_BYTE}\.){{3}}{_BYTE}"
_HEX = r"[0-9a-fA-F]{1,4}"
_IPV6 = rf"\[(({_HEX}:){{7}}{_HEX}|({_HEX}:){{1,6}}:{_HEX}|::{_HEX})\]"
_PORT = (
    r"(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?"
)
URL = rf"^https?://(({_LABEL}\.){{0,6}}[A-Za-z]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?|{_IPV4}|{_IPV6}){_PORT}([/?#][!-~]*)?$"


def _whole(value: object) -> object:
    """Return a number without a fraction as an integer: in JSON, 1.0 is one, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: The types of a crawl's own fields, with whole numbers as JSON writes them, and a bound where the
#: definition has none.
WHOLE = BeforeValidator(_whole)
JobCount: Any = Annotated[Count, Field(le=1_000_000_000), WHOLE]
JobDepth: Any = Annotated[Depth, WHOLE]
JobConcurrency: Any = Annotated[Concurrency, WHOLE]
JobDuration = Annotated[Duration, Field(ge=1)]
_DEFAULT = Policy()


#: What is wrong with a field of a form that no reader wants to see as a regular expression.
FORMS = {
    "id": "must be 1 to 40 small letters, digits and dashes, and not begin with a dash",
    "crawl": "is no name of a crawl",
    "webhook": "must be an http or https URL in ASCII",
    "url": "must be an http or https URL in ASCII",
    "cursor": "is not the cursor of a page before",
    "after": "is not the place of a line",
    "limit": "must be a whole number",
    "wait": "must be a whole number",
}


class NewJob(BaseModel):
    """The order of a job: a crawl that the server knows, or a URL to crawl with the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(
        "",
        pattern=rf"^{ID.pattern}$",
        description="Names the job: to repeat the order with it is harmless.",
    )
    crawl: str = Field(
        "",
        pattern=rf"^{CRAWL_NAME.pattern}$",
        description="A crawl that the server knows, by its name.",
    )
    url: str = Field(
        "", max_length=2_000, pattern=URL, description="A site to crawl, with the defaults."
    )
    webhook: str = Field(
        "",
        max_length=2_000,
        pattern=URL,
        description="A URL that is told of the end of the job, by a signed POST.",
    )
    message: Any = Field(
        None, description="Anything for the crawl's hooks, which read it as `crawl.message`."
    )
    page_limit: JobCount | None = Field(None, description="Pages; null: no limit.")
    depth_limit: JobDepth | None = Field(
        None, description="Links from where it starts; null: no limit."
    )
    time_limit: JobDuration | None = Field(None, description="Seconds; null: no limit.")
    error_limit: JobCount | None = Field(None, description="Failed pages; null: no limit.")
    item_limit: JobCount | None = Field(
        None, description="Pages that gave something; null: no limit."
    )
    concurrency_limit: JobConcurrency = Field(
        _DEFAULT.concurrency_limit, description="Pages at once."
    )
    delay: Delay = Field(_DEFAULT.delay, description="Seconds between two requests to one host.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if ("crawl" in self.model_fields_set) == ("url" in self.model_fields_set):
            raise ValueError("name either a crawl or a url")
        return self

    def limits(self) -> dict[str, Json]:
        """Return the fields of a crawl that the order sets."""
        return {name: getattr(self, name) for name in LIMITS if name in self.model_fields_set}


def order_schema() -> dict[str, Json]:
    """Return the JSON Schema of an order. It names no defaults: a field that is left out is the
    crawl's own.
    """
    schema = NewJob.model_json_schema()
    for field in schema["properties"].values():
        field.pop("default", None)
        field.pop("title", None)
    return {**schema, "oneOf": [{"required": ["crawl"]}, {"required": ["url"]}]}
