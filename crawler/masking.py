"""Passwords stay out of what people read: logs, errors, ``repr``."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)([^\s:/?#@]*):[^\s/?#]*@")
_PARAMETER = re.compile(r"([?&](?:sentinel_|ssl_)?(?:password|passwd|token|secret|api_?key)=)[^\s&#;]*", re.IGNORECASE)
#: How redis-py shows a client in some of its errors, options and all: three lines that nobody reads.
_CLIENT = re.compile(r"[ :]*<redis\..*>")


def masked(text: str) -> str:
    """``text`` (a URL, or a message with URLs in it) with ``***`` for each password."""
    return _PARAMETER.sub(r"\1***", _USERINFO.sub(r"\1:***@", _CLIENT.sub("", text)))
