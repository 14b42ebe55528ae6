"""The text of a document's bytes, as browsers find it: by mark, header, declaration, guess."""

from __future__ import annotations

import codecs

from w3lib.encoding import (
    html_body_declared_encoding,
    http_content_type_encoding,
    read_bom,
    resolve_encoding,
)

#: Bytes in which a declaration is looked for, as in browsers.
PRESCAN = 1_024
#: The encoding of a document that declares none and is no other for sure.
DEFAULT = "cp1252"


def decoded(body: bytes, content_type: str | None) -> tuple[str, str]:
    """Return the text of ``body`` and the name of its encoding; "" as name: it declares none, and
    holds bytes that only a browser's guess can read.
    """
    name, mark = read_bom(body)
    if name is None or mark is None:
        mark = b""
        name = http_content_type_encoding(content_type)
        if name is None and (declared := html_body_declared_encoding(body[:PRESCAN])):
            name = "utf-8" if declared.startswith("utf-16") else resolve_encoding(declared)
    if name is None:
        if body.isascii():
            return body.decode("ascii"), "utf-8"
        return body.decode(DEFAULT, "replace"), ""
    codec = codecs.lookup(name).name
    return body[len(mark) :].decode(codec, "replace"), codec
