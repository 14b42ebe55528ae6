"""What a client may send: the body of an order, and the forms of parameters. The description of the
API is made from here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..model import CRAWL_NAME, Json
from .jobs import ID, LIMITS

#: Jobs on a page of the list: unless asked otherwise, and at most.
PAGE_SIZE, PAGE_MAX = 50, 100
#: A place in the list of jobs, and one among results.
PLACE = re.compile(r"[0-9]{1,16}-[a-z0-9][a-z0-9-]{0,39}")
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
    """In JSON, 1.0 is a whole number, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bounded(lowest: int, highest: int) -> Any:
    return Annotated[int, Field(strict=True, ge=lowest, le=highest), BeforeValidator(_whole)]


Count: Any = _bounded(1, 1_000_000_000)
Depth: Any = _bounded(0, 1_000_000)
Concurrency: Any = _bounded(1, 10_000)
Seconds = Annotated[float, Field(strict=True, ge=1, le=31_536_000)]
Delay = Annotated[float, Field(strict=True, ge=0, le=86_400)]


class NewJob(BaseModel):
    """What is to be crawled: either a crawl that the server knows, or a URL."""

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
    message: Any = Field(
        None, description="Anything for the crawl's hooks, which read it as `crawl.message`."
    )
    page_limit: Count | None = Field(None, description="Pages; null: no limit.")
    depth_limit: Depth | None = Field(
        None, description="Links from where it starts; null: no limit."
    )
    time_limit: Seconds | None = Field(None, description="Seconds; null: no limit.")
    error_limit: Count | None = Field(None, description="Failed pages; null: no limit.")
    item_limit: Count | None = Field(None, description="Pages that gave something; null: no limit.")
    concurrency_limit: Concurrency = Field(4, description="Pages at once.")
    delay: Delay = Field(0.0, description="Seconds between two requests to one host.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if ("crawl" in self.model_fields_set) == ("url" in self.model_fields_set):
            raise ValueError("name either a crawl or a url")
        return self

    def limits(self) -> dict[str, Json]:
        """The fields of a crawl that were given."""
        return {name: getattr(self, name) for name in LIMITS if name in self.model_fields_set}


def schema() -> dict[str, Json]:
    """The form of an order, as JSON Schema."""
    said = NewJob.model_json_schema()
    for form in said["properties"].values():
        form.pop("default", None)  # what is left out is the crawl's own
        form.pop("title", None)
    return {**said, "oneOf": [{"required": ["crawl"]}, {"required": ["url"]}]}
