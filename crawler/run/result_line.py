"""The line of JSON that a page's result is in the results of its crawl."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..text.printable import printable

if TYPE_CHECKING:
    from ..model import Result

#: Bytes of JSON that a result may have; larger things (HTML, pictures) belong in files, written by
#: a hook.
RESULT_MAX = 1_048_576


def as_json(result: Result) -> str:
    """Return ``result`` as a line of JSON.

    Raises:
        TypeError, ValueError: its data cannot be JSON, or are too much.
    """
    record = result.record()
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = printable(text)  # as JSON escapes them: the line means the same
    if (size := len(text.encode())) > RESULT_MAX:
        raise ValueError(f"the result has {size:,} bytes of JSON; at most {RESULT_MAX:,} are kept")
    return text
