"""Addresses that documents write, made absolute as browsers do (WHATWG URL)."""

from __future__ import annotations

import re

import ada_url

#: Addresses below the root, or queries, of which nothing has to be encoded or resolved.
_PLAIN = re.compile(
    r"/(?![/\\])(?:[A-Za-z0-9_~%!$&()*+,;=:@/-]|\.(?![./?#]|$|%))*(?:\?[A-Za-z0-9_.~%!$&()*+,;=:@/?-]*)?"
)
_ENCODED_DOT = re.compile(r"/(?:\.|%2e)", re.IGNORECASE)
_HEAD = re.compile(r"https?://[a-z0-9.-]+(?::\d+)?(?=[/?#]|$)")


def joined(base: str, address: str) -> str | None:
    """Return the URL that ``address`` is in a document whose base is ``base``; None: it is none."""
    if _PLAIN.fullmatch(address) and not _ENCODED_DOT.search(address):
        head = _HEAD.match(base)
        if head:
            return head[0] + address
    try:
        return str(ada_url.join_url(base, address))
    except ValueError:
        return None
