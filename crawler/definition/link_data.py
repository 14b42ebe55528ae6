"""The data that a link carries to its page: a JSON object of at most 2 KB."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..model import Json
from ..text.encodable import encodable
from ..text.nesting import NESTING_MAX, is_deeper

#: Bytes of JSON (UTF-8) that the data of a link may have: it waits in Redis with its page.
DATA_MAX = 2_048


def link_data(data: Mapping[str, Json]) -> dict[str, Json]:
    """Return ``data`` as the page will read it: a copy, whose texts can be encoded.

    Raises:
        TypeError, ValueError: it is no object of JSON, or too large.
    """
    if not isinstance(data, Mapping):
        raise TypeError(
            f'data is an object of JSON, as {{"shelf": "Poetry"}}, not {type(data).__name__}'
        )
    if is_deeper(data):
        raise ValueError(f"data is nested more than {NESTING_MAX} levels deep")
    for name in _names(data):
        if not isinstance(name, str):
            raise TypeError(f"data has the name {name!r}; names in JSON are text")
    try:
        text = json.dumps(dict(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise type(error)(f"data is no JSON: {error}") from None
    text = encodable(text)
    if (size := len(text.encode())) > DATA_MAX:
        raise ValueError(
            f"data has {size:,} bytes of JSON, and a link carries {DATA_MAX:,} at most: keep the"
            " rest in this page's item, or in a database, and pass its key"
        )
    kept: dict[str, Json] = json.loads(text)
    return kept


def _names(data: Mapping[Any, Json]) -> Iterator[Any]:
    """Yield the names of ``data`` and of all objects in it."""
    parts: list[Any] = [data]
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            yield from part
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
