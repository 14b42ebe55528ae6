"""Forms that hooks submit: fields and their values, and the body that a browser makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

from ..model import Json, Page
from ..text.encodable import encodable

#: Bytes of the body that a form may have: it waits in Redis with its page.
FORM_MAX = 16_384


def form_of(form: Mapping[str, Any]) -> dict[str, Json]:
    """Return ``form`` as it is kept: by the name of each field a text, or a list of them, with the
    line breaks that a browser sends.

    Raises:
        TypeError, ValueError: it is no form, or too large.
    """
    if not isinstance(form, Mapping):
        raise TypeError(
            f'form is an object of names and values, as {{"q": "tea"}}, not {type(form).__name__}'
        )
    kept: dict[str, Json] = {}
    for name, value in form.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"form has the name {name!r}; names of its fields are text")
        kept[_sendable(name)] = (
            [_text(name, one) for one in value]
            if isinstance(value, list | tuple)
            else _text(name, value)
        )
    if (size := len(body_of(kept))) > FORM_MAX:
        raise ValueError(
            f"form has a body of {size:,} bytes, and {FORM_MAX:,} are sent at most: what is larger"
            " can be filled in and submitted in the page, by its hook or its steps"
        )
    return kept


def pairs_of(form: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return the names and values that ``form`` sends, in their order."""
    return [
        (name, str(one))
        for name, value in form.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]


def body_of(form: Mapping[str, Json]) -> str:
    """Return the body that a browser sends for ``form``: application/x-www-form-urlencoded."""
    return urlencode(pairs_of(form), safe="*").replace("~", "%7E")


def with_form(page: Page, form: Mapping[str, Json]) -> Page:
    """Return ``page`` as what comes when ``form`` is submitted to its URL: a page of its own for
    each body.
    """
    digest = blake2b(body_of(form).encode(), digest_size=16).hexdigest()
    key = f"{page.key or page.url} {digest}"  # no URL has a space
    return replace(page, form=form, key=key, id="")


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return _sendable(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(
        f"the field {name!r} of form is {type(value).__name__}; values are text, numbers, or lists"
        " of them, and a field that is not to be sent is left out"
    )


def _sendable(text: str) -> str:
    return encodable(text).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
